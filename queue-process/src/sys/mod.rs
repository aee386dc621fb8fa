//! What this crate asks of the operating system, and its only `unsafe` code.

mod file_range;
#[cfg(loom)]
pub(crate) mod modelled;
mod shared_memory;
#[cfg(loom)]
pub(crate) mod steps;

#[cfg(all(test, not(loom)))]
mod tests;

pub(crate) use file_range::FileRange;
pub(crate) use shared_memory::{Word32, Word64, shared_safe};

#[cfg(not(loom))]
mod close_on_fork;
#[cfg(not(loom))]
mod descriptors;
#[cfg(not(loom))]
mod generation;
#[cfg(not(loom))]
mod inherit;
#[cfg(not(loom))]
mod locks;
#[cfg(not(loom))]
mod memfd;
#[cfg(not(loom))]
pub(crate) mod packets;
#[cfg(not(loom))]
mod read_words;
#[cfg(not(loom))]
pub(crate) mod relay;
#[cfg(not(loom))]
mod start_time;

#[cfg(not(loom))]
pub(crate) use {
    close_on_fork::{CloseOnFork, detach_fd},
    descriptors::{above_stdio, readable},
    generation::{PerProcess, generation, generation_word},
    inherit::{TakeError, leave, take},
    locks::{is_byte_locked, lock_byte, unlock_byte},
    memfd::{SEALS, check_file_size_limit, file, punch_hole},
    read_words::read_words,
    shared_memory::{Mapping, SharedSafe},
    start_time::started,
};

use queue_core::{Failure, FailureKind};

/// Something is not as this crate leaves it.
#[cold]
pub(crate) fn corrupt(what: &str) -> Failure {
    Failure::new(FailureKind::Corrupt, what)
}

/// A refusal by the operating system, with what was being done.
#[cold]
pub(crate) fn refused(doing: &str, error: impl Into<std::io::Error>) -> Failure {
    let error = error.into();
    let kind = match error.kind() {
        std::io::ErrorKind::PermissionDenied => FailureKind::Denied,
        _ => FailureKind::Io,
    };
    Failure::caused(kind, doing, error)
}
