//! What a thread waits for may come as its time runs out, without a word: it tries one last
//! time.

#![cfg(not(loom))]

use futures_core::Stream;
use queue_core::event::Listen;
use queue_core::sync::Deadline;
use queue_core::{
    EndpointCounts, Failure, FailureKind, Kind, PopTimeoutError, PushTimeoutError, Queue, Side,
    TryPopError, TryPushError,
};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// One slot. Whoever waits hears nothing, but when its time is up what it waited for has
/// come.
#[derive(Default)]
struct Late {
    item: Mutex<Option<u8>>,
    /// If not zero: how often somebody may try in vain, though there seems to be something.
    teases: AtomicUsize,
    endpoints: EndpointCounts,
}

impl Late {
    fn holding(item: Option<u8>) -> Self {
        let queue = Self::default();
        queue.with(|slot| *slot = item);
        queue
    }

    /// Whether there only seems to be something.
    fn teases(&self) -> bool {
        match self.teases.load(Ordering::Relaxed) {
            0 => false,
            1 => panic!("who finds nothing tries for ever"),
            left => {
                self.teases.store(left - 1, Ordering::Relaxed);
                true
            }
        }
    }

    fn with<R>(&self, change: impl FnOnce(&mut Option<u8>) -> R) -> R {
        change(&mut self.item.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Waiter<'a>(&'a Late, Side);

impl Listen for Waiter<'_> {
    fn wait(self, _: Deadline) -> bool {
        self.0.with(|slot| match self.1 {
            Side::Consumers => *slot = Some(7),
            Side::Producers => *slot = None,
        });
        false
    }
}

impl Future for Waiter<'_> {
    type Output = ();
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Kind for Late {
    type Item = u8;
    type Listener<'a> = Waiter<'a>;

    fn ready_hint(&self, _: Side) -> usize {
        usize::from(self.teases.load(Ordering::Relaxed) != 0)
    }

    fn endpoints(&self) -> &EndpointCounts {
        &self.endpoints
    }

    fn listen(&self, side: Side) -> Waiter<'_> {
        match side {
            Side::Consumers => Waiter(self, Side::Consumers),
            Side::Producers => Waiter(self, Side::Producers),
        }
    }
}

impl Queue for Late {
    fn try_push(&self, item: u8) -> Result<(), TryPushError<u8>> {
        if self.teases() {
            return Err(TryPushError::Full(item));
        }
        self.with(|slot| match slot {
            Some(_) => Err(TryPushError::Full(item)),
            None => {
                *slot = Some(item);
                Ok(())
            }
        })
    }

    fn try_pop(&self) -> Result<u8, TryPopError> {
        if self.teases() {
            return Err(TryPopError::Empty);
        }
        self.with(Option::take).ok_or(TryPopError::Empty)
    }

    fn len(&self) -> usize {
        self.with(|slot| usize::from(slot.is_some()))
    }

    fn capacity(&self) -> Option<usize> {
        Some(4) // A task that waits for the only slot does not look.
    }

    fn close(&self) -> bool {
        unreachable!("nobody closes it")
    }

    fn is_closed(&self) -> bool {
        false
    }
}

#[test]
fn a_thread_whose_time_is_up_tries_once_more() {
    for time in [1, 1_000_000].map(Duration::from_nanos) {
        assert_eq!(Late::holding(None).pop_timeout(time), Ok(7));
        let queue = Late::holding(Some(1));
        assert_eq!(queue.push_timeout(2, time), Ok(()));
        assert_eq!(queue.try_pop(), Ok(2));
    }
}

/// What seems to be there may be somebody else's by then, time and again.
#[test]
fn a_thread_whose_time_is_up_does_not_look_for_more() {
    let queue = Late::default();
    queue.teases.store(2_000_000, Ordering::Relaxed);
    let brief = Duration::from_millis(1);
    assert_eq!(queue.pop_timeout(brief), Err(PopTimeoutError::Timeout));
    assert_eq!(
        queue.push_timeout(1, brief),
        Err(PushTimeoutError::Timeout(1))
    );
}

/// The same for a task, within one poll.
#[test]
fn a_task_that_looks_in_vain_waits() {
    let queue = Late::default();
    let teased_is_pending = |future: Pin<&mut dyn Future<Output = ()>>| {
        queue.teases.store(10, Ordering::Relaxed);
        let polled = future.poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending() && queue.teases.load(Ordering::Relaxed) < 9);
    };
    teased_is_pending(pin!(async { drop(queue.pop_async().await) }));
    teased_is_pending(pin!(async { drop(queue.push_async(1).await) }));
    let mut items = VecDeque::from([1]);
    teased_is_pending(pin!(async {
        drop(queue.push_many_async(&mut items).await)
    }));
    let mut stream = pin!(queue.stream());
    teased_is_pending(pin!(async {
        poll_fn(|cx| stream.as_mut().poll_next(cx)).await;
    }));
}

/// A queue whose tries fail, and which has what one waits for in time.
struct Away(FailureKind, Late);

impl Away {
    fn failure(&self) -> Failure {
        Failure::new(self.0, "away")
    }
}

impl Kind for Away {
    type Item = u8;
    type Listener<'a> = Waiter<'a>;

    fn endpoints(&self) -> &EndpointCounts {
        self.1.endpoints()
    }

    fn listen(&self, side: Side) -> Waiter<'_> {
        self.1.listen(side)
    }
}

impl Queue for Away {
    fn try_push(&self, item: u8) -> Result<(), TryPushError<u8>> {
        Err(TryPushError::Failed(item, self.failure()))
    }

    fn try_pop(&self) -> Result<u8, TryPopError> {
        Err(TryPopError::Failed(self.failure()))
    }

    fn push_until(&self, item: u8, deadline: Deadline) -> Result<(), PushTimeoutError<u8>> {
        self.1.push_until(item, deadline)
    }

    fn pop_until(&self, deadline: Deadline) -> Result<u8, PopTimeoutError> {
        self.1.pop_until(deadline)
    }

    fn len(&self) -> usize {
        self.1.len()
    }

    fn capacity(&self) -> Option<usize> {
        self.1.capacity()
    }

    fn close(&self) -> bool {
        self.1.close()
    }

    fn is_closed(&self) -> bool {
        self.1.is_closed()
    }
}

/// A server that is away may be back in time; nothing else that fails gets better by waiting.
#[test]
fn who_has_time_waits_for_a_failure_that_may_pass() {
    let brief = Duration::from_millis(1);
    let away = Away(FailureKind::Unavailable, Late::default());
    assert_eq!(away.push_timeout(3, brief), Ok(()));
    assert_eq!(away.pop_timeout(brief), Ok(3));
    let broken = Away(FailureKind::Io, Late::holding(Some(4)));
    for (queue, time) in [(&away, Duration::ZERO), (&broken, brief)] {
        let pushed = queue.push_timeout(3, time);
        assert!(matches!(pushed, Err(PushTimeoutError::Failed(3, _))));
        let popped = queue.pop_timeout(time);
        assert!(matches!(popped, Err(PopTimeoutError::Failed(_))));
    }
}
