//! Tests of [`overflow`](crate::linux::pipe::overflow).

use crate::linux::pipe::overflow::*;
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
        let (mut tail, mut head, mut arena_state) = (0, 0, ArenaState::default());
        let mut inside = VecDeque::<(u32, u32)>::new();
        for step in steps {
            match step {
                Step::Push(need) => {
                    let (at, next) = arena_state.allocate(tail, head, need).unwrap();
                    for (from, to) in &inside {
                        prop_assert!(at + need <= *from || *to <= at);
                    }
                    (tail, arena_state) = (at + need, next);
                    inside.push_back((at, tail));
                }
                Step::PushInVain(need) => arena_state = arena_state.allocate(tail, head, need).unwrap().1,
                Step::Pop => {
                    if let Some((_, to)) = inside.pop_front() {
                        head = to;
                    }
                }
            }
            let sum: u32 = inside.iter().map(|(from, to)| to - from).sum();
            prop_assert_eq!(arena_state.taken(tail, head), sum);
        }
    }

    /// Nonsense leads to some place, or none.
    #[test]
    fn lies_are_answered(word: u64, tail: u32, head: u32, need: u32) {
        let arena_state = ArenaState::new(word as u32, (word >> 32) as u32);
        arena_state.taken(tail, head);
        if let Some((at, _)) = arena_state.allocate(tail, head, need) {
            prop_assert!(at.checked_add(need).is_some());
        }
    }
}

#[test]
fn a_light_load_stays_inside_the_window() {
    let (mut tail, mut head, mut arena_state) = (0, 0, ArenaState::default());
    let mut ends = VecDeque::new();
    for _ in 0..100_000 {
        let (at, next) = arena_state.allocate(tail, head, 65).unwrap();
        (tail, arena_state) = (at + 65, next);
        assert!(tail <= WINDOW);
        ends.push_back(tail);
        if ends.len() == 10 {
            head = ends.pop_front().unwrap();
        }
    }
}

#[test]
fn a_backlog_is_never_out_of_room() {
    let (mut tail, mut head, mut arena_state) = (0, 0, ArenaState::default());
    let mut ends = VecDeque::new();
    for round in 0..200_000 {
        let (at, next) = arena_state.allocate(tail, head, 64).unwrap();
        (tail, arena_state) = (at + 64, next);
        ends.push_back(tail);
        // Long phases of growing and shrinking.
        let pops = if round / 10_000 % 2 == 0 { 0 } else { 2 };
        for end in ends.drain(..pops.min(ends.len())) {
            head = end;
        }
        assert_eq!(arena_state.taken(tail, head), ends.len() as u32 * 64);
        assert!(tail <= 4 * 10_000 * 64);
    }
}

#[test]
fn what_fits_the_window_stays_inside() {
    let placed = |tail| ArenaState::default().allocate(tail, 9, 5).unwrap().0;
    assert_eq!(placed(WINDOW - 5), WINDOW - 5);
    assert_eq!(placed(WINDOW - 4), 0);
}

#[test]
fn its_end_is_its_end() {
    assert_eq!(ArenaState::default().allocate(0, 0, GRANULES), None);
    let (at, arena_state) = ArenaState::default().allocate(GRANULES - 2, 9, 5).unwrap();
    assert_eq!((at, arena_state.wrapped_at), (0, GRANULES - 2));
    assert_eq!(
        ArenaState::default().allocate(GRANULES - 2, 5, 5),
        None,
        "neither behind nor in front"
    );
    assert_eq!(granules(0), Some(0));
    assert_eq!(granules(65), Some(2));
}
