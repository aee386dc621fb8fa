//! A FIFO queue between machines, over a NATS JetStream stream.
//!
//! ```no_run
//! use queue_nats::{Capacity, NatsOptions, NatsQueue, Queue};
//!
//! let options = NatsOptions::new("nats://localhost:4222").capacity(Capacity::bounded(100));
//! let jobs = NatsQueue::<String>::open("jobs", &options)?;
//! jobs.push("sweep".to_string())?;
//! assert_eq!(jobs.pop()?, "sweep");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A queue is a stream with the retention of a work queue, which discards what is new when it has as many
//! messages as the capacity says, and one consumer, which all who pop share. Its items are on the
//! server's disk. The README says what is promised, what fails how, and which rights a user needs.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

/// The README's program, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod connection;
mod failure;
mod get;
mod halves;
mod last_handle;
mod lease;
mod lending;
mod marks;
mod nats_queue;
mod options;
mod prefetch;
mod put;
mod question;
mod queue;
mod server_stream;
mod shared;
mod stuck;
mod supply;
mod temporary;
mod watch;
mod window;

/// How items become bytes, and bytes items: what the crate `queue-codec` has.
pub mod codec {
    pub use queue_codec::{Codec, Postcard, Raw};
}

pub use codec::{Codec, Postcard, Raw};
pub use connection::NatsConnection;
pub use lease::NatsLease;
pub use lending::NatsIdleListener;
pub use nats_queue::NatsQueue;
pub use options::{Mode, NatsOptions};
pub use queue::NatsListener;

pub use queue_core::{
    Activity, Capacity, Consumer, Delivery, Failure, FailureKind, IntoItemSink, IntoItemStream,
    IntoResultStream, ItemSink, ItemStream, Metered, PopError, PopTimeoutError, Producer,
    PushError, PushTimeoutError, Queue, ResultStream, Select, Side, Stats, TryPopError,
    TryPushError, Waits, WithCapacity, WorkQueue, dynamic, iter, pop_any, pop_any_async,
    pop_any_timeout, receive_any, receive_any_async, receive_any_timeout, select,
};
