//! [`Event`]: how somebody who waits learns that it is worth trying again.
//!
//! The protocol, the same for a thread and for a future:
//!
//! 1. the waiter tries, and fails;
//! 2. it takes a [`Listener`];
//! 3. it tries **again**: whatever happened before step 2 it sees now, whatever
//!    happens later will notify the listener;
//! 4. it waits on the listener, and goes back to 1.
//!
//! A listener that is dropped after it was notified passes the notification on, so a
//! waiter that is cancelled, times out or panics eats no wake.

mod listener;
mod listeners;

pub use listener::{Listen, Listener};

use crate::sync::atomic::{AtomicUsize, Ordering, fence};
use crate::sync::{Lock, seq_cst};
use crate::waiters::wake_all;
use listeners::Listeners;

/// Something that happens and that threads and futures wait for together.
///
/// Whoever makes it happen changes the shared state first and calls
/// [`notify`](Self::notify) after. It costs a fence and a load when nobody waits.
///
/// ```
/// use queue_core::event::{Event, Listen};
/// use queue_core::sync::Deadline;
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// let (flag, event) = (AtomicBool::new(false), Event::new());
/// std::thread::scope(|s| {
///     s.spawn(|| {
///         flag.store(true, Ordering::Release);
///         event.notify();
///     });
///     while !flag.load(Ordering::Acquire) {
///         let listener = event.listen();
///         if !flag.load(Ordering::Acquire) {
///             listener.wait(Deadline::NEVER);
///         }
///     }
/// });
/// ```
#[derive(Debug)]
pub struct Event {
    /// How many listeners stand in the list unnotified: written under the list's lock,
    /// read without it.
    waiting: AtomicUsize,
    list: Lock<Listeners>,
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl Event {
    /// An event that nobody listens to yet.
    pub fn new() -> Self {
        Self {
            waiting: seq_cst(0),
            list: Lock::new(Listeners::new()),
        }
    }

    /// Registers a listener. Try again after this and before waiting on it.
    pub fn listen(&self) -> Listener<'_> {
        let mut list = self.list.lock();
        let id = list.insert();
        self.publish(&list);
        drop(list);
        // Pairs with the fence in `notify`: either that sees this listener, or its owner,
        // trying again, sees what is announced.
        fence(Ordering::SeqCst);
        Listener::new(self, id)
    }

    /// Wakes the listener that has waited longest and is not yet notified, if any.
    ///
    /// Call it after the change is visible, once for each change.
    #[inline]
    pub fn notify(&self) {
        // Pairs with the fence in `listen`.
        fence(Ordering::SeqCst);
        if self.has_waiting() {
            self.notify_one(false);
        }
    }

    /// As [`notify`](Self::notify), but wakes nobody while a thread that was notified
    /// earlier is still on its way.
    ///
    /// For a queue whose successful `try_` verbs notify onward when there is more to
    /// take: a burst then costs one wake, and who is woken wakes the next one. That is
    /// relied on among threads alone. A task that was woken may not be polled for long
    /// (its future is kept for later, say), and no item may wait for it while others
    /// sleep: so as long as a task listens every call wakes one.
    #[inline]
    pub fn notify_unless_pending(&self) {
        // Pairs with the fence in `listen`.
        fence(Ordering::SeqCst);
        if self.has_waiting() {
            self.notify_one(true);
        }
    }

    /// [`notify_unless_pending`](Self::notify_unless_pending) without the fence, for
    /// whoever announces by a `SeqCst` read-modify-write of an atomic (from
    /// [`seq_cst`], for the models) at which waiters look by a `SeqCst` load when they try
    /// again.
    #[inline]
    pub fn notify_after_rmw_unless_pending(&self) {
        // SeqCst: the announcement, this load, the store in `publish` and the waiter's
        // load stand in one order. Either this sees the listener, or its owner, trying
        // again, sees what is announced.
        if self.waiting.load(Ordering::SeqCst) != 0 {
            self.notify_one(true);
        }
    }

    /// [`notify_unless_pending`](Self::notify_unless_pending) without the fence and the
    /// check, for whoever has asked [`has_waiting`](Self::has_waiting) under a lock
    /// that every listener holds while it registers.
    /// `most` is how many there are something for: so many are woken, but only up to the
    /// first that wakes the next one itself.
    #[cold]
    pub fn notify_under_lock_unless_pending(&self, most: usize) {
        for _ in 0..most {
            if !self.notify_one(true) {
                return;
            }
        }
    }

    /// Whether a listener waits that is not yet notified. Without a lock that listeners
    /// hold while they register, or a fence, the answer may be out of date.
    #[inline(always)]
    pub fn has_waiting(&self) -> bool {
        // Relaxed: ordered by the caller's fence or lock.
        self.waiting.load(Ordering::Relaxed) != 0
    }

    /// Wakes every listener that is registered now.
    pub fn notify_all(&self) {
        // No fence: whoever listens took this lock before (and is notified) or takes it
        // after (and sees what is announced).
        let mut list = self.list.lock();
        let wakers = list.notify_all();
        self.publish(&list);
        drop(list);
        wake_all(wakers);
    }

    /// Whether it may be worth to go on with the next one.
    #[cold]
    fn notify_one(&self, unless_pending: bool) -> bool {
        let mut list = self.list.lock();
        if unless_pending && list.has_pending() {
            return false;
        }
        let waker = list.notify_first();
        let more = list.waiting() != 0;
        self.publish(&list);
        drop(list);
        if let Some(waker) = waker {
            waker.wake();
        }
        more
    }

    fn publish(&self, list: &Listeners) {
        // SeqCst: pairs with the load in `notify_after_rmw_unless_pending`; all others are
        // ordered by a fence or lock.
        self.waiting.store(list.waiting(), Ordering::SeqCst);
    }
}
