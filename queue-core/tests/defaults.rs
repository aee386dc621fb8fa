//! What the trait makes of a kind that gives no more than it must.

#![cfg(not(loom))]

use queue_core::event::{Event, Listener};
use queue_core::{
    EndpointCounts, Failure, FailureKind, Kind, PopTimeoutError, PushTimeoutError, Queue, Side,
    TryPopError, TryPushError,
};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Up to `capacity` items. A 0 fails as it comes out, and is gone; a 255 fails and stays; a
/// 254 is on its way for ever.
#[derive(Default)]
struct Least {
    items: Mutex<VecDeque<u8>>,
    capacity: Option<usize>,
    closed: AtomicBool,
    tries: AtomicUsize,
    came: Event,
    endpoints: EndpointCounts,
}

impl Least {
    fn holding(items: &[u8], capacity: Option<usize>) -> Self {
        Self {
            items: Mutex::new(items.iter().copied().collect()),
            capacity,
            ..Self::default()
        }
    }

    fn items(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.items.lock().unwrap()
    }
}

impl Kind for Least {
    type Item = u8;
    type Listener<'a> = Listener<'a>;

    fn endpoints(&self) -> &EndpointCounts {
        &self.endpoints
    }

    fn listen(&self, side: Side) -> Listener<'_> {
        match side {
            Side::Consumers => self.came.listen(),
            Side::Producers => self.came.listen(),
        }
    }
}

impl Queue for Least {
    fn try_push(&self, item: u8) -> Result<(), TryPushError<u8>> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        if self.is_full() {
            return Err(TryPushError::Full(item));
        }
        self.items().push_back(item);
        Ok(())
    }

    fn try_pop(&self) -> Result<u8, TryPopError> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        let mut items = self.items();
        let failed = || TryPopError::Failed(Failure::new(FailureKind::Codec, "no"));
        match items.pop_front() {
            Some(0) => Err(failed()),
            Some(255) => {
                items.push_front(255);
                Err(failed())
            }
            Some(254) => {
                items.push_front(254);
                Err(TryPopError::Empty)
            }
            Some(item) => Ok(item),
            None if self.is_closed() => Err(TryPopError::Closed),
            None => Err(TryPopError::Empty),
        }
    }

    fn len(&self) -> usize {
        self.items().len()
    }

    fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    fn close(&self) -> bool {
        !self.closed.swap(true, Ordering::Relaxed)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

#[test]
fn a_ready_hint_is_how_much_there_is_to_do() {
    let ready_hint =
        |queue: &Least| [Side::Consumers, Side::Producers].map(|side| queue.ready_hint(side));
    let queue = Least::holding(&[1, 2], Some(7));
    assert_eq!(ready_hint(&queue), [2, 5]);
    queue.close();
    assert_eq!(ready_hint(&queue), [usize::MAX; 2]);
    assert_eq!(ready_hint(&Least::holding(&[1], None)), [1, usize::MAX]);
}

#[test]
fn closing_takes_what_comes_out_and_skips_what_does_not() {
    let queue = Least::holding(&[1, 0, 2, 0], None);
    assert_eq!(queue.close_now(), [1, 2]);
    assert!(queue.is_closed());
    let queue = Least::holding(&[1, 255, 2], None);
    assert_eq!(queue.close_now(), [1], "the rest does not come out");
}

#[test]
fn a_batch_says_how_many_and_fails_only_if_its_first_item_does() {
    let queue = Least::holding(&[1], Some(3));
    let mut items = VecDeque::from([2, 3, 4]);
    assert_eq!(queue.try_push_many(&mut items), Ok(2));
    assert_eq!(queue.try_push_many(&mut items), Err(TryPushError::Full(())));
    assert_eq!(items, [4]);
    let mut got = Vec::new();
    assert_eq!(queue.try_pop_many(&mut got, 2), Ok(2));
    assert_eq!(queue.try_pop_many(&mut got, 2), Ok(1));
    assert_eq!(queue.try_pop_many(&mut got, 2), Err(TryPopError::Empty));
    assert_eq!(got, [1, 2, 3]);
    let queue = Least::holding(&[1, 0, 2], None);
    assert_eq!(queue.try_pop_many(&mut got, 9), Ok(1));
    assert_eq!(queue.try_pop_many(&mut got, 9), Ok(1));
    let failed = Least::holding(&[0, 2], None).try_pop_many(&mut got, 9);
    assert!(matches!(failed, Err(TryPopError::Failed(_))));
}

#[test]
fn no_time_at_all_is_one_try() {
    let queue = Least::holding(&[1], Some(1));
    let refused = queue.push_timeout(2, Duration::ZERO);
    assert_eq!(refused, Err(PushTimeoutError::Timeout(2)));
    assert_eq!(queue.tries.load(Ordering::Relaxed), 1);
    let queue = Least::default();
    let popped = queue.pop_timeout(Duration::ZERO);
    assert_eq!(popped, Err(PopTimeoutError::Timeout));
    assert_eq!(queue.tries.load(Ordering::Relaxed), 1);
    let popped = queue.pop_many_timeout(&mut Vec::new(), 9, Duration::ZERO);
    assert_eq!(popped, Err(PopTimeoutError::Timeout));
    assert_eq!(queue.tries.load(Ordering::Relaxed), 2);
}

#[test]
fn time_is_up_though_there_seems_to_be_something() {
    let queue = Least::holding(&[254], None);
    let popped = queue.pop_timeout(Duration::from_millis(1));
    assert_eq!(popped, Err(PopTimeoutError::Timeout));
}

#[test]
fn a_future_pushes_once_a_slot_has_come() {
    let queue = Least::holding(&[1], Some(1));
    let cx = &mut Context::from_waker(Waker::noop());
    let mut push = pin!(queue.push_async(2));
    assert!(push.as_mut().poll(cx).is_pending());
    assert_eq!(queue.try_pop(), Ok(1));
    queue.came.notify();
    assert_eq!(push.poll(cx), Poll::Ready(Ok(())));
    assert_eq!(queue.close_now(), [2]);
}

#[test]
fn the_last_end_closes() {
    let queue = Least::default();
    queue.on_first_endpoint(Side::Producers);
    assert!(!queue.is_closed());
    queue.on_last_endpoint(Side::Producers);
    assert!(queue.is_closed());
}
