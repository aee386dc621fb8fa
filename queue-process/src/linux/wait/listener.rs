//! [`Listener`]: whoever waits for a queue between processes.

use super::own_wait::OwnWait;
use super::target::WaitTarget;
use super::waker_thread::Registration;
use crate::linux::engine::control::End;
use queue_core::event::{self, Listen};
use queue_core::sync::{Deadline, spin};
use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Waits once for a queue between processes: as a thread, asleep in the kernel; or as a
/// future, which a thread of this crate wakes, whatever the executor.
///
/// It does nothing until it is waited on. Then it checks the queue once more before it sleeps, under
/// the lock of those who would wake it. Futures are woken in the order in which
/// they were first polled, one for each item or slot. A future that is dropped after it was woken
/// wakes the next.
#[must_use = "a listener that is not waited on does nothing"]
pub struct Listener<'a> {
    queue: &'a dyn WaitTarget,
    end: End,
    /// While it waits as a future.
    waiting: OwnWait<Waiting<'a>>,
}

/// What a listener is that waits as a future.
struct Waiting<'a> {
    waiter: event::Listener<'a>,
    /// None as long as the system gives no thread.
    registration: Option<Registration>,
}

impl<'a> Listener<'a> {
    pub(crate) fn new(queue: &'a dyn WaitTarget, end: End) -> Self {
        Self {
            queue,
            end,
            waiting: OwnWait::new(),
        }
    }
}

/// As a handle: what a panic left half done is not in here.
impl UnwindSafe for Listener<'_> {}
impl RefUnwindSafe for Listener<'_> {}

impl Listen for Listener<'_> {
    fn wait(self, deadline: Deadline) -> bool {
        self.queue.wait(self.end, deadline)
    }
}

impl Future for Listener<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self {
            queue,
            end,
            waiting,
        } = &mut *self;
        let waiting = waiting.get();
        // To be woken takes three threads, and one item after the other would be waited for like
        // that: a future too looks for a moment first.
        if waiting.is_none()
            && spin::until_some(Deadline::NEVER, queue.batch_target(), || {
                queue.ready_hint(*end)
            })
        {
            return Poll::Ready(());
        }
        let Waiting {
            waiter,
            registration,
        } = waiting.get_or_insert_with(|| Waiting {
            waiter: queue.event(*end).listen(),
            registration: None,
        });
        let notified = Pin::new(waiter).poll(cx).is_ready();
        // At first, and as long as nobody would wake it, it looks for itself.
        if notified || registration.is_none() && !queue.prepare_async_wait(*end) {
            *waiting = None;
            return Poll::Ready(());
        }
        if registration.is_none() {
            *registration = queue.registration(*end);
        }
        if registration.is_none() {
            // The system gives no thread just now: it must look again by itself.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl fmt::Debug for Listener<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
