//! What this crate asks of the operating system, and its only `unsafe` code.

mod descriptors;
mod generation;
mod inherit;
mod locks;
mod mapping;
mod memory;
mod plain;
mod started;
mod unforked;

pub(crate) use descriptors::above_stdio;
pub(crate) use generation::{PerProcess, generation, generation_word};
pub(crate) use inherit::{Left, Refusal, leave, take};
pub(crate) use locks::{is_byte_locked, lock_byte, unlock_byte};
pub(crate) use mapping::Mapping;
pub(crate) use memory::{SEALS, file, give_back, may_reach};
pub(crate) use plain::Plain;
pub(crate) use started::started;
pub(crate) use unforked::{Unforked, let_go};

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

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn a_refusal_says_whether_it_was_forbidden() {
        for (error, kind) in [
            (Errno::ACCESS, FailureKind::Denied),
            (Errno::PERM, FailureKind::Denied),
            (Errno::NOMEM, FailureKind::Io),
        ] {
            assert_eq!(refused("trying", error).kind(), kind, "{error}");
        }
    }
}
