//! The errors of every verb: one closed set for all kinds.
//!
//! A failed push hands its item back ([`into_item`](TryPushError::into_item)). No error requires
//! `T: Debug`, so `?` and `unwrap` work with any item.
//!
//! As everywhere in Rust, the text of an error leaves out its
//! [`source`](std::error::Error::source). The source of a `Failed` is its [`Failure`], and that has
//! its own cause as a source. `{error:#}` shows all of it in one line.

use crate::Failure;
use std::error::Error;
use std::fmt;

/// The texts that several errors share.
const FULL: &str = "the queue is full";
const EMPTY: &str = "the queue is empty";
const CLOSED: &str = "the queue is closed";
const TIMEOUT: &str = "timed out waiting for the queue";
const NOT_TAKEN: &str = "the queue could not take the item";
const NOT_GIVEN: &str = "the queue could not give an item";

/// Writes the text of a `Failed`. The alternate form adds the reason.
fn show_failed(text: &str, failure: &Failure, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(text)?;
    match f.alternate() {
        true => write!(f, ": {failure:#}"),
        false => Ok(()),
    }
}

/// Implements what the three errors of pushing have in common.
macro_rules! push_error {
    ($name:ident, $($refused:ident => $text:expr),+) => {
        impl<T> $name<T> {
            /// The item that was not pushed.
            pub fn into_item(self) -> T {
                match self {
                    $(Self::$refused(item))|+ | Self::Failed(item, _) => item,
                }
            }

            /// The same error, with `f` applied to its item.
            pub fn map<U>(self, f: impl FnOnce(T) -> U) -> $name<U> {
                match self {
                    $(Self::$refused(item) => $name::$refused(f(item)),)+
                    Self::Failed(item, failure) => $name::Failed(f(item), failure),
                }
            }

            /// Whether the queue was closed.
            pub fn is_closed(&self) -> bool {
                matches!(self, Self::Closed(_))
            }

            /// The failure, if the error is `Failed`.
            pub fn failure(&self) -> Option<&Failure> {
                match self {
                    Self::Failed(_, failure) => Some(failure),
                    _ => None,
                }
            }
        }

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$refused(_) => f.write_str(concat!(stringify!($refused), "(..)")),)+
                    Self::Failed(_, failure) => write!(f, "Failed(.., {failure:?})"),
                }
            }
        }

        impl<T> fmt::Display for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$refused(_) => f.write_str($text),)+
                    Self::Failed(_, failure) => show_failed(NOT_TAKEN, failure, f),
                }
            }
        }

        impl<T> Error for $name<T> {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                self.failure().map(|failure| failure as _)
            }
        }
    };
}

/// Implements what the three errors of popping have in common.
macro_rules! pop_error {
    ($name:ident, $($refused:ident => $text:expr),+) => {
        impl $name {
            /// Whether the queue was closed and drained.
            pub fn is_closed(&self) -> bool {
                matches!(self, Self::Closed)
            }

            /// The failure, if the error is `Failed`.
            pub fn failure(&self) -> Option<&Failure> {
                match self {
                    Self::Failed(failure) => Some(failure),
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$refused => f.write_str($text),)+
                    Self::Failed(failure) => show_failed(NOT_GIVEN, failure, f),
                }
            }
        }

        impl Error for $name {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                self.failure().map(|failure| failure as _)
            }
        }
    };
}

/// Why [`try_push`](crate::Queue::try_push) did not push.
///
/// ```
/// use queue_core::TryPushError;
/// let refused = TryPushError::Full("job");
/// assert!(refused.is_full() && !refused.is_closed());
/// assert_eq!(refused.to_string(), "the queue is full");
/// assert_eq!(refused.into_item(), "job");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum TryPushError<T> {
    /// The queue holds as many items as it may.
    Full(T),
    /// The queue is closed: no push will ever succeed again.
    Closed(T),
    /// The queue could not take this item, and is as if it had not been tried.
    Failed(T, Failure),
}

push_error!(TryPushError, Full => FULL, Closed => CLOSED);

/// Why [`push`](crate::Queue::push) or [`push_async`](crate::Queue::push_async) did not push.
///
/// ```
/// use queue_core::{PushError, Queue};
/// /// Gives the job back to its owner where nobody works any more.
/// fn hand_in<Q: Queue<Item = String>>(jobs: &Q, job: String) -> Option<String> {
///     match jobs.push(job) {
///         Ok(()) => None,
///         Err(PushError::Closed(job)) => Some(job),
///         Err(PushError::Failed(_, why)) => panic!("{why:#}"),
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum PushError<T> {
    /// The queue is closed: no push will ever succeed again.
    Closed(T),
    /// The queue could not take this item, and is as if it had not been tried.
    Failed(T, Failure),
}

push_error!(PushError, Closed => CLOSED);

/// Why [`push_timeout`](crate::Queue::push_timeout) or
/// [`push_deadline`](crate::Queue::push_deadline) did not push.
///
/// ```
/// use queue_core::PushTimeoutError;
/// let late = PushTimeoutError::Timeout(7);
/// assert!(late.is_timeout() && late.failure().is_none());
/// assert_eq!(late.to_string(), "timed out waiting for the queue");
/// assert_eq!(late.into_item(), 7);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum PushTimeoutError<T> {
    /// No slot came free in time.
    Timeout(T),
    /// The queue is closed: no push will ever succeed again.
    Closed(T),
    /// The queue could not take this item, and is as if it had not been tried.
    Failed(T, Failure),
}

push_error!(PushTimeoutError, Timeout => TIMEOUT, Closed => CLOSED);

/// Why [`try_pop`](crate::Queue::try_pop) did not pop.
///
/// ```
/// use queue_core::{Queue, TryPopError};
/// /// One round of a loop that has other things to do: false once it may end.
/// fn round<Q: Queue<Item = u32>>(jobs: &Q) -> bool {
///     match jobs.try_pop() {
///         Ok(job) => println!("job {job}"),
///         Err(TryPopError::Empty) => {}
///         Err(TryPopError::Closed) => return false,
///         Err(TryPopError::Failed(why)) => eprintln!("{why:#}"),
///     }
///     true
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TryPopError {
    /// The queue is open and holds no item.
    Empty,
    /// The queue is closed and drained: no item will ever come again.
    Closed,
    /// The queue could not give an item.
    Failed(Failure),
}

pop_error!(TryPopError, Empty => EMPTY, Closed => CLOSED);

/// Why [`pop`](crate::Queue::pop) or [`pop_async`](crate::Queue::pop_async) did not pop.
///
/// ```
/// use queue_core::{Failure, PopError, Queue};
/// /// Works until the queue is closed and drained; anything else is an error.
/// fn work<Q: Queue<Item = u32>>(jobs: &Q) -> Result<(), Failure> {
///     loop {
///         match jobs.pop() {
///             Ok(job) => println!("job {job}"),
///             Err(PopError::Closed) => return Ok(()),
///             Err(PopError::Failed(why)) => return Err(why),
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PopError {
    /// The queue is closed and drained: no item will ever come again.
    Closed,
    /// The queue could not give an item.
    Failed(Failure),
}

pop_error!(PopError, Closed => CLOSED);

/// Why [`pop_timeout`](crate::Queue::pop_timeout) or
/// [`pop_deadline`](crate::Queue::pop_deadline) did not pop.
///
/// ```
/// use queue_core::{PopError, PopTimeoutError};
/// assert!(PopTimeoutError::Timeout.is_timeout());
/// // `pop_timeout` may return whatever `pop` does, so `?` converts.
/// assert_eq!(PopTimeoutError::from(PopError::Closed), PopTimeoutError::Closed);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PopTimeoutError {
    /// No item came in time.
    Timeout,
    /// The queue is closed and drained: no item will ever come again.
    Closed,
    /// The queue could not give an item.
    Failed(Failure),
}

pop_error!(PopTimeoutError, Timeout => TIMEOUT, Closed => CLOSED);

impl<T> TryPushError<T> {
    /// Whether the queue was full.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl<T> PushTimeoutError<T> {
    /// Whether time ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    /// The same error, of a verb without a timeout.
    #[inline]
    pub(crate) fn without_timeout(self) -> PushError<T> {
        match self {
            Self::Closed(item) => PushError::Closed(item),
            Self::Failed(item, failure) => PushError::Failed(item, failure),
            Self::Timeout(_) => unreachable!("never has not come"),
        }
    }
}

impl TryPopError {
    /// Whether the queue was empty and still open.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl PopTimeoutError {
    /// Whether time ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }

    /// The same error, of a verb without a timeout.
    #[inline]
    pub(crate) fn without_timeout(self) -> PopError {
        match self {
            Self::Closed => PopError::Closed,
            Self::Failed(failure) => PopError::Failed(failure),
            Self::Timeout => unreachable!("never has not come"),
        }
    }
}

impl<T> From<PushError<T>> for TryPushError<T> {
    fn from(error: PushError<T>) -> Self {
        match error {
            PushError::Closed(item) => Self::Closed(item),
            PushError::Failed(item, failure) => Self::Failed(item, failure),
        }
    }
}

impl<T> From<PushError<T>> for PushTimeoutError<T> {
    fn from(error: PushError<T>) -> Self {
        match error {
            PushError::Closed(item) => Self::Closed(item),
            PushError::Failed(item, failure) => Self::Failed(item, failure),
        }
    }
}

impl From<PopError> for TryPopError {
    fn from(error: PopError) -> Self {
        match error {
            PopError::Closed => Self::Closed,
            PopError::Failed(failure) => Self::Failed(failure),
        }
    }
}

impl From<PopError> for PopTimeoutError {
    fn from(error: PopError) -> Self {
        match error {
            PopError::Closed => Self::Closed,
            PopError::Failed(failure) => Self::Failed(failure),
        }
    }
}
