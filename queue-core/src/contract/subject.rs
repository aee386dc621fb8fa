//! [`Subject`]: how the suite gets a queue to try.

use super::Item;
use crate::{Capacity, Failure, Queue, WithCapacity};
use std::marker::PhantomData;

/// A kind of queue with one type of item, on which clauses can be tried.
///
/// [`contract!`](crate::contract!) writes these; by hand one is needed only to call a
/// clause directly, and for that there is [`Of`].
pub trait Subject: 'static {
    /// What goes through the queue.
    type Item: Item;
    /// The queue. Its clones are the same queue.
    type Queue: Queue<Item = Self::Item> + Clone + 'static;

    /// A new, empty queue.
    ///
    /// # Errors
    /// Where the kind cannot make one; every clause fails with it.
    fn create(bound: Capacity) -> Result<Self::Queue, Failure>;

    /// An item that this kind refuses as `Failed`, if there is one (C8).
    fn refused() -> Option<Self::Item> {
        None
    }

    /// An item whose own code panics when it is pushed, if there is one (C11): in its
    /// serialization, say.
    fn panicking() -> Option<Self::Item> {
        None
    }
}

/// The [`Subject`] of a kind that says itself how it is made.
///
/// ```
/// use queue_core::contract::{Of, c1_fifo, c7_close};
/// use queue_core::{WithCapacity, Queue};
/// /// Some clauses alone, for a test that runs often.
/// fn brief<Q: Queue<Item = u64> + WithCapacity + Clone + 'static>() {
///     c1_fifo::<Of<u64, Q>>();
///     c7_close::<Of<u64, Q>>();
/// }
/// ```
#[derive(Debug)]
pub struct Of<T, Q>(PhantomData<fn() -> (T, Q)>);

impl<T, Q> Subject for Of<T, Q>
where
    T: Item,
    Q: Queue<Item = T> + WithCapacity + Clone + 'static,
{
    type Item = T;
    type Queue = Q;

    fn create(bound: Capacity) -> Result<Q, Failure> {
        Q::try_with_capacity(bound)
    }
}

/// A queue of `S` with room for `n`.
pub(super) fn bounded<S: Subject>(n: usize) -> S::Queue {
    S::create(Capacity::bounded(n)).unwrap_or_else(|failure| panic!("no queue of {n}: {failure:#}"))
}

/// A queue of `S` without a bound.
pub(super) fn unbounded<S: Subject>() -> S::Queue {
    S::create(Capacity::Unbounded)
        .unwrap_or_else(|failure| panic!("no unbounded queue: {failure:#}"))
}

/// A queue of `S` that holds items 0 to `n`, and no more.
pub(super) fn full<S: Subject>(n: usize) -> S::Queue {
    let queue = bounded::<S>(n);
    for number in 0..n as u64 {
        queue.try_push(item::<S>(number)).expect("a slot was left");
    }
    queue
}

/// The item of `S` that stands for `number`.
pub(super) fn item<S: Subject>(number: u64) -> S::Item {
    S::Item::new(number)
}
