//! [`ProducerList`]: those who wait for a slot.
//!
//! Whoever frees a slot holds it for the first in line, and wakes it: nobody who comes
//! later can take it. A task keeps its item until it comes, and pushes it then. So a task
//! that is cancelled has not pushed, and what it gives back is a slot.
//!
//! A thread cannot be cancelled while it waits, so it leaves its item in line: whoever frees
//! a slot moves it into the queue, and its owner finds the work done. That is one turn for
//! two items where the queue holds a single one.

use queue_core::waiters::{WaitList as Line, WaiterId as Key};
use std::mem;
use std::task::Waker;

/// What a producer waits for.
pub(crate) enum Request<T> {
    /// To have this item pushed.
    Push(T),
    /// To hold a slot.
    Hold,
    /// To be told of a slot, that anybody may still take.
    Notice,
    /// Its request has been granted.
    Granted,
}

struct WaitingProducer<T> {
    request: Request<T>,
    /// Set while it sleeps.
    waker: Option<Waker>,
}

impl<T> Default for WaitingProducer<T> {
    fn default() -> Self {
        Self {
            request: Request::Granted,
            waker: None,
        }
    }
}

/// See the module's page.
pub(crate) struct ProducerList<T> {
    line: Line<WaitingProducer<T>>,
}

impl<T> ProducerList<T> {
    pub(crate) fn new() -> Self {
        Self { line: Line::new() }
    }

    /// How many stand in line. Who has been served does not.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.line.waiting()
    }

    pub(crate) fn join(&mut self, request: Request<T>, waker: Option<Waker>) -> Key {
        self.line.enqueue(WaitingProducer { request, waker })
    }

    #[inline]
    pub(crate) fn is_granted(&self, key: Key) -> bool {
        matches!(self.line[key].request, Request::Granted)
    }

    /// How `key`, which stands in line, is woken.
    pub(crate) fn waker_mut(&mut self, key: Key) -> &mut Option<Waker> {
        &mut self.line[key].waker
    }

    /// Takes the first out of the line: its request, which counts as granted now, and its
    /// waker. Its key is good until it [`leave`](Self::leave)s.
    pub(crate) fn serve_first(&mut self) -> (Request<T>, Option<Waker>) {
        let key = self.line.first();
        self.line.unlink(key);
        let producer = &mut self.line[key];
        let request = mem::replace(&mut producer.request, Request::Granted);
        (request, producer.waker.take())
    }

    /// Sends the first away with its request: the queue is closed.
    pub(crate) fn dismiss_first(&mut self) -> Option<Waker> {
        let key = self.line.first();
        self.line.unlink(key);
        self.line[key].waker.take()
    }

    /// Takes `key` out: its request, and its waker. Unless it was granted or dismissed it is
    /// `in_line` still.
    pub(crate) fn leave(&mut self, key: Key, in_line: bool) -> (Request<T>, Option<Waker>) {
        if in_line && !self.is_granted(key) {
            self.line.unlink(key);
        }
        let WaitingProducer { request, waker } = self.line.remove(key);
        (request, waker)
    }
}
