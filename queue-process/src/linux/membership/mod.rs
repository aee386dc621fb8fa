//! Who takes part in a queue, on which sides, and whether they are alive.

#[cfg(not(loom))]
pub(crate) mod member;
pub(crate) mod registry;

#[cfg(all(test, not(loom)))]
mod tests;
