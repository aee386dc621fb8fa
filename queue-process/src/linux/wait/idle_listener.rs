//! [`JoinListener`]: whoever waits until a queue between processes is idle.

use super::own_wait::OwnWait;
use super::target::WaitTarget;
use super::waker_thread::Registration;
use crate::linux::engine::control::End;
use crate::linux::engine::leases::PreparedJoin;
use queue_core::event::{self, Listen};
use queue_core::sync::Deadline;
use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Waits once until a queue between processes is idle: as a thread, asleep in the kernel; or as a
/// future, which a thread of this crate wakes, whatever the executor.
///
/// It is no party to the queue until it is waited on: it then looks for itself before it sleeps.
#[must_use = "a listener that is not waited on does nothing"]
pub struct JoinListener<'a> {
    queue: &'a dyn WaitTarget,
    /// While it waits as a future.
    waiting: OwnWait<Waiting<'a>>,
}

/// What a listener is that waits as a future.
struct Waiting<'a> {
    waiter: event::Listener<'a>,
    /// None as long as the system gives no thread.
    registration: Option<Registration>,
    /// The idle moment before those that count; none before the first look that succeeds.
    seen: Option<u32>,
}

impl<'a> JoinListener<'a> {
    pub(crate) fn new(queue: &'a dyn WaitTarget) -> Self {
        Self {
            queue,
            waiting: OwnWait::new(),
        }
    }
}

/// As a handle: what a panic left half done is not in here.
impl UnwindSafe for JoinListener<'_> {}
impl RefUnwindSafe for JoinListener<'_> {}

impl Listen for JoinListener<'_> {
    fn wait(self, deadline: Deadline) -> bool {
        self.queue.join(deadline)
    }
}

impl Future for JoinListener<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { queue, waiting } = &mut *self;
        let waiting = waiting.get();
        loop {
            let mut seen = None;
            if let Some(waiting) = waiting {
                let is_pending = Pin::new(&mut waiting.waiter).poll(cx).is_pending();
                if is_pending && waiting.registration.is_some() {
                    return Poll::Pending;
                }
                seen = waiting.seen;
            }
            // In this order: whoever finds it idle after the look notifies the waiter.
            let waiter = queue.joining().listen();
            match queue.prepare_join() {
                Ok(PreparedJoin::Asleep(seq)) if *seen.get_or_insert(seq) == seq => {}
                // Perhaps it can look later.
                Err(_) => {}
                // It is idle, or was since.
                Ok(_) => {
                    *waiting = None;
                    return Poll::Ready(());
                }
            }
            let registration = match waiting.take() {
                Some(Waiting {
                    registration: Some(registration),
                    ..
                }) => Some(registration),
                _ => queue.registration(End::Head),
            };
            if registration.is_none() {
                // The system gives no thread just now: it must look again by itself.
                cx.waker().wake_by_ref();
            }
            let looks_again = registration.is_none();
            *waiting = Some(Waiting {
                waiter,
                registration,
                seen,
            });
            if looks_again {
                return Poll::Pending;
            }
        }
    }
}

impl fmt::Debug for JoinListener<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinListener").finish_non_exhaustive()
    }
}
