//! The queue as a `Sink`.
#![cfg(not(loom))]

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
fn what_finds_no_slot_waits_in_the_sink_until_it_is_flushed() {
    let queue = AsyncQueue::bounded(1);
    let cx = &mut Context::from_waker(Waker::noop());
    let mut sink = pin!(queue.sink());
    for n in [1, 2] {
        assert!(sink.as_mut().poll_ready(cx).is_ready());
        sink.as_mut().start_send(n).unwrap();
    }
    assert_eq!(queue.len(), 1);
    assert!(sink.as_mut().poll_ready(cx).is_pending());
    assert!(sink.as_mut().poll_close(cx).is_pending());
    assert_eq!(queue.try_pop(), Ok(1));
    assert!(sink.as_mut().poll_close(cx).is_ready());
    assert_eq!(queue.try_pop(), Ok(2));
    assert!(!queue.is_closed());
}

#[test]
fn a_sink_that_owns_its_half_closes_it() {
    let queue = AsyncQueue::unbounded();
    let mut sink = queue.producer().into_sink();
    block_on(sink.send(1)).unwrap();
    assert_eq!(queue.producer_count(), 1);
    block_on(sink.close()).unwrap();
    assert!(queue.is_closed());
    assert_eq!(block_on(sink.send(2)).unwrap_err().into_item(), 2);
    assert_eq!(queue.close_now(), [1]);
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
    assert_eq!(error.into_item(), "back");
    let error = block_on(sink.feed("never taken")).unwrap_err();
    assert_eq!(error.into_item(), "never taken");
}
