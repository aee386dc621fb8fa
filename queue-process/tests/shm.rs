//! `ShmQueue` inside one process: its own promises, beside the contract's.
#![cfg(all(target_os = "linux", not(loom)))]

use queue_process::codec::Raw;
use queue_process::{Capacity, Queue, ShmQueue, WithCapacity};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

#[test]
fn batches_go_in_and_come_out_whole() {
    let queue = ShmQueue::<u64>::bounded(100);
    let mut items: VecDeque<u64> = (0..250).collect();
    assert_eq!(queue.try_push_many(&mut items).unwrap(), 100);
    let mut out = Vec::new();
    assert_eq!(queue.try_pop_many(&mut out, 60).unwrap(), 60);
    assert_eq!(queue.try_push_many(&mut items).unwrap(), 60);
    while queue.try_pop_many(&mut out, 1000).is_ok() {}
    assert_eq!(out, (0..160).collect::<Vec<_>>());
    assert_eq!(items.len(), 90);
}

#[test]
fn small_items_count_fifteen_bytes_more_at_most() {
    let limit = 1 << 16;
    let options = ShmQueue::<Vec<u8>, Raw>::options().max_item_bytes(1);
    let queue = options
        .memory_limit(limit)
        .create(Capacity::Unbounded)
        .unwrap();
    while queue.try_push(vec![1]).is_ok() {}
    assert!(queue.len() * 16 >= limit, "{}", queue.len());
}

#[test]
fn a_full_queue_times_out_and_an_empty_one_too() {
    let queue = ShmQueue::<u8>::bounded(1);
    let start = Instant::now();
    assert!(
        queue
            .pop_timeout(Duration::from_millis(120))
            .unwrap_err()
            .is_timeout()
    );
    assert!(start.elapsed() >= Duration::from_millis(120));
    queue.push(1).unwrap();
    let error = queue
        .push_timeout(2, Duration::from_millis(120))
        .unwrap_err();
    assert!(error.is_timeout() && error.into_item() == 2);
    assert!(start.elapsed() >= Duration::from_millis(240));
}

/// How many bytes of memory the system has given to this process's queues.
fn resident() -> u64 {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    let queues = entries.filter_map(|entry| {
        let path = entry.unwrap().path();
        let to = std::fs::read_link(&path).ok()?;
        let ours = to.to_string_lossy().contains("memfd:queue");
        ours.then(|| std::fs::metadata(&path).ok()).flatten()
    });
    let blocks = |file: std::fs::Metadata| std::os::unix::fs::MetadataExt::blocks(&file) * 512;
    queues.map(blocks).max().unwrap()
}

/// In a process of its own, so that no other test's queue is measured.
#[test]
fn memory_comes_with_a_backlog_and_goes_some_time_after() {
    if std::env::var_os("SHM_ALONE").is_none() {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            "memory_comes_with_a_backlog_and_goes_some_time_after",
        ]);
        let status = command
            .env("SHM_ALONE", "1")
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let queue = ShmQueue::<Vec<u8>, Raw>::try_with_capacity(Capacity::Unbounded).unwrap();
    assert!(resident() < 1 << 20, "an empty queue");
    for _ in 0..1000 {
        queue.push(vec![7; 1000]).unwrap();
        assert_eq!(queue.pop().unwrap().len(), 1000);
    }
    let little = 64 << 10..128 << 10;
    assert!(little.contains(&resident()), "{} bytes", resident());
    for _ in 0..2 {
        let start = Instant::now();
        for _ in 0..100 {
            queue.push(vec![7; 1 << 20]).unwrap();
        }
        assert!(resident() >= 100 << 20);
        for _ in 0..100 {
            assert_eq!(queue.pop().unwrap(), vec![7; 1 << 20]);
        }
        let left = resident();
        assert!(
            left >= 100 << 20 || start.elapsed() > Duration::from_millis(900),
            "not given back at once, for it may be needed again: {left} bytes"
        );
        // Given back while a consumer waits.
        let late = start + Duration::from_secs(30);
        while resident() > 9 << 20 {
            assert!(Instant::now() < late, "{} bytes", resident());
            let popped = queue.pop_timeout(Duration::from_millis(200));
            assert!(popped.unwrap_err().is_timeout());
        }
        assert!(resident() > 7 << 20, "some of it is kept");
    }
    queue.push(vec![8; 1 << 20]).unwrap();
    assert_eq!(queue.pop().unwrap(), vec![8; 1 << 20]);
}

proptest::proptest! {
    /// Whatever the sizes and the order: a queue with a place has room, and what comes
    /// out is what went in.
    #[test]
    fn a_place_is_room(
        capacity in 1..40usize,
        largest in 1..30_000usize,
        steps in proptest::collection::vec((0..5u8, 0..30_000usize), 1..300),
    ) {
        let options = ShmQueue::<Vec<u8>, Raw>::options().max_item_bytes(largest);
        let queue = options.create(Capacity::bounded(capacity)).unwrap();
        let mut model = VecDeque::new();
        for (n, (verb, size)) in steps.into_iter().enumerate() {
            // More pushes than pops for a while, then more pops.
            if (verb < 3) == (n % 100 < 60) {
                let item = vec![n as u8; size % (largest + 1)];
                match queue.try_push(item.clone()) {
                    Ok(()) => model.push_back(item),
                    Err(error) => {
                        assert!(error.is_full() && model.len() == capacity, "{error}");
                    }
                }
            } else {
                assert_eq!(queue.try_pop().ok(), model.pop_front());
            }
            assert_eq!(queue.len(), model.len());
        }
        assert_eq!(queue.close_now(), Vec::from(model));
    }
}
