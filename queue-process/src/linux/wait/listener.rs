//! [`Listener`]: whoever waits for a queue between processes.

use super::waker_thread::{Post, Watched};
use crate::foreign::calmly;
use crate::linux::engine::layout::End;
use crate::linux::engine::lock::Tries;
use crate::linux::engine::storage::Storage;
use crate::linux::queue::handle::Shared;
use crate::sys::generation;
use queue_core::event::{self, Event, Listen};
use queue_core::sync::{Deadline, spin};
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

/// A queue, as far as waiting goes.
trait Awaited: Send + Sync {
    fn wait(&self, end: End, deadline: Deadline) -> bool;
    fn glance(&self, end: End) -> usize;
    fn enough(&self) -> usize;
    fn event(&self, end: End) -> &Event;
    fn arm(&self, end: End) -> bool;
    fn post(&self, end: End) -> Option<Post>;
}

impl<S: Storage + 'static> Awaited for Arc<Shared<S>> {
    fn wait(&self, end: End, deadline: Deadline) -> bool {
        let awake = |is_time| {
            if is_time {
                self.patrol(Tries::Endless);
            } else {
                // Who is woken again and again, by signals say, sleeps no whole time.
                self.patrol_now_and_then();
            }
        };
        (self.engine).wait(end, || deadline.remaining(), || owes(self, end), awake)
    }

    fn glance(&self, end: End) -> usize {
        Shared::glance(self, end)
    }

    fn enough(&self) -> usize {
        spin::burst(self.limits.bound.capacity())
    }

    fn event(&self, end: End) -> &Event {
        self.waiting(end).event()
    }

    fn arm(&self, end: End) -> bool {
        // In this order: who owes something wakes those who waited before.
        self.engine.arm(end, self.waiting(end)).unwrap_or(false) && !owes(self, end)
    }

    fn post(&self, end: End) -> Option<Post> {
        let queue: Weak<Shared<S>> = Arc::downgrade(self);
        let queue: Weak<dyn Watched> = queue;
        Post::new(&queue, self.engine.platform().bells(), end)
    }
}

/// Whether something is owed to those who wait for `end`.
fn owes<S: Storage>(shared: &Shared<S>, end: End) -> bool {
    end == End::Tail && shared.owed.is_some()
}

impl<S: Storage> Watched for Shared<S> {
    fn patrol(&self) {
        Self::patrol(self, Tries::Few);
    }

    fn pass_on(&self, end: End) -> bool {
        let list = self.waiting(end);
        let passed = self.engine.pass_on(end, list, Tries::Few);
        passed.unwrap_or_else(|_| {
            // Whoever tries now will meet the failure.
            calmly(|| list.event().notify_all());
            true
        })
    }
}

/// Waits once for a queue between processes: as a thread, asleep in the kernel; or as a
/// future, which a thread of this crate wakes, whatever the executor.
///
/// It is no party to the queue until it is waited on: it then looks for itself, under
/// the lock of those who would wake it, before it sleeps. Futures are woken in the order
/// they were first polled, one for each item or place; one that is dropped after that
/// wakes the next.
#[must_use = "a listener that is not waited on does nothing"]
pub struct Listener<'a> {
    queue: &'a dyn Awaited,
    end: End,
    /// While it waits as a future.
    waiting: Option<Waiting<'a>>,
}

/// What a listener is that waits as a future.
struct Waiting<'a> {
    place: event::Listener<'a>,
    /// None as long as the system gives no thread.
    post: Option<Post>,
    /// The process that waits.
    generation: u32,
}

impl<'a> Listener<'a> {
    pub(crate) fn new<S: Storage + 'static>(queue: &'a Arc<Shared<S>>, end: End) -> Self {
        Self {
            queue,
            end,
            waiting: None,
        }
    }

    /// Forgets how another process waited that this one is a copy of: a thread that is not here
    /// may have locked its list for ever.
    fn shed_inherited(&mut self) {
        let waiting = self.waiting.as_ref();
        if waiting.is_some_and(|waiting| waiting.generation != generation()) {
            mem::forget(self.waiting.take());
        }
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        self.shed_inherited();
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
        self.shed_inherited();
        let Self {
            queue,
            end,
            waiting,
        } = &mut *self;
        // To be woken takes three threads, and one item after the other would be waited for like
        // that: a future too looks for a moment first.
        if waiting.is_none()
            && spin::until_some(Deadline::NEVER, queue.enough(), || queue.glance(*end))
        {
            return Poll::Ready(());
        }
        let Waiting { place, post, .. } = waiting.get_or_insert_with(|| Waiting {
            place: queue.event(*end).listen(),
            post: None,
            generation: generation(),
        });
        let notified = Pin::new(place).poll(cx).is_ready();
        // At first, and as long as nobody would wake it, it looks for itself.
        if notified || post.is_none() && !queue.arm(*end) {
            *waiting = None;
            return Poll::Ready(());
        }
        if post.is_none() {
            *post = queue.post(*end);
        }
        if post.is_none() {
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
