//! Why nothing was popped from any of several queues.

use crate::Failure;
use std::error::Error;
use std::fmt;

/// Writes one of these errors: it differs from that of one queue by the index in `Failed`.
macro_rules! error_of_several {
    ($(#[$doc:meta])* $name:ident $(, $(#[$none_doc:meta])* $none:ident => $text:literal)?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$none_doc])* $none,)?
            /// Every one of the queues is closed and drained: no item will ever come again.
            Closed,
            /// The queue of this index could not give an item.
            Failed(usize, Failure),
        }

        impl $name {
            /// Whether every one of the queues was closed and drained.
            pub fn is_closed(&self) -> bool {
                matches!(self, Self::Closed)
            }

            /// The failure, if the error is `Failed`.
            pub fn failure(&self) -> Option<&Failure> {
                match self {
                    Self::Failed(_, failure) => Some(failure),
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$none => f.write_str($text),)?
                    Self::Closed => f.write_str("all of the queues are closed"),
                    Self::Failed(index, failure) => {
                        write!(f, "queue {index} of several could not give an item")?;
                        match f.alternate() {
                            true => write!(f, ": {failure:#}"),
                            false => Ok(()),
                        }
                    }
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

error_of_several! {
    /// Why [`try_pop_any`](super::try_pop_any) did not pop.
    TryPopAnyError,
    /// No queue holds an item, and not all of them are closed.
    Empty => "all of the queues are empty"
}

error_of_several! {
    /// Why [`pop_any`](super::pop_any), or its like, did not pop.
    ///
    /// ```
    /// use queue_core::Failure;
    /// use queue_core::select::{PopAnyError, Poppable, pop_any};
    /// /// Works until all queues are closed and drained; says which queue lost a job.
    /// fn work(queues: &[&dyn Poppable<Item = u32>]) {
    ///     loop {
    ///         match pop_any(queues) {
    ///             Ok((index, job)) => println!("job {job} of queue {index}"),
    ///             Err(PopAnyError::Closed) => return,
    ///             Err(PopAnyError::Failed(index, why)) => eprintln!("queue {index}: {why:#}"),
    ///         }
    ///     }
    /// }
    /// ```
    PopAnyError
}

error_of_several! {
    /// Why [`pop_any_timeout`](super::pop_any_timeout), or its like, did not pop.
    PopAnyTimeoutError,
    /// No item came in time.
    Timeout => "timed out waiting for all of the queues"
}

impl PopAnyTimeoutError {
    /// Whether time ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }
}

impl TryPopAnyError {
    /// Whether all queues were empty, and one at least open.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}
