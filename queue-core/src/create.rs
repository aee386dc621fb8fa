//! [`Create`] and [`Bound`]: building a queue whose kind is a type parameter.

use crate::Failure;
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
        match NonZeroUsize::new(n) {
            Some(n) => Self::Items(n),
            None => panic!(
                "a bounded queue needs a capacity of at least 1 (use unbounded() for no bound)"
            ),
        }
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
/// Code that does know it calls the kind's own `bounded(n)` and `unbounded()`.
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
