//! [`Storage`]: where the bytes of the items lie.

use super::batch::Batch;
use super::control::{Control, Cursor, EndState, Item};
use crate::linux::lease::bytes::Lease;
use queue_core::Failure;
use queue_core::sync::atomic::Ordering;

/// The other end of the queue, as seen by who holds this end's lock.
///
/// The cursor is what the last look at it said; the end itself may have moved on since.
/// A look costs a cache line that the other end's people write to, so it is taken only
/// where it matters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerCursor<'a> {
    pub(crate) cursor: Cursor,
    /// Of the head: how many items have gone for good.
    pub(crate) freed: u32,
    /// Whether this cursor is from this very operation.
    pub(crate) fresh: bool,
    /// Of the end whose lock is held.
    pub(crate) state: &'a EndState,
    pub(crate) other: &'a EndState,
}

impl PeerCursor<'_> {
    /// Looks where the other end is now.
    #[inline]
    pub(crate) fn refresh(&mut self) -> Cursor {
        // Acquire, both: pair with the Release of these words in the engine: what the other end
        // did before it moved there is done. In this order: where so many have gone, the cursor
        // is past them.
        self.freed = self.other.published.freed.load(Ordering::Acquire);
        self.cursor = self.other.cursor(Ordering::Acquire);
        self.fresh = true;
        // Relaxed: under the lock of the line.
        self.state
            .cached
            .store(self.cursor.word(), Ordering::Relaxed);
        (self.state.cached_freed).store(self.freed, Ordering::Relaxed);
        self.cursor
    }
}

/// Where the bytes of the items lie, as the [engine](crate::linux::engine) uses it.
///
/// What is written becomes an item only when the engine then publishes the position
/// that was returned, and what is read is gone only when it does. It may die in
/// between, or not publish: the next call then gets the old position again. A storage
/// whose own state is elsewhere (in a pipe, say) sets things right in
/// [`repair`](Self::repair).
///
/// What stands in shared memory may have been forged: check all of it, and answer
/// [`corrupt`](crate::sys::corrupt).
pub(crate) trait Storage: Send + Sync {
    /// Writes `item` at the end of what lies between `head` and `tail`, under the tail
    /// lock: the new position of the tail, or `None` if there is no room even though
    /// there is a free slot. The `storage_words` of the tail may be used.
    ///
    /// # Errors
    /// What was found cannot be true, or the system failed. Nothing has happened then.
    fn write(
        &self,
        control: &Control,
        tail: Cursor,
        head: &mut PeerCursor<'_>,
        item: Item<'_>,
    ) -> Result<Option<u32>, Failure>;

    /// Appends to `into` the bytes of the item at `head`, under the head lock: the new
    /// position of the head. There is one.
    ///
    /// # Errors
    /// What was found cannot be an item, or the system failed.
    fn read(&self, control: &Control, head: Cursor, into: &mut Vec<u8>) -> Result<u32, Failure>;

    /// [`read`](Self::read) of the last item before `tail`, where it is at hand: false if it
    /// is not. The head's new position is the tail's.
    #[inline]
    fn read_inline(&self, control: &Control, tail: Cursor, into: &mut Vec<u8>) -> bool {
        let _ = (control, tail, into);
        false
    }

    /// As [`read`](Self::read), and keeps the item in `lease`, which is taken, before it is gone
    /// from here. `is_last` says that it is the last before `tail`.
    ///
    /// # Errors
    /// As [`read`](Self::read), or if there is no memory. If the item is gone from here all the
    /// same, the head is poisoned.
    #[inline]
    fn lend(
        &self,
        control: &Control,
        (head, tail, is_last): (Cursor, Cursor, bool),
        lease: &Lease<'_>,
        into: &mut Vec<u8>,
    ) -> Result<u32, Failure> {
        let position = match is_last && self.read_inline(control, tail, into) {
            true => tail.position,
            false => self.read(control, head, into)?,
        };
        lease.keep(into)?;
        Ok(position)
    }

    /// Whether the item of `lease`, which somebody had taken who died, is out of here, with the
    /// head where [`repair`](Self::repair) put it. It is then whole in the lease. Called under both
    /// locks.
    ///
    /// # Errors
    /// If it cannot be made whole now.
    fn was_lent(&self, control: &Control, lease: &Lease<'_>) -> Result<bool, Failure> {
        // Relaxed: under both locks.
        Ok(control.head.cursor(Ordering::Relaxed).count != lease.slot.count())
    }

    /// Writes the first `most` of `batch`, or fewer if there is no room for more: how
    /// many, and the new position.
    ///
    /// # Errors
    /// As [`write`](Self::write), if it could not write the first.
    fn write_many(
        &self,
        control: &Control,
        tail: Cursor,
        head: &mut PeerCursor<'_>,
        batch: &Batch,
        most: u32,
    ) -> Result<(u32, u32), Failure>;

    /// Reads up to `max` items, at least one; there are at least `max`: how
    /// many, and the new position.
    ///
    /// # Errors
    /// As [`read`](Self::read), if it could not read the first.
    fn read_many(
        &self,
        control: &Control,
        head: Cursor,
        max: u32,
        into: &mut Batch,
    ) -> Result<(u32, u32), Failure>;

    /// Sets right what somebody left who died while holding a lock. Called under both
    /// locks; it may be killed halfway, and is then called again.
    ///
    /// # Errors
    /// If that is not possible now. Every verb then fails with it, after trying again.
    fn repair(&self, control: &Control) -> Result<(), Failure> {
        let _ = control;
        Ok(())
    }

    /// Gives memory back, for the queue is empty. Called under both locks, when it is time
    /// for what [`needs_trim`](Control::needs_trim) says.
    fn trim(&self, control: &Control) {
        let _ = control;
    }
}
