//! [`Mode`]: whether the queue that has a name must be there, and with which capacity.

use crate::address::Address;
use queue_core::{Failure, FailureKind};

/// How a queue is made, with a capacity or by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Open,
    Create,
    OpenOrCreate,
}

impl Mode {
    /// The parameter `mode`.
    pub(crate) fn of(address: &Address) -> Result<Self, Failure> {
        match address.get("mode") {
            None | Some("open_or_create") => Ok(Self::OpenOrCreate),
            Some("open") => Ok(Self::Open),
            Some("create") => Ok(Self::Create),
            Some(other) => {
                let message =
                    format!("`mode={other}` is none: it is `open`, `create` or `open_or_create`");
                Err(Failure::new(FailureKind::Unsupported, message))
            }
        }
    }
}

/// Refuses the queue that was opened if it has not the capacity that the address asks for.
#[cfg(any(feature = "thread", feature = "async", feature = "process"))]
pub(crate) fn check_capacity(address: &Address, found: Option<usize>) -> Result<(), Failure> {
    match address.capacity()? {
        Some(wanted) if wanted.capacity() != found => {
            let found = found.map_or("no bound".to_string(), |n| format!("a capacity of {n}"));
            let wanted = wanted.capacity().unwrap_or_default();
            let message = format!("the queue at {address} has {found}, not {wanted}");
            Err(Failure::new(FailureKind::Mismatch, message))
        }
        _ => Ok(()),
    }
}
