//! Recorded histories of real threads under load, judged by the checker of the
//! contract: more threads than cores, random pauses, futures dropped on the way,
//! batches, and a close in the middle.
//!
//! Every run uses new seeds and prints them; `STORM_SEED=n` begins with that one.

#![cfg(not(loom))]

use queue_async::AsyncQueue;
use queue_core::contract::StressRun;
use queue_core::contract::history::Violation;
use queue_core::{Capacity, Queue, WithCapacity};
use queue_thread::{LockFreeQueue, ThreadQueue};
use std::time::{SystemTime, UNIX_EPOCH};

fn first_seed() -> u64 {
    let given = std::env::var("STORM_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.expect("after 1970").subsec_nanos().into()
    })
}

/// Storms over queues of every size; `allowed` says what a kind openly does not promise.
fn storms<Q>(kind: &str, allowed: impl Fn(&Violation) -> bool)
where
    Q: Queue<Item = u64> + WithCapacity + Clone + 'static,
{
    let calm = StressRun {
        producers: 6,
        consumers: 6,
        each: 250,
        pauses: true,
        ..StressRun::PLAIN
    };
    let storms = [
        calm,
        StressRun {
            cancel: true,
            ..calm
        },
        StressRun {
            cancel: true,
            close_early: true,
            each: 5_000,
            ..calm
        },
        StressRun {
            batches: true,
            ..calm
        },
        StressRun {
            batches: true,
            close_early: true,
            each: 5_000,
            ..calm
        },
    ];
    let mut seed = first_seed();
    let mut operations = 0;
    for capacity in [Some(1), Some(2), Some(7), Some(64), None] {
        for storm in storms {
            seed += 1;
            let storm = StressRun { seed, ..storm };
            println!("{kind}, capacity {capacity:?}, {storm:?}");
            let queue =
                Q::try_with_capacity(capacity.map_or(Capacity::Unbounded, Capacity::bounded));
            let history = storm.record(&queue.expect("an in-process queue"));
            operations += history.len();
            let found = history.violations();
            let worst = found.iter().find(|violation| !allowed(violation));
            assert!(
                worst.is_none(),
                "{kind}, capacity {capacity:?}, {storm:?}: {worst:?}"
            );
        }
    }
    println!("{kind}: {operations} operations");
    assert!(
        operations > 10_000,
        "hardly a storm: {operations} operations"
    );
}

#[test]
fn thread_queue_is_linearizable() {
    storms::<ThreadQueue<u64>>("ThreadQueue", |_| false);
}

#[test]
fn async_queue_is_linearizable() {
    storms::<AsyncQueue<u64>>("AsyncQueue", |_| false);
}

#[test]
fn lock_free_queue_is_linearizable() {
    storms::<LockFreeQueue<u64>>("LockFreeQueue", |_| false);
}
