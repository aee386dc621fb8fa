//! One process's opened queue: made, handed over, used, left.

#[cfg(not(loom))]
mod batches;
#[cfg(not(loom))]
mod buffer;
pub(crate) mod format;
#[cfg(not(loom))]
pub(crate) mod handle;
#[cfg(not(loom))]
pub(crate) mod header;
#[cfg(not(loom))]
pub(crate) mod kind;
#[cfg(not(loom))]
pub(crate) mod platform;
#[cfg(not(loom))]
mod verbs;
#[cfg(not(loom))]
mod waiting;

#[cfg(all(test, not(loom)))]
mod tests;
