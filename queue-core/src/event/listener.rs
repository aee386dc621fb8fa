//! [`Listener`]: a waiter for an [`Event`]. [`Listen`]: what all listeners can do.

use super::Event;
use super::listener_list::Sleeper;
use crate::sync::Deadline;
use crate::waiters::{WaiterId, park, thread_waker};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Waits for an event once, as a thread or as a future.
///
/// As a future it is ready when another try is worth it. A listener that is dropped after it was
/// notified passes the notification on to the next one.
///
/// ```
/// use queue_core::event::{Event, Listen};
/// use queue_core::sync::Deadline;
/// use std::time::Duration;
/// let event = Event::new();
/// let brief = || Deadline::after(Duration::from_millis(1));
/// assert!(!event.listen().wait(brief()), "nothing happened");
/// let listener = event.listen();
/// event.notify();
/// assert!(listener.wait(brief()));
/// ```
pub trait Listen: Future<Output = ()> + Send + Unpin {
    /// Sleeps until another try is worth it (true) or the deadline passes (false).
    fn wait(self, deadline: Deadline) -> bool;
}

/// Listens to an [`Event`] of this process, from [`Event::listen`]; [`Listen`] says how.
#[derive(Debug)]
#[must_use = "a listener that is not waited on does nothing"]
pub struct Listener<'a> {
    event: &'a Event,
    /// Its id in the event's list, until it has left it.
    id: Option<WaiterId>,
}

impl<'a> Listener<'a> {
    pub(super) fn new(event: &'a Event, id: WaiterId) -> Self {
        Self {
            event,
            id: Some(id),
        }
    }

    /// Leaves the list if it was notified, or else stores how to wake it. Returns whether it was.
    fn is_notified_or_sleep(&mut self, sleeper: Sleeper) -> bool {
        let Some(id) = self.id else { return true };
        let mut list = self.event.list.lock();
        let notified = list.is_notified(id);
        // A waker is foreign code: both are dropped after the lock is.
        let _old = if notified {
            list.remove(id);
            self.id = None;
            None
        } else {
            list.sleep(id, sleeper)
        };
        drop(list);
        notified
    }

    /// Leaves the list. Returns whether it was notified.
    fn leave(&mut self) -> bool {
        let Some(id) = self.id.take() else {
            return false;
        };
        let mut list = self.event.list.lock();
        let (notified, waker) = list.remove(id);
        self.event.publish(&list);
        drop(list);
        drop(waker);
        notified
    }
}

impl Listen for Listener<'_> {
    fn wait(mut self, deadline: Deadline) -> bool {
        loop {
            if self.is_notified_or_sleep(Sleeper::Thread(thread_waker())) {
                return true;
            }
            let left = deadline.remaining();
            if left.is_some_and(|left| left.is_zero()) {
                // Timed out, unless the notification came at the last moment.
                return self.leave();
            }
            park(left);
        }
    }
}

impl Future for Listener<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_notified_or_sleep(Sleeper::Task(cx.waker().clone())) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        if self.leave() {
            // Notified, but its owner no longer waits: the wake goes to the next.
            self.event.notify_one(false);
        }
    }
}
