//! [`Listener`]: whoever waits for a queue between processes.

use super::handle::Shared;
use super::layout::End;
#[cfg(feature = "tokio")]
use super::reactor::Heard;
use super::sentinel::{Patrolled, Post};
use super::storage::Storage;
use queue_core::event::Listen;
use queue_core::sync::Deadline;
use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

/// A queue, as far as waiting goes.
trait Awaited: Send + Sync {
    fn wait(&self, end: End, deadline: Deadline) -> bool;
    fn arm(&self, end: End) -> bool;
    fn post(&self, end: End) -> Post;
    #[cfg(feature = "tokio")]
    fn bell(&self, end: End) -> std::io::Result<std::os::fd::OwnedFd>;
}

impl<S: Storage + 'static> Awaited for Arc<Shared<S>> {
    fn wait(&self, end: End, deadline: Deadline) -> bool {
        let awake = |is_time| {
            if is_time {
                self.patrol();
            } else {
                // Who is woken again and again, by signals say, sleeps no whole time.
                self.patrol_now_and_then();
            }
        };
        (self.engine).wait(end, || deadline.remaining(), || owes(self, end), awake)
    }

    fn arm(&self, end: End) -> bool {
        // In this order, as above.
        self.engine.listen(end).unwrap_or(false) && !owes(self, end)
    }

    fn post(&self, end: End) -> Post {
        let queue: Weak<Shared<S>> = Arc::downgrade(self);
        Post::new(queue, self.engine.platform().bells().clone(), end)
    }

    #[cfg(feature = "tokio")]
    fn bell(&self, end: End) -> std::io::Result<std::os::fd::OwnedFd> {
        super::linux::bell(self.engine.platform().bells(), end).try_clone_to_owned()
    }
}

/// Whether something is owed to those who wait for `end`.
fn owes<S: Storage>(shared: &Shared<S>, end: End) -> bool {
    end == End::Tail && shared.owed.is_some()
}

impl<S: Storage> Patrolled for Shared<S> {
    fn patrol(&self) {
        Self::patrol(self);
    }
}

/// Waits once for a queue between processes: as a thread, asleep in the kernel; or as a
/// future, served by tokio's reactor (feature `tokio`, inside a tokio runtime, which
/// must have its I/O driver enabled) or else by a thread of this crate.
///
/// It is no party to the queue until it is waited on: it then looks for itself, under
/// the lock of those who would wake it, before it sleeps. So it holds no wake that could
/// be lost with it.
#[must_use = "a listener that is not waited on does nothing"]
pub struct Listener<'a> {
    queue: &'a dyn Awaited,
    end: End,
    /// While it waits as a future.
    post: Option<Post>,
    #[cfg(feature = "tokio")]
    reactor: Option<Heard>,
}

impl<'a> Listener<'a> {
    pub(super) fn new<S: Storage + 'static>(queue: &'a Arc<Shared<S>>, end: End) -> Self {
        Self {
            queue,
            end,
            post: None,
            #[cfg(feature = "tokio")]
            reactor: None,
        }
    }

    /// Has the task woken when the bell rings; false if it may ring already.
    fn wait_for_bell(&mut self, cx: &mut Context<'_>) -> bool {
        let first = self.post.is_none();
        let post = self.post.get_or_insert_with(|| self.queue.post(self.end));
        #[cfg(feature = "tokio")]
        {
            if first {
                self.reactor = Heard::new(|| self.queue.bell(self.end));
            }
            if let Some(reactor) = &self.reactor {
                return match reactor.poll(cx) {
                    Poll::Pending => true,
                    Poll::Ready(heard) => {
                        if heard.is_err() {
                            // The runtime is shutting down.
                            self.reactor = None;
                        }
                        false
                    }
                };
            }
        }
        let _ = first;
        post.wake(cx.waker());
        true
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
        loop {
            if !self.queue.arm(self.end) {
                return Poll::Ready(());
            }
            if self.wait_for_bell(cx) {
                return Poll::Pending;
            }
        }
    }
}

impl fmt::Debug for Listener<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
