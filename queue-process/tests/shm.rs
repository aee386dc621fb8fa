//! `ShmQueue` inside one process: its own promises, beside the contract's.
#![cfg(all(target_os = "linux", not(loom)))]

use queue_process::codec::Raw;
use queue_process::{Bound, FailureKind, Queue, ShmQueue, TryPopError, TryPushError};
use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn items_of_all_sizes_come_out_as_they_went_in() {
    let queue = ShmQueue::<Vec<u8>, Raw>::options()
        .max_item_bytes(200_000)
        .create(Bound::items(1000))
        .unwrap();
    let item = |n: usize| vec![n as u8; (n * n * 7919) % 200_001];
    let consumer = queue.clone();
    let consumer = thread::spawn(move || {
        for n in 0..3000 {
            assert_eq!(consumer.pop().unwrap(), item(n), "item {n}");
        }
    });
    for n in 0..3000 {
        queue.push(item(n)).unwrap();
    }
    consumer.join().unwrap();
    assert!(queue.is_empty());
}

#[test]
fn a_bound_is_exact_with_the_largest_items() {
    let queue = ShmQueue::<Vec<u8>, Raw>::options()
        .max_item_bytes(100_000)
        .create(Bound::items(7))
        .unwrap();
    for round in 0..50 {
        let mut pushed = 0;
        while let Ok(()) = queue.try_push(vec![round; 100_000]) {
            pushed += 1;
        }
        assert_eq!((queue.len(), queue.is_full()), (7, true), "pushed {pushed}");
        for _ in 0..1 + round % 7 {
            queue.pop().unwrap();
        }
    }
}

#[test]
fn many_threads_move_everything_in_order() {
    let queue = ShmQueue::<(u32, u32)>::bounded(16).unwrap();
    thread::scope(|scope| {
        for producer in 0..4 {
            let queue = &queue;
            scope.spawn(move || (0..5000).for_each(|n| queue.push((producer, n)).unwrap()));
        }
        let consumers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut last = [None; 4];
                    for _ in 0..5000 {
                        let (producer, n) = queue.pop().unwrap();
                        assert!(last[producer as usize].replace(n) < Some(n));
                    }
                })
            })
            .collect();
        consumers
            .into_iter()
            .for_each(|consumer| consumer.join().unwrap());
    });
    assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
}

#[test]
fn an_item_over_the_limit_comes_back() {
    let queue = ShmQueue::<String>::options()
        .max_item_bytes(4)
        .create(Bound::Unbounded)
        .unwrap();
    match queue.try_push("12345".into()) {
        Err(TryPushError::Failed(item, failure)) => {
            assert_eq!(
                (item.as_str(), failure.kind()),
                ("12345", FailureKind::TooLarge)
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(queue.is_empty());
}

#[test]
fn the_memory_limit_is_a_failure_and_all_inside_stays() {
    let queue = ShmQueue::<Vec<u8>, Raw>::options()
        .max_item_bytes(1 << 16)
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
    assert_eq!(failure.kind(), FailureKind::TooLarge);
    assert!((16..=48).contains(&inside), "{inside} of 64 KiB in 1 MiB");
    for n in 0..inside {
        assert_eq!(queue.pop().unwrap()[..4], n.to_ne_bytes());
    }
    queue.push(vec![1; 1 << 16]).unwrap();
}

#[test]
fn batches_go_in_and_come_out_whole() {
    let queue = ShmQueue::<u64>::bounded(100).unwrap();
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
fn a_full_queue_times_out_and_an_empty_one_too() {
    let queue = ShmQueue::<u8>::bounded(1).unwrap();
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
fn memory_comes_with_a_backlog_and_goes_when_it_is_drained() {
    if std::env::var_os("SHM_ALONE").is_none() {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            "memory_comes_with_a_backlog_and_goes_when_it_is_drained",
        ]);
        let status = command
            .env("SHM_ALONE", "1")
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let queue = ShmQueue::<Vec<u8>, Raw>::unbounded().unwrap();
    assert!(resident() < 1 << 20, "an empty queue");
    for _ in 0..100 {
        queue.push(vec![7; 1 << 20]).unwrap();
    }
    assert!(resident() >= 100 << 20);
    for _ in 0..100 {
        assert_eq!(queue.pop().unwrap(), vec![7; 1 << 20]);
    }
    assert!(resident() <= 9 << 20, "{} bytes", resident());
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
        let queue = options.create(Bound::items(capacity)).unwrap();
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
