//! Items of many pieces, and processes that die while one is under way.

use super::*;
use queue_process::WithCapacity;
use queue_process::codec::Raw;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

type Large = IpcQueue<Vec<u8>, Raw>;

/// What the children here can be told to do.
pub(super) const ROLES: &[(&str, fn())] = &[
    ("pop_large", pop_large),
    ("push_large", push_large),
    ("guests_die", guests_die),
    ("host_large", host_large),
];

const SIZES: [usize; 2] = [500_000, 2_000_000];
const CAPACITY: usize = 4;

fn size() -> usize {
    env::var("IPC_TEST_SIZE").unwrap().parse().unwrap()
}

fn pop_large() {
    let queue = Large::from_parent("Q").unwrap();
    watchdog();
    println!("here");
    while let Ok(item) = queue.pop() {
        assert_eq!(item.len(), size());
    }
    println!("ended");
}

fn push_large() {
    let queue = Large::from_parent("Q").unwrap();
    watchdog();
    println!("here");
    let mut item = vec![7; size()];
    loop {
        match queue.push(item) {
            Ok(()) => item = vec![7; size()],
            Err(refused) => {
                assert!(refused.is_closed());
                assert_eq!(refused.into_item().len(), size());
                println!("ended");
                return;
            }
        }
    }
}

/// Whoever hangs is no longer there after a while, and has not said "ended".
fn watchdog() {
    thread::spawn(|| {
        thread::sleep(Duration::from_secs(30));
        std::process::exit(1);
    });
}

#[test]
fn guests_that_die_with_a_large_item_leave_nothing() {
    for size in SIZES {
        let mut all = command("guests_die");
        all.env("IPC_TEST_SIZE", size.to_string());
        succeeds(all.spawn().unwrap());
    }
}

/// In a process of its own, which counts its threads and descriptors.
fn guests_die() {
    let mut before = None;
    for (round, role) in ["pop_large", "push_large"]
        .repeat(8)
        .into_iter()
        .enumerate()
    {
        let queue = Large::try_with_capacity(Capacity::bounded(CAPACITY)).unwrap();
        let mut child = command(role);
        queue.share_with(&mut child, "Q").unwrap();
        let mut child = child.spawn().unwrap();
        // Not before it has come.
        match role {
            "pop_large" => queue
                .push_many(&mut vec![vec![7; size()]; CAPACITY + 1].into())
                .unwrap(),
            _ => drop(queue.pop().unwrap()),
        }
        let end = Instant::now() + Duration::from_millis(round as u64 / 2);
        while Instant::now() < end {
            // Whole items come, and no more than there is room for.
            match role {
                "pop_large" => drop(queue.try_push(vec![7; size()])),
                _ => drop(queue.try_pop().map(|item| assert_eq!(item.len(), size()))),
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        soon("all places are free", || {
            queue
                .try_iter()
                .for_each(|item| assert_eq!(item.len(), size()));
            queue.is_empty()
        });
        (0..CAPACITY).for_each(|_| queue.try_push(vec![]).unwrap());
        assert!(matches!(queue.try_push(vec![]), Err(TryPushError::Full(_))));
        let (producer, consumer) = queue.into_ends();
        drop(consumer);
        soon("no consumer is left", || producer.is_closed());
        drop(producer);
        let mut now = (0, 0);
        // The first round starts what stays: the random numbers' state, the size of a buffer.
        let before = *before.get_or_insert_with(|| {
            thread::sleep(Duration::from_millis(200));
            (count("task"), count("fd"))
        });
        soon("threads and descriptors", || {
            now = (count("task"), count("fd"));
            now <= before
        });
    }
}

// The child outlives it.
#[allow(clippy::zombie_processes)]
/// Hosts a queue for a child that does as `IPC_TEST_THEN` says, and is killed.
fn host_large() {
    let queue = Large::try_with_capacity(Capacity::bounded(CAPACITY)).unwrap();
    let then = env::var("IPC_TEST_THEN").unwrap();
    let mut child = command(&then);
    queue.share_with(&mut child, "Q").unwrap();
    child.stdout(Stdio::inherit());
    let child = child.spawn().unwrap();
    println!("child {}", child.id());
    loop {
        if then == "push_large" {
            let _ = queue.pop();
        } else {
            let _ = queue.push(vec![7; size()]);
        }
    }
}

#[test]
fn a_host_that_dies_with_a_large_item_is_missed_at_once() {
    for size in SIZES {
        for (round, then) in ["pop_large", "push_large"].repeat(6).iter().enumerate() {
            let mut host = command("host_large");
            host.env("IPC_TEST_SIZE", size.to_string());
            host.env("IPC_TEST_THEN", then);
            let mut host = host.stdout(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
            while !lines.next().unwrap().unwrap().contains("here") {}
            thread::sleep(Duration::from_millis(round as u64));
            host.kill().unwrap();
            host.wait().unwrap();
            let killed = Instant::now();
            let ended = lines.any(|line| line.unwrap().contains("ended"));
            let elapsed = killed.elapsed();
            lines.for_each(|line| drop(line.unwrap()));
            assert!(
                ended && elapsed < Duration::from_secs(10),
                "{then} of {size}: {elapsed:?}"
            );
        }
    }
}

/// Small items go by shared memory, for which a guest tells the host when somebody waits; large ones
/// by messages in pieces. What several threads of one guest tell does not come between these pieces.
#[test]
fn threads_of_a_guest_push_large_and_small() {
    let host = Large::try_with_capacity(Capacity::bounded(64)).unwrap();
    let (sender, receiver) = ipc::channel().unwrap();
    sender.send(host.clone()).unwrap();
    let guest: Large = receiver.recv().unwrap();
    let item = |thread: usize, n: usize| vec![thread as u8; [9, 300_000][n % 2 * (thread % 2)] + n];
    const COUNT: usize = 60;
    let pop = |queue: &Large| -> Vec<_> { (0..2 * COUNT).map(|_| queue.pop().unwrap()).collect() };
    let popped = thread::scope(|scope| {
        for thread in 0..4 {
            let guest = &guest;
            scope.spawn(move || {
                for n in 0..COUNT {
                    // So that who pops sleeps now and then, and is to be told.
                    thread::sleep(Duration::from_micros(100));
                    guest.push(item(thread, n)).unwrap();
                }
            });
        }
        let here = scope.spawn(|| pop(&host));
        let there = scope.spawn(|| pop(&guest));
        [here, there].map(|popped| popped.join().unwrap()).concat()
    });
    for thread in 0..4 {
        let mut expected: Vec<_> = (0..COUNT).map(|n| item(thread, n)).collect();
        let of = |popped: &&Vec<u8>| popped[0] == thread as u8;
        let mut got: Vec<_> = popped.iter().filter(of).cloned().collect();
        got.sort();
        expected.sort();
        assert!(got == expected, "{thread}");
    }
    assert!(host.is_empty());
}
