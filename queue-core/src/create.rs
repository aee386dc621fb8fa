//! [`Create`] and [`Bound`]: building a queue whose kind is a type parameter.

use crate::{Failure, FailureKind};
use std::num::NonZeroUsize;

/// How many items a queue holds.
///
/// ```
/// use queue_core::{Bound, Create, Failure};
/// /// A bound from a command line, where 0 says that there is none.
/// fn open<Q: Create>(places: usize) -> Result<Q, Failure> {
///     Q::create(match places {
///         0 => Bound::Unbounded,
///         n => Bound::items(n),
///     })
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// Exactly so many; one more is `Full`.
    Items(NonZeroUsize),
    /// As many as memory holds; never `Full`.
    Unbounded,
}

impl Bound {
    /// A bound of `n` items.
    ///
    /// # Panics
    /// If `n` is zero: a queue that holds nothing could never be pushed to, and in
    /// some libraries zero means "no bound", so it is refused loudly here.
    ///
    /// ```
    /// use queue_core::Bound;
    /// assert_eq!(Bound::items(4).capacity(), Some(4));
    /// assert_eq!(Bound::Unbounded.capacity(), None);
    /// ```
    #[track_caller]
    pub fn items(n: usize) -> Self {
        made(Self::try_items(n))
    }

    /// A bound of `n` items, where zero is an error.
    ///
    /// # Errors
    /// `Unsupported` if `n` is zero: see [`items`](Self::items).
    ///
    /// ```
    /// use queue_core::Bound;
    /// assert!(Bound::try_items(0).is_err());
    /// ```
    pub fn try_items(n: usize) -> Result<Self, Failure> {
        NonZeroUsize::new(n).map(Self::Items).ok_or_else(|| {
            let message =
                "a bounded queue needs a capacity of at least 1 (use unbounded() for no bound)";
            Failure::new(FailureKind::Unsupported, message)
        })
    }

    /// The number of items, or `None` without a bound.
    pub fn capacity(self) -> Option<usize> {
        match self {
            Self::Items(n) => Some(n.get()),
            Self::Unbounded => None,
        }
    }
}

/// Building a queue in code that does not know its kind.
///
/// Code that does know it calls the kind's own `bounded(n)` and `unbounded()`, which
/// [`constructors!`](crate::constructors) writes.
///
/// ```
/// use queue_core::{Bound, Create, Failure, Queue};
/// fn pair<Q: Queue<u32> + Create>() -> Result<(Q, Q), Failure> {
///     Ok((Q::create(Bound::items(8))?, Q::create(Bound::Unbounded)?))
/// }
/// ```
pub trait Create: Sized {
    /// An empty, open queue.
    ///
    /// # Errors
    /// A kind whose storage comes from the operating system fails when that
    /// refuses; an in-process kind never does.
    fn create(bound: Bound) -> Result<Self, Failure>;
}

/// What was made.
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

/// Writes the constructors that every kind has, in an `impl` of a type that is [`Create`]:
/// `bounded(n)`, `unbounded()`, and `try_bounded(n)`, `try_unbounded()`, which return the failure.
///
/// ```
/// # use queue_core::{Bound, Create, Failure};
/// struct Simple(Bound);
///
/// impl Create for Simple {
///     fn create(bound: Bound) -> Result<Self, Failure> {
///         Ok(Self(bound))
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
            $crate::Create::create($crate::Bound::try_items(n)?)
        }

        /// [`unbounded`](Self::unbounded), where a refusal is an error.
        ///
        /// # Errors
        /// `Io` if the system refuses memory or descriptors.
        pub fn try_unbounded() -> ::std::result::Result<Self, $crate::Failure> {
            $crate::Create::create($crate::Bound::Unbounded)
        }
    };
}
