//! Every verb under one face, so that a clause can try them all alike.

use super::executor::block_on;
use crate::{
    Failure, PopError, PopTimeoutError, PushError, PushTimeoutError, Queue, TryPopError,
    TryPushError,
};
use futures_sink::Sink;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

/// So long that nobody waits for it.
pub(super) const LONG: Duration = Duration::from_secs(3600);

/// Why a verb did not do it.
#[derive(Debug)]
pub(super) enum Refusal {
    /// `Full` or `Empty`.
    NotNow,
    Timeout,
    Closed,
    #[allow(dead_code)] // Read by `Debug`, in the message of a failure.
    Failed(Failure),
}

impl Refusal {
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }

    /// Out of slots, items or time, and open.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::NotNow | Self::Timeout)
    }
}

/// Writes the verbs of one side: those that answer at once, and those that wait.
macro_rules! verbs {
    ($(#[$doc:meta])* $side:ident: $($trying:ident),+; $($waiting:ident),+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $side {
            $($trying,)+
            $($waiting,)+
        }

        impl $side {
            /// Those that answer at once.
            pub(super) const TRYING: [Self; [$(Self::$trying),+].len()] = [$(Self::$trying),+];
            /// Those that wait.
            pub(super) const WAITING: [Self; [$(Self::$waiting),+].len()] = [$(Self::$waiting),+];

            /// All of them.
            pub(super) fn all() -> impl Iterator<Item = Self> + Clone {
                Self::TRYING.into_iter().chain(Self::WAITING)
            }
        }
    };
}

verbs! {
    /// A way to push one item.
    Push: Try, Zero, Past, TryMany;
    Plain, Timeout, Deadline, Forever, Future, Many, ManyFuture, Sink
}

verbs! {
    /// A way to pop one item.
    Pop: Try, Zero, Past, TryMany, ManyZero;
    Plain, Timeout, Deadline, Forever, Future, Many, ManyTimeout, ManyFuture, Iter, Stream
}

impl Push {
    /// Pushes `item`, and gives it back with the reason where that failed.
    pub(super) fn run<T: Send, Q: Queue<Item = T>>(
        self,
        queue: &Q,
        item: T,
    ) -> Result<(), (T, Refusal)> {
        match self {
            Self::Try => queue.try_push(item).map_err(|error| match error {
                TryPushError::Full(item) => (item, Refusal::NotNow),
                TryPushError::Closed(item) => (item, Refusal::Closed),
                TryPushError::Failed(item, failure) => (item, Refusal::Failed(failure)),
            }),
            Self::Zero => timed(queue.push_timeout(item, Duration::ZERO)),
            Self::Past => timed(queue.push_deadline(item, past())),
            Self::Timeout => timed(queue.push_timeout(item, LONG)),
            Self::Deadline => timed(queue.push_deadline(item, Instant::now() + LONG)),
            Self::Forever => timed(queue.push_timeout(item, Duration::MAX)),
            Self::Plain => without_timeout(queue.push(item)),
            Self::Future => without_timeout(block_on(queue.push_async(item))),
            Self::TryMany => one(item, |items| match queue.try_push_many(items) {
                Ok(count) => {
                    assert_eq!(count, 1, "try_push_many of one item counts {count}");
                    Ok(())
                }
                Err(TryPushError::Full(())) => Err(Refusal::NotNow),
                Err(TryPushError::Closed(())) => Err(Refusal::Closed),
                Err(TryPushError::Failed((), failure)) => Err(Refusal::Failed(failure)),
            }),
            Self::Many => one(item, |items| many(queue.push_many(items))),
            Self::ManyFuture => one(item, |items| many(block_on(queue.push_many_async(items)))),
            Self::Sink => without_timeout(block_on(send(queue.sink(), item))),
        }
    }
}

/// Sends `item` into `sink`, and waits until it is in.
pub(super) async fn send<T, K: Sink<T> + Unpin>(mut sink: K, item: T) -> Result<(), K::Error> {
    poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx)).await?;
    Pin::new(&mut sink).start_send(item)?;
    poll_fn(|cx| Pin::new(&mut sink).poll_flush(cx)).await
}

fn timed<T>(result: Result<(), PushTimeoutError<T>>) -> Result<(), (T, Refusal)> {
    result.map_err(|error| match error {
        PushTimeoutError::Timeout(item) => (item, Refusal::Timeout),
        PushTimeoutError::Closed(item) => (item, Refusal::Closed),
        PushTimeoutError::Failed(item, failure) => (item, Refusal::Failed(failure)),
    })
}

fn without_timeout<T>(result: Result<(), PushError<T>>) -> Result<(), (T, Refusal)> {
    result.map_err(|error| match error {
        PushError::Closed(item) => (item, Refusal::Closed),
        PushError::Failed(item, failure) => (item, Refusal::Failed(failure)),
    })
}

fn many(result: Result<(), PushError<()>>) -> Result<(), Refusal> {
    without_timeout(result).map_err(|((), refusal)| refusal)
}

/// A batch of one.
fn one<T>(
    item: T,
    push: impl FnOnce(&mut VecDeque<T>) -> Result<(), Refusal>,
) -> Result<(), (T, Refusal)> {
    let mut items = VecDeque::from([item]);
    match push(&mut items) {
        Ok(()) => {
            assert!(items.is_empty(), "a batch that went in is left behind");
            Ok(())
        }
        Err(refusal) => {
            let item = items
                .pop_front()
                .expect("a batch that did not go in is left");
            Err((item, refusal))
        }
    }
}

impl Pop {
    /// Pops one item.
    pub(super) fn run<T: Send, Q: Queue<Item = T>>(self, queue: &Q) -> Result<T, Refusal> {
        match self {
            Self::Try => tried(queue.try_pop()),
            Self::Zero => clocked(queue.pop_timeout(Duration::ZERO)),
            Self::Past => clocked(queue.pop_deadline(past())),
            Self::Timeout => clocked(queue.pop_timeout(LONG)),
            Self::Deadline => clocked(queue.pop_deadline(Instant::now() + LONG)),
            Self::Forever => clocked(queue.pop_timeout(Duration::MAX)),
            Self::Plain => waited(queue.pop()),
            Self::Future => waited(block_on(queue.pop_async())),
            Self::TryMany => single(|into| tried(queue.try_pop_many(into, 1))),
            Self::ManyZero => {
                single(|into| clocked(queue.pop_many_timeout(into, 1, Duration::ZERO)))
            }
            Self::Many => single(|into| waited(queue.pop_many(into, 1))),
            Self::ManyTimeout => single(|into| clocked(queue.pop_many_timeout(into, 1, LONG))),
            Self::ManyFuture => single(|into| waited(block_on(queue.pop_many_async(into, 1)))),
            Self::Iter => {
                let next = queue.results().next();
                next.map_or(Err(Refusal::Closed), |item| item.map_err(Refusal::Failed))
            }
            Self::Stream => {
                let mut stream = pin!(queue.results_stream());
                let next = block_on(poll_fn(|cx| {
                    futures_core::Stream::poll_next(stream.as_mut(), cx)
                }));
                next.map_or(Err(Refusal::Closed), |item| item.map_err(Refusal::Failed))
            }
        }
    }
}

fn tried<R>(result: Result<R, TryPopError>) -> Result<R, Refusal> {
    result.map_err(|error| match error {
        TryPopError::Empty => Refusal::NotNow,
        TryPopError::Closed => Refusal::Closed,
        TryPopError::Failed(failure) => Refusal::Failed(failure),
    })
}

fn clocked<R>(result: Result<R, PopTimeoutError>) -> Result<R, Refusal> {
    result.map_err(|error| match error {
        PopTimeoutError::Timeout => Refusal::Timeout,
        PopTimeoutError::Closed => Refusal::Closed,
        PopTimeoutError::Failed(failure) => Refusal::Failed(failure),
    })
}

fn waited<R>(result: Result<R, PopError>) -> Result<R, Refusal> {
    result.map_err(|error| match error {
        PopError::Closed => Refusal::Closed,
        PopError::Failed(failure) => Refusal::Failed(failure),
    })
}

/// A batch of one.
fn single<T>(pop: impl FnOnce(&mut Vec<T>) -> Result<usize, Refusal>) -> Result<T, Refusal> {
    let mut into = Vec::new();
    let count = pop(&mut into)?;
    assert_eq!(count, 1, "a batch of one counts {count}");
    assert_eq!(into.len(), 1, "a batch of one gave {} items", into.len());
    Ok(into.remove(0))
}

/// A deadline that has passed, as far as the clock goes back.
fn past() -> Instant {
    let now = Instant::now();
    now.checked_sub(Duration::from_secs(1)).unwrap_or(now)
}
