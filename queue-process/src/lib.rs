//! FIFO queues between processes.

#![deny(unsafe_code)]

pub mod codec;

#[cfg(all(target_os = "linux", not(loom)))]
#[allow(dead_code)] // Until queues can be handed over.
mod shared;
#[cfg(all(target_os = "linux", not(loom)))]
mod shm;
#[cfg(all(target_os = "linux", not(loom)))]
#[allow(unsafe_code)] // Here alone.
#[allow(dead_code)]
mod sys;

#[cfg(all(target_os = "linux", not(loom)))]
pub use shared::listener::Listener;
#[cfg(all(target_os = "linux", not(loom)))]
pub use shm::{ShmOptions, ShmQueue};

pub use queue_core::{
    Bound, Consumer, Create, Failure, FailureKind, PopError, PopTimeoutError, Producer, PushError,
    PushTimeoutError, Queue, TryPopError, TryPushError,
};
