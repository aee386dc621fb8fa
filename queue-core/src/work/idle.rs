//! [`Idle`]: how somebody who waits until all is done learns of it.

use crate::event::{Event, Listen, Listener};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Deadline, seq_cst};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Where a kind lets those wait who [`join`](super::WorkQueue::join) it.
///
/// The kind asks [`has_waiting`](Self::has_waiting) after each change that may leave the queue
/// idle, and calls [`notify`](Self::notify) if it is.
///
/// A listener is notified of an idle moment after it was registered, and of none before: unlike
/// that of an [`Event`] it passes nothing on when it is dropped.
#[derive(Debug)]
pub struct Idle {
    /// How many listen.
    listening: AtomicUsize,
    /// How often the queue was idle while somebody listened.
    moments: AtomicUsize,
    event: Event,
}

impl Default for Idle {
    fn default() -> Self {
        Self::new()
    }
}

impl Idle {
    /// Nobody waits.
    pub fn new() -> Self {
        Self {
            listening: seq_cst(0),
            moments: AtomicUsize::new(0),
            event: Event::new(),
        }
    }

    /// Whether anybody listens. Ask after a `SeqCst` read-modify-write that those who listen look
    /// at by a `SeqCst` load, or under a lock that they take: then either this sees the listener,
    /// or the listener's owner sees the change.
    #[inline(always)]
    pub fn has_waiting(&self) -> bool {
        self.listening.load(Ordering::SeqCst) != 0
    }

    /// Registers a listener. Look whether the queue is idle after this and before waiting on it.
    pub fn listen(&self) -> IdleListener<'_> {
        self.listening.fetch_add(1, Ordering::SeqCst);
        IdleListener {
            idle: self,
            moments: self.moments.load(Ordering::Acquire),
            listener: Some(self.event.listen()),
        }
    }

    /// The queue is idle: wakes all who listen.
    #[cold]
    pub fn notify(&self) {
        // Release: pairs with the Acquire in `came`; who joins sees what was done.
        self.moments.fetch_add(1, Ordering::Release);
        self.event.notify_all();
    }
}

/// Listens to an [`Idle`].
#[derive(Debug)]
#[must_use = "a listener that is not waited on does nothing"]
pub struct IdleListener<'a> {
    idle: &'a Idle,
    moments: usize,
    listener: Option<Listener<'a>>,
}

impl IdleListener<'_> {
    /// Whether the queue was idle since.
    fn came(&self) -> bool {
        // Acquire: pairs with the Release in `notify`.
        self.idle.moments.load(Ordering::Acquire) != self.moments
    }
}

impl Listen for IdleListener<'_> {
    fn wait(mut self, deadline: Deadline) -> bool {
        while !self.came() {
            let idle = self.idle;
            // A listener that was dropped may have passed its wake on to this one.
            let listener = self.listener.take().unwrap_or_else(|| idle.event.listen());
            if !listener.wait(deadline) {
                return self.came();
            }
            self.listener = Some(idle.event.listen());
        }
        true
    }
}

impl Future for IdleListener<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.came() {
                return Poll::Ready(());
            }
            let idle = self.idle;
            let listener = self.listener.get_or_insert_with(|| idle.event.listen());
            if Pin::new(listener).poll(cx).is_pending() {
                return Poll::Pending;
            }
            // Registered anew before the next look.
            self.listener = Some(idle.event.listen());
        }
    }
}

impl Drop for IdleListener<'_> {
    fn drop(&mut self) {
        self.idle.listening.fetch_sub(1, Ordering::SeqCst);
    }
}
