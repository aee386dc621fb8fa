//! [`Idle`]: how who joins ([`join`](super::join)) is told that all is done.

use crate::event::{Event, Listen, Listener};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
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
/// that of an [`Event`] it passes nothing on when it is dropped. A kind that hears of idle moments
/// later than they were numbers them itself, by [`reached`](Self::reached) and
/// [`IdleListener::since`].
#[derive(Debug)]
pub struct Idle {
    /// How many listen.
    listening: AtomicUsize,
    /// The number of the last idle moment that is known of.
    moment: AtomicU64,
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
            moment: AtomicU64::new(0),
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
            since: self.moment.load(Ordering::Acquire),
            listener: Some(self.event.listen()),
        }
    }

    /// The queue is idle: wakes all who listen.
    #[cold]
    pub fn notify(&self) {
        // Release: pairs with the Acquire in `came`; who joins sees what was done.
        self.moment.fetch_add(1, Ordering::Release);
        self.event.notify_all();
    }

    /// The queue was idle at this moment: wakes those who listen since an earlier one.
    #[cold]
    pub fn reached(&self, moment: u64) {
        // Release: as in `notify`.
        if self.moment.fetch_max(moment, Ordering::Release) < moment {
            self.event.notify_all();
        }
    }
}

/// Listens to an [`Idle`].
#[derive(Debug)]
#[must_use = "a listener that is not waited on does nothing"]
pub struct IdleListener<'a> {
    idle: &'a Idle,
    since: u64,
    listener: Option<Listener<'a>>,
}

impl IdleListener<'_> {
    /// Idle moments up to this one say nothing to this listener.
    pub fn since(mut self, moment: u64) -> Self {
        self.since = moment;
        self
    }

    /// Whether the queue was idle since.
    fn came(&self) -> bool {
        // Acquire: pairs with the Release in `notify`.
        self.idle.moment.load(Ordering::Acquire) > self.since
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
