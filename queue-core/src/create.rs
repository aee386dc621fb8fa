//! [`WithCapacity`] and [`Capacity`]: building a queue whose kind is a type parameter.

use crate::{Failure, FailureKind};
use std::num::NonZeroUsize;

/// How many items a queue holds.
///
/// ```
/// use queue_core::{Capacity, WithCapacity, Failure};
/// /// A bound from a command line, where 0 says that there is none.
/// fn open<Q: WithCapacity>(slots: usize) -> Result<Q, Failure> {
///     Q::try_with_capacity(match slots {
///         0 => Capacity::Unbounded,
///         n => Capacity::bounded(n),
///     })
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capacity {
    /// Exactly this many items. A further push is `Full`.
    Bounded(NonZeroUsize),
    /// As many items as fit into memory. A push is never `Full`.
    Unbounded,
}

impl Capacity {
    /// A bound of `n` items.
    ///
    /// # Panics
    /// If `n` is zero. A queue that holds nothing could never be pushed to. In some libraries zero
    /// means "no bound", so it is refused loudly here.
    ///
    /// ```
    /// use queue_core::Capacity;
    /// assert_eq!(Capacity::bounded(4).capacity(), Some(4));
    /// assert_eq!(Capacity::Unbounded.capacity(), None);
    /// ```
    #[track_caller]
    pub fn bounded(n: usize) -> Self {
        made(Self::try_bounded(n))
    }

    /// A bound of `n` items, where zero is an error.
    ///
    /// # Errors
    /// `Unsupported` if `n` is zero: see [`bounded`](Self::bounded).
    ///
    /// ```
    /// use queue_core::Capacity;
    /// assert!(Capacity::try_bounded(0).is_err());
    /// ```
    pub fn try_bounded(n: usize) -> Result<Self, Failure> {
        NonZeroUsize::new(n).map(Self::Bounded).ok_or_else(|| {
            let message =
                "a bounded queue needs a capacity of at least 1; one without a capacity is unbounded";
            Failure::new(FailureKind::Unsupported, message)
        })
    }

    /// The number of items, or `None` without a bound.
    pub fn capacity(self) -> Option<usize> {
        match self {
            Self::Bounded(n) => Some(n.get()),
            Self::Unbounded => None,
        }
    }
}

/// Builds a queue in code that does not know its kind.
///
/// Code that knows the kind calls the kind's own `bounded(n)` and `unbounded()`, which
/// [`constructors!`](crate::constructors) writes.
///
/// ```
/// use queue_core::{Capacity, WithCapacity, Failure, Queue};
/// fn pair<Q: Queue<Item = u32> + WithCapacity>() -> Result<(Q, Q), Failure> {
///     Ok((Q::try_with_capacity(Capacity::bounded(8))?, Q::try_with_capacity(Capacity::Unbounded)?))
/// }
/// ```
pub trait WithCapacity: Sized {
    /// An empty, open queue.
    ///
    /// # Errors
    /// A kind whose storage comes from the operating system fails if the system refuses. A kind
    /// inside a process never does.
    fn try_with_capacity(capacity: Capacity) -> Result<Self, Failure>;

    /// [`try_with_capacity`](Self::try_with_capacity), where a refusal is a panic.
    ///
    /// # Panics
    /// With the failure, if the system refuses.
    #[track_caller]
    fn with_capacity(capacity: Capacity) -> Self {
        made(Self::try_with_capacity(capacity))
    }
}

/// The queue that was made.
///
/// # Panics
/// With the failure, if it is one.
#[doc(hidden)]
#[track_caller]
pub fn made<Q>(result: Result<Q, Failure>) -> Q {
    match result {
        Ok(made) => made,
        Err(failure) => panic!("{failure:#}"),
    }
}

/// Writes the constructors that every kind has, in an `impl` of a type that is [`WithCapacity`]:
/// `bounded(n)`, `unbounded()`, and `try_bounded(n)`, `try_unbounded()`, which return the failure.
///
/// ```
/// # use queue_core::{Capacity, WithCapacity, Failure};
/// struct Simple(Capacity);
///
/// impl WithCapacity for Simple {
///     fn try_with_capacity(capacity: Capacity) -> Result<Self, Failure> {
///         Ok(Self(capacity))
///     }
/// }
///
/// impl Simple {
///     queue_core::constructors!();
/// }
///
/// assert_eq!(Simple::bounded(3).0.capacity(), Some(3));
/// assert!(Simple::try_bounded(0).is_err());
/// ```
#[macro_export]
macro_rules! constructors {
    () => {
        /// An empty, open queue for exactly `n` items.
        ///
        /// # Panics
        /// If `n` is zero, or the system refuses the memory or the descriptors that the queue
        /// takes; [`try_bounded`](Self::try_bounded) returns that as an error.
        #[doc(alias("channel", "sync_channel", "maxsize"))]
        #[track_caller]
        pub fn bounded(n: usize) -> Self {
            $crate::made(Self::try_bounded(n))
        }

        /// An empty, open queue for as many items as memory holds.
        ///
        /// # Panics
        /// If the system refuses the memory or the descriptors that the queue takes;
        /// [`try_unbounded`](Self::try_unbounded) returns that as an error.
        #[doc(alias("channel", "SimpleQueue"))]
        #[track_caller]
        pub fn unbounded() -> Self {
            $crate::made(Self::try_unbounded())
        }

        /// [`bounded`](Self::bounded), where a refusal is an error.
        ///
        /// # Errors
        /// `Unsupported` if `n` is zero, `TooLarge` if it is more than this kind can count or
        /// has memory for, `Io` if the system refuses memory or descriptors.
        pub fn try_bounded(n: usize) -> ::std::result::Result<Self, $crate::Failure> {
            $crate::WithCapacity::try_with_capacity($crate::Capacity::try_bounded(n)?)
        }

        /// [`unbounded`](Self::unbounded), where a refusal is an error.
        ///
        /// # Errors
        /// `Io` if the system refuses memory or descriptors.
        pub fn try_unbounded() -> ::std::result::Result<Self, $crate::Failure> {
            $crate::WithCapacity::try_with_capacity($crate::Capacity::Unbounded)
        }
    };
}
