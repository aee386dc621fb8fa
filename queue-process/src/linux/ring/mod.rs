//! [`ShmQueue`](queue::ShmQueue): a queue whose items are in shared memory.

#[cfg(not(loom))]
pub(crate) mod queue;
pub(crate) mod storage;

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(not(loom))]
pub use queue::{ShmOptions, ShmQueue};
