//! Scenarios of the tests of tokio's `sync::mpsc`: permits in line, ends beside handles,
//! verbs inside a runtime, and its budget.

use super::kinds::{Kind, Local, over};
use super::polled::Polled;
use queue_async::AsyncQueue;
use queue_core::{PopError, Producer, PushError, Queue, TryPopError, TryPushError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Builder;

over! {
    every:
    the_wake_is_for_who_still_waits, a_handle_beside_the_ends, blocking_inside_a_runtime,
    the_runtimes_timer, a_batch_is_what_is_there,
}
over! {
    local:
    what_no_consumer_took,
}

/// Two reservations hold all places and two more wait. A place is one for both kinds of
/// ends: an item that was popped, a permit that was dropped.
#[test]
fn permits_in_line() {
    let queue = AsyncQueue::<u32>::bounded(2);
    let [first, second] = [0, 1].map(|_| queue.try_reserve().unwrap());
    let mut third = Polled::pending(queue.reserve_async());
    let mut fourth = Polled::pending(queue.reserve_async());
    first.push(1).unwrap();
    assert!(!third.is_woken(), "a permit that was used frees no place");
    assert_eq!(queue.try_pop(), Ok(1));
    assert!(third.is_woken() && !fourth.is_woken());
    drop(second);
    assert!(fourth.is_woken());
    let third = third.poll().unwrap().unwrap();
    let fourth = fourth.poll().unwrap().unwrap();
    let fifth = Polled::pending(queue.reserve_async());
    drop(fifth);
    drop((third, fourth));
    assert_eq!(queue.try_push_many(&mut [2, 3, 4].into()), Ok(2));
}

/// A place that comes while reservations wait is theirs, not a newcomer's.
#[test]
fn a_place_that_is_spoken_for() {
    let queue = AsyncQueue::<u32>::bounded(1);
    queue.try_reserve().unwrap().push(1).unwrap();
    let mut waits = Polled::pending(queue.reserve_async());
    assert_eq!(queue.try_pop(), Ok(1));
    assert!(waits.is_woken());
    let permit = waits.poll().unwrap().unwrap();
    assert_eq!(queue.try_push(2), Err(TryPushError::Full(2)));
    assert!(matches!(queue.try_reserve(), Err(TryPushError::Full(()))));
    permit.push(3).unwrap();
    assert_eq!(queue.try_pop(), Ok(3));
}

/// Who waits for a permit is told of the close. A permit taken before it gives its item
/// back (tokio lets it send), so that who pops need not wait for it.
#[test]
fn close_with_a_permit_out() {
    let queue = AsyncQueue::<u32>::bounded(1);
    let permit = queue.try_reserve().unwrap();
    let mut waits = Polled::pending(queue.reserve_async());
    let pop = Polled::pending(queue.pop_async());
    queue.close();
    assert!(waits.is_woken());
    assert!(matches!(waits.poll(), Some(Err(PushError::Closed(())))));
    assert_eq!(pop.finish(), Err(PopError::Closed));
    assert_eq!(permit.push(1), Err(PushError::Closed(1)));
    assert!(queue.is_empty());
}

/// A task that always finds a permit, or an item, lets its neighbours run.
#[test]
fn permits_and_streams_have_a_budget() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let starves = |what: &str, step: &mut dyn FnMut(&mut std::task::Context<'_>) -> bool| {
        let ran = Arc::new(AtomicBool::new(false));
        let told = ran.clone();
        runtime.block_on(async {
            let neighbour = tokio::spawn(async move { told.store(true, Ordering::Relaxed) });
            let mut steps = 0;
            std::future::poll_fn(|cx| {
                while step(cx) {
                    steps += 1;
                    assert!(steps < 10_000, "{what}: the neighbour starves");
                }
                cx.waker().wake_by_ref();
                match ran.load(Ordering::Relaxed) {
                    true => std::task::Poll::Ready(()),
                    false => std::task::Poll::Pending,
                }
            })
            .await;
            neighbour.await.unwrap();
        });
    };
    let queue = AsyncQueue::<u32>::unbounded();
    starves("permits", &mut |cx| {
        Polled::new(queue.reserve_async())
            .poll_with(cx.waker())
            .is_some()
    });
    starves("batches", &mut |cx| {
        queue.try_push(1).unwrap();
        let mut into = Vec::new();
        Polled::new(queue.pop_many_async(&mut into, 1))
            .poll_with(cx.waker())
            .is_some()
    });
}

/// The first of two who wait has gone when the place comes.
fn the_wake_is_for_who_still_waits<K: Kind>() {
    let queue = K::bounded::<u32>(1);
    queue.push(1).unwrap();
    let first = Polled::pending(queue.push_async(2));
    let second = Polled::pending(queue.push_async(3));
    let bell = first.bell.clone();
    drop(first);
    assert_eq!(queue.pop(), Ok(1));
    second.finish().unwrap();
    assert_eq!(bell.rung(), 0, "who has gone was woken");
    assert_eq!(queue.pop(), Ok(3));
    assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
}

/// A plain handle beside the ends is what tokio calls a weak sender: it does not keep the
/// queue open, and can become an end as long as it is.
fn a_handle_beside_the_ends<K: Kind>() {
    let queue = K::bounded::<u32>(4);
    let (producer, consumer) = queue.clone().into_ends();
    let upgraded = Producer::new(queue.clone());
    producer.push(1).unwrap();
    drop(producer);
    assert!(!consumer.is_closed(), "a producer is left");
    upgraded.push(2).unwrap();
    drop(upgraded);
    assert!(consumer.is_closed(), "a handle keeps the queue open");
    let late = Producer::new(queue);
    assert_eq!(late.push(3), Err(PushError::Closed(3)));
    assert_eq!(consumer.into_iter().collect::<Vec<_>>(), [1, 2]);
}

/// tokio's blocking verbs panic there. Ours do what they say, and block the worker.
fn blocking_inside_a_runtime<K: Kind>() {
    let queue = K::bounded::<u32>(1);
    let runtime = Builder::new_multi_thread().worker_threads(2).build();
    runtime.unwrap().block_on(async {
        let other = queue.clone();
        let blocks = tokio::spawn(async move { other.pop().unwrap() + other.pop().unwrap() });
        queue.push_async(1).await.unwrap();
        queue.push(2).unwrap();
        assert_eq!(blocks.await.unwrap(), 3);
    });
}

/// The timer of the runtime around a future is its timeout.
fn the_runtimes_timer<K: Kind>() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let queue = K::bounded::<u32>(1);
    let brief = Duration::from_millis(3);
    runtime.block_on(async {
        for n in 0..5 {
            let popped = tokio::time::timeout(brief, queue.pop_async()).await;
            assert!(popped.is_err(), "an item from nowhere");
            queue.push_async(n).await.unwrap();
            let pushed = tokio::time::timeout(brief, queue.push_async(99)).await;
            assert!(pushed.is_err(), "a place from nowhere");
            let popped = tokio::time::timeout(Duration::MAX, queue.pop_async()).await;
            assert_eq!(popped, Ok(Ok(n)));
        }
        assert!(queue.is_empty());
    });
}

/// `pop_many_async` takes what there is, behind what the buffer holds already.
fn a_batch_is_what_is_there<K: Kind>() {
    let queue = K::bounded::<u32>(8);
    let mut buffer = Vec::with_capacity(2);
    buffer.push(0);
    queue.try_push_many(&mut [1, 2, 3].into()).unwrap();
    let some = Polled::new(queue.pop_many_async(&mut buffer, 2)).poll();
    assert_eq!(some, Some(Ok(2)));
    let rest = Polled::new(queue.pop_many_async(&mut buffer, 100)).poll();
    assert_eq!(rest, Some(Ok(1)));
    let none = Polled::new(queue.pop_many_async(&mut buffer, 0)).poll();
    assert_eq!(none, Some(Ok(0)), "at once, though nothing is there");
    queue.close();
    let none = Polled::new(queue.pop_many_async(&mut buffer, 0)).poll();
    assert_eq!(none, Some(Ok(0)));
    let end = Polled::new(queue.pop_many_async(&mut buffer, 1)).poll();
    assert_eq!(end, Some(Err(PopError::Closed)));
    assert_eq!(buffer, [0, 1, 2, 3]);
}

/// tokio, kanal and std drop what is inside with the last receiver. Ours keep it as long
/// as there is a handle that may take it.
fn what_no_consumer_took<K: Local>() {
    let queue = K::any::<Arc<()>>(Some(4));
    let item = Arc::new(());
    let (producer, consumer) = queue.into_ends();
    producer.push(item.clone()).unwrap();
    drop(consumer);
    assert!(producer.push(item.clone()).is_err());
    assert_eq!(Arc::strong_count(&item), 2, "the one inside is kept");
    assert_eq!(producer.queue().close_now().len(), 1);
    assert_eq!(Arc::strong_count(&item), 1);
    let (producer, consumer) = K::any::<Arc<()>>(Some(4)).into_ends();
    producer.push(item.clone()).unwrap();
    drop((consumer, producer));
    assert_eq!(Arc::strong_count(&item), 1, "dropped with the last handle");
}
