//! [`ArenaState`]: where in the overflow arena the next large item goes.
//!
//! The arena is an endless row of granules. Items go one behind the other, but as soon as
//! the tail is past a window that fits the processor's caches, it goes back to the front
//! if that is free. So a queue that is used lightly works in the same few pages all the
//! time. Should the room at the front not do, because a backlog grows after all, the tail
//! jumps to where it had turned, and goes on from there without an end.

/// Items begin at multiples of so many bytes.
pub(super) const GRANULE: u64 = 64;

/// Every granule is below this one.
pub(super) const GRANULES: u32 = u32::MAX;

/// Past so many, the tail goes back to the front if it can: 256 KiB.
pub(super) const WINDOW: u32 = if cfg!(loom) {
    3
} else {
    (256 << 10) / GRANULE as u32
};

/// How many granules `bytes` take.
pub(super) fn granules(bytes: usize) -> Option<u32> {
    u32::try_from((bytes as u64).div_ceil(GRANULE)).ok()
}

/// How the items lie, beside where the tail and the head are.
///
/// | `wrapped_at` | `front` | the items inside, in order |
/// |---|---|---|
/// | 0 | 0 | from the head to the tail |
/// | set | 0 | from the head to `wrapped_at`, then from 0 to the tail |
/// | set | set | from the head to `wrapped_at`, from 0 to `front`, from `wrapped_at` to the tail |
///
/// It says so of a moment in the past: the head may have gone on since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ArenaState {
    pub(super) wrapped_at: u32,
    pub(super) front: u32,
}

impl ArenaState {
    pub(super) fn new(wrapped_at: u32, front: u32) -> Self {
        Self { wrapped_at, front }
    }

    /// The same, as it is now. It is written down before the tail moves, so if who was to
    /// move it died or failed, it may be one step ahead of the tail.
    fn now(self, tail: u32, head: u32) -> Self {
        // A tail below `wrapped_at` has not jumped.
        let front = if tail < self.wrapped_at {
            0
        } else {
            self.front
        };
        // The head's ends are above the tail's, or `wrapped_at`, only in the part before.
        let is_over = match front {
            0 => head <= tail,
            _ => head > self.wrapped_at,
        };
        match is_over {
            true => Self::default(),
            false => Self::new(self.wrapped_at, front),
        }
    }

    /// Where `need` granules go, and the state then. The new tail is behind it.
    pub(super) fn allocate(self, tail: u32, head: u32, need: u32) -> Option<(u32, Self)> {
        let arena_state = self.now(tail, head);
        let end = |at: u32| at.checked_add(need).filter(|end| *end < GRANULES);
        if arena_state.wrapped_at == 0 && need < head && end(tail).is_none_or(|end| end > WINDOW) {
            return Some((0, Self::new(tail, 0)));
        }
        let wrapped = arena_state.wrapped_at > 0 && arena_state.front == 0;
        let (at, arena_state) = match wrapped && end(tail).is_none_or(|end| end >= head) {
            true => {
                let at = arena_state.wrapped_at;
                (at, Self::new(at, tail))
            }
            false => (tail, arena_state),
        };
        end(at).map(|_| (at, arena_state))
    }

    /// How many granules are taken.
    pub(super) fn taken(self, tail: u32, head: u32) -> u32 {
        let Self { wrapped_at, front } = self.now(tail, head);
        // Saturating: shared words may lie.
        let until = |end: u32| end.saturating_sub(head);
        match (wrapped_at, front) {
            (0, _) => until(tail),
            (_, 0) => until(wrapped_at).saturating_add(tail),
            _ => {
                let before = if head > front {
                    until(wrapped_at).saturating_add(front)
                } else {
                    until(front)
                };
                before.saturating_add(tail.saturating_sub(wrapped_at))
            }
        }
    }
}
