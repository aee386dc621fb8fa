//! Scenarios of CPython's tests of `queue`, `asyncio`'s queues and `multiprocessing`'s:
//! what somebody who comes from there relies on.

use super::kinds::{Kind, Local, over};
use super::polled::Polled;
use queue_core::{
    PopError, PopTimeoutError, PushError, PushTimeoutError, Queue, TryPopError, TryPushError,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

over! {
    every:
    round_and_round, shutdown_in_one_thread, shutdown_among_many, waiters_at_shutdown,
    cancelled_in_the_middle, getters_before_putters, putters_come_in_their_turn,
}
over! {
    local:
    nothing_is_kept_alive,
}

const SIZE: usize = 5;

/// Filled and emptied by each verb that does not wait, and by one that waits for another
/// thread: twice, since a queue must be as good as new.
fn round_and_round<K: Kind>() {
    let queue = K::bounded::<u32>(SIZE);
    for _ in 0..2 {
        assert!(queue.is_empty() && !queue.is_full());
        (0..4).for_each(|n| queue.push(n).unwrap());
        assert!(!queue.is_empty() && !queue.is_full());
        queue.push(4).unwrap();
        assert!(queue.is_full());
        assert_eq!(queue.try_push(9), Err(TryPushError::Full(9)));
        let brief = Duration::from_millis(10);
        let pushed = queue.push_timeout(9, brief);
        assert_eq!(pushed, Err(PushTimeoutError::Timeout(9)));
        meanwhile(|| queue.push(5).unwrap(), || assert_eq!(queue.pop(), Ok(0)));
        let hour = Duration::from_secs(3600);
        let push = || queue.push_timeout(6, hour).unwrap();
        meanwhile(push, || assert_eq!(queue.pop(), Ok(1)));
        assert!((2..7).all(|n| queue.pop() == Ok(n)));
        assert!(queue.is_empty());
        assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
        assert_eq!(queue.pop_timeout(brief), Err(PopTimeoutError::Timeout));
        meanwhile(|| assert_eq!(queue.pop(), Ok(7)), || queue.push(7).unwrap());
        let pop = || assert_eq!(queue.pop_timeout(hour), Ok(8));
        meanwhile(pop, || queue.push(8).unwrap());
    }
}

/// Fails unless `waits` ends after `helps` has begun.
fn meanwhile(waits: impl FnOnce() + Send, helps: impl FnOnce()) {
    thread::scope(|scope| {
        let waits = scope.spawn(waits);
        thread::sleep(Duration::from_millis(15));
        assert!(!waits.is_finished(), "it did not wait");
        helps();
        waits.join().unwrap();
    });
}

/// `shutdown()` is `close`, and with `immediate=True` it is `close_now`; in any order.
fn shutdown_in_one_thread<K: Kind>() {
    for immediate in [false, true] {
        let queue = K::bounded::<String>(3);
        queue.push("L".into()).unwrap();
        queue.push("O".into()).unwrap();
        if immediate {
            assert_eq!(queue.close_now(), ["L", "O"]);
        } else {
            assert!(queue.close());
        }
        let brief = Duration::from_millis(1);
        let item = || "E".to_owned();
        assert_eq!(queue.push(item()), Err(PushError::Closed(item())));
        assert_eq!(queue.try_push(item()), Err(TryPushError::Closed(item())));
        let pushed = queue.push_timeout(item(), brief);
        assert_eq!(pushed, Err(PushTimeoutError::Closed(item())));
        if !immediate {
            assert_eq!(queue.len(), 2);
            assert_eq!(queue.pop().unwrap(), "L");
            assert_eq!(
                queue.close_now(),
                ["O"],
                "the rest may still be taken at once"
            );
        }
        assert_eq!(queue.pop(), Err(PopError::Closed));
        assert_eq!(queue.try_pop(), Err(TryPopError::Closed));
        assert_eq!(queue.pop_timeout(brief), Err(PopTimeoutError::Closed));
        assert!(!queue.close() && queue.close_now().is_empty());
        assert!(queue.is_empty() && queue.is_closed());
    }
}

/// Four push, two pop, and one of those who push closes the queue in the middle.
fn shutdown_among_many<K: Kind>() {
    const EACH: usize = 200;
    for immediate in [false, true] {
        let queue = K::bounded::<usize>(SIZE);
        let barrier = Barrier::new(6);
        let (pushed, popped) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for id in 0..4 {
                let (queue, barrier, pushed, popped) = (&queue, &barrier, &pushed, &popped);
                scope.spawn(move || {
                    barrier.wait();
                    for n in 0..EACH {
                        if queue.push(n).is_err() {
                            break;
                        }
                        pushed.fetch_add(1, Ordering::Relaxed);
                        if id == 0 && n == EACH / 2 {
                            if immediate {
                                let left = queue.close_now().len();
                                popped.fetch_add(left, Ordering::Relaxed);
                            } else {
                                queue.close();
                            }
                        }
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    barrier.wait();
                    while queue.pop().is_ok() {
                        popped.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(pushed.into_inner(), popped.into_inner());
        assert!(queue.is_empty());
    }
}

/// Those who wait at `shutdown(immediate=True)`, threads and futures.
fn waiters_at_shutdown<K: Kind>() {
    let queue = K::bounded::<u32>(1);
    let future = Polled::pending(queue.pop_async());
    thread::scope(|scope| {
        let pops = [(); 2].map(|()| scope.spawn(|| queue.pop()));
        thread::sleep(Duration::from_millis(15));
        assert!(queue.close_now().is_empty());
        for pop in pops {
            assert_eq!(pop.join().unwrap(), Err(PopError::Closed));
        }
    });
    assert_eq!(future.finish(), Err(PopError::Closed));

    let queue = K::bounded::<u32>(1);
    queue.push(0).unwrap();
    let future = Polled::pending(queue.push_async(9));
    thread::scope(|scope| {
        let queue = &queue;
        let pushes = [1, 2].map(|n| scope.spawn(move || (n, queue.push(n))));
        thread::sleep(Duration::from_millis(15));
        assert_eq!(queue.close_now(), [0]);
        for push in pushes {
            let (n, pushed) = push.join().unwrap();
            assert_eq!(pushed, Err(PushError::Closed(n)));
        }
    });
    assert_eq!(future.finish(), Err(PushError::Closed(9)));
}

/// Of three who wait to push the middle one is cancelled, and then the first as its place
/// has come.
fn cancelled_in_the_middle<K: Kind>() {
    let queue = K::bounded::<u32>(1);
    queue.push(0).unwrap();
    let [first, second, third] = [1, 2, 3].map(|n| Polled::pending(queue.push_async(n)));
    drop(second);
    assert_eq!(queue.try_pop(), Ok(0));
    drop(first);
    third.finish().unwrap();
    assert_eq!(queue.try_iter().collect::<Vec<_>>(), [3]);
    let [first, second, third] = [(); 3].map(|()| Polled::pending(queue.pop_async()));
    drop(second);
    queue.push(4).unwrap();
    drop(first);
    assert_eq!(third.finish(), Ok(4));
}

/// Futures that pop are there first, and those that push find them waiting.
fn getters_before_putters<K: Kind>() {
    let queue = K::bounded::<u32>(1);
    let pops = [(); 3].map(|()| Polled::pending(queue.pop_async()));
    let mut got = Vec::new();
    let mut pushes: Vec<_> = (0..3).map(|n| Polled::new(queue.push_async(n))).collect();
    for (pop, push) in pops.into_iter().zip(&mut pushes) {
        while push.poll().is_none() {
            thread::yield_now();
        }
        got.push(pop.finish().unwrap());
    }
    got.sort_unstable();
    assert_eq!(got, [0, 1, 2]);
    assert!(queue.is_empty());
}

/// A task puts in more than fits: as much as fits is inside, and the rest follows in order.
fn putters_come_in_their_turn<K: Kind>() {
    let queue = K::bounded::<u32>(2);
    let mut batch = (0..5).collect();
    let mut push = Polled::pending(queue.push_many_async(&mut batch));
    assert_eq!(queue.len(), 2);
    for n in 0..3 {
        assert_eq!(queue.try_pop(), Ok(n));
        let start = Instant::now();
        let mut done = false;
        while queue.len() < 2 {
            // (A guest hears of the place a little later.)
            done = push.poll().is_some();
            assert!(start.elapsed() < Duration::from_secs(60));
        }
        assert_eq!(done, n == 2, "after {n}");
    }
    drop(push);
    assert!(batch.is_empty());
    assert_eq!(queue.close_now(), [3, 4]);
}

/// A queue does not keep what was popped, nor a cancelled push its item.
fn nothing_is_kept_alive<K: Local>() {
    for capacity in [Some(3), None] {
        let queue = K::any(capacity);
        let item = Arc::new(());
        for _ in 0..100 {
            queue.push(item.clone()).unwrap();
            queue.push(item.clone()).unwrap();
            drop(queue.pop());
            assert_eq!(Arc::strong_count(&item), 2);
            let mut into = Vec::new();
            queue.pop_many(&mut into, 5).unwrap();
            drop(into);
            assert_eq!(Arc::strong_count(&item), 1);
        }
        if let Some(n) = capacity {
            (0..n).for_each(|_| queue.push(item.clone()).unwrap());
            drop(Polled::pending(queue.push_async(item.clone())));
            assert_eq!(Arc::strong_count(&item), 1 + n);
        }
    }
}
