//! [`TailState`]: what those who push remember.

use super::overflow::ArenaState;
use crate::linux::engine::layout::Control;
use queue_core::sync::atomic::Ordering::Relaxed;

/// What those who push remember: at the tail, but for `log_start`, which each pop asks for.
pub(super) struct TailState<'a>(pub(super) &'a Control);

// Relaxed in all of these: they are written under the tail lock alone. Those who pop
// read `log_start` too; [`Pop`](super::pop::Pop) says why any value that they may see will do.
impl TailState<'_> {
    /// The number of the first item that went to the log, while pushes go there.
    pub(super) fn log_start(&self) -> Option<u32> {
        let word = self.0.both.load(Relaxed);
        (word != 0).then_some(word as u32)
    }

    pub(super) fn set_log_start(&self, log_start: Option<u32>) {
        let word = log_start.map_or(0, |number| u64::from(number) | 1 << 32);
        self.0.both.store(word, Relaxed);
    }

    /// How far the arena is taken at most, written before the record that takes it is in
    /// the pipe.
    pub(super) fn high_water(&self) -> u32 {
        self.0.tail.notes[0].load(Relaxed) as u32
    }

    pub(super) fn set_high_water(&self, high_water: u32) {
        self.0.tail.notes[0].store(high_water.into(), Relaxed);
    }

    /// How the items lie in the arena, written before `high_water`.
    pub(super) fn arena_state(&self) -> ArenaState {
        ArenaState::from_word(self.0.tail.notes[1].load(Relaxed))
    }

    pub(super) fn set_arena_state(&self, arena_state: ArenaState) {
        self.0.tail.notes[1].store(arena_state.word(), Relaxed);
    }
}

/// Whether the item of that number is behind the one numbered `from`, or that one.
pub(super) fn is_from(number: u32, from: u32) -> bool {
    number.wrapping_sub(from) as i32 >= 0
}
