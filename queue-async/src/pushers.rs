//! [`Pushers`]: those who wait for a place.
//!
//! Whoever frees a place holds it for the first in line, and wakes it: nobody who comes
//! later can take it. A task keeps its item until it comes, and pushes it then. So a task
//! that is cancelled has not pushed, and what it gives back is a place.
//!
//! A thread cannot be cancelled while it waits, so it leaves its item in line: whoever frees
//! a place moves it into the queue, and its owner finds the work done. That is one turn for
//! two items where the queue holds a single one.

use queue_core::waiters::{WaitList as Line, WaiterId as Key};
use std::mem;
use std::task::Waker;

/// What a pusher waits for.
pub(crate) enum Wish<T> {
    /// To have this item pushed.
    Push(T),
    /// To hold a place.
    Hold,
    /// To be told of a place, that anybody may still take.
    Notice,
    /// Its wish has been granted.
    Granted,
}

struct Pusher<T> {
    wish: Wish<T>,
    /// Set while it sleeps.
    waker: Option<Waker>,
}

impl<T> Default for Pusher<T> {
    fn default() -> Self {
        Self {
            wish: Wish::Granted,
            waker: None,
        }
    }
}

/// See the module's page.
pub(crate) struct Pushers<T> {
    line: Line<Pusher<T>>,
}

impl<T> Pushers<T> {
    pub(crate) fn new() -> Self {
        Self { line: Line::new() }
    }

    /// How many stand in line. Who has been served does not.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.line.waiting()
    }

    pub(crate) fn join(&mut self, wish: Wish<T>, waker: Option<Waker>) -> Key {
        self.line.enqueue(Pusher { wish, waker })
    }

    #[inline]
    pub(crate) fn is_granted(&self, key: Key) -> bool {
        matches!(self.line[key].wish, Wish::Granted)
    }

    /// How `key`, which stands in line, is woken.
    pub(crate) fn waker_mut(&mut self, key: Key) -> &mut Option<Waker> {
        &mut self.line[key].waker
    }

    /// Takes the first out of the line: its wish, which counts as granted now, and its
    /// waker. Its key is good until it [`leave`](Self::leave)s.
    pub(crate) fn serve_first(&mut self) -> (Wish<T>, Option<Waker>) {
        let key = self.line.first();
        self.line.unlink(key);
        let pusher = &mut self.line[key];
        let wish = mem::replace(&mut pusher.wish, Wish::Granted);
        (wish, pusher.waker.take())
    }

    /// Sends the first away with its wish: the queue is closed.
    pub(crate) fn dismiss_first(&mut self) -> Option<Waker> {
        let key = self.line.first();
        self.line.unlink(key);
        self.line[key].waker.take()
    }

    /// Takes `key` out: its wish, and its waker. Unless it was granted or dismissed it is
    /// `in_line` still.
    pub(crate) fn leave(&mut self, key: Key, in_line: bool) -> (Wish<T>, Option<Waker>) {
        if in_line && !self.is_granted(key) {
            self.line.unlink(key);
        }
        let Pusher { wish, waker } = self.line.remove(key);
        (wish, waker)
    }
}
