//! [`PipeQueue`](queue::PipeQueue): a queue whose items are in the kernel.

#[cfg(not(loom))]
mod open;
mod overflow;
mod pop;
mod push;
#[cfg(not(loom))]
pub(crate) mod queue;
pub(crate) mod storage;

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(not(loom))]
pub use queue::{PipeOptions, PipeQueue};
