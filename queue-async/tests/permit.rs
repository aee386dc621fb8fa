//! Permits: places that are held before there is an item for them.
#![cfg(not(loom))]

use queue_async::{AsyncQueue, Queue, TryPopError, TryPushError};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

#[test]
fn a_held_place_is_taken_but_empty() {
    let queue = AsyncQueue::bounded(2);
    let permit = queue.try_reserve().unwrap();
    assert_eq!((queue.len(), queue.is_full()), (0, false));
    queue.try_push(1).unwrap();
    assert_eq!((queue.len(), queue.is_full()), (1, true));
    assert!(matches!(queue.try_push(2), Err(TryPushError::Full(2))));
    assert!(matches!(queue.try_reserve(), Err(TryPushError::Full(()))));
    permit.push(3).unwrap();
    assert_eq!(queue.len(), 2);
    // The order is that of the pushes, not of the reservations.
    assert_eq!(queue.close_now(), [1, 3]);
}

#[test]
fn a_dropped_permit_gives_its_place_to_the_next() {
    let queue = AsyncQueue::bounded(1);
    let permit = queue.try_reserve().unwrap();
    thread::scope(|s| {
        let waiting = s.spawn(|| queue.push(7));
        thread::sleep(Duration::from_millis(20));
        assert!(!waiting.is_finished());
        drop(permit);
        waiting.join().unwrap().unwrap();
    });
    assert_eq!(queue.try_pop(), Ok(7));
}

#[test]
fn a_permit_of_a_closed_queue_hands_the_item_back() {
    let queue = AsyncQueue::bounded(1);
    let permit = queue.reserve().unwrap();
    queue.close();
    assert_eq!(queue.try_pop(), Err(TryPopError::Closed));
    assert_eq!(permit.push("back").unwrap_err().into_item(), "back");
    assert!(queue.reserve().unwrap_err().is_closed());
    assert!(queue.try_reserve().unwrap_err().is_closed());
    assert!(!queue.is_full(), "the place is free again");
}

#[test]
fn a_permit_of_an_unbounded_queue_is_to_be_had_at_once() {
    let queue = AsyncQueue::unbounded();
    let permits: Vec<_> = (0..100).map(|_| queue.try_reserve().unwrap()).collect();
    for (n, permit) in permits.into_iter().enumerate() {
        permit.push(n).unwrap();
    }
    assert_eq!(queue.close_now(), (0..100).collect::<Vec<_>>());
}

/// A task's waker that panics as it wakes.
struct Explosive;

impl Wake for Explosive {
    fn wake(self: Arc<Self>) {
        panic!("a waker panics");
    }
}

/// Polls `future` once for a task whose waking panics.
fn asleep<F: Future + ?Sized>(future: Pin<&mut F>) {
    let waker = Waker::from(Arc::new(Explosive));
    let polled = future.poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending(), "ready where it had to wait");
}

#[test]
fn a_waker_that_panics_in_a_permits_push_gives_no_place_back_twice() {
    for capacity in [1, 3] {
        let queue = AsyncQueue::bounded(capacity);
        let mut pop = Box::pin(queue.pop_async());
        asleep(pop.as_mut());
        let permit = queue.try_reserve().unwrap();
        let pushed = catch_unwind(AssertUnwindSafe(|| permit.push(1)));
        assert!(pushed.is_err(), "the panic was swallowed");
        assert_eq!(queue.len(), 1);
        let more = std::iter::from_fn(|| queue.try_push(2).ok()).count();
        assert_eq!(more, capacity - 1, "places beside the item");
        drop(pop);
    }
}

#[test]
fn a_waker_that_panics_as_a_permit_is_dropped_gives_no_place_back_twice() {
    let queue = AsyncQueue::bounded(2);
    queue.try_push(1).unwrap();
    let permit = queue.try_reserve().unwrap();
    let mut push = Box::pin(queue.push_async(2));
    asleep(push.as_mut());
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(permit)));
    assert!(dropped.is_err(), "the panic was swallowed");
    // The place is held for the push, which goes away without it, and nobody else waits.
    assert!(queue.is_full());
    drop(push);
    assert!(queue.try_push(3).is_ok());
    assert!(queue.try_push(4).is_err());
}

#[test]
fn a_waker_that_panics_as_a_turn_is_given_up_gives_no_place_back_twice() {
    let queue = AsyncQueue::bounded(1);
    queue.try_push(1).unwrap();
    let mut first = Box::pin(queue.reserve_async());
    let polled = first.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    let mut second = Box::pin(queue.push_async(2));
    asleep(second.as_mut());
    queue.try_pop().unwrap();
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(first)));
    assert!(dropped.is_err(), "the panic was swallowed");
    assert!(queue.is_full(), "the place is the second one's");
    drop(second);
    let permit = queue.try_reserve().unwrap();
    assert!(queue.try_reserve().is_err());
    drop(permit);
}
