//! Permits: places that are held before there is an item for them.
#![cfg(not(loom))]

use queue_async::{AsyncQueue, Queue, TryPopError, TryPushError};
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
