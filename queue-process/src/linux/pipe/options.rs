//! [`PipeOptions`]: a `PipeQueue` made to measure.

use super::queue::PipeQueue;
use crate::codec::Codec;
use crate::linux::queue::format::Limits;
use crate::linux::queue::handle::Handle;
use queue_core::{Capacity, Failure};
use std::fmt;
use std::marker::PhantomData;

/// What can be chosen of a [`PipeQueue`] beyond its bound, from [`PipeQueue::options`].
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
pub struct PipeOptions<T, C> {
    item: u32,
    memory: u64,
    types: PhantomData<fn(T) -> C>,
}

impl<T: Send, C: Codec<T>> PipeOptions<T, C> {
    pub(super) fn new() -> Self {
        Self {
            item: 16 << 20,
            memory: 1 << 30,
            types: PhantomData,
        }
    }

    /// How many bytes an item may have, at most 1 GiB; by default 16 MiB. Costs nothing.
    #[must_use]
    pub fn max_item_bytes(self, bytes: usize) -> Self {
        // What is too much is refused when the queue is created.
        Self {
            item: u32::try_from(bytes).unwrap_or(u32::MAX),
            ..self
        }
    }

    /// How many bytes of items an unbounded queue may hold beside what the pipe itself
    /// holds; by default 1 GiB. A bounded queue has room for all its items, however
    /// large, up to 64 GiB in all.
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
    pub fn create(self, bound: Capacity) -> Result<PipeQueue<T, C>, Failure> {
        let memory = match bound.capacity() {
            // Room for each item's record and for what rounding up takes.
            Some(items) => (u64::from(self.item) + 128).saturating_mul(items as u64),
            None => self.memory,
        };
        let limits = Limits {
            bound,
            item: self.item,
            memory: memory.min(MAX_MEMORY),
        };
        Ok(PipeQueue(Handle::create(limits)?))
    }

    /// An empty, open queue that has a name: see [`PipeQueue::create_named`].
    ///
    /// # Errors
    /// As [`create`](Self::create), and as [`PipeQueue::create_named`].
    pub fn create_named(self, name: &str, bound: Capacity) -> Result<PipeQueue<T, C>, Failure> {
        let queue = self.create(bound)?;
        queue.0.serve_named(name)?;
        Ok(queue)
    }
}

/// The most memory that a queue can be allowed.
const MAX_MEMORY: u64 = 64 << 30;

impl<T, C> fmt::Debug for PipeOptions<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeOptions")
            .field("max_item_bytes", &self.item)
            .field("memory_limit", &self.memory)
            .finish()
    }
}
