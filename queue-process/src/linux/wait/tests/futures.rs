//! Tests of [`futures`](crate::linux::wait::futures).

use crate::ShmQueue;
use crate::linux::engine::control::End;
use crate::linux::engine::end_lock::Tries;
use crate::linux::wait::futures::*;
use queue_core::Queue;
use queue_core::event::Listener;
use queue_core::sync::atomic::Ordering;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

fn is_woken(waiter: &mut Listener<'_>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    Pin::new(waiter).poll(&mut cx) == Poll::Ready(())
}

#[test]
fn who_finds_something_does_not_wait() {
    let queue = ShmQueue::<u8>::bounded(1);
    let (engine, list) = (&queue.shared.engine, WaitList::default());
    let async_waiting = |end| {
        engine
            .control()
            .end(end)
            .async_waiting
            .load(Ordering::Relaxed)
    };
    assert!(engine.prepare_async_wait(End::Tail, &list).unwrap());
    assert!(
        !engine.prepare_async_wait(End::Head, &list).unwrap(),
        "there is a waiter"
    );
    assert_eq!((async_waiting(End::Tail), async_waiting(End::Head)), (1, 0));
    queue.try_push(1).unwrap();
    assert_eq!(async_waiting(End::Tail), 0, "it rang");
    assert!(
        !engine.prepare_async_wait(End::Tail, &list).unwrap(),
        "there is an item"
    );
    assert!(engine.prepare_async_wait(End::Head, &list).unwrap());
    queue.close();
    assert!(
        !engine.prepare_async_wait(End::Head, &list).unwrap(),
        "closed"
    );
}

#[test]
fn one_is_woken_for_each_item_in_order() {
    let queue = ShmQueue::<u8>::bounded(8);
    let (engine, list) = (&queue.shared.engine, WaitList::default());
    let mut waiters = [(); 5].map(|()| list.event.listen());
    assert!(engine.prepare_async_wait(End::Tail, &list).unwrap());
    let mut woken = |items: &[u8]| {
        items.iter().for_each(|item| queue.try_push(*item).unwrap());
        assert!(engine.wake_futures(End::Tail, &list, Tries::Few).unwrap());
        let woken = waiters
            .iter_mut()
            .map(is_woken)
            .filter(|woken| *woken)
            .count();
        assert!((0..woken).all(|at| is_woken(&mut waiters[at])), "in order");
        woken
    };
    assert_eq!(woken(&[]), 0);
    assert_eq!(woken(&[1]), 1);
    assert_eq!(woken(&[]), 1, "it may still come for that");
    assert_eq!(woken(&[2, 3]), 3);
    queue.try_pop().unwrap();
    queue.try_push(4).unwrap();
    queue.try_pop().unwrap();
    assert_eq!(woken(&[]), 4, "there is one more");
    queue.close();
    assert_eq!(woken(&[]), 5);
}

#[test]
fn the_flag_is_set_as_long_as_somebody_waits() {
    let queue = ShmQueue::<u8>::bounded(8);
    let (engine, list) = (&queue.shared.engine, WaitList::default());
    let async_waiting = || engine.control().tail.async_waiting.load(Ordering::Relaxed) != 0;
    let waiters = [(); 2].map(|()| list.event.listen());
    assert!(engine.prepare_async_wait(End::Tail, &list).unwrap());
    for left in [true, false, false] {
        queue.try_push(1).unwrap();
        assert!(!async_waiting(), "it rang");
        assert!(engine.wake_futures(End::Tail, &list, Tries::Few).unwrap());
        assert_eq!(async_waiting(), left, "somebody waits still");
    }
    drop(waiters);
}
