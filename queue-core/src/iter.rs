//! [`Iter`] and [`TryIter`]: popping in a `for` loop.

use crate::{Failure, PopError, Queue, TryPopError};
use std::fmt;
use std::marker::PhantomData;

macro_rules! iterator {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// It also ends where popping failed; [`failure`](Self::failure) then says why.
        pub struct $name<'a, T, Q> {
            queue: &'a Q,
            failure: Option<Failure>,
            items: PhantomData<fn() -> T>,
        }

        impl<'a, T: Send, Q: Queue<T>> $name<'a, T, Q> {
            pub(crate) fn new(queue: &'a Q) -> Self {
                Self { queue, failure: None, items: PhantomData }
            }

            /// What ended the iteration, if it was not the queue's own end.
            pub fn failure(&self) -> Option<&Failure> {
                self.failure.as_ref()
            }
        }

        impl<T, Q> fmt::Debug for $name<'_, T, Q> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("failure", &self.failure).finish_non_exhaustive()
            }
        }
    };
}

iterator! {
    /// Pops until the queue is closed and drained, from [`Queue::iter`].
    Iter
}

iterator! {
    /// Pops what is inside and never waits, from [`Queue::try_iter`].
    TryIter
}

impl<T: Send, Q: Queue<T>> Iterator for Iter<'_, T, Q> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self.queue.pop() {
            Ok(item) => Some(item),
            Err(PopError::Closed) => None,
            Err(PopError::Failed(failure)) => {
                self.failure = Some(failure);
                None
            }
        }
    }
}

impl<T: Send, Q: Queue<T>> Iterator for TryIter<'_, T, Q> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self.queue.try_pop() {
            Ok(item) => Some(item),
            Err(TryPopError::Empty | TryPopError::Closed) => None,
            Err(TryPopError::Failed(failure)) => {
                self.failure = Some(failure);
                None
            }
        }
    }
}
