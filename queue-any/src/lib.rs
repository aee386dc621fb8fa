//! The whole family of queues in one crate, and any of them opened by a URL.
//!
//! ```
//! use queue_any::{Queue, ThreadQueue};
//!
//! type Kind<T> = ThreadQueue<T>; // The one line to change: no other, not even the `use`.
//!
//! let jobs = Kind::<u64>::bounded(16);
//! jobs.push(7).unwrap();
//! assert_eq!(jobs.pop(), Ok(7));
//! ```
//!
//! Or the kind is chosen where the program is deployed:
//!
//! ```
//! use queue_any::Queue;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let url = std::env::var("JOBS").unwrap_or("thread:?capacity=16".into());
//! let jobs = queue_any::open::<u64>(&url)?;
//! jobs.push(7)?;
//! assert_eq!(jobs.pop()?, 7);
//! # Ok(())
//! # }
//! ```
//!
//! # Addresses
//!
#![doc = include_str!("addresses.md")]
//!
//! # When to use it
//!
//! When a program may change its kind of queue, at compile time or at run time. A library that
//! takes any queue needs [`queue_core`] alone: `fn work<Q: Queue<Item = Job>>(jobs: &Q)`.
//!
//! # When not
//!
//! A [`DynQueue`] costs a virtual call for each operation, and an allocation for each future that
//! waits. It cannot be handed to a child process or sent in a message: for that name the kind.
//!
//! # Features
//!
//! `thread`, `async` and `process`, all on by default, bring in the kinds of those names, and `nats`
//! the kind between machines, which needs Rust 1.89. `tokio`:
//! futures spend tokio's cooperative budget, and let a task's neighbours run. `tracing`: a [`Metered`]
//! queue tells what is done with it.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
#[cfg(any(feature = "thread", feature = "async"))]
mod local;
#[cfg(any(
    feature = "thread",
    feature = "async",
    feature = "process",
    feature = "nats"
))]
mod mode;
#[cfg(feature = "nats")]
mod nats;
mod open;
#[cfg(feature = "process")]
mod process;
mod scheme;

pub use address::Address;
pub use open::{Item, Registry, open, remove, remove_abandoned};

#[cfg(feature = "async")]
pub use queue_async::{AsyncQueue, Permit};
pub use queue_core::dynamic::{DynQueue, WeakDynQueue};
pub use queue_core::{
    Activity, Capacity, Consumer, Delivery, Failure, FailureKind, IntoItemSink, IntoItemStream,
    IntoResultStream, ItemSink, ItemStream, Metered, PopError, PopTimeoutError, Producer,
    PushError, PushTimeoutError, Queue, ResultStream, Select, Side, Stats, TryPopError,
    TryPushError, Waits, WithCapacity, WorkQueue, dynamic, iter, pop_any, pop_any_async,
    pop_any_timeout, receive_any, receive_any_async, receive_any_timeout, select,
};
#[cfg(feature = "nats")]
pub use queue_nats::{Mode as NatsMode, NatsConnection, NatsOptions, NatsQueue};
#[cfg(feature = "process")]
pub use queue_process::{Codec, Handover, IpcQueue, Postcard, Raw};
#[cfg(all(feature = "process", target_os = "linux"))]
pub use queue_process::{PipeOptions, PipeQueue, ShmOptions, ShmQueue, named_queues};
#[cfg(feature = "thread")]
pub use queue_thread::{LockFreeQueue, ThreadQueue};

/// The README's program, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
