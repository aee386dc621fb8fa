//! A waker that panics takes no item with it, whichever verb wakes it.

#![cfg(not(loom))]

use queue_async::AsyncQueue;
use queue_core::{Queue, TryPopError, WorkQueue};
use queue_process::{IpcQueue, PipeQueue, ShmQueue};
use queue_thread::{LockFreeQueue, ThreadQueue};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker that fails, for a test");
    }
}

/// Does what may panic.
fn quietly<R>(act: impl FnOnce() -> R) {
    drop(catch_unwind(AssertUnwindSafe(act)));
}

/// For one kind, that makes queues of four places: for each verb one.
fn loses_nothing<Q: Queue<Item = u32>>(make: impl Fn() -> Q) {
    let batch = |queue: &Q, into: &mut Vec<u32>| {
        let _ = queue.try_pop_many(into, 3);
    };
    let waiting_batch = |queue: &Q, into: &mut Vec<u32>| {
        let _ = queue.pop_many(into, 3);
    };
    let close_now = |queue: &Q, into: &mut Vec<u32>| into.extend(queue.close_now());
    type Verb<Q> = dyn Fn(&Q, &mut Vec<u32>);
    let verbs: [&Verb<Q>; 3] = [&batch, &waiting_batch, &close_now];
    let waker = Waker::from(Arc::new(Panics));
    for (number, verb) in verbs.into_iter().enumerate() {
        let queue = make();
        (1..=4).for_each(|n| queue.push(n).unwrap());
        let mut into = Vec::new();
        {
            let mut pushes = [5, 6].map(|n| Box::pin(queue.push_async(n)));
            for push in &mut pushes {
                let polled = push.as_mut().poll(&mut Context::from_waker(&waker));
                assert!(polled.is_pending());
            }
            quietly(|| verb(&queue, &mut into));
            // Neither push has been polled again. Who leaves wakes the next, whose waker panics.
            for push in pushes {
                quietly(|| drop(push));
            }
        }
        into.extend(queue.close_now());
        assert_eq!(into, [1, 2, 3, 4], "verb {number}");
    }
}

/// What came back, and is popped in a batch while somebody waits for its slot.
fn loses_nothing_that_came_back<Q: WorkQueue<Item = u32>>(make: impl Fn() -> Q) {
    let waker = Waker::from(Arc::new(Panics));
    for count in 1..=4 {
        let queue = make();
        (1..=4).for_each(|n| queue.push(n).unwrap());
        let mut held = Vec::new();
        queue.receive_many(&mut held, count).unwrap();
        held.into_iter().rev().for_each(|job| job.nack().unwrap());
        let mut into = Vec::new();
        {
            let mut push = Box::pin(queue.push_async(5));
            let polled = push.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            quietly(|| queue.try_pop_many(&mut into, 3));
            quietly(|| drop(push));
        }
        into.extend(queue.close_now());
        assert_eq!(into, [1, 2, 3, 4], "{count} came back");
    }
}

/// Where somebody waits for the queue to be idle.
fn close_now_gives_all_of_it<Q: WorkQueue<Item = u32>>(make: impl Fn() -> Q) {
    let waker = Waker::from(Arc::new(Panics));
    for came_back in [0, 1, 4] {
        let queue = make();
        (1..=4).for_each(|n| queue.push(n).unwrap());
        let mut held = Vec::new();
        queue.receive_many(&mut held, came_back).unwrap();
        held.into_iter().rev().for_each(|job| job.nack().unwrap());
        let mut join = Box::pin(queue.join_async());
        let polled = join.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        let mut left = Vec::new();
        quietly(|| left.extend(queue.close_now()));
        left.extend(queue.close_now());
        assert_eq!(left, [1, 2, 3, 4], "{came_back} came back");
    }
}

/// Whoever receives passes the wake on to the next, whose waker panics: nobody had the item, and it
/// is back as if nobody had asked for it.
fn a_receive_that_panics_is_no_attempt<Q: WorkQueue<Item = u32>>(make: impl Fn() -> Q) {
    let waker = Waker::from(Arc::new(Panics));
    for came_back in [false, true] {
        let queue = make();
        let mut held = Vec::new();
        if came_back {
            (1..=2).for_each(|n| queue.push(n).unwrap());
            queue.receive_many(&mut held, 2).unwrap();
        }
        let mut pops = [(); 4].map(|()| Box::pin(queue.pop_async()));
        for pop in &mut pops {
            let polled = pop.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        match came_back {
            true => (held.into_iter().rev()).for_each(|job| quietly(|| job.release())),
            false => (1..=2).for_each(|n| quietly(|| queue.push(n).unwrap())),
        }
        quietly(|| queue.try_receive().map(|job| job.release()));
        for pop in pops {
            quietly(|| drop(pop));
        }
        assert_eq!(queue.in_flight(), 0);
        for n in 1..=2 {
            let job = queue.try_receive().unwrap();
            assert_eq!((*job, job.attempt()), (n, 1), "{came_back}");
            job.ack().unwrap();
        }
    }
}

/// Whoever pops what came back wakes the next, whose waker panics: the slots are free all the same.
fn a_batch_that_panics_is_done<Q: WorkQueue<Item = u32>>(make: impl Fn() -> Q) {
    let waker = Waker::from(Arc::new(Panics));
    let queue = make();
    (1..=2).for_each(|n| queue.push(n).unwrap());
    let mut held = Vec::new();
    queue.receive_many(&mut held, 2).unwrap();
    let mut pops = [(); 4].map(|()| Box::pin(queue.pop_async()));
    for pop in &mut pops {
        let polled = pop.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    (held.into_iter().rev()).for_each(|job| quietly(|| job.release()));
    let mut got = Vec::new();
    quietly(|| queue.try_pop_many(&mut got, 2));
    for pop in pops {
        quietly(|| drop(pop));
    }
    got.extend(queue.close_now());
    assert_eq!((got, queue.in_flight()), (vec![1, 2], 0));
    assert!(queue.join_timeout(Duration::from_secs(30)));
    assert_eq!(queue.try_pop(), Err(TryPopError::Closed));
}

/// A worker panics with a job, and the waker of who waits for it panics too: that would abort.
fn a_worker_may_panic_beside_it<Q: WorkQueue<Item = u32>>(make: impl Fn() -> Q) {
    let waker = Waker::from(Arc::new(Panics));
    let queue = make();
    queue.push(1).unwrap();
    let job = queue.receive().unwrap();
    let mut pop = Box::pin(queue.pop_async());
    let polled = pop.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    let worked = catch_unwind(AssertUnwindSafe(|| {
        let _job = job;
        panic!("a worker that fails, for a test");
    }));
    assert!(worked.is_err());
    quietly(|| drop(pop));
    assert_eq!(queue.try_receive().unwrap().attempt(), 2);
}

/// A waker that panics keeps nobody from being told of what comes later.
fn others_are_told_still<Q: Queue<Item = u32>>(queue: Q) {
    struct Told {
        told: AtomicBool,
        panics: bool,
    }
    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            self.told.store(true, Ordering::SeqCst);
            assert!(!self.panics, "a waker that fails, for a test");
        }
    }
    for panics in [true, false] {
        let told = AtomicBool::new(false);
        let task = Arc::new(Told { told, panics });
        let mut pop = Box::pin(queue.pop_async());
        let waker = Waker::from(task.clone());
        assert!(
            pop.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        quietly(|| queue.push(1).unwrap());
        let begun = Instant::now();
        while !task.told.load(Ordering::SeqCst) {
            assert!(begun.elapsed() < Duration::from_secs(20), "it is not told");
            thread::sleep(Duration::from_millis(1));
        }
        quietly(|| drop(pop));
        assert_eq!(queue.try_pop(), Ok(1));
    }
}

fn loses_nothing_of_work<Q: WorkQueue<Item = u32>>(make: impl Fn() -> Q) {
    loses_nothing(&make);
    a_receive_that_panics_is_no_attempt(&make);
    a_batch_that_panics_is_done(&make);
    a_worker_may_panic_beside_it(&make);
    loses_nothing_that_came_back(&make);
    close_now_gives_all_of_it(&make);
    others_are_told_still(make());
}

#[test]
fn between_threads() {
    loses_nothing_of_work(|| ThreadQueue::bounded(4));
    loses_nothing_of_work(|| LockFreeQueue::bounded(4));
}

#[test]
fn between_tasks() {
    loses_nothing_of_work(|| AsyncQueue::bounded(4));
}

#[test]
fn between_processes() {
    loses_nothing_of_work(|| ShmQueue::<u32>::bounded(4));
    loses_nothing_of_work(|| PipeQueue::<u32>::bounded(4));
    loses_nothing_of_work(|| IpcQueue::<u32>::bounded(4));
}

/// An item whose own code panics as it is dropped.
struct DropsBadly;

impl Drop for DropsBadly {
    fn drop(&mut self) {
        panic!("an item that fails, for a test");
    }
}

fn who_acks_a_bad_item_is_done<Q: WorkQueue<Item = DropsBadly>>(queue: Q) {
    assert!(queue.push(DropsBadly).is_ok());
    let job = queue.receive().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| job.ack())).is_err());
    assert_eq!((queue.in_flight(), queue.len()), (0, 0));
    assert!(queue.join_timeout(Duration::from_secs(30)) && !queue.is_full());
}

#[test]
fn an_item_that_panics_as_it_is_acked_is_done() {
    who_acks_a_bad_item_is_done(ThreadQueue::bounded(1));
    who_acks_a_bad_item_is_done(LockFreeQueue::bounded(1));
    who_acks_a_bad_item_is_done(AsyncQueue::bounded(1));
}
