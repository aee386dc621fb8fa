//! [`ShmQueue`](queue::ShmQueue): a queue whose items are in shared memory.

pub(crate) mod arena;
#[cfg(not(loom))]
pub(crate) mod queue;
pub(crate) mod storage;

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(not(loom))]
pub use queue::{ShmOptions, ShmQueue};
