//! What iterators and streams make of an item that cannot be brought out, and where they end.

#![cfg(not(loom))]

mod common;

use common::{Job, LateFailure, Simple};
use futures_core::{FusedStream, Stream};
use queue_core::contract::Item;
use queue_core::dynamic::DynQueue;
use queue_core::event::Listener;
use queue_core::{
    Capacity, Consumer, EndpointCounts, Failure, FailureKind, Kind, PopError, Queue, Side,
    TryPopError, TryPushError, WithCapacity,
};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Items 1 and 2, with one between them that fails as it comes out; closed.
fn broken_in_the_middle() -> Simple<Job, LateFailure> {
    let queue = Simple::try_with_capacity(Capacity::Unbounded).unwrap();
    for job in [Job::new(1), Job::bad(), Job::new(2)] {
        assert!(queue.try_push(job).is_ok());
    }
    queue.close();
    queue
}

fn poll<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()))
}

/// What a ready stream yields.
fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    match poll(stream) {
        Poll::Ready(next) => next,
        Poll::Pending => panic!("it waits"),
    }
}

/// What an iteration yields until it ends, which it does for good: numbers, and 0 for a failure.
fn results(mut next: impl FnMut() -> Option<Result<Job, Failure>>) -> Vec<u64> {
    let mut seen = Vec::new();
    for _ in 0..10 {
        match next() {
            Some(Ok(job)) => seen.push(job.number()),
            Some(Err(failure)) => {
                assert!(failure.consumed_item());
                seen.push(0);
            }
            None => {
                assert!(next().is_none());
                return seen;
            }
        }
    }
    panic!("it does not end: {seen:?}")
}

/// The same of one that yields items; it is caught where it panics, and goes on.
fn items(mut next: impl FnMut() -> Option<Job>, instead: &str) -> Vec<u64> {
    results(|| match catch_unwind(AssertUnwindSafe(&mut next)) {
        Ok(item) => item.map(Ok),
        Err(panic) => {
            let text = panic.downcast::<String>().unwrap();
            assert!(text.contains("codec: a bad item"), "{text}");
            assert!(text.contains(&format!("`{instead}`")), "{text}");
            let failure = Failure::new(FailureKind::Codec, *text);
            Some(Err(failure.with_item_consumed()))
        }
    })
}

fn over<Q: Queue<Item = Job> + Clone + 'static>(queue: impl Fn() -> Q) {
    let all = [1, 0, 2];
    let consumer = || Consumer::new(queue());
    let half = consumer();

    let one = queue();
    let mut iter = one.results();
    assert_eq!(results(|| iter.next()), all);
    let mut owned = consumer().into_results();
    assert_eq!(results(|| owned.next()), all);
    assert_eq!(half.results().count(), 3);
    let one = queue();
    let mut iter = one.try_results();
    assert_eq!(results(|| iter.next()), all);
    assert_eq!(consumer().try_results().count(), 3);
    let one = queue();
    let mut stream = one.results_stream();
    assert_eq!(results(|| next(&mut stream)), all);
    assert!(stream.is_terminated());
    assert_eq!(
        next(&mut consumer().results_stream())
            .unwrap()
            .unwrap()
            .number(),
        1
    );

    let one = queue();
    let mut iter = one.iter();
    assert_eq!(items(|| iter.next(), "results"), all);
    let mut owned = consumer().into_iter();
    assert_eq!(items(|| owned.next(), "into_results"), all);
    let half = consumer();
    let mut borrowed = (&half).into_iter();
    assert_eq!(items(|| borrowed.next(), "results"), all);
    let one = queue();
    let mut iter = one.try_iter();
    assert_eq!(items(|| iter.next(), "try_results"), all);
    let mut owned = consumer().into_results_stream();
    assert_eq!(results(|| next(&mut owned)), all);
    let mut owned = consumer().into_stream();
    assert_eq!(items(|| next(&mut owned), "into_results_stream"), all);
    assert!(owned.is_terminated());
    let one = queue();
    let mut stream = one.stream();
    assert_eq!(items(|| next(&mut stream), "results_stream"), all);
    assert!(stream.is_terminated());
}

#[test]
fn no_loop_swallows_a_failure_and_none_stops_at_a_bad_item() {
    over(broken_in_the_middle);
    over(|| DynQueue::new(broken_in_the_middle()));
}

/// A queue that cannot be popped from, as that of a process which was given the other half.
#[derive(Clone)]
struct Stuck(Simple<Job>);

impl Kind for Stuck {
    type Item = Job;
    type Listener<'a> = Listener<'a>;
    fn endpoints(&self) -> &EndpointCounts {
        self.0.endpoints()
    }

    fn listen(&self, side: Side) -> Listener<'_> {
        match side {
            Side::Consumers => unreachable!("it never waits"),
            Side::Producers => unreachable!("it never waits"),
        }
    }
}

impl Queue for Stuck {
    fn try_push(&self, item: Job) -> Result<(), TryPushError<Job>> {
        self.0.try_push(item)
    }
    fn try_pop(&self) -> Result<Job, TryPopError> {
        let denied = Failure::new(FailureKind::Denied, "the other half alone");
        Err(TryPopError::Failed(denied))
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn capacity(&self) -> Option<usize> {
        self.0.capacity()
    }
    fn close(&self) -> bool {
        self.0.close()
    }
    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

fn one_failure<R: Debug>(mut next: impl FnMut() -> Option<Result<R, Failure>>) {
    let failure = next().unwrap().unwrap_err();
    assert_eq!(
        (failure.kind(), failure.consumed_item()),
        (FailureKind::Denied, false)
    );
    for _ in 0..3 {
        assert!(next().is_none(), "the same would come again and again");
    }
}

#[test]
fn a_failure_that_takes_no_item_is_told_once() {
    let queue = Stuck(Simple::try_with_capacity(Capacity::Unbounded).unwrap());
    assert!(matches!(queue.pop(), Err(PopError::Failed(_))));
    let mut iter = queue.results();
    one_failure(|| iter.next());
    let mut iter = queue.try_results();
    one_failure(|| iter.next());
    let mut stream = queue.results_stream();
    one_failure(|| next(&mut stream));
    let mut owned = Consumer::new(queue.clone()).into_results();
    one_failure(|| owned.next());
    let mut owned = Consumer::new(queue.clone()).into_results_stream();
    one_failure(|| next(&mut owned));
    let queue = DynQueue::without_deliveries(queue.clone());
    let mut iter = queue.results();
    one_failure(|| iter.next());
    assert!(catch_unwind(AssertUnwindSafe(|| queue.iter().next())).is_err());
}

#[test]
fn an_iterator_that_never_waits_goes_on() {
    let queue = Simple::<Job>::try_with_capacity(Capacity::bounded(2)).unwrap();
    let (mut iter, mut results) = (queue.try_iter(), queue.try_results());
    assert!(iter.next().is_none() && results.next().is_none());
    assert!(queue.try_push(Job::new(1)).is_ok() && queue.try_push(Job::new(2)).is_ok());
    assert_eq!(iter.next().unwrap().number(), 1);
    assert_eq!(results.next().unwrap().unwrap().number(), 2);
    assert!(iter.next().is_none() && results.next().is_none());
}

#[test]
fn a_stream_ends_with_its_queue() {
    let queue = Simple::<Job>::try_with_capacity(Capacity::bounded(2)).unwrap();
    let mut stream = queue.stream();
    assert!(poll(&mut stream).is_pending() && !stream.is_terminated());
    assert_eq!(format!("{stream:?}"), "ItemStream { ended: false, .. }");
    assert_eq!(
        format!("{:?}", queue.results_stream()),
        "ResultStream { ended: false, .. }"
    );
    assert_eq!(
        format!("{:?}", queue.results()),
        "Results { ended: false, .. }"
    );
    assert!(queue.try_push(Job::new(1)).is_ok());
    queue.close();
    assert!(!stream.is_terminated(), "an item is left");
    assert_eq!(next(&mut stream).unwrap().number(), 1);
    assert!(next(&mut stream).is_none());
    assert!(stream.is_terminated());
}
