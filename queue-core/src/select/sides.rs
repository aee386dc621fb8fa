//! [`Poppable`] and [`Pushable`]: one side of a queue of any kind, or of a half of one.

use crate::{Consumer, Kind, Producer, Queue, Side, TryPopError, TryPushError};
use std::future::Future;

/// A listener of any kind.
pub(super) type AnyListener<'q> = Box<dyn Future<Output = ()> + Send + Unpin + 'q>;

/// Waiting for a side of a queue of any kind.
pub trait WaitFor: Send + Sync {
    #[doc(hidden)]
    fn listen(&self, side: Side) -> Box<dyn Future<Output = ()> + Send + Unpin + '_>;
    #[doc(hidden)]
    fn ready_hint(&self, side: Side) -> usize;
}

impl<Q: Queue> WaitFor for Q {
    fn listen(&self, side: Side) -> AnyListener<'_> {
        Box::new(Kind::listen(self, side))
    }
    fn ready_hint(&self, side: Side) -> usize {
        Kind::ready_hint(self, side)
    }
}

/// The consumers' side of a queue of any kind.
pub trait Pops<T>: WaitFor {
    #[doc(hidden)]
    fn try_pop(&self) -> Result<T, TryPopError>;
    #[doc(hidden)]
    fn waits(&self) -> &dyn WaitFor;
}

impl<T: Send, Q: Queue<Item = T>> Pops<T> for Q {
    fn try_pop(&self) -> Result<T, TryPopError> {
        Queue::try_pop(self)
    }
    fn waits(&self) -> &dyn WaitFor {
        self
    }
}

/// The producers' side of a queue of any kind.
pub trait Pushes<T>: WaitFor {
    #[doc(hidden)]
    fn try_push(&self, item: T) -> Result<(), TryPushError<T>>;
    #[doc(hidden)]
    fn waits(&self) -> &dyn WaitFor;
}

impl<T: Send, Q: Queue<Item = T>> Pushes<T> for Q {
    fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        Queue::try_push(self, item)
    }
    fn waits(&self) -> &dyn WaitFor {
        self
    }
}

/// What can be popped from: every queue, and its [`Consumer`]. Through `&dyn Poppable<Item = T>`
/// queues of several kinds stand side by side.
///
/// ```
/// use queue_core::Queue;
/// use queue_core::select::{PopAnyError, Poppable, pop_any};
/// /// A list of queues of one kind, as long as it may be.
/// fn next<Q: Queue<Item = String>>(inboxes: &[Q]) -> Result<String, PopAnyError> {
///     let inboxes: Vec<&dyn Poppable<Item = String>> = inboxes.iter().map(|q| q as _).collect();
///     pop_any(&inboxes).map(|(_, line)| line)
/// }
/// ```
pub trait Poppable: Send + Sync {
    /// What is popped.
    type Item: Send;

    #[doc(hidden)]
    fn consumers_side(&self) -> &dyn Pops<Self::Item>;
}

impl<Q: Queue> Poppable for Q {
    type Item = Q::Item;
    fn consumers_side(&self) -> &dyn Pops<Q::Item> {
        self
    }
}

impl<Q: Queue> Poppable for Consumer<Q> {
    type Item = Q::Item;
    fn consumers_side(&self) -> &dyn Pops<Q::Item> {
        self.queue()
    }
}

/// What can be pushed to: every queue, and its [`Producer`].
///
/// ```
/// use queue_core::select::{Pushable, Select};
/// /// Hands the job to whichever worker has room for it.
/// fn dispatch(job: u32, near: &dyn Pushable<Item = u32>, far: &dyn Pushable<Item = u32>) {
///     let mut job = Some(job);
///     for worker in [near, far] {
///         Select::new().push(worker, &mut job, |_| ()).try_wait();
///     }
/// }
/// ```
pub trait Pushable: Send + Sync {
    /// What is pushed.
    type Item: Send;

    #[doc(hidden)]
    fn producers_side(&self) -> &dyn Pushes<Self::Item>;
}

impl<Q: Queue> Pushable for Q {
    type Item = Q::Item;
    fn producers_side(&self) -> &dyn Pushes<Q::Item> {
        self
    }
}

impl<Q: Queue> Pushable for Producer<Q> {
    type Item = Q::Item;
    fn producers_side(&self) -> &dyn Pushes<Q::Item> {
        self.queue()
    }
}
