//! [`ShmOptions`]: a `ShmQueue` made to measure.

use super::arena::Mapped;
use super::queue::{MAX_WORDS, ShmQueue, Storage, WINDOW};
use super::storage::Ring;
use crate::codec::Codec;
use crate::linux::queue::format::Limits;
use crate::linux::queue::handle::Handle;
use queue_core::{Capacity, Failure};
use std::fmt;
use std::marker::PhantomData;

/// What can be chosen of a [`ShmQueue`] beyond its bound, from [`ShmQueue::options`].
///
/// ```
/// use queue_process::{Capacity, ShmQueue, Queue};
/// let lines = ShmQueue::<String>::options()
///     .max_item_bytes(100)
///     .create(Capacity::bounded(8))?;
/// lines.push("short".into())?;
/// let refused = lines.push("long".repeat(100)).unwrap_err();
/// assert_eq!(refused.into_item().len(), 400); // and the queue is as it was
/// assert_eq!(lines.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ShmOptions<T, C> {
    item: u32,
    memory: u64,
    types: PhantomData<fn(T) -> C>,
}

impl<T: Send, C: Codec<T>> ShmOptions<T, C> {
    pub(super) fn new() -> Self {
        Self {
            item: 1 << 20,
            memory: 1 << 30,
            types: PhantomData,
        }
    }

    /// How many bytes an item may have, at most 1 GiB; by default 1 MiB. Costs nothing
    /// but address space.
    #[must_use]
    pub fn max_item_bytes(self, bytes: usize) -> Self {
        // What is too much is refused when the queue is created.
        Self {
            item: u32::try_from(bytes).unwrap_or(u32::MAX),
            ..self
        }
    }

    /// How many bytes of items an unbounded queue holds at least; by default 1 GiB, at
    /// most 7 GiB. It may take twice that. A bounded queue has room for all its items,
    /// however large, up to 16 GiB in all.
    #[must_use]
    pub fn memory_limit(self, bytes: usize) -> Self {
        Self {
            memory: bytes as u64,
            ..self
        }
    }

    /// An empty, open queue.
    ///
    /// # Errors
    /// `TooLarge` for limits that are too high, or what the system says.
    pub fn create(self, bound: Capacity) -> Result<ShmQueue<T, C>, Failure> {
        Ok(ShmQueue(Handle::create(self.limits(bound))?))
    }

    /// An empty, open queue that has a name: see [`ShmQueue::create_named`].
    ///
    /// # Errors
    /// As [`create`](Self::create), and as [`ShmQueue::create_named`].
    pub fn create_named(self, name: &str, bound: Capacity) -> Result<ShmQueue<T, C>, Failure> {
        let queue = self.create(bound)?;
        queue.0.serve_named(name)?;
        Ok(queue)
    }

    pub(crate) fn limits(&self, bound: Capacity) -> Limits {
        let item = self.item;
        let records = match bound {
            Capacity::Bounded(n) => n.get() as u64,
            // Every record, however small its item, takes no more than this share.
            Capacity::Unbounded => self.memory.div_ceil(u64::from(item.max(8))),
        };
        let words = Ring::<Mapped>::words_for(records, item.min(Limits::MAX_ITEM), WINDOW);
        let least = <Storage>::words_for(1, item.min(Limits::MAX_ITEM), WINDOW);
        Limits {
            bound,
            item,
            memory: words.min(MAX_WORDS).max(least) * 8,
        }
    }
}

impl<T, C> fmt::Debug for ShmOptions<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShmOptions")
            .field("max_item_bytes", &self.item)
            .field("memory_limit", &self.memory)
            .finish()
    }
}
