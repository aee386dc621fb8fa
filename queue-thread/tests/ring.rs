//! `LockFreeQueue`'s ring, by itself: laps, capacities, and what is left in it (and in the
//! chain of one without a bound).

#![cfg(not(loom))]

use queue_thread::{LockFreeQueue, Queue, TryPopError, TryPushError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Every capacity, a power of two or not, is exact on every lap, from every slot on.
#[test]
fn laps() {
    for capacity in 1..=9 {
        let queue = LockFreeQueue::bounded(capacity);
        let mut numbers = 0..;
        let mut expected = 0..;
        for inside in (0..=capacity).cycle().take(100) {
            while queue.len() < inside {
                queue.try_push(numbers.next().unwrap()).unwrap();
            }
            if inside == capacity {
                assert_eq!(queue.try_push(-1), Err(TryPushError::Full(-1)));
                assert!(queue.is_full());
            }
            for left in (0..inside).rev() {
                assert_eq!(queue.try_pop(), Ok(expected.next().unwrap()));
                assert_eq!(queue.len(), left);
            }
            assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
        }
    }
}

#[test]
#[should_panic(expected = "no memory")]
fn more_places_than_memory() {
    LockFreeQueue::<u64>::bounded(usize::MAX / 8);
}

/// What is left is dropped with the queue, though dropping one panics.
#[test]
fn left_inside() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Item(bool);
    impl Drop for Item {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            assert!(!self.0, "an item panics");
        }
    }
    for queue in [LockFreeQueue::bounded(4), LockFreeQueue::unbounded()] {
        DROPPED.store(0, Ordering::Relaxed);
        for panics in [false, true, false, false] {
            assert!(queue.try_push(Item(panics)).is_ok());
        }
        drop(queue.try_pop());
        assert!(catch_unwind(AssertUnwindSafe(|| drop(queue))).is_err());
        assert_eq!(DROPPED.load(Ordering::Relaxed), 4);
    }
}
