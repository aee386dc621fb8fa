//! Two who sleep, and two items that come at once: whoever is woken first passes the wake on. Nobody
//! here comes back for a second item, as a worker in a loop would, and so makes good for a lost wake.

#![cfg(not(loom))]

use queue_async::AsyncQueue;
use queue_core::{Queue, WorkQueue};
use queue_process::{IpcQueue, PipeQueue, ShmQueue};
use queue_thread::{LockFreeQueue, ThreadQueue};
use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// Until those who were started sleep.
const BIT: Duration = Duration::from_millis(20);

/// Two threads wait by `wait`, and what they get is kept until both have something.
fn both_get_one<Q, R>(queue: &Q, wait: impl Fn(&Q) -> R + Sync, give: impl FnOnce())
where
    Q: WorkQueue<Item = u32>,
    R: Send,
{
    let begun = Instant::now();
    let got = thread::scope(|scope| {
        let waiting = [(); 2].map(|()| scope.spawn(|| wait(queue)));
        thread::sleep(BIT);
        give();
        waiting.map(|thread| thread.join().unwrap())
    });
    drop(got);
    // Who runs out of time has one last try.
    assert!(begun.elapsed() < LONG, "one slept beside an item");
}

fn both_wake<Q: WorkQueue<Item = u32>>(queue: Q) {
    let one_by_one = || (1..=2).for_each(|n| queue.push(n).unwrap());
    let at_once = || queue.push_many(&mut VecDeque::from([1, 2])).unwrap();
    let pop = |queue: &Q| queue.pop_timeout(LONG).unwrap();
    let receive = |queue: &Q| queue.receive_timeout(LONG).unwrap().take().unwrap();
    for _ in 0..5 {
        both_get_one(&queue, pop, one_by_one);
        both_get_one(&queue, pop, at_once);
        both_get_one(&queue, receive, one_by_one);
        both_get_one(&queue, receive, at_once);
        // What comes back.
        for comes_back in [pop, receive] {
            queue.push_many(&mut VecDeque::from([1, 2])).unwrap();
            let mut held = Vec::new();
            queue.receive_many(&mut held, 2).unwrap();
            assert_eq!(held.len(), 2);
            both_get_one(&queue, comes_back, || drop(held));
        }
        assert!(queue.is_empty() && queue.in_flight() == 0);
    }
}

/// The same as they hold what they received.
fn both_receive<Q: WorkQueue<Item = u32>>(queue: Q) {
    for _ in 0..5 {
        let receive = |queue: &Q| queue.receive_timeout(LONG).unwrap();
        both_get_one(&queue, receive, || {
            queue.push(1).unwrap();
            queue.push(2).unwrap();
        });
        assert_eq!(queue.try_iter().count(), 2, "they are dropped");
    }
}

fn all<Q: WorkQueue<Item = u32>>(make: impl Fn() -> Q) {
    both_wake(make());
    both_receive(make());
}

#[test]
fn between_threads() {
    all(|| ThreadQueue::bounded(4));
    all(|| LockFreeQueue::bounded(4));
    all(ThreadQueue::unbounded);
    all(LockFreeQueue::unbounded);
}

#[test]
fn between_tasks() {
    all(|| AsyncQueue::bounded(4));
}

#[test]
fn between_processes() {
    all(|| ShmQueue::<u32>::bounded(4));
    all(|| PipeQueue::<u32>::bounded(4));
    all(|| IpcQueue::<u32>::bounded(4));
}

/// A half that joins has a limit as the queue has.
#[test]
fn halves_join_for_so_long() {
    let (producer, consumer) = ThreadQueue::bounded(1).into_ends();
    assert!(producer.join_timeout(Duration::ZERO) && consumer.join_timeout(BIT));
    producer.push(1).unwrap();
    assert!(!producer.join_timeout(BIT) && !consumer.join_timeout(BIT));
    assert_eq!(consumer.pop(), Ok(1));
    assert!(producer.join_timeout(LONG) && consumer.join_timeout(LONG));
}
