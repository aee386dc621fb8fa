//! In a box an [`AsyncQueue`] is as fair as outside of one: whatever waits stands in line.
#![cfg(not(loom))]

use futures::StreamExt;
use futures::executor::block_on;
use queue_async::dynamic::DynQueue;
use queue_async::{AsyncQueue, Queue};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// With one item for who has waited longest, who comes `later` waits for another.
fn waits_its_turn(later: fn(DynQueue<u32>) -> Option<u32>) {
    let queue = DynQueue::new(AsyncQueue::bounded(4));
    let mut first = pin!(queue.pop_async());
    let mut nobody = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut nobody).is_pending());
    queue.push(1).unwrap();
    let second = {
        let queue = queue.clone();
        thread::spawn(move || later(queue))
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

#[test]
fn a_pop_with_a_timeout_stands_in_line() {
    waits_its_turn(|queue| queue.pop_timeout(Duration::from_secs(60)).ok());
}

#[test]
fn a_stream_stands_in_line() {
    waits_its_turn(|queue| block_on(queue.stream().next()));
}

#[test]
fn a_future_stands_in_line() {
    waits_its_turn(|queue| block_on(queue.pop_async()).ok());
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
