//! Those who sleep. Two, and two items that come at once: whoever is woken first passes the wake on.
//! Nobody here comes back for a second item, as a worker in a loop would, and so makes good for a lost
//! wake.

#![cfg(not(loom))]

use queue_async::AsyncQueue;
use queue_core::{Capacity, Queue, WithCapacity, WorkQueue};
use queue_process::{IpcQueue, PipeQueue, Raw, ShmQueue};
use queue_thread::{LockFreeQueue, ThreadQueue};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
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

/// Large items come back, more than a batch has room for: those behind them do not overtake them.
#[test]
fn what_came_back_is_popped_in_order_however_large() {
    fn in_order<Q: WorkQueue<Item = Vec<u8>>>(queue: Q) {
        for close in [false, true] {
            (1..=4).for_each(|n| queue.push(vec![n; 3 << 20]).unwrap());
            let held = [(); 3].map(|()| queue.receive().unwrap());
            drop(held);
            let mut got = Vec::new();
            match close {
                true => got = queue.close_now(),
                false => while queue.try_pop_many(&mut got, 10).is_ok() {},
            }
            let got: Vec<_> = got.into_iter().map(|item| item[0]).collect();
            assert_eq!(got, [1, 2, 3, 4]);
        }
    }
    let four = Capacity::bounded(4);
    in_order(
        (ShmQueue::<Vec<u8>, Raw>::options()
            .max_item_bytes(4 << 20)
            .create(four))
        .unwrap(),
    );
    in_order(
        (PipeQueue::<Vec<u8>, Raw>::options()
            .max_item_bytes(4 << 20)
            .create(four))
        .unwrap(),
    );
    in_order(IpcQueue::<Vec<u8>, Raw>::with_capacity(four));
}

/// The queue was idle while somebody joined, though it is not any more.
fn an_idle_moment_counts<Q: WorkQueue<Item = u32>>(queue: Q) {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    for received in [false, true] {
        queue.push(1).unwrap();
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(woken.clone());
        let mut join = pin!(queue.join_async());
        let mut cx = Context::from_waker(&waker);
        assert!(join.as_mut().poll(&mut cx).is_pending());
        match received {
            true => queue.receive().unwrap().ack().unwrap(),
            false => drop(queue.pop().unwrap()),
        }
        queue.push(2).unwrap();
        let begun = Instant::now();
        while !woken.0.load(Ordering::SeqCst) {
            assert!(begun.elapsed() < LONG, "nobody is told");
            thread::sleep(Duration::from_millis(1));
        }
        assert!(join.as_mut().poll(&mut cx).is_ready());
        assert_eq!(queue.pop(), Ok(2));
    }
}

#[test]
fn an_idle_moment_that_is_over_is_seen() {
    an_idle_moment_counts(ThreadQueue::bounded(4));
    an_idle_moment_counts(LockFreeQueue::bounded(4));
    an_idle_moment_counts(LockFreeQueue::unbounded());
    an_idle_moment_counts(AsyncQueue::bounded(4));
    an_idle_moment_counts(ShmQueue::<u32>::bounded(4));
    an_idle_moment_counts(PipeQueue::<u32>::bounded(4));
    an_idle_moment_counts(IpcQueue::<u32>::bounded(4));
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
