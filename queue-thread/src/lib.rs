//! FIFO queues between threads, for blocking code and futures alike.
//!
//! | kind | is | take it |
//! |---|---|---|
//! | [`ThreadQueue`] | two locks and two deques | by default |
//! | [`LockFreeQueue`] | a ring of slots without a lock; unbounded, `crossbeam-queue`'s list | for single items through a bounded queue, however many threads |
//!
//! Both are bounded or unbounded, for any number of producers and consumers, and keep
//! every promise of [`Queue`]. Of `unsafe` code there are a few lines, all of them in
//! `LockFreeQueue`: in its two storages and its handle.
//!
//! ```
//! use queue_thread::{Queue, ThreadQueue};
//!
//! let jobs = ThreadQueue::bounded(64);
//! let (producer, consumer) = jobs.into_ends();
//! let worker = std::thread::spawn(move || consumer.iter().sum::<u64>());
//! for n in 1..=1000 {
//!     producer.push(n).unwrap();
//! }
//! drop(producer); // the last producer: the queue closes, the worker drains it
//! assert_eq!(worker.join().unwrap(), 500_500);
//! ```
//!
//! # When not
//!
//! * Thousands of *tasks* that wait on one queue and must be served in turn:
//!   `AsyncQueue` of `queue-async`. (A few tasks are fine here.)
//! * Other processes: `queue-process`. Moving there is a change of one line.

#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg), doc(auto_cfg(hide(loom))))]

/// The code of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod lock_free;
mod thread;

pub use lock_free::LockFreeQueue;
pub use queue_core::{
    Activity, Capacity, Consumer, Delivery, Failure, FailureKind, IntoItemSink, IntoItemStream,
    IntoResultStream, ItemSink, ItemStream, Metered, PopError, PopTimeoutError, Producer,
    PushError, PushTimeoutError, Queue, ResultStream, Select, Side, Stats, TryPopError,
    TryPushError, Waits, WithCapacity, WorkQueue, dynamic, iter, pop_any, pop_any_async,
    pop_any_timeout, receive_any, receive_any_async, receive_any_timeout, select,
};
pub use thread::ThreadQueue;
