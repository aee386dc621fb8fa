//! The plain parts, exactly: what errors say and hand back, what a half passes on, how
//! iterating ends.

#![cfg(not(loom))]

mod common;

use common::{Job, Simple};
use queue_core::contract::Item;
use queue_core::dynamic::DynQueue;
use queue_core::event::Listen;
use queue_core::sync::Deadline;
use queue_core::{
    Capacity, Failure, FailureKind, Kind, PopError, PopTimeoutError, PushError, PushTimeoutError,
    Queue, Side, TryPopError, TryPushError, WithCapacity,
};
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

fn failure() -> Failure {
    Failure::new(FailureKind::Codec, "no")
}

#[test]
fn an_error_knows_what_it_is() {
    let all = [
        TryPushError::Full(1),
        TryPushError::Closed(1),
        TryPushError::Failed(1, failure()),
    ];
    assert_eq!(all.each_ref().map(|e| e.is_full()), [true, false, false]);
    assert_eq!(all.each_ref().map(|e| e.is_closed()), [false, true, false]);
    assert_eq!(all[2].failure(), Some(&failure()));
    assert_eq!(all[0].failure(), None);
    assert_eq!(
        all.each_ref().map(ToString::to_string),
        [
            "the queue is full",
            "the queue is closed",
            "the queue could not take the item"
        ]
    );
    assert_eq!(format!("{all:?}").matches("(..").count(), 3);
    assert_eq!(all.map(|e| e.map(|n| n + 1).into_item()), [2, 2, 2]);

    let all = [
        PushTimeoutError::Timeout(1),
        PushTimeoutError::Closed(1),
        PushTimeoutError::Failed(1, failure()),
    ];
    assert_eq!(all.each_ref().map(|e| e.is_timeout()), [true, false, false]);
    assert_eq!(all[0].to_string(), "timed out waiting for the queue");

    let all = [
        TryPopError::Empty,
        TryPopError::Closed,
        TryPopError::Failed(failure()),
    ];
    assert_eq!(all.each_ref().map(|e| e.is_empty()), [true, false, false]);
    assert_eq!(all.each_ref().map(|e| e.is_closed()), [false, true, false]);
    assert_eq!(all[2].source().unwrap().to_string(), "codec: no");
    assert_eq!(all[2].to_string(), "the queue could not give an item");

    let all = [
        PopTimeoutError::Timeout,
        PopTimeoutError::Closed,
        PopTimeoutError::Failed(failure()),
    ];
    assert_eq!(all.each_ref().map(|e| e.is_timeout()), [true, false, false]);
}

#[test]
fn an_error_of_one_verb_is_one_of_the_others() {
    let closed = PushError::Closed(1);
    assert_eq!(TryPushError::from(closed.clone()), TryPushError::Closed(1));
    assert_eq!(PushTimeoutError::from(closed), PushTimeoutError::Closed(1));
    let failed = PushError::Failed(1, failure());
    assert_eq!(
        TryPushError::from(failed.clone()),
        TryPushError::Failed(1, failure())
    );
    assert_eq!(
        PushTimeoutError::from(failed),
        PushTimeoutError::Failed(1, failure())
    );
    assert_eq!(TryPopError::from(PopError::Closed), TryPopError::Closed);
    assert_eq!(
        PopTimeoutError::from(PopError::Closed),
        PopTimeoutError::Closed
    );
    let failed = PopError::Failed(failure());
    assert_eq!(
        TryPopError::from(failed.clone()),
        TryPopError::Failed(failure())
    );
    assert_eq!(
        PopTimeoutError::from(failed),
        PopTimeoutError::Failed(failure())
    );
}

#[test]
fn a_failure_says_why() {
    let caused = Failure::caused(FailureKind::Io, "cannot", io::Error::other("fire"));
    assert_eq!(caused.kind(), FailureKind::Io);
    assert_eq!(caused.to_string(), "i/o: cannot");
    assert_eq!(caused.source().unwrap().to_string(), "fire");
    assert_eq!(format!("{caused:#}"), "i/o: cannot: fire");
    let failed = PushError::Failed((), caused.clone());
    assert_eq!(
        format!("{failed:#}"),
        "the queue could not take the item: i/o: cannot: fire"
    );
    // Whoever prints an error and its sources says nothing twice.
    let mut chain = vec![failed.to_string()];
    let mut source = failed.source();
    while let Some(error) = source {
        chain.push(error.to_string());
        source = error.source();
    }
    let said = chain.join(": ");
    assert_eq!(said, format!("{failed:#}"));
    assert!(format!("{caused:?}").contains("cannot"));
    assert!(failure().source().is_none());
    assert_eq!(failure(), failure());
    assert_ne!(failure(), Failure::new(FailureKind::Codec, "yes"));
    assert_ne!(failure(), Failure::new(FailureKind::Io, "no"));
    let of = |kind| Failure::from(io::Error::from(kind)).kind();
    assert_eq!(of(io::ErrorKind::PermissionDenied), FailureKind::Denied);
    assert_eq!(of(io::ErrorKind::OutOfMemory), FailureKind::Io);
}

#[test]
fn a_bound_is_its_number() {
    let capacities = [1, 7].map(|n| Capacity::bounded(n).capacity());
    assert_eq!(capacities, [Some(1), Some(7)]);
    assert_eq!(Capacity::Unbounded.capacity(), None);
}

#[test]
fn a_deadline_is_a_moment_or_never() {
    let now = Instant::now();
    assert_eq!(Deadline::NEVER.instant(), None);
    assert_eq!(Deadline::NEVER.remaining(), None);
    assert!(!Deadline::NEVER.has_passed());
    assert_eq!(Deadline::after(Duration::MAX), Deadline::NEVER);
    let past = Deadline::at(now);
    assert_eq!(past.instant(), Some(now));
    assert_eq!(past.remaining(), Some(Duration::ZERO));
    assert!(past.has_passed());
    let hour = Duration::from_secs(3600);
    let later = Deadline::after(hour);
    assert!(later.instant().is_some_and(|at| at >= now + hour));
    let left = later.remaining().expect("not never");
    assert!(left > hour / 2 && left <= hour);
    assert!(!later.has_passed());
}

#[test]
fn a_half_does_what_the_queue_does() {
    let queue = Simple::<u64>::try_with_capacity(Capacity::bounded(4)).unwrap();
    let (producer, consumer) = queue.clone().into_ends();
    let hour = Duration::from_secs(3600);
    producer.try_push(1).unwrap();
    producer.push(2).unwrap();
    producer.push_timeout(3, hour).unwrap();
    producer.push_deadline(4, Instant::now() + hour).unwrap();
    assert_eq!((producer.len(), producer.capacity()), (4, Some(4)));
    assert!(producer.is_full() && !producer.is_empty());
    assert_eq!(producer.try_push(5), Err(TryPushError::Full(5)));
    assert_eq!(consumer.try_pop(), Ok(1));
    assert_eq!(consumer.pop(), Ok(2));
    assert_eq!(consumer.pop_timeout(hour), Ok(3));
    assert_eq!(consumer.pop_deadline(Instant::now() + hour), Ok(4));
    assert!(consumer.is_empty() && !consumer.is_full());

    assert_eq!(producer.try_push_many(&mut [5, 6].into()), Ok(2));
    producer.push_many(&mut [7, 8].into()).unwrap();
    let mut got = Vec::new();
    assert_eq!(consumer.try_pop_many(&mut got, 2), Ok(2));
    assert_eq!(consumer.pop_many(&mut got, 2), Ok(2));
    assert_eq!(got, [5, 6, 7, 8]);

    producer.push_many(&mut [9, 10].into()).unwrap();
    assert_eq!(consumer.try_iter().collect::<Vec<_>>(), [9, 10]);
    producer.push_many(&mut [11, 12].into()).unwrap();
    assert_eq!(consumer.iter().next(), Some(11));
    assert_eq!((&consumer).into_iter().next(), Some(12));
    producer.push(13).unwrap();
    assert_eq!(consumer.close_now(), [13]);
    assert!(producer.is_closed() && consumer.is_closed() && !consumer.close());
}

#[test]
fn the_last_half_of_a_side_closes_the_queue() {
    let queue = Simple::<u64>::try_with_capacity(Capacity::Unbounded).unwrap();
    let (producer, consumer) = queue.clone().into_ends();
    let count = || {
        (
            queue.endpoints().count(Side::Producers),
            queue.endpoints().count(Side::Consumers),
        )
    };
    assert_eq!(count(), (1, 1));
    let second = producer.clone();
    assert_eq!(count(), (2, 1));
    drop(producer);
    assert_eq!(count(), (1, 1));
    assert!(!queue.is_closed());
    second.push(1).unwrap();
    drop(second);
    assert_eq!(count(), (0, 1));
    assert!(queue.is_closed());
    assert_eq!(consumer.into_iter().collect::<Vec<_>>(), [1]);

    let queue = Simple::<u64>::try_with_capacity(Capacity::Unbounded).unwrap();
    let (producer, consumer) = queue.into_ends();
    drop(consumer);
    assert_eq!(producer.push(1), Err(PushError::Closed(1)));
}

#[test]
fn a_failed_item_comes_back() {
    let queue = Simple::<Job>::try_with_capacity(Capacity::bounded(1)).unwrap();
    let error = queue.try_push(Job::bad()).unwrap_err();
    assert!(error.failure().is_some() && !error.is_full());
    assert_eq!(error.into_item().number(), Job::bad().number());
}

#[test]
fn a_boxed_queue_and_its_listeners_do_what_its_own_do() {
    let queue = DynQueue::new(Simple::<u64>::try_with_capacity(Capacity::bounded(1)).unwrap());
    let soon = || Deadline::after(Duration::from_millis(1));
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(!queue.listen(Side::Consumers).wait(soon()), "nothing came");
    let listener = queue.listen(Side::Consumers);
    assert_eq!(format!("{listener:?}"), "DynListener(..)");
    queue.push(1).unwrap();
    assert!(listener.wait(soon()));
    assert_eq!(
        format!("{queue:?}"),
        "DynQueue { len: 1, capacity: Some(1), closed: false, .. }"
    );
    let mut listener = queue.listen(Side::Producers);
    assert!(Pin::new(&mut listener).poll(cx).is_pending());
    assert_eq!(queue.pop(), Ok(1));
    assert!(Pin::new(&mut listener).poll(cx).is_ready());
}
