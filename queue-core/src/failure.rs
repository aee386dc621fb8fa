//! [`Failure`]: what went wrong outside the queue's own rules.

use std::error::Error;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// The class of a [`Failure`], for code that reacts to it.
///
/// ```
/// use queue_core::{FailureKind, Queue, TryPushError};
/// /// Skips items that are too large; false where no item goes in any more.
/// fn offer<Q: Queue<Item = Vec<u8>>>(queue: &Q, item: Vec<u8>) -> bool {
///     match queue.try_push(item) {
///         Err(TryPushError::Failed(_, why)) => why.kind() == FailureKind::TooLarge,
///         Err(TryPushError::Closed(_)) => false,
///         Ok(()) | Err(TryPushError::Full(_)) => true,
///     }
/// }
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// An item could not be turned into bytes, or bytes not into an item.
    Codec,
    /// An item, or a capacity, is over the limit of this queue.
    TooLarge,
    /// The operating system refused: memory, descriptors, a broken file.
    Io,
    /// The process at the other end, or the one that hosts the queue, is gone.
    PeerGone,
    /// The bytes are not what this queue writes. They were damaged or forged.
    Corrupt,
    /// The queue is sound, but not the expected one: its programs have another item type, codec,
    /// kind, version or word size. The text names both, and what to do.
    Mismatch,
    /// This handle, or this user, may not do that.
    Denied,
    /// This kind, or this system, cannot do that.
    Unsupported,
    /// A remote queue does not answer.
    Unavailable,
    /// A remote queue may or may not have carried out the operation.
    Ambiguous,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Codec => "codec",
            Self::TooLarge => "too large",
            Self::Io => "i/o",
            Self::PeerGone => "peer gone",
            Self::Corrupt => "corrupt",
            Self::Mismatch => "mismatch",
            Self::Denied => "denied",
            Self::Unsupported => "unsupported",
            Self::Unavailable => "unavailable",
            Self::Ambiguous => "ambiguous",
        })
    }
}

#[derive(Clone)]
struct Inner {
    kind: FailureKind,
    message: String,
    /// It is only read, so a panic elsewhere leaves nothing half done in it.
    source: Option<Arc<AssertUnwindSafe<Box<dyn Error + Send + Sync>>>>,
    consumed_item: bool,
}

/// Why a queue could not do what it was asked, beyond `Full`, `Empty`, `Closed`
/// and `Timeout`.
///
/// One concrete type for every kind, so that code which handles it survives a swap
/// of kinds. Between threads and tasks only the making of a queue may fail (`TooLarge`). It is one pointer wide and cheap
/// to clone. Two failures are equal when their kind and message are.
///
/// ```
/// use queue_core::{Failure, FailureKind};
/// let failure = Failure::new(FailureKind::TooLarge, "item of 9 bytes, limit is 8");
/// assert_eq!(failure.kind(), FailureKind::TooLarge);
/// assert_eq!(failure.to_string(), "too large: item of 9 bytes, limit is 8");
/// ```
#[derive(Clone)]
pub struct Failure(
    /// `Some` until the failure is dropped.
    Option<Arc<Inner>>,
);

impl Drop for Failure {
    /// `Drop` must not let the address of the failure escape. Otherwise the compiler spills every
    /// `Result` that may hold one to memory, and the item in it takes a detour.
    #[inline]
    fn drop(&mut self) {
        #[cold]
        #[inline(never)]
        fn release(_: Arc<Inner>) {}

        if let Some(inner) = self.0.take() {
            release(inner);
        }
    }
}

impl Failure {
    /// A failure of `kind` without an underlying error.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self::from_inner(Inner {
            kind,
            message: message.into(),
            source: None,
            consumed_item: false,
        })
    }

    /// A failure of `kind` caused by `source`, which [`Error::source`] gives back.
    ///
    /// ```
    /// use queue_core::{Failure, FailureKind};
    /// use std::error::Error;
    /// let io = std::io::Error::other("disk on fire");
    /// let failure = Failure::caused(FailureKind::Io, "cannot map the ring", io);
    /// assert_eq!(failure.source().unwrap().to_string(), "disk on fire");
    /// assert_eq!(failure.to_string(), "i/o: cannot map the ring");
    /// assert_eq!(format!("{failure:#}"), "i/o: cannot map the ring: disk on fire");
    /// ```
    pub fn caused(
        kind: FailureKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::from_inner(Inner {
            kind,
            message: message.into(),
            source: Some(Arc::new(AssertUnwindSafe(source.into()))),
            consumed_item: false,
        })
    }

    fn from_inner(inner: Inner) -> Self {
        Self(Some(Arc::new(inner)))
    }

    fn inner(&self) -> &Inner {
        self.0.as_ref().expect("it is not dropped yet")
    }

    /// Whether who waits for something may wait for this too: a server that is away may be back in time.
    pub(crate) fn may_pass(&self) -> bool {
        self.kind() == FailureKind::Unavailable
    }

    /// The class of this failure.
    pub fn kind(&self) -> FailureKind {
        self.inner().kind
    }

    /// Whether a pop failed because of one item, which it took out of the queue. Then that item is
    /// gone, and the next pop is about the next item. If not, another pop is likely to fail in the
    /// same way.
    ///
    /// ```
    /// use queue_core::{Failure, PopError, Queue};
    /// /// Counts the items that could not be brought out, until the queue ends.
    /// fn damaged<Q: Queue<Item = u32>>(queue: &Q) -> Result<usize, Failure> {
    ///     let mut damaged = 0;
    ///     loop {
    ///         match queue.pop() {
    ///             Ok(_) => {}
    ///             Err(PopError::Closed) => return Ok(damaged),
    ///             Err(PopError::Failed(why)) if why.consumed_item() => damaged += 1,
    ///             Err(PopError::Failed(why)) => return Err(why),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn consumed_item(&self) -> bool {
        self.inner().consumed_item
    }

    /// Marks the failure as one of a pop that took an item out of the queue, which is gone. The
    /// author of a kind marks such failures: [`Queue::results`](crate::Queue::results) goes on behind
    /// them, and ends behind all others.
    ///
    /// ```
    /// use queue_core::{Failure, FailureKind};
    /// let failure = Failure::new(FailureKind::Codec, "the bytes are not those of an item");
    /// assert!(!failure.consumed_item());
    /// assert!(failure.with_item_consumed().consumed_item());
    /// ```
    #[must_use]
    pub fn with_item_consumed(mut self) -> Self {
        if let Some(inner) = &mut self.0 {
            Arc::make_mut(inner).consumed_item = true;
        }
        self
    }
}

/// The kind and the message. `{:#}` adds the causes, in the same line.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.inner().kind, self.inner().message)?;
        match &self.inner().source {
            Some(source) if f.alternate() => write!(f, ": {:#}", &****source),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("kind", &self.inner().kind)
            .field("message", &self.inner().message)
            .field(
                "source",
                &self.inner().source.as_ref().map(|source| &****source),
            )
            .finish()
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.inner().source.as_ref()?;
        Some(&****source)
    }
}

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        self.inner().kind == other.inner().kind && self.inner().message == other.inner().message
    }
}

impl Eq for Failure {}

impl From<std::io::Error> for Failure {
    /// An operating system error: [`FailureKind::Denied`] where permission was
    /// refused, else [`FailureKind::Io`].
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::PermissionDenied => FailureKind::Denied,
            _ => FailureKind::Io,
        };
        Self::caused(kind, "the operating system refused", error)
    }
}
