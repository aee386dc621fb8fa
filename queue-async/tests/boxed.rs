//! In a box, or counted, an [`AsyncQueue`] is as fair as without that: whatever waits stands in line.
#![cfg(not(loom))]

use futures::StreamExt;
use futures::executor::block_on;
use queue_async::dynamic::DynQueue;
use queue_async::{AsyncQueue, Metered, Queue, WorkQueue};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// A way to pop one item.
type Pop<Q> = fn(&Q) -> Option<u32>;

fn all_that_wait<Q: WorkQueue<Item = u32>>() -> [Pop<Q>; 8] {
    const LONG: Duration = Duration::from_secs(60);
    fn the_one(popped: Vec<u32>) -> Option<u32> {
        assert!(popped.len() < 2, "it took that of another");
        popped.into_iter().next()
    }
    [
        |queue| queue.pop().ok(),
        |queue| queue.pop_timeout(LONG).ok(),
        |queue| queue.pop_deadline(Instant::now() + LONG).ok(),
        |queue| block_on(queue.pop_async()).ok(),
        |queue| block_on(queue.stream().next()),
        |queue| queue.receive().unwrap().take().ok(),
        |queue| {
            let mut popped = Vec::new();
            queue.pop_many(&mut popped, 9).ok().and(the_one(popped))
        },
        |queue| {
            let mut popped = Vec::new();
            let count = queue.pop_many_timeout(&mut popped, 9, LONG);
            count.ok().and(the_one(popped))
        },
    ]
}

/// With one item for who has waited longest, who comes later waits for another.
fn overtakes_nobody<Q: WorkQueue<Item = u32> + 'static>(queue: Q) {
    for pop in all_that_wait() {
        let mut first = pin!(queue.pop_async());
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut nobody).is_pending());
        queue.push(1).unwrap();
        let second = {
            let queue = queue.clone();
            thread::spawn(move || pop(&queue))
        };
        thread::sleep(Duration::from_millis(20));
        assert!(!second.is_finished(), "it overtook who was there before");
        queue.push(2).unwrap();
        // They take what is oldest then, whoever of them is there first.
        let mut got = [second.join().unwrap(), None];
        if let Poll::Ready(item) = first.as_mut().poll(&mut nobody) {
            got[1] = item.ok();
        }
        got.sort_unstable();
        assert_eq!(got, [Some(1), Some(2)]);
    }
}

#[test]
fn in_a_box_whatever_waits_stands_in_line() {
    overtakes_nobody(DynQueue::new(AsyncQueue::bounded(4)));
}

#[test]
fn counted_whatever_waits_stands_in_line() {
    let queue = Metered::new("metered", AsyncQueue::bounded(4));
    overtakes_nobody(queue.clone());
    let waits = queue.stats().activity.unwrap().pop_waits.count;
    assert!(waits > 8, "{waits} of 16 waited");
    let boxed = DynQueue::new(AsyncQueue::bounded(4));
    overtakes_nobody(Metered::new("boxed", boxed));
}

/// A stream goes on where it stood, item by item, and ends.
#[test]
fn a_stream_waits_again_and_ends() {
    let queue = DynQueue::new(AsyncQueue::bounded(1));
    let pushes = {
        let queue = queue.clone();
        thread::spawn(move || {
            for n in 0..100 {
                queue.push(n).unwrap();
                if n % 10 == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            queue.close();
        })
    };
    let mut stream = queue.stream();
    let mut got = Vec::new();
    while let Some(n) = block_on(stream.next()) {
        got.push(n);
    }
    assert!(got.into_iter().eq(0..100));
    assert_eq!(block_on(stream.next()), None);
    pushes.join().unwrap();
}

#[test]
fn nobody_joins_a_box_that_does_not_lend() {
    let queue = DynQueue::without_deliveries(AsyncQueue::bounded(1));
    assert!(queue.join_timeout(Duration::ZERO), "nothing is to be done");
    queue.push(1).unwrap();
    let joined = || queue.join_timeout(Duration::ZERO);
    assert!(catch_unwind(AssertUnwindSafe(joined)).is_err());
}
