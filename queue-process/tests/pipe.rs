//! `PipeQueue`: its own promises, beside the contract's.

#![cfg(all(target_os = "linux", not(loom)))]

use queue_process::codec::Raw;
use queue_process::{Bound, FailureKind, PipeQueue, Queue, TryPopError, TryPushError};
use std::collections::VecDeque;
use std::thread;

/// More than any pipe holds.
const MANY: u64 = 50_000;

#[test]
fn items_of_all_sizes_come_out_as_they_went_in() {
    let queue = PipeQueue::<Vec<u8>, Raw>::bounded(1000).unwrap();
    let item = |n: usize| vec![n as u8; (n * n * 7919) % 200_001];
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..3000 {
                assert_eq!(queue.pop().unwrap(), item(n), "item {n}");
            }
        });
        for n in 0..3000 {
            queue.push(item(n)).unwrap();
        }
    });
    assert!(queue.is_empty());
}

#[test]
fn a_bound_is_exact_with_the_largest_items() {
    let queue = PipeQueue::<Vec<u8>, Raw>::options()
        .max_item_bytes(100_000)
        .create(Bound::items(7))
        .unwrap();
    for round in 0..50 {
        while let Ok(()) = queue.try_push(vec![round; 100_000]) {}
        assert_eq!((queue.len(), queue.is_full()), (7, true));
        for _ in 0..1 + round % 7 {
            queue.pop().unwrap();
        }
    }
}

#[test]
fn batches_that_the_pipe_cannot_hold_stay_in_order() {
    let queue = PipeQueue::<u64>::bounded(MANY as usize).unwrap();
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
fn the_memory_limit_is_a_failure_and_all_inside_stays() {
    let queue = PipeQueue::<Vec<u8>, Raw>::options()
        .memory_limit(1 << 20)
        .create(Bound::Unbounded)
        .unwrap();
    let mut inside = 0u32;
    let failure = loop {
        let mut item = vec![0; 1 << 16];
        item[..4].copy_from_slice(&inside.to_ne_bytes());
        match queue.try_push(item) {
            Ok(()) => inside += 1,
            Err(TryPushError::Failed(_, failure)) => break failure,
            Err(other) => panic!("{other:?}"),
        }
    };
    assert_eq!((failure.kind(), inside), (FailureKind::TooLarge, 16));
    for n in 0..inside {
        assert_eq!(queue.pop().unwrap()[..4], n.to_ne_bytes());
    }
    queue.push(vec![1; 1 << 16]).unwrap();
    queue.pop().unwrap();

    // The log counts too.
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

#[test]
fn many_threads_move_everything_in_order() {
    let queue = PipeQueue::<(u32, u32)>::bounded(16).unwrap();
    thread::scope(|scope| {
        for producer in 0..4 {
            let queue = &queue;
            scope.spawn(move || (0..5000).for_each(|n| queue.push((producer, n)).unwrap()));
        }
        for _ in 0..4 {
            scope.spawn(|| {
                let mut last = [None; 4];
                for _ in 0..5000 {
                    let (producer, n) = queue.pop().unwrap();
                    assert!(last[producer as usize].replace(n) < Some(n));
                }
            });
        }
    });
    assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
}
