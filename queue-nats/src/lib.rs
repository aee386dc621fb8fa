//! A FIFO queue between machines, over a NATS JetStream stream.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod connection;
mod failure;
mod get;
mod halves;
mod lease;
mod nats_queue;
mod options;
mod put;
mod queue;
mod shared;
mod stream;
mod watch;
mod work;

/// How items become bytes, and bytes items: what the crate `queue-codec` has.
pub mod codec {
    pub use queue_codec::{Codec, Postcard, Raw};
}

pub use codec::{Codec, Postcard, Raw};
pub use connection::NatsConnection;
pub use lease::NatsLease;
pub use nats_queue::NatsQueue;
pub use options::{Mode, NatsOptions};
pub use queue::NatsListener;
pub use work::NatsIdleListener;

pub use queue_core::{
    Capacity, Consumer, Delivery, Failure, FailureKind, IntoItemSink, IntoItemStream,
    IntoResultStream, ItemSink, ItemStream, PopError, PopTimeoutError, Producer, PushError,
    PushTimeoutError, Queue, ResultStream, Select, Side, TryPopError, TryPushError, WithCapacity,
    WorkQueue, dynamic, iter, pop_any, pop_any_async, pop_any_timeout, select,
};
