//! Taking from whichever of two queues has an item: ours, and the peers that can.

use crate::cell::{Cell, Load};
use crate::item::Tally;
use crate::subject::{Outcome, Role, Subject};
use queue_core::{Capacity, Queue, WithCapacity, pop_any};
use std::hint::black_box;
use std::time::Instant;

/// Every subject that can.
pub fn subjects() -> Vec<Subject> {
    let subject = |name, role, run| Subject {
        name,
        role,
        supports: |cell: &Cell| cell.load == Load::Select,
        run,
    };
    vec![
        subject(
            "ThreadQueue",
            Role::Ours,
            ours::<queue_thread::ThreadQueue<u64>>,
        ),
        subject(
            "LockFreeQueue",
            Role::Ours,
            ours::<queue_thread::LockFreeQueue<u64>>,
        ),
        subject(
            "AsyncQueue",
            Role::Ours,
            ours::<queue_async::AsyncQueue<u64>>,
        ),
        subject("crossbeam-channel", Role::Peer, crossbeam),
        subject("flume", Role::Peer, flume),
    ]
}

fn ours<Q: Queue<Item = u64> + WithCapacity>(cell: &Cell, items: u64) -> Result<Outcome, String> {
    let bound = cell
        .shape
        .capacity
        .map_or(Capacity::Unbounded, Capacity::bounded);
    let open = || Q::try_with_capacity(bound).map_err(|failure| failure.to_string());
    let (a, b) = (open()?, open()?);
    rounds(
        items,
        |number, first| if first { &a } else { &b }.push(number).is_ok(),
        || pop_any(&[&a, &b]).ok().map(|(_, number)| number),
    )
}

fn crossbeam(cell: &Cell, items: u64) -> Result<Outcome, String> {
    let open = || match cell.shape.capacity {
        Some(capacity) => crossbeam_channel::bounded(capacity),
        None => crossbeam_channel::unbounded(),
    };
    let ((to_a, a), (to_b, b)) = (open(), open());
    rounds(
        items,
        |number, first| if first { &to_a } else { &to_b }.send(number).is_ok(),
        || {
            crossbeam_channel::select! {
                recv(a) -> number => number.ok(),
                recv(b) -> number => number.ok(),
            }
        },
    )
}

fn flume(cell: &Cell, items: u64) -> Result<Outcome, String> {
    let open = || match cell.shape.capacity {
        Some(capacity) => flume::bounded(capacity),
        None => flume::unbounded(),
    };
    let ((to_a, a), (to_b, b)) = (open(), open());
    rounds(
        items,
        |number, first| if first { &to_a } else { &to_b }.send(number).is_ok(),
        || {
            flume::Selector::new()
                .recv(&a, |number| number.ok())
                .recv(&b, |number| number.ok())
                .wait()
        },
    )
}

/// Pushes to either in turn, with nobody else there.
fn rounds(
    items: u64,
    push: impl Fn(u64, bool) -> bool,
    take: impl Fn() -> Option<u64>,
) -> Result<Outcome, String> {
    let mut tally = Tally::default();
    let start = Instant::now();
    for number in 0..items {
        if !push(black_box(number), number % 2 == 0) {
            return Err("it is closed".to_owned());
        }
        tally.note(take().unwrap_or(u64::MAX));
    }
    let outcome = Outcome::each(items, start.elapsed().as_secs_f64());
    Tally::check(&[tally], items, 1)?;
    Ok(outcome)
}
