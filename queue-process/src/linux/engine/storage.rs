//! [`Storage`]: where the bytes of the items lie.

use super::batch::Batch;
use super::inline_item::Item;
use super::layout::{Control, Cursor, EndState};
use queue_core::sync::atomic::Ordering;
use queue_core::{Failure, FailureKind};

/// The other end of the queue, as seen by who holds this end's lock.
///
/// The cursor is what the last look at it said; the end itself may have moved on since.
/// A look costs a cache line that the other end's people write to, so it is taken only
/// where it matters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerCursor<'a> {
    pub(crate) cursor: Cursor,
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
        // Acquire: pairs with the Release of the cursor in the engine: what the other end
        // did before it moved there is done.
        self.cursor = self.other.cursor(Ordering::Acquire);
        self.fresh = true;
        // Relaxed: under the lock of the line.
        self.state
            .cached
            .store(self.cursor.word(), Ordering::Relaxed);
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
/// Everything found in shared memory may be a lie: check it, and answer
/// [`corrupt`].
pub(crate) trait Storage: Send + Sync {
    /// Writes `item` at the end of what lies between `head` and `tail`, under the tail
    /// lock: the new position of the tail, or `None` if there is no room even though
    /// there is a free slot. The notes of the tail may be used.
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
    /// position of the head. There is one, before `tail`.
    ///
    /// # Errors
    /// What was found cannot be an item, or the system failed.
    fn read(
        &self,
        control: &Control,
        head: Cursor,
        tail: Cursor,
        into: &mut Vec<u8>,
    ) -> Result<u32, Failure>;

    /// [`read`](Self::read) of the last item before `tail`, where it is at hand: false if it
    /// is not. The head's new position is the tail's.
    #[inline(always)]
    fn read_inline(&self, control: &Control, tail: Cursor, into: &mut Vec<u8>) -> bool {
        let _ = (control, tail, into);
        false
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

    /// Reads up to `max` items, at least one; there are at least `max` up to `tail`: how
    /// many, and the new position.
    ///
    /// # Errors
    /// As [`read`](Self::read), if it could not read the first.
    fn read_many(
        &self,
        control: &Control,
        head: Cursor,
        tail: Cursor,
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

/// How many bytes a batch of pops gathers at most, plus what is read in one go: one item, or
/// of a pipe as many as are moved at once.
pub(crate) const MAX_BATCH_BYTES: usize = 4 << 20;

/// The failure of bytes that this crate did not write.
#[cold]
pub(crate) fn corrupt(what: &str) -> Failure {
    Failure::new(FailureKind::Corrupt, what)
}
