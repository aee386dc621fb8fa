//! All of a side are gone: by whom that is noticed, and when.
//!
//! Who is killed closes nothing, so here somebody leaves a side and says no word.

use crate::ShmQueue;
use crate::codec::Raw;
use crate::linux::engine::Platform;
use crate::linux::engine::control::End;
use queue_core::{Capacity, Queue, Side, TryPushError, WithCapacity};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

type Bytes = ShmQueue<Vec<u8>, Raw>;

const LONG: Duration = Duration::from_secs(20);

fn desert(queue: &Bytes, side: Side) {
    queue.shared.engine.platform().leave(side);
}

/// The coarse clock is late by as much as this.
fn until_it_is_time_to_look() {
    thread::sleep(crate::linux::wait::RECHECK_INTERVAL);
}

#[test]
fn who_is_woken_again_and_again_while_waiting() {
    for side in [Side::Producers, Side::Consumers] {
        let queue = Bytes::try_with_capacity(Capacity::bounded(1)).unwrap();
        // Those who are left are the other side; who waits for its end to move sleeps here.
        let (waits, end) = match side {
            Side::Producers => (Side::Consumers, End::Tail),
            Side::Consumers => (Side::Producers, End::Head),
        };
        let half = Bytes::half(&queue, waits).unwrap();
        if waits == Side::Producers {
            half.try_push(vec![]).unwrap();
        }
        let noticed = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                match waits {
                    Side::Consumers => assert!(half.pop_timeout(LONG).unwrap_err().is_closed()),
                    Side::Producers => {
                        let refused = half.push_timeout(vec![], LONG).unwrap_err();
                        assert!(refused.is_closed());
                    }
                }
                noticed.store(true, Ordering::Relaxed);
            });
            let begun = Instant::now();
            let linux = queue.shared.engine.platform();
            let word = &linux.control().end(end).wake_seq;
            while !noticed.load(Ordering::Relaxed) {
                if begun.elapsed() > Duration::from_millis(50) {
                    desert(&queue, side);
                }
                // As a signal does: it ends the sleep, and nothing has come.
                linux.wake(word, u32::MAX);
                thread::sleep(Duration::from_millis(2));
                if begun.elapsed() > LONG / 2 {
                    // So that the test ends.
                    queue.close();
                    panic!("nobody looked for the dead of {side:?}");
                }
            }
        });
    }
}

#[test]
fn who_pushes_to_several_queues_in_turn() {
    for count in [1, 2, 3, 16] {
        let queues: Vec<_> = (0..count)
            .map(|_| Bytes::try_with_capacity(Capacity::Unbounded).unwrap())
            .collect();
        // They have all been looked at, and not long ago.
        for queue in queues.iter().chain(&queues) {
            assert_eq!(queue.try_push(vec![]), Ok(()));
        }
        for queue in &queues {
            desert(queue, Side::Consumers);
        }
        let begun = Instant::now();
        let open = || queues.iter().any(|queue| queue.try_push(vec![]).is_ok());
        while open() {
            let late = Instant::now() - begun;
            assert!(late < LONG, "one of {count} is never looked at");
        }
        for queue in &queues {
            assert_eq!(queue.try_push(vec![]), Err(TryPushError::Closed(vec![])));
        }
    }
}

#[test]
fn who_pushes_seldom() {
    let queue = Bytes::try_with_capacity(Capacity::Unbounded).unwrap();
    let push = || {
        until_it_is_time_to_look();
        queue.try_push(vec![])
    };
    // However many that are at once come before.
    (0..10).for_each(|_| queue.try_push(vec![]).unwrap());
    (0..16).for_each(|_| push().unwrap());
    desert(&queue, Side::Consumers);
    assert_eq!(push(), Err(TryPushError::Closed(vec![])));
}

#[test]
fn who_pushes_batches_alone() {
    let queue = Bytes::try_with_capacity(Capacity::Unbounded).unwrap();
    let push = || queue.try_push_many(&mut [vec![]].into());
    assert_eq!(push(), Ok(1));
    desert(&queue, Side::Consumers);
    until_it_is_time_to_look();
    assert_eq!(push(), Err(TryPushError::Closed(())));
}

#[test]
fn who_only_asks_whether_it_is_closed() {
    let queue = Bytes::try_with_capacity(Capacity::Unbounded).unwrap();
    assert!(!queue.is_closed());
    desert(&queue, Side::Consumers);
    until_it_is_time_to_look();
    assert!(queue.is_closed());
}
