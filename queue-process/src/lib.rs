//! FIFO queues between processes.

#![deny(unsafe_code)]

pub mod codec;

pub use queue_core::{
    Bound, Consumer, Create, Failure, FailureKind, PopError, PopTimeoutError, Producer, PushError,
    PushTimeoutError, Queue, TryPopError, TryPushError,
};
