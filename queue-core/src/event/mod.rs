//! [`Event`]: tells waiters that another try is worth it.
//!
//! The protocol, the same for a thread and for a future:
//!
//! 1. the waiter tries, and fails;
//! 2. it takes a [`Listener`];
//! 3. it tries **again**: it sees now what happened before step 2, and what happens later will
//!    notify the listener;
//! 4. it waits on the listener, and goes back to 1.
//!
//! A listener that is dropped after it was notified passes the notification on. So no wake is lost
//! with a waiter that is cancelled, times out or panics.

mod listener;
mod listener_list;

pub use listener::{Listen, Listener};

use crate::sync::atomic::{AtomicUsize, Ordering, fence};
use crate::sync::{Lock, seq_cst};
use crate::waiters::{wake, wake_all};
use listener_list::Listeners;

/// Something that threads and futures wait for together.
///
/// The notifier changes the shared state first, and calls [`notify`](Self::notify) after. That costs
/// a fence and a load when nobody waits.
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
    /// How many listeners are in the list and not yet notified. It is written under the list's
    /// lock, and read without it.
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

    /// Registers a listener. Try again after this, and before waiting on it.
    ///
    /// ```
    /// use queue_core::event::{Event, Listen};
    /// use queue_core::sync::Deadline;
    /// let event = Event::new();
    /// let listener = event.listen();
    /// event.notify();
    /// assert!(listener.wait(Deadline::NEVER));
    /// ```
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
    /// It is for a queue whose successful `try_` verbs notify again while there is more to take. Then
    /// many items at once cost one wake, and a thread that was woken wakes the next one. This relies
    /// on threads alone. A woken task may not be polled for long (its future may be kept for later),
    /// and no item may wait for it while others sleep. So every call wakes a listener as long as a
    /// task listens.
    #[inline]
    pub fn notify_unless_pending(&self) {
        // Pairs with the fence in `listen`.
        fence(Ordering::SeqCst);
        if self.has_waiting() {
            self.notify_one(true);
        }
    }

    /// [`notify_unless_pending`](Self::notify_unless_pending) without the fence. It is for a notifier
    /// that announces its change by a `SeqCst` read-modify-write of an atomic (made by [`seq_cst`],
    /// for the models), which waiters read by a `SeqCst` load when they try again.
    #[inline]
    pub fn notify_after_rmw_unless_pending(&self) {
        // SeqCst: the announcement, this load, the store in `publish` and the waiter's
        // load stand in one order. Either this sees the listener, or its owner, trying
        // again, sees what is announced.
        if self.waiting.load(Ordering::SeqCst) != 0 {
            self.notify_one(true);
        }
    }

    /// [`notify_unless_pending`](Self::notify_unless_pending) without the fence and the check. It is
    /// for a notifier that has called [`has_waiting`](Self::has_waiting) under a lock that every
    /// listener holds while it registers. It wakes up to `most` listeners, as many as there is
    /// something for, but none behind a thread that will wake the next one itself.
    #[cold]
    pub fn notify_under_lock_unless_pending(&self, most: usize) {
        for _ in 0..most {
            if !self.notify_one(true) {
                return;
            }
        }
    }

    /// Whether a listener waits that is not yet notified. The answer may be out of date unless the
    /// caller has a fence, or holds a lock that listeners hold while they register.
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

    /// Notifies one listener. Returns whether the next one may be worth a call too.
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
            wake(waker);
        }
        more
    }

    fn publish(&self, list: &Listeners) {
        // SeqCst: pairs with the load in `notify_after_rmw_unless_pending`; all others are
        // ordered by a fence or lock.
        self.waiting.store(list.waiting(), Ordering::SeqCst);
    }
}
