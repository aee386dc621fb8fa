//! [`LinuxOptions`]: a queue made to measure.

use super::format::Limits;
use super::linux_queue::LinuxQueue;
use super::open::Shareable;
use crate::codec::Codec;
use queue_core::{Capacity, Failure};
use std::fmt;
use std::marker::PhantomData;

/// Options of a new queue beside its bound, from [`LinuxQueue::options`].
///
/// ```
/// use queue_process::{Capacity, PipeQueue, Queue};
/// let lines = PipeQueue::<String>::options()
///     .max_item_bytes(100)
///     .create(Capacity::bounded(8))?;
/// lines.push("short".into())?;
/// let refused = lines.push("long".repeat(100)).unwrap_err();
/// assert_eq!(refused.into_item().len(), 400); // and the queue is as it was
/// assert_eq!(lines.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LinuxOptions<T, C, S> {
    item: u32,
    memory: u64,
    types: PhantomData<fn(T, S) -> C>,
}

impl<T: Send, C: Codec<T>, S: Shareable> LinuxOptions<T, C, S> {
    pub(super) fn new() -> Self {
        Self {
            item: S::MAX_ITEM_BYTES,
            memory: 1 << 30,
            types: PhantomData,
        }
    }

    /// How many bytes an item may have: at most 1 GiB, and by default 16 MiB in a
    /// [`PipeQueue`](crate::PipeQueue), 1 MiB in a [`ShmQueue`](crate::ShmQueue). A larger limit costs
    /// nothing but address space.
    #[must_use]
    pub fn max_item_bytes(self, bytes: usize) -> Self {
        // What is too much is refused when the queue is created.
        Self {
            item: u32::try_from(bytes).unwrap_or(u32::MAX),
            ..self
        }
    }

    /// How many bytes of items an unbounded queue holds: by default 1 GiB. A bounded queue ignores
    /// it and has room for all its items, however large.
    ///
    /// An item counts more than its bytes: 8 to 15 more in a `ShmQueue`, and up to 127 more in a
    /// `PipeQueue`. So of items that have a few bytes each a queue holds far fewer bytes.
    ///
    /// A [`PipeQueue`](crate::PipeQueue) holds as many bytes beside what the pipe itself holds; a
    /// bounded one holds up to 64 GiB. A [`ShmQueue`](crate::ShmQueue) holds at least as many, at most
    /// 7 GiB, and may take twice that; a bounded one holds up to 16 GiB.
    #[must_use]
    pub fn memory_limit(self, bytes: usize) -> Self {
        Self {
            memory: bytes as u64,
            ..self
        }
    }

    /// Creates an empty, open queue.
    ///
    /// # Errors
    /// `TooLarge` if a limit is too high; `Io` or `Denied` if the system refuses.
    pub fn create(self, bound: Capacity) -> Result<LinuxQueue<T, C, S>, Failure> {
        LinuxQueue::create(self.limits(bound))
    }

    pub(crate) fn limits(&self, bound: Capacity) -> Limits {
        S::limits(bound, self.item, self.memory)
    }
}

impl<T, C, S> fmt::Debug for LinuxOptions<T, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinuxOptions")
            .field("max_item_bytes", &self.item)
            .field("memory_limit", &self.memory)
            .finish()
    }
}
