//! [`TryError`]: why nothing was pushed or popped.

use queue_core::{Failure, TryPopError, TryPushError};

/// Why nothing was pushed or popped.
#[derive(Debug, PartialEq)]
pub(crate) enum TryError {
    /// No free slot, or no item: it is worth waiting.
    WouldBlock,
    /// The queue is closed (and drained), or gone with the process that has it.
    Closed,
    /// It failed.
    Failed(Failure),
}

impl TryError {
    /// Of a push, with what was not pushed.
    #[cold]
    pub(crate) fn with_item<T>(self, item: T) -> TryPushError<T> {
        match self {
            Self::WouldBlock => TryPushError::Full(item),
            Self::Closed => TryPushError::Closed(item),
            Self::Failed(failure) => TryPushError::Failed(item, failure),
        }
    }
}

impl From<TryError> for TryPopError {
    #[cold]
    fn from(error: TryError) -> Self {
        match error {
            TryError::WouldBlock => Self::Empty,
            TryError::Closed => Self::Closed,
            TryError::Failed(failure) => Self::Failed(failure),
        }
    }
}

impl From<Failure> for TryError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
