//! Popping in a `for` loop.
//!
//! [`Iter`], [`IntoIter`] and [`TryIter`] yield items, and panic if an item cannot be brought out.
//! [`Results`], [`IntoResults`] and [`TryResults`] yield the failure.

use crate::{Consumer, Failure, PopError, Queue, TryPopError};
use std::fmt;
use std::iter::FusedIterator;

/// Whether an iteration has ended for good.
#[derive(Debug, Default)]
pub(crate) struct End(bool);

impl End {
    /// Whether it has ended.
    pub(crate) fn is_reached(&self) -> bool {
        self.0
    }

    /// The next element, given the result of a pop. The iteration ends with the queue, and behind a
    /// failure that consumed no item, because the same failure would come again and again.
    pub(crate) fn next<T>(&mut self, popped: Result<T, PopError>) -> Option<Result<T, Failure>> {
        match popped {
            Ok(item) => Some(Ok(item)),
            Err(PopError::Closed) => {
                self.0 = true;
                None
            }
            Err(PopError::Failed(failure)) => {
                self.0 = !failure.consumed_item();
                Some(Err(failure))
            }
        }
    }

    /// As [`next`](Self::next), given the result of a pop that does not wait. If that would have to
    /// wait, there is no element now.
    fn try_next<T>(&mut self, popped: Result<T, TryPopError>) -> Option<Result<T, Failure>> {
        match popped {
            Ok(item) => Some(Ok(item)),
            Err(TryPopError::Empty | TryPopError::Closed) => None,
            Err(TryPopError::Failed(failure)) => self.next(Err(PopError::Failed(failure))),
        }
    }
}

/// The item, for an iteration that yields items alone.
///
/// # Panics
/// With the failure, if there is one. `instead` is the verb that returns it.
#[track_caller]
pub(crate) fn item_or_panic<T>(result: Result<T, Failure>, instead: &str) -> T {
    #[cold]
    #[track_caller]
    fn failed(failure: &Failure, instead: &str) -> ! {
        panic!("cannot pop the next item: {failure:#} (`{instead}` returns this as an error)")
    }
    match result {
        Ok(item) => item,
        Err(failure) => failed(&failure, instead),
    }
}

macro_rules! iterator {
    (
        $(#[$doc:meta])* $name:ident<$($lifetime:lifetime)?>, $queue:ty,
        $next:ident($pop:ident) -> $item:ty $(, or panic for $instead:literal)?
    ) => {
        $(#[$doc])*
        #[must_use = "iterators are lazy: nothing is popped unless it is consumed"]
        pub struct $name<$($lifetime,)? Q> {
            queue: $queue,
            end: End,
        }

        impl<$($lifetime,)? Q: Queue> $name<$($lifetime,)? Q> {
            pub(crate) fn new(queue: $queue) -> Self {
                Self { queue, end: End::default() }
            }
        }

        impl<$($lifetime,)? Q: Queue> fmt::Debug for $name<$($lifetime,)? Q> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let ended = self.end.is_reached();
                f.debug_struct(stringify!($name)).field("ended", &ended).finish_non_exhaustive()
            }
        }

        impl<$($lifetime,)? Q: Queue> Iterator for $name<$($lifetime,)? Q> {
            type Item = $item;

            #[track_caller]
            fn next(&mut self) -> Option<$item> {
                if self.end.is_reached() {
                    return None;
                }
                let next = self.end.$next(self.queue.$pop())?;
                $(let next = item_or_panic(next, $instead);)?
                Some(next)
            }
        }
    };
}

iterator! {
    /// Pops until the queue is closed and drained, from [`Queue::iter`]. It blocks the
    /// thread while the queue is empty.
    ///
    /// # Panics
    /// `next` panics if an item cannot be brought out, which happens between processes alone;
    /// [`Results`] yields the failure instead.
    ///
    /// ```
    /// use queue_core::Queue;
    /// /// The sum of all that ever comes.
    /// fn sum<Q: Queue<Item = u64>>(numbers: &Q) -> u64 {
    ///     numbers.iter().sum()
    /// }
    /// ```
    Iter<'a>, &'a Q, next(pop) -> Q::Item, or panic for "results"
}

iterator! {
    /// Pops until the queue is closed and drained, from a [`Consumer`] that it owns. It is for a
    /// thread that owns its half.
    ///
    /// # Panics
    /// `next` panics if an item cannot be brought out, which happens between processes alone;
    /// [`IntoResults`] yields the failure instead.
    ///
    /// ```
    /// use queue_core::{Consumer, Queue};
    /// use std::thread::{JoinHandle, spawn};
    /// fn adder<Q: Queue<Item = u64> + 'static>(numbers: Consumer<Q>) -> JoinHandle<u64> {
    ///     spawn(move || numbers.into_iter().sum())
    /// }
    /// ```
    IntoIter<>, Consumer<Q>, next(pop) -> Q::Item, or panic for "into_results"
}

iterator! {
    /// Pops what is inside and never waits, from [`Queue::try_iter`]. After it has ended it goes on as
    /// soon as there is an item again.
    ///
    /// # Panics
    /// `next` panics if an item cannot be brought out, which happens between processes alone;
    /// [`TryResults`] yields the failure instead.
    ///
    /// ```
    /// use queue_core::Queue;
    /// /// Once per frame: what has come since the last one.
    /// fn frame<Q: Queue<Item = char>>(keys: &Q, text: &mut String) {
    ///     text.extend(keys.try_iter());
    /// }
    /// ```
    TryIter<'a>, &'a Q, try_next(try_pop) -> Q::Item, or panic for "try_results"
}

iterator! {
    /// Pops until the queue is closed and drained, from [`Queue::results`]: each item, or why it
    /// could not be brought out. It blocks the thread while the queue is empty.
    ///
    /// It goes on behind an item that failed, and ends behind a failure that is not about one
    /// item ([`Failure::consumed_item`]), for popping again would yield the same.
    ///
    /// ```
    /// use queue_core::Queue;
    /// /// The sum of all that ever comes, and how many did not come out.
    /// fn sum<Q: Queue<Item = u64>>(numbers: &Q) -> (u64, usize) {
    ///     let (mut sum, mut failed) = (0, 0);
    ///     for number in numbers.results() {
    ///         match number {
    ///             Ok(number) => sum += number,
    ///             Err(failure) => {
    ///                 eprintln!("{failure:#}");
    ///                 failed += 1;
    ///             }
    ///         }
    ///     }
    ///     (sum, failed)
    /// }
    /// ```
    Results<'a>, &'a Q, next(pop) -> Result<Q::Item, Failure>
}

iterator! {
    /// As [`Results`], from a [`Consumer`] that it owns. [`Consumer::into_results`] makes it.
    ///
    /// ```
    /// use queue_core::{Consumer, Failure, Queue};
    /// use std::thread::{JoinHandle, spawn};
    /// /// It gives up at the first item that does not come out.
    /// fn adder<Q>(numbers: Consumer<Q>) -> JoinHandle<Result<u64, Failure>>
    /// where
    ///     Q: Queue<Item = u64> + 'static,
    /// {
    ///     spawn(move || numbers.into_results().sum())
    /// }
    /// ```
    IntoResults<>, Consumer<Q>, next(pop) -> Result<Q::Item, Failure>
}

iterator! {
    /// Pops what is inside and never waits, from [`Queue::try_results`]: each item, or why it
    /// could not be brought out. After it has ended it goes on as soon as there is an item again.
    /// Behind a failure that is not about one item ([`Failure::consumed_item`]) it has ended for good.
    ///
    /// ```
    /// use queue_core::{Failure, Queue};
    /// /// Once per frame: what has come since the last one.
    /// fn frame<Q: Queue<Item = char>>(keys: &Q, text: &mut String) -> Result<(), Failure> {
    ///     for key in keys.try_results() {
    ///         text.push(key?);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    TryResults<'a>, &'a Q, try_next(try_pop) -> Result<Q::Item, Failure>
}

impl<Q: Queue> FusedIterator for Iter<'_, Q> {}
impl<Q: Queue> FusedIterator for IntoIter<Q> {}
impl<Q: Queue> FusedIterator for Results<'_, Q> {}
impl<Q: Queue> FusedIterator for IntoResults<Q> {}
