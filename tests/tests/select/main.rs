//! Waiting for several queues at once, over all kinds and kinds mixed.
#![cfg(all(target_os = "linux", not(loom)))]
#![forbid(unsafe_code)]

mod behaviour;
mod selected;
mod wakes;
