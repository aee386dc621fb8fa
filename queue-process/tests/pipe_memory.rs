//! `PipeQueue` and memory: taken as it is needed, and given back.

#![cfg(all(target_os = "linux", not(loom)))]

use queue_process::codec::Raw;
use queue_process::{Capacity, PipeQueue, Queue, WithCapacity};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// More than any pipe holds.
const MANY: u64 = 50_000;

/// All look at the memory of this process, each alone.
static MEMORY: Mutex<()> = Mutex::new(());

/// How many bytes the items of this process's queues take outside of their pipes.
fn memory() -> u64 {
    let entries = fs::read_dir("/proc/self/fd").unwrap();
    let files = entries.filter_map(|entry| {
        let path = entry.unwrap().path();
        let to = fs::read_link(&path).ok()?;
        let is_one = to.to_string_lossy().contains("memfd:queue items");
        is_one.then(|| fs::metadata(&path).unwrap().blocks() * 512)
    });
    files.sum()
}

#[test]
fn more_than_the_pipe_holds_stays_in_order() {
    let _alone = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let before = memory();
    let queue = PipeQueue::<u64>::unbounded();
    let (mut next_in, mut next_out) = (0, 0);
    // Over the brim, partly drained, over it again, and so on; to the end at last.
    for (pushes, pops) in [(MANY, 30_000), (MANY, 10), (5, 60_000), (MANY, 20_000)] {
        (0..pushes).for_each(|_| {
            queue.push(next_in).unwrap();
            next_in += 1;
        });
        for _ in 0..pops {
            assert_eq!(queue.pop(), Ok(next_out));
            next_out += 1;
        }
        assert_eq!(queue.len() as u64, next_in - next_out);
    }
    assert!(memory() > before);
    while let Ok(n) = queue.try_pop() {
        assert_eq!(n, next_out);
        next_out += 1;
    }
    assert_eq!(next_out, next_in);
    assert_eq!(memory() - before, 0, "given back");
    queue.push(7).unwrap();
    assert_eq!(queue.pop(), Ok(7));
}

#[test]
fn large_items_take_memory_and_give_it_back_some_time_after() {
    let _alone = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let before = memory();
    let queue = PipeQueue::<Vec<u8>, Raw>::try_with_capacity(Capacity::Unbounded).unwrap();
    for round in 0..2u8 {
        for n in 0..40 {
            queue.push(vec![round ^ n; 1 << 20]).unwrap();
        }
        assert!(memory() - before >= 40 << 20);
        for n in 0..40 {
            assert!(queue.pop().unwrap() == vec![round ^ n; 1 << 20]);
        }
        let late = Instant::now() + Duration::from_secs(30);
        while memory() - before > 4 << 20 {
            assert!(Instant::now() < late, "{} bytes", memory() - before);
            let popped = queue.pop_timeout(Duration::from_millis(200));
            assert!(popped.unwrap_err().is_timeout());
        }
    }
}

#[test]
fn a_backlog_of_large_items_that_never_ends_does_not_grow() {
    let _alone = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let before = memory();
    let queue = PipeQueue::<Vec<u8>, Raw>::try_with_capacity(Capacity::Unbounded).unwrap();
    (0..10).for_each(|n| queue.push(vec![n; 100_000]).unwrap());
    for n in 0..1000u32 {
        assert!(queue.pop().unwrap() == vec![n as u8; 100_000]);
        queue.push(vec![(n + 10) as u8; 100_000]).unwrap();
    }
    assert!(memory() - before <= 4 << 20);
}

#[test]
fn a_backlog_of_small_items_that_never_ends_does_not_grow() {
    let _alone = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let before = memory();
    let queue = PipeQueue::<u64>::unbounded();
    (0..20_000).for_each(|n| queue.push(n).unwrap());
    for n in 0..150_000 {
        assert_eq!(queue.pop(), Ok(n));
        queue.push(n + 20_000).unwrap();
    }
    // And so in batches.
    let mut items = Vec::new();
    for n in 0..1500 {
        assert_eq!(queue.pop_many(&mut items, 100), Ok(100));
        queue.push_many(&mut items.drain(..).collect()).unwrap();
        assert_eq!(queue.len(), 20_000, "{n}");
    }
    let taken = memory() - before;
    assert!(taken <= 4 << 20, "{taken}");
}
