//! [`Iter`], [`IntoIter`] and [`TryIter`]: popping in a `for` loop.

use crate::{Consumer, Failure, PopError, Queue, TryPopError};
use std::fmt;
use std::marker::PhantomData;

macro_rules! iterator {
    ($(#[$doc:meta])* $name:ident<$($lifetime:lifetime,)? $t:ident, $q:ident>, $queue:ty) => {
        $(#[$doc])*
        ///
        /// It also ends where popping failed; [`failure`](Self::failure) then says why.
        pub struct $name<$($lifetime,)? $t: Send, $q: Queue<$t>> {
            queue: $queue,
            failure: Option<Failure>,
            items: PhantomData<fn() -> $t>,
        }

        impl<$($lifetime,)? $t: Send, $q: Queue<$t>> $name<$($lifetime,)? $t, $q> {
            pub(crate) fn new(queue: $queue) -> Self {
                Self { queue, failure: None, items: PhantomData }
            }

            /// What ended the iteration, if it was not the queue's own end.
            pub fn failure(&self) -> Option<&Failure> {
                self.failure.as_ref()
            }
        }

        impl<$($lifetime,)? $t: Send, $q: Queue<$t>> fmt::Debug for $name<$($lifetime,)? $t, $q> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("failure", &self.failure).finish_non_exhaustive()
            }
        }
    };
}

iterator! {
    /// Pops until the queue is closed and drained, from [`Queue::iter`].
    Iter<'a, T, Q>, &'a Q
}

iterator! {
    /// Pops until the queue is closed and drained, from a [`Consumer`] that it keeps.
    IntoIter<T, Q>, Consumer<T, Q>
}

iterator! {
    /// Pops what is inside and never waits, from [`Queue::try_iter`].
    TryIter<'a, T, Q>, &'a Q
}

/// The next item of an iteration, after a pop that waited: `None` at its end, and why in
/// `failure` if it is not the queue's own.
pub(crate) fn next<T>(popped: Result<T, PopError>, failure: &mut Option<Failure>) -> Option<T> {
    match popped {
        Ok(item) => Some(item),
        Err(PopError::Closed) => None,
        Err(PopError::Failed(why)) => {
            *failure = Some(why);
            None
        }
    }
}

impl<T: Send, Q: Queue<T>> Iterator for Iter<'_, T, Q> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        next(self.queue.pop(), &mut self.failure)
    }
}

impl<T: Send, Q: Queue<T>> Iterator for IntoIter<T, Q> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        next(self.queue.pop(), &mut self.failure)
    }
}

impl<T: Send, Q: Queue<T>> Iterator for TryIter<'_, T, Q> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self.queue.try_pop() {
            Ok(item) => Some(item),
            Err(TryPopError::Empty | TryPopError::Closed) => None,
            Err(TryPopError::Failed(why)) => {
                self.failure = Some(why);
                None
            }
        }
    }
}
