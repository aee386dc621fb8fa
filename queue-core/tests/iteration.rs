//! Where iterators and streams end: for good, at the queue's own end or at a failure.

#![cfg(not(loom))]

mod common;

use common::{Job, LateFailure, Simple};
use futures_core::{FusedStream, Stream};
use queue_core::contract::Item;
use queue_core::{Bound, Create, Queue};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Items 1 and 2, with one between them that fails as it comes out.
fn broken_in_the_middle() -> Simple<Job, LateFailure> {
    let queue = Simple::create(Bound::Unbounded).unwrap();
    for job in [Job::new(1), Job::bad(), Job::new(2)] {
        assert!(queue.try_push(job).is_ok());
    }
    queue
}

fn next<S: Stream<Item = Job> + Unpin>(stream: &mut S) -> Poll<Option<u64>> {
    let polled = Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()));
    polled.map(|job| job.map(|job| job.number()))
}

#[test]
fn an_iterator_ends_where_popping_failed() {
    let queue = broken_in_the_middle();
    let mut iter = queue.iter();
    assert_eq!(iter.next().unwrap().number(), 1);
    assert!(iter.failure().is_none());
    assert!(iter.next().is_none() && iter.next().is_none());
    assert!(iter.failure().is_some());
    assert_eq!(queue.len(), 1, "the rest is for whoever asks anew");

    let mut owned = broken_in_the_middle().into_ends().1.into_iter();
    assert_eq!(owned.by_ref().count(), 1);
    assert!(owned.next().is_none() && owned.failure().is_some());
}

#[test]
fn an_iterator_that_never_waits_goes_on() {
    let queue = broken_in_the_middle();
    let mut iter = queue.try_iter();
    assert_eq!(iter.by_ref().count(), 1);
    assert!(iter.failure().is_some());
    assert_eq!(iter.next().unwrap().number(), 2);
}

#[test]
fn a_stream_ends_where_popping_failed() {
    let queue = broken_in_the_middle();
    let mut stream = queue.stream();
    assert_eq!(next(&mut stream), Poll::Ready(Some(1)));
    assert!(!stream.is_terminated());
    assert_eq!(next(&mut stream), Poll::Ready(None));
    assert!(stream.is_terminated() && stream.failure().is_some());
    assert_eq!(next(&mut stream), Poll::Ready(None));
    assert_eq!(queue.len(), 1);
}

#[test]
fn a_stream_ends_with_its_queue() {
    let queue = Simple::<Job>::create(Bound::items(2)).unwrap();
    let mut stream = queue.stream();
    assert!(next(&mut stream).is_pending() && !stream.is_terminated());
    assert!(format!("{stream:?}").starts_with("Stream { end: End { reached: false"));
    assert!(queue.try_push(Job::new(1)).is_ok());
    queue.close();
    assert!(!stream.is_terminated(), "an item is left");
    assert_eq!(next(&mut stream), Poll::Ready(Some(1)));
    assert_eq!(next(&mut stream), Poll::Ready(None));
    assert!(stream.is_terminated() && stream.failure().is_none());
}
