//! A server that is away may be back in time: who waits, waits for it too, by whatever verb.

#![cfg(not(loom))]

mod common;

use common::Simple;
use futures_core::Stream;
use futures_sink::Sink;
use queue_core::select::{
    PopAnyError, PopAnyTimeoutError, Select, TryPopAnyError, pop_any, pop_any_async,
    pop_any_timeout, try_pop_any,
};
use queue_core::{
    Capacity, EndpointCounts, Failure, FailureKind, Kind, PopError, PushError, Queue, Side,
    TryPopError, TryPushError, WithCapacity,
};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A queue whose next tries fail, while its futures wait for better days.
#[derive(Clone)]
struct Away {
    kind: FailureKind,
    tries: Arc<AtomicUsize>,
    /// Whether to look is as dear as to try, so that the hint says nothing.
    is_far: bool,
    queue: Simple<u64>,
}

const ALWAYS: usize = usize::MAX;

impl Away {
    fn new(kind: FailureKind, tries: usize) -> Self {
        Self {
            kind,
            tries: Arc::new(AtomicUsize::new(tries)),
            is_far: false,
            queue: Simple::try_with_capacity(Capacity::bounded(1)).unwrap(),
        }
    }

    /// One whose server is away for some tries, with an item inside.
    fn holding(item: u64, tries: usize) -> Self {
        let away = Self::new(FailureKind::Unavailable, tries);
        away.queue.try_push(item).unwrap();
        away
    }

    fn is_back(&self) {
        self.tries.store(0, Ordering::Relaxed);
    }

    fn attempt(&self) -> Result<(), Failure> {
        match self.tries.load(Ordering::Relaxed) {
            0 => return Ok(()),
            ALWAYS => {}
            left => self.tries.store(left - 1, Ordering::Relaxed),
        }
        Err(Failure::new(self.kind, "away"))
    }
}

impl Kind for Away {
    type Item = u64;
    type Listener<'a> = <Simple<u64> as Kind>::Listener<'a>;

    fn endpoints(&self) -> &EndpointCounts {
        self.queue.endpoints()
    }

    fn listen(&self, side: Side) -> Self::Listener<'_> {
        self.queue.listen(side)
    }

    fn ready_hint(&self, side: Side) -> usize {
        match self.is_far {
            true => 0,
            false => self.queue.ready_hint(side),
        }
    }
}

impl Queue for Away {
    fn try_push(&self, item: u64) -> Result<(), TryPushError<u64>> {
        match self.attempt() {
            Ok(()) => self.queue.try_push(item),
            Err(failure) => Err(TryPushError::Failed(item, failure)),
        }
    }

    fn try_pop(&self) -> Result<u64, TryPopError> {
        self.attempt().map_err(TryPopError::Failed)?;
        self.queue.try_pop()
    }

    async fn push_async(&self, item: u64) -> Result<(), PushError<u64>> {
        self.queue.push_async(item).await
    }

    async fn pop_async(&self) -> Result<u64, PopError> {
        self.queue.pop_async().await
    }

    fn len(&self) -> usize {
        self.queue.len()
    }

    fn capacity(&self) -> Option<usize> {
        self.queue.capacity()
    }

    fn close(&self) -> bool {
        self.queue.close()
    }

    fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

const BRIEF: Duration = Duration::from_millis(1);

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn is_away(failure: &Failure) -> bool {
    failure.kind() == FailureKind::Unavailable
}

#[test]
fn a_stream_that_keeps_its_half_waits() {
    let queue = Away::holding(5, ALWAYS);
    let (producer, consumer) = queue.clone().into_ends();
    let mut items = consumer.into_stream();
    let mut next = || Pin::new(&mut items).poll_next(&mut context());
    assert_eq!(next(), Poll::Ready(Some(5)));
    assert_eq!(next(), Poll::Pending);
    drop(producer);
    assert_eq!(next(), Poll::Ready(None));
}

/// A try may block, over a network: an executor's thread is not to.
#[test]
fn a_stream_that_keeps_its_half_does_not_try_where_it_cannot_look() {
    let mut queue = Away::holding(5, 1);
    queue.is_far = true;
    let mut items = queue.clone().consumer().into_stream();
    let next = Pin::new(&mut items).poll_next(&mut context());
    assert_eq!(next, Poll::Ready(Some(5)));
    assert_eq!(queue.tries.load(Ordering::Relaxed), 1);
}

#[test]
fn a_sink_waits() {
    let queue = Away::new(FailureKind::Unavailable, ALWAYS);
    let mut borrowing = queue.sink();
    Pin::new(&mut borrowing).start_send(1).unwrap();
    let flushed = Pin::new(&mut borrowing).poll_flush(&mut context());
    assert_eq!(flushed, Poll::Ready(Ok(())));
    assert_eq!(queue.queue.try_pop(), Ok(1));
    let mut keeping = queue.clone().producer().into_sink();
    Pin::new(&mut keeping).start_send(2).unwrap();
    let flushed = Pin::new(&mut keeping).poll_flush(&mut context());
    assert_eq!(flushed, Poll::Ready(Ok(())));
    assert_eq!(queue.queue.try_pop(), Ok(2));
}

#[test]
fn what_does_not_pass_is_told_at_once() {
    let queue = Away::new(FailureKind::Io, ALWAYS);
    queue.queue.try_push(0).unwrap();
    let mut sink = queue.sink();
    let sent = Pin::new(&mut sink).start_send(1);
    assert!(matches!(sent, Err(PushError::Failed(1, _))));
    let mut results = queue.clone().consumer().into_results_stream();
    let next = Pin::new(&mut results).poll_next(&mut context());
    assert!(matches!(next, Poll::Ready(Some(Err(_)))));
    assert!(matches!(pop_any(&[&queue]), Err(PopAnyError::Failed(0, _))));
    let mut item = Some(1);
    let mut pushing = Select::new().push(&queue, &mut item, |pushed| pushed);
    let pushed = pushing.wait();
    assert!(matches!(pushed, Some(Err(PushError::Failed(1, _)))));
    let mut popping = Select::new().pop(&queue, |popped| popped);
    assert!(matches!(popping.wait(), Some(Err(PopError::Failed(_)))));
    assert!(popping.is_over());
}

/// Whichever try it is that finds the server back.
#[test]
fn a_select_waits() {
    for tries in [1, 2] {
        let queue = Away::holding(3, tries);
        let popped = Select::new().pop(&queue, |popped| popped).wait();
        assert_eq!(popped, Some(Ok(3)));
        let queue = Away::holding(4, tries);
        assert_eq!(pop_any(&[&queue]), Ok((0, 4)));
        let queue = Away::new(FailureKind::Unavailable, tries);
        let mut item = Some(5);
        let pushed = Select::new()
            .push(&queue, &mut item, |pushed| pushed)
            .wait();
        assert_eq!((pushed, item), (Some(Ok(())), None));
        assert_eq!(queue.queue.try_pop(), Ok(5));
    }
}

#[test]
fn a_select_as_a_future_waits() {
    let queue = Away::holding(3, 1);
    let queues: [&dyn queue_core::select::Poppable<Item = u64>; 1] = [&queue];
    let mut popping = pin!(pop_any_async(&queues));
    let popped = popping.as_mut().poll(&mut context());
    assert_eq!(popped, Poll::Ready(Ok((0, 3))));
    // The whole time: the item that was to go in stays with its owner.
    let queue = Away::new(FailureKind::Unavailable, ALWAYS);
    let mut item = Some(5);
    let mut select = Select::new().push(&queue, &mut item, |pushed| pushed);
    let polled = pin!(select.wait_async()).poll(&mut context());
    assert_eq!(polled, Poll::Pending);
    drop(select);
    assert_eq!(item, Some(5));
}

#[test]
fn who_has_no_time_left_is_told() {
    let queue = Away::holding(3, ALWAYS);
    for timeout in [Duration::ZERO, BRIEF] {
        let popped = pop_any_timeout(&[&queue], timeout);
        let Err(PopAnyTimeoutError::Failed(0, failure)) = popped else {
            panic!("it came to {popped:?}");
        };
        assert!(is_away(&failure));
    }
    let tried = try_pop_any(&[&queue]);
    assert!(matches!(tried, Err(TryPopAnyError::Failed(0, why)) if is_away(&why)));
    let mut item = Some(1);
    let mut pushing = Select::new().push(&queue, &mut item, |pushed| pushed);
    let pushed = pushing.wait_timeout(BRIEF);
    assert!(matches!(pushed, Some(Err(PushError::Failed(1, why))) if is_away(&why)));
    // The arm is still there when the server is.
    let mut popping = Select::new().pop(&queue, |popped| popped);
    let popped = popping.wait_timeout(BRIEF);
    assert!(matches!(popped, Some(Err(PopError::Failed(why))) if is_away(&why)));
    let popped = popping.try_wait();
    assert!(matches!(popped, Some(Err(PopError::Failed(why))) if is_away(&why)));
    assert!(!popping.is_over());
    queue.is_back();
    assert_eq!(popping.wait(), Some(Ok(3)));
}
