//! A panic may be caught around whatever a user holds: checked by the compiler.

#![cfg(not(loom))]

mod common;

use common::Simple;
use queue_core::contract::Item as _;
use queue_core::dynamic::{DynListener, DynQueue};
use queue_core::event::{Event, Listener};
use queue_core::iter::{IntoIter, IntoResults, Iter, Results, TryIter, TryResults};
use queue_core::sync::Deadline;
use queue_core::{
    Bound, Consumer, Create, Ends, Failure, FailureKind, PopError, PopTimeoutError, Producer,
    PushError, PushTimeoutError, Queue, ResultsStream, Side, Stream, TryPopError, TryPushError,
};
use std::error::Error;
use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};

const fn kept<T: UnwindSafe + RefUnwindSafe + Send + Sync>() {}

const _: () = {
    kept::<(Failure, FailureKind, Bound, Side, Deadline)>();
    kept::<(Ends, Event, Listener<'_>)>();
    kept::<(TryPopError, PopError, PopTimeoutError)>();
    kept::<(TryPushError<u64>, PushError<u64>, PushTimeoutError<u64>)>();
};

/// What is made of a queue of kind `Q`.
const fn made_of<Q: Queue<u64> + UnwindSafe + RefUnwindSafe + 'static>() {
    kept::<(Producer<u64, Q>, Consumer<u64, Q>)>();
    kept::<(Iter<'_, u64, Q>, TryIter<'_, u64, Q>, IntoIter<u64, Q>)>();
    kept::<(Results<'_, u64, Q>, TryResults<'_, u64, Q>)>();
    kept::<IntoResults<u64, Q>>();
}

/// And what holds a listener of it.
const fn listens<'a, Q>()
where
    Q: Queue<u64> + UnwindSafe + RefUnwindSafe + 'static,
    Q::Listener<'a>: UnwindSafe + RefUnwindSafe + Sync,
{
    kept::<(Stream<'a, u64, Q>, ResultsStream<'a, u64, Q>)>();
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
        Stream<'_, u64, DynQueue<u64>>,
        ResultsStream<'_, u64, DynQueue<u64>>,
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
    let queue = Simple::<u64>::create(Bound::items(1)).unwrap();
    assert!(queue.try_push(u64::new(3)).is_ok());
    assert_eq!(catch_unwind(|| queue.try_iter().next()).unwrap(), Some(3));
}
