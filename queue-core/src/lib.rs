//! One trait for a FIFO queue, between threads, async tasks, processes and machines.
//!
//! Programs are written against the trait [`Queue`]. A *kind* is a type that implements it. Code that
//! compiles against one kind compiles against every kind, and does the same thing:
//!
//! | kind | crate | between |
//! |---|---|---|
//! | `ThreadQueue`, `LockFreeQueue` | `queue-thread` | threads |
//! | `AsyncQueue` | `queue-async` | tasks |
//! | `PipeQueue`, `ShmQueue`, `IpcQueue` | `queue-process` | processes |
//! | `NatsQueue` | `queue-nats` | machines |
//!
//! # When to use this crate directly
//!
//! * To write code that works with any kind: bound it by [`Queue`], and by [`WithCapacity`]
//!   if it builds queues too.
//! * To choose a kind at run time: [`dynamic::DynQueue`].
//! * To count what is done with a queue, and to have `tracing` told: [`Metered`].
//! * To wait for several queues at once: [`select`], which the kinds' crates export too.
//! * To write a kind: [`Queue`] says how, [`event`] has the waiting and [`waiters`] its parts, and
//!   the module `contract` (feature `contract`) tests that it keeps the promises.
//!
//! To just use a queue, take the kind's own crate. It exports what you need from here.
//!
//! # When not
//!
//! For a one-shot reply, a broadcast to all consumers, or a priority queue: these are other primitives,
//! and none of the kinds is one.

#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg), doc(auto_cfg(hide(loom))))]

#[cfg(all(feature = "contract", not(loom)))]
pub mod contract;
pub mod coop;
mod create;
pub mod dynamic;
mod error;
pub mod event;
mod failure;
mod halves;
pub mod iter;
mod kind;
mod metered;
#[cfg(loom)]
pub mod model;
mod queue;
pub mod select;
mod sink;
mod stats;
mod stream;
#[allow(unsafe_code)] // In `lock.rs` and `cache_prefetch.rs` alone.
pub mod sync;
mod wait;
pub mod waiters;
pub mod work;

pub use create::{Capacity, WithCapacity, made};
pub use error::{
    PopError, PopTimeoutError, PushError, PushTimeoutError, TryPopError, TryPushError,
};
pub use failure::{Failure, FailureKind};
pub use halves::{Consumer, EndpointCounts, Producer, Side};
pub use kind::{Kind, QueueId};
pub use metered::Metered;
pub use queue::Queue;
pub use select::{
    Select, pop_any, pop_any_async, pop_any_timeout, receive_any, receive_any_async,
    receive_any_timeout,
};
pub use sink::{IntoItemSink, ItemSink};
pub use stats::{Activity, Stats, Waits};
pub use stream::{IntoItemStream, IntoResultStream, ItemStream, ResultStream};
pub use work::{Delivery, WorkQueue};
