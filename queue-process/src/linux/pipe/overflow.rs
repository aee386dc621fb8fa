//! [`Lap`]: where in the hall the next large item goes.
//!
//! The hall is an endless row of granules. Items go one behind the other, but as soon as
//! the tail is past a window that fits the processor's caches, it goes back to the front
//! if that is free. So a queue that is used lightly works in the same few pages all the
//! time. Should the room at the front not do, because a backlog grows after all, the tail
//! jumps to where it had turned, and goes on from there without an end.

/// Items begin at multiples of so many bytes.
pub(super) const GRANULE: u64 = 64;

/// Every place is below this one.
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
/// | `turn` | `front` | the items inside, in order |
/// |---|---|---|
/// | 0 | 0 | from the head to the tail |
/// | set | 0 | from the head to `turn`, then from 0 to the tail |
/// | set | set | from the head to `turn`, from 0 to `front`, from `turn` to the tail |
///
/// It says so of a moment in the past: the head may have gone on since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lap {
    turn: u32,
    front: u32,
}

impl Lap {
    pub(super) fn from_word(word: u64) -> Self {
        Self {
            turn: word as u32,
            front: (word >> 32) as u32,
        }
    }

    pub(super) fn word(self) -> u64 {
        u64::from(self.turn) | u64::from(self.front) << 32
    }

    /// The same, as it is now. It is written down before the tail moves, so if who was to
    /// move it died or failed, it may be one step ahead of the tail.
    fn now(self, tail: u32, head: u32) -> Self {
        let Self { turn, mut front } = self;
        if tail < turn {
            // It has not jumped.
            front = 0;
        }
        // The head's ends are above the tail's, or `turn`, only in the part before.
        let over = if front > 0 { head > turn } else { head <= tail };
        if over {
            Self::default()
        } else {
            Self { turn, front }
        }
    }

    /// The place for `need` granules, and the lap then. The new tail is behind it.
    pub(super) fn place(self, tail: u32, head: u32, need: u32) -> Option<(u32, Self)> {
        let lap = self.now(tail, head);
        let end = |at: u32| at.checked_add(need).filter(|end| *end < GRANULES);
        if lap.turn == 0 && need < head && end(tail).is_none_or(|end| end > WINDOW) {
            return Some((
                0,
                Self {
                    turn: tail,
                    front: 0,
                },
            ));
        }
        let wrapped = lap.turn > 0 && lap.front == 0;
        let (at, lap) = match wrapped && end(tail).is_none_or(|end| end >= head) {
            true => (lap.turn, Self { front: tail, ..lap }),
            false => (tail, lap),
        };
        end(at).map(|_| (at, lap))
    }

    /// How many granules are taken.
    pub(super) fn taken(self, tail: u32, head: u32) -> u32 {
        let Self { turn, front } = self.now(tail, head);
        // Saturating: shared words may lie.
        let until = |end: u32| end.saturating_sub(head);
        match (turn, front) {
            (0, _) => until(tail),
            (_, 0) => until(turn).saturating_add(tail),
            _ => {
                let before = if head > front {
                    until(turn).saturating_add(front)
                } else {
                    until(front)
                };
                before.saturating_add(tail.saturating_sub(turn))
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Push(u32),
        /// One who dies, or fails, at the last moment.
        PushInVain(u32),
        Pop,
    }

    fn step() -> impl Strategy<Value = Step> {
        let need = || prop_oneof![1..100u32, 1..WINDOW / 2, 1..WINDOW * 2];
        prop_oneof![
            4 => need().prop_map(Step::Push),
            1 => need().prop_map(Step::PushInVain),
            4 => Just(Step::Pop),
        ]
    }

    proptest! {
        /// There is always a place, no two items inside overlap, and what is taken is
        /// what they take.
        #[test]
        fn items_never_overlap(steps in prop::collection::vec(step(), 1..500)) {
            let (mut tail, mut head, mut lap) = (0, 0, Lap::default());
            let mut inside = VecDeque::<(u32, u32)>::new();
            for step in steps {
                match step {
                    Step::Push(need) => {
                        let (at, next) = lap.place(tail, head, need).unwrap();
                        for (from, to) in &inside {
                            prop_assert!(at + need <= *from || *to <= at);
                        }
                        (tail, lap) = (at + need, Lap::from_word(next.word()));
                        inside.push_back((at, tail));
                    }
                    Step::PushInVain(need) => lap = lap.place(tail, head, need).unwrap().1,
                    Step::Pop => {
                        if let Some((_, to)) = inside.pop_front() {
                            head = to;
                        }
                    }
                }
                let sum: u32 = inside.iter().map(|(from, to)| to - from).sum();
                prop_assert_eq!(lap.taken(tail, head), sum);
            }
        }

        /// Nonsense leads to some place, or none.
        #[test]
        fn lies_are_answered(word: u64, tail: u32, head: u32, need: u32) {
            let lap = Lap::from_word(word);
            lap.taken(tail, head);
            if let Some((at, _)) = lap.place(tail, head, need) {
                prop_assert!(at.checked_add(need).is_some());
            }
        }
    }

    #[test]
    fn a_light_load_stays_inside_the_window() {
        let (mut tail, mut head, mut lap) = (0, 0, Lap::default());
        let mut ends = VecDeque::new();
        for _ in 0..100_000 {
            let (at, next) = lap.place(tail, head, 65).unwrap();
            (tail, lap) = (at + 65, next);
            assert!(tail <= WINDOW);
            ends.push_back(tail);
            if ends.len() == 10 {
                head = ends.pop_front().unwrap();
            }
        }
    }

    #[test]
    fn a_backlog_is_never_out_of_room() {
        let (mut tail, mut head, mut lap) = (0, 0, Lap::default());
        let mut ends = VecDeque::new();
        for round in 0..200_000 {
            let (at, next) = lap.place(tail, head, 64).unwrap();
            (tail, lap) = (at + 64, next);
            ends.push_back(tail);
            // Long phases of growing and shrinking.
            let pops = if round / 10_000 % 2 == 0 { 0 } else { 2 };
            for end in ends.drain(..pops.min(ends.len())) {
                head = end;
            }
            assert_eq!(lap.taken(tail, head), ends.len() as u32 * 64);
            assert!(tail <= 4 * 10_000 * 64);
        }
    }

    #[test]
    fn what_fits_the_window_stays_inside() {
        let place = |tail| Lap::default().place(tail, 9, 5).unwrap().0;
        assert_eq!(place(WINDOW - 5), WINDOW - 5);
        assert_eq!(place(WINDOW - 4), 0);
    }

    #[test]
    fn its_end_is_its_end() {
        assert_eq!(Lap::default().place(0, 0, GRANULES), None);
        let (at, lap) = Lap::default().place(GRANULES - 2, 9, 5).unwrap();
        assert_eq!((at, lap.turn), (0, GRANULES - 2));
        assert_eq!(
            Lap::default().place(GRANULES - 2, 5, 5),
            None,
            "neither behind nor in front"
        );
        assert_eq!(granules(0), Some(0));
        assert_eq!(granules(65), Some(2));
    }
}
