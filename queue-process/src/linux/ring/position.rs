//! [`Placement`]: where in its arena a [`Ring`] puts the next record; and [`TailState`], what those
//! who push keep for one another to know that.

use super::arena::Arena;
use super::storage::Ring;
use crate::linux::engine::layout::{Control, needs_trim};
use crate::linux::engine::storage::PeerCursor;
use queue_core::Failure;
use queue_core::sync::atomic::Ordering;

/// Where the last skip went, or 0.
pub(super) const SKIP_BASE: usize = 0;
/// How many words the window has.
pub(super) const WINDOW: usize = 1;
/// The upper end of what was live at the last wrap.
pub(super) const LIVE_END: usize = 2;
/// Up to where the arena has memory.
pub(super) const COMMITTED: usize = 3;
/// Up to where records can be written at the tail without another look, or 0.
pub(super) const FAST_LIMIT: usize = 4;

/// What pushers keep at the tail for one another, under the tail lock: words of the arena. What they
/// mean is on the page of the [storage](super::storage).
pub(super) struct TailState<'a> {
    pub(super) control: &'a Control,
}

impl TailState<'_> {
    // Relaxed, both: under the tail lock.
    #[inline(always)]
    pub(super) fn get(&self, note: usize) -> usize {
        // Words of the arena: whatever they say, every use is checked against its end.
        let word = self.control.tail.notes[note].load(Ordering::Relaxed);
        word.min(u64::from(u32::MAX)) as usize
    }

    #[inline(always)]
    pub(super) fn set(&self, note: usize, word: usize) {
        self.control.tail.notes[note].store(word as u64, Ordering::Relaxed);
    }
}

/// Where a record goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Placement {
    /// To the tail.
    Append,
    /// To 0, with a jump.
    Wrap,
    /// To there, with a jump, over all that is live.
    Skip(usize),
}

impl Placement {
    /// Where that is, with the tail at `tail`.
    #[inline(always)]
    pub(super) fn target(self, tail: usize) -> usize {
        match self {
            Self::Append => tail,
            Self::Wrap => 0,
            Self::Skip(live_end) => live_end,
        }
    }
}

impl<A: Arena> Ring<A> {
    /// Records end before this word; beyond, there is always one for a jump.
    pub(super) fn end(&self) -> usize {
        self.arena.words() - 1
    }

    /// Whether `need` words fit at the tail, as far as is known, and belong there.
    #[inline(always)]
    pub(super) fn fits_here(
        &self,
        tail_state: &TailState<'_>,
        tail: usize,
        head: &PeerCursor<'_>,
        need: usize,
    ) -> bool {
        let front = head.cursor.position as usize;
        if front <= tail {
            // Plain or skipped.
            tail + need <= tail_state.get(WINDOW).max(self.window)
        } else {
            // Wrapped. A word stays free before the head, so that there is room for a jump.
            tail + need < front
        }
    }

    /// Finds a place for `need` words that do not fit at the tail, as far as is known.
    #[cold]
    pub(super) fn find_placement(
        &self,
        tail_state: &TailState<'_>,
        tail: usize,
        head: &mut PeerCursor<'_>,
        empty: bool,
        need: usize,
    ) -> Option<Placement> {
        if !head.fresh {
            head.refresh();
            if self.fits_here(tail_state, tail, head, need) {
                return Some(Placement::Append);
            }
        }
        let front = head.cursor.position as usize;
        if front > tail {
            // Wrapped, and up to the head.
            let live_end = tail_state.get(LIVE_END);
            return (live_end > front && live_end + need <= self.end())
                .then_some(Placement::Skip(live_end));
        }
        if Self::is_front_free(tail_state, tail, head, need) {
            if empty {
                // The burst is over.
                tail_state.set(WINDOW, 0);
            }
            return Some(Placement::Wrap);
        }
        // Upwards; not to look again at once, the window grows, but never so far that a
        // skip over it could fail.
        let window = tail_state.get(WINDOW).max(self.window);
        let larger = (tail + need + window / 2).min(self.end() / 2);
        tail_state.set(WINDOW, larger);
        (tail + need <= self.end()).then_some(Placement::Append)
    }

    /// Whether the tail of a plain queue can wrap to 0 now.
    pub(super) fn is_front_free(
        tail_state: &TailState<'_>,
        tail: usize,
        head: &PeerCursor<'_>,
        need: usize,
    ) -> bool {
        let (front, base) = (head.cursor.position as usize, tail_state.get(SKIP_BASE));
        let skipped = front < base && base <= tail;
        front <= tail && !skipped && need < front
    }

    /// There is no memory at the tail, says `failure`: the front has some, if it is free.
    #[cold]
    pub(super) fn without_memory(
        tail_state: &TailState<'_>,
        tail: usize,
        head: &mut PeerCursor<'_>,
        need: usize,
        failure: Failure,
    ) -> Result<Placement, Failure> {
        head.refresh();
        match Self::is_front_free(tail_state, tail, head, need) {
            true => Ok(Placement::Wrap),
            false => Err(failure),
        }
    }

    /// Up to where there is room at the tail, and memory, whatever the head does.
    pub(super) fn room(
        &self,
        tail_state: &TailState<'_>,
        tail: usize,
        head: &PeerCursor<'_>,
    ) -> usize {
        let front = head.cursor.position as usize;
        let room = if front <= tail {
            tail_state.get(WINDOW).max(self.window)
        } else {
            front
        };
        room.min(tail_state.get(COMMITTED))
    }

    /// Sees to it that there is memory up to word `to`.
    #[inline(always)]
    pub(super) fn grow(
        &self,
        control: &Control,
        tail_state: &TailState<'_>,
        to: usize,
    ) -> Result<(), Failure> {
        let committed = tail_state.get(COMMITTED);
        if to <= committed {
            return Ok(());
        }
        self.grow_from(control, tail_state, committed, to)
    }

    #[cold]
    fn grow_from(
        &self,
        control: &Control,
        tail_state: &TailState<'_>,
        committed: usize,
        to: usize,
    ) -> Result<(), Failure> {
        // A quarter more than needed, so that this is rare, but no more than asked for
        // when memory is short.
        let ample = (to + to / 4).max(self.window).min(self.arena.words());
        let to = match self.arena.grow(committed, ample) {
            Ok(()) => ample,
            Err(_) => self.arena.grow(committed, to).map(|()| to)?,
        };
        tail_state.set(COMMITTED, to);
        if to > self.keep {
            // Relaxed: a hint for who drains the queue.
            control
                .needs_trim
                .store(needs_trim::LATER, Ordering::Relaxed);
        }
        Ok(())
    }
}
