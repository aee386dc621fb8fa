//! Sinks and the streams that keep a half: what they hold when they are dropped, and what they do
//! behind their end.

#![cfg(not(loom))]

mod common;

use common::Simple;
use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use queue_core::dynamic::DynQueue;
use queue_core::{Capacity, PushError, Queue, WithCapacity};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Counts how often it is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn queue_of(capacity: usize) -> Simple<u64> {
    Simple::try_with_capacity(Capacity::bounded(capacity)).unwrap()
}

fn next<S: Stream + Unpin>(stream: &mut S, waker: &Waker) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(waker))
}

type Polled<T> = Poll<Result<(), PushError<T>>>;

fn flush<K: Sink<u64, Error = PushError<u64>> + Unpin>(sink: &mut K) -> Polled<u64> {
    Pin::new(sink).poll_flush(&mut Context::from_waker(Waker::noop()))
}

fn ready<K: Sink<u64, Error = PushError<u64>> + Unpin>(sink: &mut K) -> Polled<u64> {
    Pin::new(sink).poll_ready(&mut Context::from_waker(Waker::noop()))
}

fn close<K: Sink<u64, Error = PushError<u64>> + Unpin>(sink: &mut K) -> Polled<u64> {
    Pin::new(sink).poll_close(&mut Context::from_waker(Waker::noop()))
}

fn over_both(test: fn(&dyn Fn(usize) -> DynQueue<u64>)) {
    test(&|capacity| DynQueue::new(queue_of(capacity)));
    test(&|capacity| DynQueue::new(DynQueue::new(queue_of(capacity))));
}

#[test]
fn a_stream_that_is_dropped_between_polls_loses_no_item_and_no_wake() {
    over_both(|queue_of| {
        let queue = queue_of(2);
        let [first, second] = [(); 2].map(|()| Arc::new(Wakes::default()));
        let mut dropped = queue.consumer().into_stream();
        let mut kept = queue.consumer().into_results_stream();
        assert!(next(&mut dropped, &first.clone().into()).is_pending());
        assert!(next(&mut kept, &second.clone().into()).is_pending());
        queue.push(7).unwrap();
        assert_eq!((first.count(), second.count()), (1, 0));
        drop(dropped);
        assert_eq!(second.count(), 1, "the wake goes to the next");
        let popped = next(&mut kept, Waker::noop());
        assert!(matches!(popped, Poll::Ready(Some(Ok(7)))));
        assert!(!queue.is_closed());
    });
}

#[test]
fn a_stream_that_is_polled_again_is_woken_by_its_last_waker() {
    over_both(|queue_of| {
        let queue = queue_of(1);
        let [first, second] = [(); 2].map(|()| Arc::new(Wakes::default()));
        let mut stream = queue.consumer().into_stream();
        assert!(next(&mut stream, &first.clone().into()).is_pending());
        assert!(next(&mut stream, &second.clone().into()).is_pending());
        queue.push(1).unwrap();
        assert_eq!((first.count(), second.count()), (0, 1));
        assert_eq!(next(&mut stream, Waker::noop()), Poll::Ready(Some(1)));
        assert!(next(&mut stream, Waker::noop()).is_pending());
    });
}

#[test]
fn a_stream_that_keeps_its_half_ends_once_and_for_good() {
    over_both(|queue_of| {
        let queue = queue_of(2);
        queue.push(1).unwrap();
        let mut items = queue.consumer().into_stream();
        let mut results = queue.consumer().into_results_stream();
        queue.close();
        assert!(!items.is_terminated(), "an item is left");
        assert_eq!(next(&mut items, Waker::noop()), Poll::Ready(Some(1)));
        for _ in 0..3 {
            assert_eq!(next(&mut items, Waker::noop()), Poll::Ready(None));
            assert!(matches!(
                next(&mut results, Waker::noop()),
                Poll::Ready(None)
            ));
        }
        assert!(items.is_terminated() && results.is_terminated());
        let text = format!("{items:?} {results:?}");
        assert_eq!(
            text,
            "IntoItemStream { ended: true, .. } IntoResultStream { ended: true, .. }"
        );
    });
}

#[test]
fn a_dropped_sink_drops_the_item_that_found_no_slot() {
    over_both(|queue_of| {
        let queue = queue_of(1);
        let keep = queue.producer();
        let mut owned = queue.producer().into_sink();
        assert!(matches!(ready(&mut owned), Poll::Ready(Ok(()))));
        Pin::new(&mut owned).start_send(1).unwrap();
        Pin::new(&mut owned).start_send(2).unwrap();
        assert!(flush(&mut owned).is_pending() && ready(&mut owned).is_pending());
        assert_eq!(
            format!("{owned:?}"),
            "IntoItemSink { ready: false, closed: false, .. }"
        );
        drop(owned);
        let mut borrowed = queue.sink();
        Pin::new(&mut borrowed).start_send(3).unwrap();
        assert!(flush(&mut borrowed).is_pending());
        assert_eq!(format!("{borrowed:?}"), "ItemSink { ready: false, .. }");
        drop(borrowed);
        assert_eq!(queue.try_iter().collect::<Vec<_>>(), [1]);
        assert!(queue.is_empty() && !queue.is_closed());
        drop(keep);
        assert!(queue.is_closed());
    });
}

#[test]
fn a_closed_queue_hands_back_the_item_that_waited() {
    over_both(|queue_of| {
        let queue = queue_of(1);
        queue.push(0).unwrap();
        let mut sink = queue.sink();
        Pin::new(&mut sink).start_send(1).unwrap();
        assert!(close(&mut sink).is_pending());
        queue.close();
        assert_eq!(flush(&mut sink), Poll::Ready(Err(PushError::Closed(1))));
        assert_eq!(flush(&mut sink), Poll::Ready(Ok(())), "it is told once");
        let refused = Pin::new(&mut sink).start_send(2);
        assert_eq!(refused, Err(PushError::Closed(2)));
        assert_eq!(ready(&mut sink), Poll::Ready(Ok(())), "it holds nothing");
    });
}

#[test]
fn a_sink_that_was_closed_has_given_up_its_half() {
    over_both(|queue_of| {
        let queue = queue_of(2);
        let mut sink = queue.producer().into_sink();
        Pin::new(&mut sink).start_send(1).unwrap();
        assert_eq!(close(&mut sink), Poll::Ready(Ok(())));
        assert!(queue.is_closed() && queue.producer_count() == 0);
        assert_eq!(close(&mut sink), Poll::Ready(Ok(())), "twice is once");
        let refused = Pin::new(&mut sink).start_send(2);
        assert_eq!(refused, Err(PushError::Closed(2)));
        assert_eq!(queue.pop(), Ok(1));
    });
}

#[test]
fn a_sink_that_is_closed_in_vain_has_given_up_its_half_too() {
    over_both(|queue_of| {
        let queue = queue_of(1);
        queue.push(0).unwrap();
        let mut sink = queue.producer().into_sink();
        Pin::new(&mut sink).start_send(1).unwrap();
        queue.close();
        assert_eq!(close(&mut sink), Poll::Ready(Err(PushError::Closed(1))));
        assert_eq!(queue.producer_count(), 0);
    });
}

#[test]
fn a_sink_that_is_not_ready_takes_no_item() {
    over_both(|queue_of| {
        let queue = queue_of(1);
        let mut sink = queue.producer().into_sink();
        Pin::new(&mut sink).start_send(1).unwrap();
        Pin::new(&mut sink).start_send(2).unwrap();
        let send = AssertUnwindSafe(|| drop(Pin::new(&mut sink).start_send(3)));
        assert!(catch_unwind(send).is_err(), "it holds one already");
        assert_eq!(queue.pop(), Ok(1));
        assert_eq!(flush(&mut sink), Poll::Ready(Ok(())));
        assert_eq!(queue.pop(), Ok(2));
    });
}
