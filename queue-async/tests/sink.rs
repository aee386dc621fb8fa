//! The queue as a `Sink`.
#![cfg(all(feature = "sink", not(loom)))]

use futures::{Sink, SinkExt, StreamExt, executor::block_on, stream};
use queue_async::{AsyncQueue, Queue};
use std::pin::pin;
use std::task::{Context, Waker};

#[test]
fn forwards_and_leaves_the_queue_open() {
    let queue = AsyncQueue::unbounded();
    block_on(stream::iter(0..5).map(Ok).forward(queue.sink())).unwrap();
    assert!(!queue.is_closed());
    assert_eq!(queue.close_now(), [0, 1, 2, 3, 4]);
}

#[test]
fn ready_means_a_place_is_held() {
    let queue = AsyncQueue::bounded(1);
    let cx = &mut Context::from_waker(Waker::noop());
    {
        let mut sink = pin!(queue.sink());
        assert!(sink.as_mut().poll_ready(cx).is_ready());
        assert!(queue.try_push(1).is_err());
        assert!(sink.as_mut().poll_close(cx).is_ready());
        queue.try_push(2).unwrap();
        assert!(sink.as_mut().poll_ready(cx).is_pending());
        queue.try_pop().unwrap();
        assert!(sink.as_mut().poll_ready(cx).is_ready());
    }
    // Dropped: the place is free again.
    queue.try_push(3).unwrap();
}

#[test]
fn a_closed_queue_hands_the_item_back() {
    let queue = AsyncQueue::unbounded();
    let mut sink = pin!(queue.sink());
    block_on(sink.feed("in")).unwrap();
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(sink.as_mut().poll_ready(cx).is_ready());
    queue.close();
    let error = sink.as_mut().start_send("back").unwrap_err();
    assert_eq!(error.into_item(), Some("back"));
    let error = block_on(sink.feed("never taken")).unwrap_err();
    assert_eq!(error.into_item(), None);
}
