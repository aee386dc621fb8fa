//! [`PipeQueue`](queue::PipeQueue): a queue whose items are in the kernel.

mod file_range;
#[cfg(not(loom))]
mod open;
mod overflow;
mod pop;
mod push;
#[cfg(not(loom))]
pub(crate) mod queue;
mod record;
mod state;
pub(crate) mod storage;

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(not(loom))]
pub use queue::{PipeOptions, PipeQueue};
