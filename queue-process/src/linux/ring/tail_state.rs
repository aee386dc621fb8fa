//! [`TailState`]: what those who push keep for one another.

use crate::linux::engine::layout::Control;
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
    #[inline]
    pub(super) fn get(&self, note: usize) -> usize {
        // Words of the arena: whatever they say, every use is checked against its end.
        let word = self.control.tail.notes[note].load(Ordering::Relaxed);
        word.min(u64::from(u32::MAX)) as usize
    }

    #[inline]
    pub(super) fn set(&self, note: usize, word: usize) {
        self.control.tail.notes[note].store(word as u64, Ordering::Relaxed);
    }
}
