//! [`Notes`]: what those who push remember.

use super::overflow::Lap;
use crate::linux::engine::layout::Control;
use queue_core::sync::atomic::Ordering::Relaxed;

/// What those who push remember: at the tail, but for `spill`, which each pop asks for.
pub(super) struct Notes<'a>(pub(super) &'a Control);

// Relaxed in all of these: they are written under the tail lock alone. Those who pop
// read `spill` too; [`Pop`](super::pop::Pop) says why any value that they may see will do.
impl Notes<'_> {
    /// The number of the first item that went to the log, while pushes go there.
    pub(super) fn spill(&self) -> Option<u32> {
        let word = self.0.both.load(Relaxed);
        (word != 0).then_some(word as u32)
    }

    pub(super) fn set_spill(&self, spill: Option<u32>) {
        let word = spill.map_or(0, |number| u64::from(number) | 1 << 32);
        self.0.both.store(word, Relaxed);
    }

    /// How far the hall is taken at most, written before the record that takes it is in
    /// the pipe.
    pub(super) fn reach(&self) -> u32 {
        self.0.tail.notes[0].load(Relaxed) as u32
    }

    pub(super) fn set_reach(&self, reach: u32) {
        self.0.tail.notes[0].store(reach.into(), Relaxed);
    }

    /// How the items lie in the hall, written before `reach`.
    pub(super) fn lap(&self) -> Lap {
        Lap::from_word(self.0.tail.notes[1].load(Relaxed))
    }

    pub(super) fn set_lap(&self, lap: Lap) {
        self.0.tail.notes[1].store(lap.word(), Relaxed);
    }
}

/// Whether the item of that number is behind the one numbered `from`, or that one.
pub(super) fn is_from(number: u32, from: u32) -> bool {
    number.wrapping_sub(from) as i32 >= 0
}
