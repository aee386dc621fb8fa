//! One process's opened queue: creating and opening it, its verbs, and leaving it.

#[cfg(not(loom))]
mod check_peers;
pub(crate) mod format;
#[cfg(not(loom))]
pub(crate) mod header;
#[cfg(not(loom))]
mod idle;
#[cfg(not(loom))]
pub(crate) mod lending;
#[cfg(not(loom))]
pub(crate) mod linux_queue;
#[cfg(not(loom))]
pub(crate) mod open;
#[cfg(not(loom))]
pub(crate) mod options;
#[cfg(not(loom))]
pub(crate) mod platform;
#[cfg(not(loom))]
pub(crate) mod shared;

#[cfg(all(test, not(loom)))]
mod tests;
