//! [`AsyncQueue`]: the async channel of the queue family, fair and cancel-safe, on any
//! executor.
//!
//! ```
//! use queue_async::{AsyncQueue, Queue};
//! use std::time::Duration;
//! use tokio::time::timeout;
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let queue = AsyncQueue::bounded(16);
//! queue.push_async("hello").await.unwrap();
//! assert_eq!(queue.pop_async().await.unwrap(), "hello");
//!
//! // It has no timer of its own: the runtime's cancels the future, and nothing is lost.
//! let waiting = timeout(Duration::from_millis(10), queue.pop_async());
//! assert!(waiting.await.is_err());
//! # });
//! ```
//!
//! # When to use it
//!
//! * Between async tasks, from two to tens of thousands of them.
//! * Where nobody may starve: who waits is served in the order it came.
//! * Where producers are cancelled: [`AsyncQueue::reserve_async`] gives a [`Permit`], a
//!   slot that is held before the item is made.
//! * Between tasks and threads: the blocking verbs stand in the same line.
//!
//! # When not
//!
//! * Between threads alone `ThreadQueue` and `LockFreeQueue` (of the crate
//!   `queue-thread`) are faster; between processes there is the crate `queue-process`.
//! * Do not call a blocking verb inside a task: it blocks the executor's thread.
//! * Not for what wakers themselves report by (instrumented ones, say): a task's waker is
//!   cloned under the queue's lock, and a `clone` that acts on this very queue never ends.
//!
//! # The line
//!
//! Everything that waits (futures, streams, batches, permits, blocking verbs with and
//! without a timeout) stands in one of two lines, for items or for slots, in the order
//! it came:
//!
//! * As many of the first as there are items are told that their turn has come. The item
//!   stays in the queue until it is taken, so cancelling a waiter can neither lose an
//!   item nor put it out of order; its turn goes to the next.
//! * Whoever frees a slot holds it for the first that waits for one, so that no newcomer
//!   takes it. A task that pushes keeps its item until then: cancelled, it has not pushed, and
//!   the slot goes to the next. (For a thread, which cannot be cancelled, the item is pushed
//!   at once by whoever frees the slot.)
//! * One who comes new is served at once if there are more items than waiters, else it
//!   lines up. So a busy consumer does not stop for every item, and overtakes nobody.
//! * A `try_` verb never lines up: it takes what there is, past all who wait, and so does
//!   a pop whose time runs out. Whoever they overtake keeps its position.
//! * A batch takes what it can get at once, but leaves one to each waiter whose turn has
//!   come.
//! * Closing dissolves both lines: everybody wakes and takes what is left, then finds the
//!   queue closed.
//!
//! A future that is neither polled nor dropped stays in its position. Once its turn has come
//! one item, or slot, waits with it, and those behind it share the others.
//!
//! Every step is O(1), with ten thousand waiters too, and waiting allocates nothing once
//! the line has been as long before. Memory that a burst of items or waiters took is
//! given back.
//!
//! # Features
//!
//! * `tokio`: takes part in tokio's cooperative budget, so that a task that always finds
//!   the queue ready still lets its neighbours run, some 250 microseconds later (32 where
//!   there is one worker). Without it no runtime is linked in. Leave it off where you build
//!   with `--cfg loom`: tokio gives that a meaning of its own, and does not build so.
//!
//! # Model checking
//!
//! Built with `--cfg loom` the queue is a model of itself, and can stand in the model of
//! a crate that uses it.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg), doc(auto_cfg(hide(loom))))]

/// The code of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod consumer_list;
mod future;
mod joiner_list;
mod lending;
mod permit;
mod producer_list;
mod queue;
mod shared;
mod state;
mod turn;
mod wait_for_item;
mod wait_for_slot;
mod wake;

pub use permit::Permit;
pub use queue::AsyncQueue;
pub use turn::Turn;

pub use queue_core::{
    Activity, Capacity, Consumer, Delivery, Failure, FailureKind, IntoItemSink, IntoItemStream,
    IntoResultStream, ItemSink, ItemStream, Metered, PopError, PopTimeoutError, Producer,
    PushError, PushTimeoutError, Queue, ResultStream, Select, Side, Stats, TryPopError,
    TryPushError, Waits, WithCapacity, WorkQueue, dynamic, iter, pop_any, pop_any_async,
    pop_any_timeout, receive_any, receive_any_async, receive_any_timeout, select,
};
