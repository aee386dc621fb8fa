//! Models of permits: places that are held, given back, and passed on.
//!
//! What a model catches was tried by making the change that is named.
#![cfg(loom)]

use loom::future::block_on;
use queue_async::{AsyncQueue, PopError, Queue};
use queue_core::event::Listen;
use queue_core::model::check;
use queue_core::sync::{Deadline, thread};
use queue_core::{Kind, Side};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

/// A permit is dropped while two wait for its place, of whom one gives up after a poll.
/// Catches: a held place that goes with the one who leaves; one who left still in line.
#[test]
fn dropped() {
    check("async_permit_dropped", Some(3), || {
        let queue = AsyncQueue::bounded(1);
        let permit = queue.try_reserve().unwrap();
        let other = queue.clone();
        let quitter = thread::spawn(move || {
            let cx = &mut Context::from_waker(Waker::noop());
            let _ = pin!(other.reserve_async()).poll(cx).is_ready();
        });
        let other = queue.clone();
        let producer = thread::spawn(move || block_on(other.push_async(1)).unwrap());
        drop(permit);
        assert_eq!(queue.pop(), Ok(1));
        quitter.join().unwrap();
        producer.join().unwrap();
        assert!(!queue.is_full());
    });
}

/// A permit is used while two wait behind it: a push that gives up after a poll, and one that
/// does not. Catches: an item that goes in before its future is ready; a held place that goes
/// with the one who leaves.
#[test]
fn used_beside_a_cancelled_push() {
    check("async_permit_used_beside_a_cancelled_push", Some(3), || {
        let queue = AsyncQueue::bounded(1);
        let permit = queue.try_reserve().unwrap();
        let other = queue.clone();
        let quitter = thread::spawn(move || {
            let cx = &mut Context::from_waker(Waker::noop());
            pin!(other.push_async(1)).poll(cx).is_ready()
        });
        let other = queue.clone();
        let producer = thread::spawn(move || block_on(other.push_async(2)).unwrap());
        permit.push(0).unwrap();
        let mut got = vec![queue.pop().unwrap()];
        while got.last() != Some(&2) {
            got.push(queue.pop().unwrap());
        }
        let pushed = quitter.join().unwrap();
        producer.join().unwrap();
        got.extend(queue.try_iter());
        let ones = got.iter().filter(|item| **item == 1).count();
        assert_eq!(
            (ones, got.len()),
            (usize::from(pushed), 2 + usize::from(pushed))
        );
        assert!(!queue.is_full());
    });
}

/// Two permits in a queue of one place, used in turn. Catches: places that are held given
/// away.
#[test]
fn in_turn() {
    check("async_permit_in_turn", Some(3), || {
        let queue = AsyncQueue::bounded(1);
        let producers = [1, 2].map(|item| {
            let queue = queue.clone();
            thread::spawn(move || {
                let permit = block_on(queue.reserve_async()).unwrap();
                assert!(queue.len() == 0, "a place that is held is empty");
                permit.push(item).unwrap();
            })
        });
        let got = queue.pop().unwrap() + queue.pop().unwrap();
        assert_eq!(got, 3);
        for producer in producers {
            producer.join().unwrap();
        }
    });
}

/// The queue closes while a permit is out and another waits for one. Catches: a close that
/// sends no pusher away, or serves no popper.
#[test]
fn closed() {
    check("async_permit_closed", Some(3), || {
        let queue = AsyncQueue::bounded(1);
        let other = queue.clone();
        let producer = thread::spawn(move || match block_on(other.reserve_async()) {
            Ok(permit) => permit.push(1).is_ok(),
            Err(_) => false,
        });
        let other = queue.clone();
        let waiting = thread::spawn(move || other.reserve().is_ok());
        let other = queue.clone();
        let closer = thread::spawn(move || other.close());
        let mut got = 0;
        let end = loop {
            match queue.pop() {
                Ok(_) => got += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(end, PopError::Closed);
        assert!(closer.join().unwrap());
        let pushed = producer.join().unwrap();
        waiting.join().unwrap();
        assert_eq!(got == 1, pushed, "Closed while an accepted item remained");
    });
}

/// Those who only listen, in both lines, beside those who take: nobody's turn is lost
/// with a listener that is dropped. Catches: a change that concerns nobody.
#[test]
fn listeners() {
    check("async_listeners", Some(3), || {
        let queue = AsyncQueue::bounded(1);
        queue.try_push(1).unwrap();
        let other = queue.clone();
        let listener =
            thread::spawn(move || assert!(other.listen(Side::Producers).wait(Deadline::NEVER)));
        let other = queue.clone();
        let producer = thread::spawn(move || block_on(other.push_async(2)).unwrap());
        drop(queue.listen(Side::Consumers));
        assert_eq!(queue.pop(), Ok(1));
        assert_eq!(queue.pop(), Ok(2));
        listener.join().unwrap();
        producer.join().unwrap();
        assert!(queue.try_push(3).is_ok());
    });
}
