//! Scenarios of the tests of crossfire, thingbuf and concurrent-queue: futures that are
//! given up over and over, the exactness of the verbs that never wait, and consumers that
//! leave in the middle.

use super::kinds::{Kind, Local, over};
use super::polled::{Counted, Polled};
use queue_core::{Queue, TryPushError};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tokio::time::timeout;

over! {
    every:
    given_up_a_thousand_times, timers_on_both_sides, never_wrong, ends_are_counted,
    the_consumer_leaves, batches_from_all_sides,
}
over! {
    local:
    drops_are_counted,
}

/// A future beside a timer, in one task: who waits a long time is one who waits, and who
/// gave up is none.
fn given_up_a_thousand_times<K: Kind>() {
    let queue = K::bounded::<u32>(1);
    let patient = Polled::pending(queue.pop_async());
    let brief: Vec<_> = (0..1000)
        .map(|_| {
            let waits = Polled::pending(queue.pop_async());
            let bell = waits.bell.clone();
            drop(waits);
            bell
        })
        .collect();
    for _ in 0..100 {
        assert!(queue.pop_timeout(Duration::from_micros(1)).is_err());
    }
    queue.push(1).unwrap();
    assert_eq!(patient.finish(), Ok(1));
    assert!(brief.iter().all(|bell| bell.rung() == 0));
    queue.push(2).unwrap();
    let patient = Polled::pending(queue.push_async(3));
    for n in 0..1000 {
        drop(Polled::pending(queue.push_async(n)));
    }
    assert_eq!(queue.pop(), Ok(2));
    patient.finish().unwrap();
    assert_eq!(queue.close_now(), [3]);
}

/// Three tasks push and two pop through one place, each for a moment at a time; what is
/// given up is tried again, and all come out once.
fn timers_on_both_sides<K: Kind>() {
    const EACH: u32 = 100;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let queue = K::bounded::<u32>(1);
    let brief = Duration::from_micros(500);
    runtime.block_on(async {
        let consumers = [(); 2].map(|()| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let mut got = Vec::new();
                loop {
                    match timeout(brief, queue.pop_async()).await {
                        Ok(Ok(item)) => got.push(item),
                        Ok(Err(_)) => return got,
                        Err(_) => {}
                    }
                }
            })
        });
        let producers = [0, 1, 2].map(|id| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let mut again = 0;
                for n in id * EACH..(id + 1) * EACH {
                    // An item of a push that is given up goes with it, or went in. A batch
                    // says which.
                    let mut batch = VecDeque::from([n]);
                    while !batch.is_empty() {
                        let pushed = timeout(brief, queue.push_many_async(&mut batch)).await;
                        again += u32::from(pushed.is_err());
                    }
                }
                again
            })
        });
        for producer in producers {
            producer.await.unwrap();
        }
        queue.close();
        let mut all = Vec::new();
        for consumer in consumers {
            all.extend(consumer.await.unwrap());
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..3 * EACH));
    });
}

/// As many places as there are threads, each of which pushes before it pops: no push may
/// say "full", and no pop "empty", however far the others have come.
fn never_wrong<K: Kind>() {
    let queue = K::bounded::<u32>(4);
    thread::scope(|scope| {
        for id in 0..4 {
            let queue = &queue;
            scope.spawn(move || {
                for n in 0..300 {
                    let pushed = queue.try_push(id);
                    assert_eq!(pushed, Ok(()), "round {n}: there is a place for each");
                    assert!(queue.try_pop().is_ok(), "round {n}: its own is inside");
                }
            });
        }
    });
    assert!(queue.is_empty());
}

fn ends_are_counted<K: Kind>() {
    let queue = K::bounded::<u32>(1);
    let counts = || (queue.producer_count(), queue.consumer_count());
    assert_eq!(counts(), (0, 0));
    let (producer, consumer) = queue.clone().into_ends();
    let more = [producer.clone(), producer.clone()];
    assert_eq!(counts(), (3, 1));
    drop(consumer);
    assert!(producer.is_closed() && queue.consumer_count() == 0);
    drop((producer, more));
    assert_eq!(counts(), (0, 0));
}

/// A producer that asks again and again, and a consumer that leaves after some items.
fn the_consumer_leaves<K: Kind>() {
    let (producer, consumer) = K::bounded::<u32>(3).into_ends();
    let asks = thread::spawn(move || {
        for n in 0.. {
            loop {
                match producer.try_push(n) {
                    Ok(()) => break,
                    Err(TryPushError::Full(_)) => thread::yield_now(),
                    Err(TryPushError::Closed(back)) => {
                        assert_eq!(back, n);
                        return n;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
        unreachable!("it is asked for ever")
    });
    for n in 0..50 {
        assert_eq!(Polled::new(consumer.pop_async()).run(), Ok(n));
    }
    drop(consumer);
    let pushed = asks.join().unwrap();
    assert!((50..=53).contains(&pushed), "{pushed} were taken in");
}

/// Batches of all sizes through a queue smaller than most of them.
fn batches_from_all_sides<K: Kind>() {
    let queue = K::bounded::<u32>(5);
    let (producer, consumer) = queue.into_ends();
    let producers = [0, 1].map(|id| {
        let producer = producer.clone();
        thread::spawn(move || {
            let mut next = id * 1000;
            for size in [1, 2, 5, 6, 23, 63] {
                let mut batch = (next..next + size).collect();
                producer.push_many(&mut batch).unwrap();
                next += size;
            }
        })
    });
    drop(producer);
    let mut got = Vec::new();
    for max in [1, 3, 5, 100].into_iter().cycle() {
        match consumer.pop_many(&mut got, max) {
            Ok(popped) => assert!((1..=max).contains(&popped)),
            Err(error) => {
                assert!(error.is_closed());
                break;
            }
        }
    }
    producers
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let (low, high): (Vec<u32>, Vec<u32>) = got.into_iter().partition(|&n| n < 1000);
    assert!(low.into_iter().eq(0..100) && high.into_iter().eq(1000..1100));
}

/// Two threads that never wait, and some items left inside.
fn drops_are_counted<K: Local>() {
    for left in [0, 1, 30, 50] {
        let gone = Arc::new(AtomicUsize::new(0));
        let queue = K::any::<Counted>(Some(50));
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..500 {
                    while queue.try_pop().is_err() {
                        thread::yield_now();
                    }
                }
            });
            for _ in 0..500 {
                let mut item = Counted(gone.clone());
                while let Err(refused) = queue.try_push(item) {
                    item = refused.into_item();
                    thread::yield_now();
                }
            }
        });
        (0..left).for_each(|_| queue.try_push(Counted(gone.clone())).unwrap());
        assert_eq!(gone.load(Ordering::Relaxed), 500);
        drop(queue);
        assert_eq!(gone.load(Ordering::Relaxed), 500 + left);
    }
}
