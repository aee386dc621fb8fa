//! A panic may be caught around whatever a user holds: checked by the compiler.

#![cfg(not(loom))]

mod common;

use common::Simple;
use queue_core::contract::Item as _;
use queue_core::dynamic::{DynListener, DynQueue};
use queue_core::event::{Event, Listener};
use queue_core::iter::{IntoIter, IntoResults, Iter, Results, TryIter, TryResults};
use queue_core::select::{PopAnyError, PopAnyTimeoutError, TryPopAnyError};
use queue_core::sync::Deadline;
use queue_core::{
    Capacity, Consumer, EndpointCounts, Failure, FailureKind, ItemStream, PopError,
    PopTimeoutError, Producer, PushError, PushTimeoutError, Queue, ResultStream, Side, TryPopError,
    TryPushError, WithCapacity,
};
use std::error::Error;
use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};

const fn kept<T: UnwindSafe + RefUnwindSafe + Send + Sync>() {}

const _: () = {
    kept::<(Failure, FailureKind, Capacity, Side, Deadline)>();
    kept::<(EndpointCounts, Event, Listener<'_>)>();
    kept::<(TryPopError, PopError, PopTimeoutError)>();
    kept::<(TryPopAnyError, PopAnyError, PopAnyTimeoutError)>();
    kept::<(TryPushError<u64>, PushError<u64>, PushTimeoutError<u64>)>();
};

/// What is made of a queue of kind `Q`.
const fn made_of<Q: Queue<Item = u64> + UnwindSafe + RefUnwindSafe + 'static>() {
    kept::<(Producer<Q>, Consumer<Q>)>();
    kept::<(Iter<'_, Q>, TryIter<'_, Q>, IntoIter<Q>)>();
    kept::<(Results<'_, Q>, TryResults<'_, Q>)>();
    kept::<IntoResults<Q>>();
}

/// And what holds a listener of it.
const fn listens<'a, Q>()
where
    Q: Queue<Item = u64> + UnwindSafe + RefUnwindSafe + 'static,
    Q::Listener<'a>: UnwindSafe + RefUnwindSafe + Sync,
{
    kept::<(ItemStream<'a, Q>, ResultStream<'a, Q>)>();
}

const _: () = {
    made_of::<Simple<u64>>();
    listens::<Simple<u64>>();
    made_of::<DynQueue<u64>>();
};

const fn caught<T: UnwindSafe + RefUnwindSafe + Send>() {}

const _: () = {
    // Its kind need not share listeners between threads, so it does not either.
    caught::<DynListener<'_, u64>>();
    caught::<(
        ItemStream<'_, DynQueue<u64>>,
        ResultStream<'_, DynQueue<u64>>,
    )>();
};

#[test]
fn a_failure_goes_through_a_caught_panic() {
    let io = std::io::Error::other(String::from("disk on fire"));
    let failure = Failure::caused(FailureKind::Io, "no page", io);
    let error = TryPushError::Failed(7, failure.clone());
    // Neither needs `AssertUnwindSafe`.
    let shown = catch_unwind(|| format!("{failure:#}")).unwrap();
    assert_eq!(shown, "i/o: no page: disk on fire");
    assert_eq!(catch_unwind(move || error.into_item()).unwrap(), 7);
    let marked = failure.clone().with_item_consumed();
    assert!(marked.consumed_item() && !failure.consumed_item());
    assert_eq!(marked.source().unwrap().to_string(), "disk on fire");
    let queue = Simple::<u64>::try_with_capacity(Capacity::bounded(1)).unwrap();
    assert!(queue.try_push(u64::new(3)).is_ok());
    assert_eq!(catch_unwind(|| queue.try_iter().next()).unwrap(), Some(3));
}
