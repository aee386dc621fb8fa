//! FIFO queues between processes.

#![deny(unsafe_code)]

pub mod codec;

#[cfg(not(loom))]
mod handover;
#[cfg(not(loom))] // Its guests' threads are beyond a model.
mod ipc;
#[cfg(all(target_os = "linux", not(loom)))]
mod pipe;
#[cfg(all(target_os = "linux", not(loom)))]
mod shared;
#[cfg(all(target_os = "linux", not(loom)))]
mod shm;
#[cfg(all(target_os = "linux", not(loom)))]
#[allow(unsafe_code)] // Here alone.
#[allow(dead_code)]
mod sys;

#[cfg(not(loom))]
pub use handover::Handover;
#[cfg(not(loom))]
pub use ipc::IpcQueue;
#[cfg(all(target_os = "linux", not(loom)))]
pub use pipe::{PipeOptions, PipeQueue};
#[cfg(all(target_os = "linux", not(loom)))]
pub use shared::listener::Listener;
#[cfg(all(target_os = "linux", not(loom)))]
pub use shm::{ShmOptions, ShmQueue};

pub use queue_core::{
    Bound, Consumer, Create, Failure, FailureKind, PopError, PopTimeoutError, Producer, PushError,
    PushTimeoutError, Queue, Side, TryPopError, TryPushError,
};
