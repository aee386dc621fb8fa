//! What this crate asks of the operating system, and its only `unsafe` code.

pub(crate) mod calls;
#[cfg(loom)]
pub(crate) mod modelled;
mod shared_safe;
pub(crate) mod steps;
mod word;

#[cfg(all(test, not(loom)))]
mod tests;

pub(crate) use shared_safe::shared_safe;
pub(crate) use word::{Word32, Word64};

#[cfg(not(loom))]
mod descriptors;
#[cfg(not(loom))]
mod generation;
#[cfg(not(loom))]
mod inherit;
#[cfg(not(loom))]
mod locks;
#[cfg(not(loom))]
mod mapping;
#[cfg(not(loom))]
mod memory;
#[cfg(not(loom))]
mod started;
#[cfg(not(loom))]
mod unforked;

#[cfg(not(loom))]
pub(crate) use {
    descriptors::above_stdio,
    generation::{PerProcess, generation, generation_word},
    inherit::{InheritGuard, Refusal, leave, take},
    locks::{is_byte_locked, lock_byte, unlock_byte},
    mapping::Mapping,
    memory::{SEALS, check_file_size_limit, file, give_back},
    shared_safe::SharedSafe,
    started::started,
    unforked::{Unforked, let_go},
};

use queue_core::{Failure, FailureKind};

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
