//! A waker that panics takes no item with it, whichever verb wakes it.

#![cfg(not(loom))]

use queue_async::AsyncQueue;
use queue_core::{Queue, WorkQueue};
use queue_process::{IpcQueue, PipeQueue, ShmQueue};
use queue_thread::{LockFreeQueue, ThreadQueue};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker that fails, for a test");
    }
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
            let _ = catch_unwind(AssertUnwindSafe(|| verb(&queue, &mut into)));
            // Neither push has been polled again. Who leaves wakes the next, whose waker panics.
            for push in pushes {
                let _ = catch_unwind(AssertUnwindSafe(|| drop(push)));
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
            let _ = catch_unwind(AssertUnwindSafe(|| queue.try_pop_many(&mut into, 3)));
            let _ = catch_unwind(AssertUnwindSafe(|| drop(push)));
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
        let _ = catch_unwind(AssertUnwindSafe(|| left.extend(queue.close_now())));
        left.extend(queue.close_now());
        assert_eq!(left, [1, 2, 3, 4], "{came_back} came back");
    }
}

fn loses_nothing_of_work<Q: WorkQueue<Item = u32>>(make: impl Fn() -> Q) {
    loses_nothing(&make);
    loses_nothing_that_came_back(&make);
    close_now_gives_all_of_it(&make);
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
