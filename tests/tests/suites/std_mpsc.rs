//! Scenarios of the tests of std's `mpsc`: ends that go while others push and pop, queues
//! inside queues, loops that are left, and timeouts under pressure.

use super::kinds::{Kind, Local, over};
use super::polled::Counted;
use queue_core::{PopTimeoutError, PushError, Queue, TryPopError};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

over! {
    every:
    ends_that_go_at_once, an_end_that_panics, loops_that_are_left, states_step_by_step,
    timeouts_under_pressure, handed_down_from_thread_to_thread,
}
over! {
    local:
    replies_in_the_request, the_last_item_meets_the_end, many_at_once,
}

/// Both ends go in the same moment, one with an item on its lips.
fn ends_that_go_at_once<K: Kind>() {
    for round in 0..30 {
        let (producer, consumer) = K::bounded::<u32>(1).into_ends();
        let start = Arc::new(Barrier::new(2));
        let starts = start.clone();
        let pops = thread::spawn(move || {
            starts.wait();
            match round % 3 {
                0 => drop(consumer),
                1 => drop(consumer.pop()),
                _ => assert!(consumer.into_iter().all(|n| n < 2)),
            }
        });
        start.wait();
        for n in 0..round % 2 * 2 {
            if let Err(error) = producer.push(n) {
                assert_eq!(error, PushError::Closed(n));
            }
        }
        drop(producer);
        pops.join().unwrap();
    }
}

/// A thread that panics lets its end go, like any other.
fn an_end_that_panics<K: Kind>() {
    let (producer, consumer) = K::bounded::<u32>(1).into_ends();
    let panics = thread::spawn(move || {
        producer.push(1).unwrap();
        panic!("as it should");
    });
    assert!(panics.join().is_err());
    assert_eq!(consumer.iter().collect::<Vec<_>>(), [1]);
    let (producer, consumer) = K::bounded::<u32>(1).into_ends();
    let panics = thread::spawn(move || {
        consumer.pop().unwrap();
        panic!("as it should");
    });
    producer.push(1).unwrap();
    assert!(panics.join().is_err());
    assert_eq!(producer.push(2), Err(PushError::Closed(2)));
}

/// What a loop has not taken when it is left is there for the next one.
fn loops_that_are_left<K: Kind>() {
    let (producer, consumer) = K::unbounded::<u32>().into_ends();
    producer.push_many(&mut (0..9).collect()).unwrap();
    for n in &consumer {
        if n == 3 {
            break;
        }
    }
    let mut some = consumer.try_iter().take(2);
    assert_eq!(
        (some.next(), some.next(), some.next()),
        (Some(4), Some(5), None)
    );
    let mut more = consumer.try_iter();
    assert_eq!(more.by_ref().count(), 3);
    producer.push(9).unwrap();
    assert_eq!(more.next(), Some(9), "it goes on where something came");
    drop(producer);
    let mut last = consumer.iter();
    assert_eq!((last.next(), last.next()), (None, None));
    assert_eq!(last.size_hint(), (0, None));
}

/// Empty, an item, empty again, closed: as another thread makes it so.
fn states_step_by_step<K: Kind>() {
    let (producer, consumer) = K::bounded::<u32>(1).into_ends();
    let step = Arc::new(Barrier::new(2));
    let steps = step.clone();
    let other = thread::spawn(move || {
        steps.wait();
        producer.push(1).unwrap();
        steps.wait();
        steps.wait();
        drop(producer);
        steps.wait();
    });
    assert_eq!(consumer.try_pop(), Err(TryPopError::Empty));
    step.wait();
    step.wait();
    assert_eq!(consumer.try_pop(), Ok(1));
    assert_eq!(consumer.try_pop(), Err(TryPopError::Empty));
    step.wait();
    step.wait();
    for _ in 0..2 {
        assert_eq!(consumer.try_pop(), Err(TryPopError::Closed));
        let popped = consumer.pop_timeout(Duration::MAX);
        assert_eq!(popped, Err(PopTimeoutError::Closed));
    }
    other.join().unwrap();
}

/// Eight push and one pops whose patience is a millisecond at most.
fn timeouts_under_pressure<K: Kind>() {
    const EACH: usize = 60;
    let (producer, consumer) = K::bounded::<usize>(1).into_ends();
    let producers: Vec<_> = (0..8)
        .map(|id| {
            let producer = producer.clone();
            thread::spawn(move || {
                for n in 0..EACH {
                    let mut item = id * EACH + n;
                    while let Err(error) = producer.push_timeout(item, Duration::from_micros(300)) {
                        assert!(error.is_timeout());
                        item = error.into_item();
                    }
                }
            })
        })
        .collect();
    drop(producer);
    let mut got = Vec::new();
    loop {
        match consumer.pop_timeout(Duration::from_micros(700)) {
            Ok(item) => got.push(item),
            Err(PopTimeoutError::Timeout) => {}
            Err(PopTimeoutError::Closed) => break,
            Err(error) => panic!("{error}"),
        }
    }
    producers
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    got.sort_unstable();
    assert!(got.into_iter().eq(0..8 * EACH));
}

/// Each thread pushes one item, and hands its end to the next that it starts.
fn handed_down_from_thread_to_thread<K: Kind>() {
    fn hand_down(push: impl Fn(u32) + Send + 'static, n: u32) {
        push(n);
        if n < 9 {
            thread::spawn(move || hand_down(push, n + 1));
        }
    }
    let (producer, consumer) = K::bounded::<u32>(1).into_ends();
    thread::spawn(move || hand_down(move |n| producer.push(n).unwrap(), 0));
    assert!(consumer.into_iter().eq(0..10));
}

/// A request carries the queue for its reply.
fn replies_in_the_request<K: Local>() {
    let requests = K::any::<(u32, K::Any<u32>)>(Some(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            for (n, replies) in requests.iter() {
                replies.push(n * n).unwrap();
            }
        });
        for n in 0..50 {
            let replies = K::any(Some(1));
            assert!(requests.push((n, replies.clone())).is_ok());
            assert_eq!(replies.pop(), Ok(n * n));
        }
        requests.close();
    });
}

/// The item is popped, handed back, or dropped with the queue: once.
fn the_last_item_meets_the_end<K: Local>() {
    for _ in 0..200 {
        let gone = Arc::new(AtomicUsize::new(0));
        let (producer, consumer) = K::any::<Counted>(Some(1)).into_ends();
        let item = Counted(gone.clone());
        let pushes = thread::spawn(move || drop(producer.push(item)));
        drop(consumer);
        pushes.join().unwrap();
        assert_eq!(gone.load(Ordering::Relaxed), 1);
    }
}

/// A hundred thousand items left behind are dropped without a stack as deep.
fn many_at_once<K: Local>() {
    let queue = K::any::<Box<u32>>(None);
    for n in 0..100_000 {
        queue.push(Box::new(n)).unwrap();
    }
    assert_eq!(queue.len(), 100_000);
    let half = queue.try_iter().take(50_000).last();
    assert_eq!(half.as_deref(), Some(&49_999));
    drop(queue);
    let queue = K::any::<()>(Some(10_000));
    (0..10_000).for_each(|_| queue.try_push(()).unwrap());
    assert!(queue.try_push(()).is_err());
    assert_eq!(queue.try_iter().count(), 10_000);
}
