//! `PipeQueue`: its own promises, beside the contract's.

#![cfg(all(target_os = "linux", not(loom)))]

use queue_process::codec::Raw;
use queue_process::{Capacity, PipeQueue, Queue};
use std::collections::VecDeque;

/// More than any pipe holds.
const MANY: u64 = 50_000;

#[test]
fn batches_that_the_pipe_cannot_hold_stay_in_order() {
    let queue = PipeQueue::<u64>::bounded(MANY as usize);
    let mut items: VecDeque<u64> = (0..MANY + 100).collect();
    let mut pushed = 0;
    while let Ok(some) = queue.try_push_many(&mut items) {
        pushed += some;
    }
    assert_eq!((pushed as u64, items.len()), (MANY, 100));
    let mut out = Vec::new();
    while queue.try_pop_many(&mut out, 777).is_ok() {
        if let Some(item) = items.pop_front() {
            queue.push(item).unwrap();
        }
    }
    assert!(out.into_iter().eq(0..MANY + 100));
}

#[test]
fn the_log_of_small_items_counts_as_memory() {
    let queue = PipeQueue::<Vec<u8>, Raw>::options()
        .memory_limit(1 << 20)
        .create(Capacity::Unbounded)
        .unwrap();
    let mut items: VecDeque<Vec<u8>> = (0..MANY).map(|_| vec![1]).collect();
    let mut pushed = 0;
    let failure = loop {
        match queue.try_push_many(&mut items) {
            Ok(some) => pushed += some,
            Err(error) => break error,
        }
    };
    assert!(failure.failure().is_some(), "{failure:?}");
    assert_eq!(pushed, 2 * 16384);
}
