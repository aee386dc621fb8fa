//! [`Iter`], [`IntoIter`] and [`TryIter`]: popping in a `for` loop.

use crate::{Consumer, Failure, PopError, Queue, TryPopError};
use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;

/// How far an iteration has come.
#[derive(Debug, Default)]
pub(crate) struct End {
    reached: bool,
    failure: Option<Failure>,
}

impl End {
    /// Whether nothing comes any more.
    pub(crate) fn is_reached(&self) -> bool {
        self.reached
    }

    /// Why, if it was not the queue's own end.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// The next item, or `None` where the iteration ends, for good.
    pub(crate) fn next<T>(&mut self, popped: Result<T, PopError>) -> Option<T> {
        match popped {
            Ok(item) => return Some(item),
            Err(PopError::Closed) => {}
            Err(PopError::Failed(failure)) => self.failure = Some(failure),
        }
        self.reached = true;
        None
    }
}

macro_rules! iterator {
    ($(#[$doc:meta])* $name:ident<$($lifetime:lifetime,)? $t:ident, $q:ident>, $queue:ty) => {
        $(#[$doc])*
        ///
        /// It also ends where popping failed; [`failure`](Self::failure) then says why.
        pub struct $name<$($lifetime,)? $t: Send, $q: Queue<$t>> {
            queue: $queue,
            end: End,
            items: PhantomData<fn() -> $t>,
        }

        impl<$($lifetime,)? $t: Send, $q: Queue<$t>> $name<$($lifetime,)? $t, $q> {
            pub(crate) fn new(queue: $queue) -> Self {
                Self { queue, end: End::default(), items: PhantomData }
            }

            /// What ended the iteration, if it was not the queue's own end.
            pub fn failure(&self) -> Option<&Failure> {
                self.end.failure()
            }
        }

        impl<$($lifetime,)? $t: Send, $q: Queue<$t>> fmt::Debug for $name<$($lifetime,)? $t, $q> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("end", &self.end).finish_non_exhaustive()
            }
        }
    };
}

iterator! {
    /// Pops until the queue is closed and drained, from [`Queue::iter`]. It blocks the
    /// thread while the queue is empty.
    ///
    /// ```
    /// use queue_core::{Failure, Queue};
    /// /// The sum of all that ever comes, unless the queue breaks down.
    /// fn sum<Q: Queue<u64>>(numbers: &Q) -> Result<u64, Failure> {
    ///     let mut all = numbers.iter();
    ///     let sum = all.by_ref().sum();
    ///     match all.failure() {
    ///         None => Ok(sum),
    ///         Some(why) => Err(why.clone()),
    ///     }
    /// }
    /// ```
    Iter<'a, T, Q>, &'a Q
}

iterator! {
    /// Pops until the queue is closed and drained, from a [`Consumer`] that it keeps: what
    /// a thread that owns its half loops over.
    ///
    /// ```
    /// use queue_core::{Consumer, Queue};
    /// use std::thread::{JoinHandle, spawn};
    /// fn adder<Q: Queue<u64> + 'static>(numbers: Consumer<u64, Q>) -> JoinHandle<u64> {
    ///     spawn(move || numbers.into_iter().sum())
    /// }
    /// ```
    IntoIter<T, Q>, Consumer<T, Q>
}

iterator! {
    /// Pops what is inside and never waits, from [`Queue::try_iter`]. Where it ended it
    /// goes on once there is something again.
    ///
    /// ```
    /// use queue_core::Queue;
    /// /// Once per frame: what has come since the last one.
    /// fn frame<Q: Queue<char>>(keys: &Q, text: &mut String) {
    ///     text.extend(keys.try_iter());
    /// }
    /// ```
    TryIter<'a, T, Q>, &'a Q
}

impl<T: Send, Q: Queue<T>> Iterator for Iter<'_, T, Q> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.end.is_reached() {
            return None;
        }
        self.end.next(self.queue.pop())
    }
}

impl<T: Send, Q: Queue<T>> FusedIterator for Iter<'_, T, Q> {}

impl<T: Send, Q: Queue<T>> Iterator for IntoIter<T, Q> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.end.is_reached() {
            return None;
        }
        self.end.next(self.queue.pop())
    }
}

impl<T: Send, Q: Queue<T>> FusedIterator for IntoIter<T, Q> {}

impl<T: Send, Q: Queue<T>> Iterator for TryIter<'_, T, Q> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self.queue.try_pop() {
            Ok(item) => Some(item),
            Err(TryPopError::Empty | TryPopError::Closed) => None,
            Err(TryPopError::Failed(why)) => self.end.next(Err(PopError::Failed(why))),
        }
    }
}
