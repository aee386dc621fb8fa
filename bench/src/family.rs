//! Our kinds as channels, for threads and for tasks: all through the one trait. The macros
//! write for the `Channel` and `subject` of the module that calls them. And what is measured of
//! our kinds alone.

use crate::cell::{Cell, Load};
use crate::item::Tally;
use crate::subject::Outcome;
use queue_core::{Capacity, Queue, WithCapacity, WorkQueue};
use std::hint::black_box;
use std::time::Instant;

/// Push and pop with nobody else there.
pub fn alone<Q: Queue<Item = u64> + WithCapacity>(
    cell: &Cell,
    items: u64,
) -> Result<Outcome, String> {
    round(cell, items, |queue: &Q| queue.pop().ok())
}

/// Push, receive and ack with nobody else there.
pub fn work_alone<Q: WorkQueue<Item = u64> + WithCapacity>(
    cell: &Cell,
    items: u64,
) -> Result<Outcome, String> {
    assert_eq!(cell.load, Load::Work, "the cells of deliveries");
    round(cell, items, |queue: &Q| {
        let delivery = queue.receive().ok()?;
        let item = *delivery;
        delivery.ack().ok().map(|()| item)
    })
}

fn round<Q: Queue<Item = u64> + WithCapacity>(
    cell: &Cell,
    items: u64,
    take: impl Fn(&Q) -> Option<u64>,
) -> Result<Outcome, String> {
    let bound = (cell.shape.capacity).map_or(Capacity::Unbounded, Capacity::bounded);
    let queue = Q::try_with_capacity(bound).map_err(|failure| failure.to_string())?;
    let mut tally = Tally::default();
    let start = Instant::now();
    for number in 0..items {
        queue
            .push(black_box(number))
            .map_err(|error| error.to_string())?;
        tally.note(take(&queue).unwrap_or(u64::MAX));
    }
    let outcome = Outcome::each(items, start.elapsed().as_secs_f64());
    Tally::check(&[tally], items, 1)?;
    Ok(outcome)
}

/// Every kind of ours, as a `Channel`, and `subjects` of them all.
macro_rules! kinds {
    () => {
        /// Every kind of ours.
        pub fn subjects() -> Vec<Subject> {
            vec![
                subject::<ThreadKind>(Role::Ours),
                subject::<LockFreeKind>(Role::Ours),
                subject::<AsyncKind>(Role::Ours),
            ]
        }

        $crate::family::kind!(ThreadKind, "ThreadQueue", queue_thread::ThreadQueue);
        $crate::family::kind!(LockFreeKind, "LockFreeQueue", queue_thread::LockFreeQueue);
        $crate::family::kind!(AsyncKind, "AsyncQueue", queue_async::AsyncQueue);
    };
}

/// One of them.
macro_rules! kind {
    ($channel:ident, $name:literal, $($kind:ident)::+) => {
        $crate::channels::channel! {
            /// A kind of ours.
            $channel $name, many_to_many, |_| true;
            Producer<$($kind)::+<T>>, Consumer<$($kind)::+<T>>;
            |shape| {
                let bound = shape.capacity.map_or(Capacity::Unbounded, Capacity::bounded);
                let queue = <$($kind)::+<T> as WithCapacity>::try_with_capacity(bound).expect("in memory");
                queue.into_ends()
            }
        }
    };
}

pub(crate) use {kind, kinds};
