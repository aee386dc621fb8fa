//! What a [`Metered`] queue counts, and that it is a queue as any other.

#![cfg(not(loom))]

mod common;

use common::Simple;
use queue_core::sync::Deadline;
use queue_core::{
    Activity, Capacity, EndpointCounts, Failure, FailureKind, Kind, Metered, PopTimeoutError,
    PushError, PushTimeoutError, Queue, Side, Stats, TryPopError, TryPushError, WithCapacity,
    WorkQueue,
};
use std::collections::VecDeque;
use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

type MeteredSimple<T> = Metered<Simple<T>>;

queue_core::contract! {
    mod metered;
    kind: MeteredSimple;
}

queue_core::work_contract! {
    mod metered_works;
    kind: MeteredSimple;
}

fn bounded(n: usize) -> MeteredSimple<u64> {
    Metered::new("metered", Simple::with_capacity(Capacity::bounded(n)))
}

fn activity<Q: Queue>(queue: &Q) -> Activity {
    queue.stats().activity.expect("it is counted")
}

const BIT: Duration = Duration::from_millis(20);

#[test]
fn every_way_in_and_out_is_counted() {
    let queue = bounded(100);
    queue.try_push(0).unwrap();
    queue.push(1).unwrap();
    queue.push_timeout(2, BIT).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(queue.push_async(3)).poll(&mut cx).is_ready());
    queue.try_push_many(&mut VecDeque::from([4, 5])).unwrap();
    queue.push_many(&mut VecDeque::from([6, 7, 8])).unwrap();
    let mut more = VecDeque::from([9, 10, 11, 12]);
    assert!(
        pin!(queue.push_many_async(&mut more))
            .poll(&mut cx)
            .is_ready()
    );
    assert_eq!(activity(&queue).pushed, 13);

    let mut into = Vec::new();
    into.push(queue.try_pop().unwrap());
    into.push(queue.pop().unwrap());
    into.push(queue.pop_timeout(BIT).unwrap());
    assert!(pin!(queue.pop_async()).poll(&mut cx).is_ready());
    queue.try_pop_many(&mut into, 2).unwrap();
    queue.pop_many(&mut into, 2).unwrap();
    assert!(
        pin!(queue.pop_many_async(&mut into, 2))
            .poll(&mut cx)
            .is_ready()
    );
    into.push(futures_lite_next(&queue));
    assert_eq!((into.len(), activity(&queue).popped), (10, 11));
    assert_eq!(queue.close_now(), [11, 12]);
    let activity = activity(&queue);
    assert_eq!((activity.popped, activity.pushed), (13, 13));
    assert_eq!(
        (activity.push_waits.count, activity.pop_waits.count),
        (0, 0)
    );
    let Stats { pushed, popped, .. } = queue.stats();
    assert_eq!((pushed, popped), (Some(13), Some(13)));
}

/// What came back and goes out again is no other item.
#[test]
fn an_item_goes_out_once() {
    let queue = bounded(1);
    queue.push(1).unwrap();
    queue.receive().unwrap().nack().unwrap();
    let Stats { pushed, popped, .. } = queue.stats();
    assert_eq!((pushed, popped), (Some(1), Some(1)));
    queue.receive().unwrap().ack().unwrap();
    assert_eq!(queue.stats().popped, Some(1));
}

/// The next item by a stream.
fn futures_lite_next<Q: Queue<Item = u64>>(queue: &Q) -> u64 {
    use futures_core::Stream;
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(queue.stream()).poll_next(&mut cx) {
        std::task::Poll::Ready(Some(item)) => item,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_waits_is_counted_with_the_time() {
    let queue = bounded(1);
    assert!(queue.pop_timeout(BIT).is_err());
    assert!(queue.receive_timeout(BIT).is_err());
    queue.push(1).unwrap();
    assert!(queue.push_timeout(2, BIT).is_err());
    let Activity {
        push_waits,
        pop_waits,
        ..
    } = activity(&queue);
    assert_eq!((push_waits.count, pop_waits.count), (1, 2));
    assert!(push_waits.time >= BIT && pop_waits.time >= 2 * BIT);

    // As a future, from the first poll that did not end it.
    let mut cx = Context::from_waker(Waker::noop());
    let mut pushing = pin!(queue.push_async(2));
    assert!(pushing.as_mut().poll(&mut cx).is_pending());
    thread::sleep(BIT);
    assert!(pushing.as_mut().poll(&mut cx).is_pending());
    queue.pop().unwrap();
    assert!(pushing.as_mut().poll(&mut cx).is_ready());
    let waits = activity(&queue).push_waits;
    assert!(waits.count == 2 && waits.time >= push_waits.time + BIT);
    assert_eq!(activity(&queue).pushed, 2);

    // And of one that is dropped.
    let before = activity(&queue).push_waits;
    {
        let mut pushing = pin!(queue.push_async(3));
        assert!(pushing.as_mut().poll(&mut cx).is_pending());
        thread::sleep(BIT);
    }
    let waits = activity(&queue).push_waits;
    assert!(waits.count == 3 && waits.time >= before.time + BIT);
}

#[test]
fn a_time_that_has_passed_is_no_wait() {
    let queue = bounded(1);
    let (zero, past) = (Duration::ZERO, Instant::now());
    let none = Err(PopTimeoutError::Timeout);
    assert_eq!(queue.pop_timeout(zero), none);
    assert_eq!(queue.pop_deadline(past), none);
    assert!(queue.receive_timeout(zero).is_err());
    assert!(queue.receive_deadline(past).is_err());
    assert!(queue.pop_many_timeout(&mut Vec::new(), 9, zero).is_err());
    queue.push(1).unwrap();
    let full = Err(PushTimeoutError::Timeout(2));
    assert_eq!(queue.push_timeout(2, zero), full);
    assert_eq!(queue.push_deadline(2, past), full);
    let counted = activity(&queue);
    assert_eq!((counted.push_waits.count, counted.pop_waits.count), (0, 0));
}

#[test]
fn a_batch_that_is_cancelled_or_waits_is_counted_as_far_as_it_came() {
    let queue = bounded(2);
    let mut items = VecDeque::from([1, 2, 3]);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(
        pin!(queue.push_many_async(&mut items))
            .poll(&mut cx)
            .is_pending()
    );
    assert_eq!((items.len(), activity(&queue).pushed), (1, 2));

    // Whoever comes late to a full queue finds a slot and does not wait: then once more.
    let mut pushed = 2;
    while activity(&queue).push_waits.count == 0 {
        assert!(pushed < 100, "no wait was counted");
        thread::scope(|scope| {
            scope.spawn(|| queue.push_many(&mut items).unwrap());
            thread::sleep(BIT);
            assert_eq!(queue.pop(), Ok(pushed - 1));
        });
        pushed += 1;
        items.push_back(pushed + 1);
    }
    let activity = activity(&queue);
    assert_eq!((activity.pushed, activity.push_waits.count), (pushed, 1));
}

/// A first try fails, and who waits has what it waits for.
#[derive(Clone)]
struct Away {
    queue: Simple<u64>,
    failure: Failure,
}

impl Away {
    fn metered(kind: FailureKind) -> Metered<Self> {
        let queue = Simple::with_capacity(Capacity::bounded(9));
        queue.push(1).unwrap();
        let failure = Failure::new(kind, "it is away");
        Metered::new("away", Self { queue, failure })
    }
}

impl Kind for Away {
    type Item = u64;
    type Listener<'a> = <Simple<u64> as Kind>::Listener<'a>;

    fn ready_hint(&self, side: Side) -> usize {
        self.queue.ready_hint(side)
    }

    fn endpoints(&self) -> &EndpointCounts {
        self.queue.endpoints()
    }

    fn listen(&self, side: Side) -> Self::Listener<'_> {
        self.queue.listen(side)
    }

    /// Another process has one yet.
    fn on_last_endpoint(&self, _: Side) {}
}

impl Queue for Away {
    fn try_push(&self, item: u64) -> Result<(), TryPushError<u64>> {
        Err(TryPushError::Failed(item, self.failure.clone()))
    }

    fn try_push_many(&self, _: &mut VecDeque<u64>) -> Result<usize, TryPushError<()>> {
        Err(TryPushError::Failed((), self.failure.clone()))
    }

    fn push_until(&self, item: u64, deadline: Deadline) -> Result<(), PushTimeoutError<u64>> {
        self.queue.push_until(item, deadline)
    }

    fn push_many(&self, items: &mut VecDeque<u64>) -> Result<(), PushError<()>> {
        self.queue.push_many(items)
    }

    fn try_pop(&self) -> Result<u64, TryPopError> {
        Err(TryPopError::Failed(self.failure.clone()))
    }

    fn pop_until(&self, deadline: Deadline) -> Result<u64, PopTimeoutError> {
        self.queue.pop_until(deadline)
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

#[test]
fn who_may_wait_for_a_failure_to_pass_does_so_and_nobody_else() {
    let away = Away::metered(FailureKind::Unavailable);
    assert_eq!(away.push_timeout(2, BIT), Ok(()));
    assert_eq!(away.push_many(&mut VecDeque::from([3, 4])), Ok(()));
    assert_eq!(away.pop_timeout(BIT), Ok(1));
    let counted = activity(&away);
    assert_eq!((counted.push_waits.count, counted.pop_waits.count), (2, 1));
    assert_eq!(counted.failed, 0, "none of them failed");
    let (at_once, failure) = (Duration::ZERO, away.get_ref().failure.clone());
    let pushed = away.push_timeout(5, at_once);
    assert_eq!(pushed, Err(PushTimeoutError::Failed(5, failure.clone())));
    let popped = away.pop_timeout(at_once);
    assert_eq!(popped, Err(PopTimeoutError::Failed(failure)));
    assert_eq!(activity(&away).failed, 2);

    let broken = Away::metered(FailureKind::Io);
    let failure = broken.get_ref().failure.clone();
    let pushed = broken.push_timeout(2, BIT);
    assert_eq!(pushed, Err(PushTimeoutError::Failed(2, failure.clone())));
    let mut items = VecDeque::from([3, 4]);
    let pushed = broken.push_many(&mut items);
    assert_eq!(pushed, Err(PushError::Failed((), failure.clone())));
    let popped = broken.pop_timeout(BIT);
    assert_eq!(popped, Err(PopTimeoutError::Failed(failure)));
    let counted = activity(&broken);
    assert_eq!((counted.push_waits.count, counted.pop_waits.count), (0, 0));
    assert_eq!(counted.failed, 3, "each once");
    assert_eq!((items.len(), broken.len()), (2, 1));
}

#[test]
fn the_queue_itself_says_what_its_last_half_closes() {
    let away = Away::metered(FailureKind::Unavailable);
    drop((away.producer(), away.consumer()));
    assert!(!away.is_closed());
}

#[test]
fn what_becomes_of_a_delivery_is_counted() {
    let queue = bounded(4);
    queue.push(1).unwrap();
    queue.push(2).unwrap();
    queue.receive().unwrap().nack().unwrap();
    drop(queue.receive().unwrap());
    queue.receive().unwrap().release().unwrap();
    let before = activity(&queue);
    queue.receive().unwrap().ack().unwrap();
    let second = queue.receive().unwrap();
    let now = activity(&queue);
    assert_eq!((now.received, now.redelivered, now.in_flight()), (5, 3, 1));
    second.take().unwrap();
    let now = activity(&queue);
    assert_eq!((now.acked, now.nacked, now.released), (2, 2, 1));
    let passed = now.since(before);
    assert_eq!(
        (passed.received, passed.redelivered, passed.acked),
        (2, 1, 2)
    );
    assert_eq!((passed.nacked, passed.in_flight()), (0, 0));
}

#[test]
fn an_item_that_came_back_has_gone_out_once() {
    let popped = |queue: &MeteredSimple<u64>| queue.stats().popped;
    for back in [
        |queue: &MeteredSimple<u64>| queue.receive().unwrap().nack().unwrap(),
        |queue: &MeteredSimple<u64>| queue.receive().unwrap().release().unwrap(),
        |queue: &MeteredSimple<u64>| drop(queue.receive().unwrap()),
    ] {
        for out in [
            |queue: &MeteredSimple<u64>| assert_eq!(queue.pop(), Ok(1)),
            |queue: &MeteredSimple<u64>| queue.receive().unwrap().ack().unwrap(),
            |queue: &MeteredSimple<u64>| drop(queue.close_now()),
            |queue: &MeteredSimple<u64>| drop(queue.pop_many(&mut Vec::new(), 9)),
        ] {
            let queue = bounded(4);
            queue.push(1).unwrap();
            back(&queue);
            back(&queue);
            assert_eq!(popped(&queue), Some(1));
            queue.push(2).unwrap();
            out(&queue);
            let left = queue.len();
            assert_eq!(popped(&queue), Some(2 - left as u32));
        }
    }
}

#[test]
fn clones_count_together_and_the_queue_itself_does_not() {
    let queue = bounded(4);
    let (producer, consumer) = queue.clone().into_ends();
    producer.push(1).unwrap();
    queue.get_ref().push(2).unwrap();
    assert_eq!((activity(&queue).pushed, queue.len()), (1, 2));
    drop(producer);
    assert!(queue.is_closed());
    assert_eq!(consumer.iter().collect::<Vec<_>>(), [1, 2]);
    assert_eq!((queue.name(), activity(&queue).popped), ("metered", 2));
    assert!(queue.same_queue(&queue.clone()));
}
