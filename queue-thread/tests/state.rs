//! What both kinds say of themselves, to a log and to a thread that is about to sleep.

#![cfg(not(loom))]

use queue_core::Side;
use queue_thread::{LockFreeQueue, Queue, ThreadQueue, WorkQueue};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

#[test]
fn a_queue_says_how_full_it_is() {
    let queue = ThreadQueue::bounded(2);
    queue.try_push("an item is not shown").unwrap();
    assert_eq!(
        format!("{queue:?}"),
        "ThreadQueue { len: 1, capacity: Some(2), closed: false }"
    );
    let queue = LockFreeQueue::<u8>::unbounded();
    queue.close();
    assert_eq!(
        format!("{queue:?}"),
        "LockFreeQueue { len: 0, capacity: None, closed: true }"
    );
}

/// For every kind: of 30 items, when some were popped and so may lie elsewhere.
fn seen<Q: Queue<Item = u32>>(queue: Q) {
    let look = || [Side::Consumers, Side::Producers].map(|side| queue.ready_hint(side));
    let places = |inside| queue.capacity().map_or(usize::MAX, |all| all - inside);
    // As good as without a bound is good enough for who looks.
    let close = |[items, free]: [usize; 2], inside| {
        items == inside && (free == places(inside) || queue.capacity().is_none() && free > 1 << 60)
    };
    assert!(close(look(), 0));
    (0..30).for_each(|n| queue.try_push(n).unwrap());
    assert!(close(look(), 30));
    (0..7).for_each(|n| assert_eq!(queue.try_pop(), Ok(n)));
    queue.try_push(30).unwrap();
    assert!(close(look(), 24), "{:?}", look());
    queue.close();
    assert_eq!(look(), [usize::MAX; 2], "the end is worth a try");
}

#[test]
fn a_glance_sees_what_is_there() {
    seen(ThreadQueue::bounded(40));
    seen(ThreadQueue::unbounded());
    seen(LockFreeQueue::bounded(40));
    seen(LockFreeQueue::unbounded());
}

/// Who saw the end would try again and again, until what is lent is settled.
fn ends_with_what_is_lent<Q: WorkQueue<Item = u32>>(queue: Q) {
    let look = || [Side::Consumers, Side::Producers].map(|side| queue.ready_hint(side));
    queue.try_push(1).unwrap();
    let job = queue.receive().unwrap();
    queue.close();
    assert_eq!(look(), [0, usize::MAX]);
    drop(job);
    assert_eq!(look(), [1, usize::MAX]);
    queue.receive().unwrap().ack().unwrap();
    assert_eq!(look(), [usize::MAX; 2]);
}

#[test]
fn a_glance_does_not_see_the_end_while_something_is_lent() {
    ends_with_what_is_lent(ThreadQueue::bounded(2));
    ends_with_what_is_lent(ThreadQueue::unbounded());
    ends_with_what_is_lent(LockFreeQueue::bounded(2));
    ends_with_what_is_lent(LockFreeQueue::unbounded());
}

/// Looks at the queue that wakes it, and pops from it.
struct Meddler<Q>(Q);

impl<Q: Queue<Item = u32> + 'static> Wake for Meddler<Q> {
    fn wake(self: Arc<Self>) {
        assert!(self.0.len() < 40);
        self.0.try_pop().unwrap();
    }
}

/// Wakers act on the queue, whichever of its parts a pop took from.
fn wakes_without_a_lock<Q: Queue<Item = u32> + Clone + 'static>(queue: Q) {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let waker = Waker::from(Arc::new(Meddler(queue.clone())));
        for _ in 0..40 {
            while queue.try_push(1).is_ok() {}
            let mut push = pin!(queue.push_async(2));
            let polled = push.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            queue.try_pop().unwrap();
            // Wherever it goes on next time.
            queue.try_pop().unwrap();
        }
        done.send(()).unwrap();
    });
    let within = Duration::from_secs(60);
    is_done
        .recv_timeout(within)
        .expect("a waker waits for ever");
}

#[test]
fn wakers_may_use_the_queue() {
    wakes_without_a_lock(ThreadQueue::bounded(40));
    wakes_without_a_lock(LockFreeQueue::bounded(40));
}

/// A closed queue goes on while something is in flight, for it may come back.
#[test]
fn deliveries_are_received_until_all_is_done() {
    let (producer, consumer) = ThreadQueue::bounded(4).into_ends();
    for job in 0..4 {
        producer.push(job).unwrap();
    }
    drop(producer);
    let mut seen = Vec::new();
    let mut deliveries = consumer.deliveries();
    for job in deliveries.by_ref() {
        let job = job.unwrap();
        seen.push((*job, job.attempt()));
        match *job {
            1 if job.attempt() == 1 => job.nack().unwrap(),
            2 if job.attempt() == 1 => drop(job),
            _ => job.ack().unwrap(),
        }
    }
    assert!(deliveries.next().is_none());
    assert_eq!(seen, [(0, 1), (1, 1), (1, 2), (2, 1), (2, 2), (3, 1)]);
}
