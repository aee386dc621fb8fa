//! Tests of [`position`](crate::linux::shm::storage).

use crate::linux::engine::PeerCursor;
use crate::linux::engine::control::{Control, Cursor, Item, needs_trim};
use crate::linux::shm::arena::Arena;
use crate::linux::shm::storage::*;
use crate::linux::shm::storage::{COMMITTED, LIVE_END, Ring, SKIP_BASE, TailState, WINDOW};
use queue_core::Failure;
use queue_core::FailureKind;
use queue_core::sync::atomic::Ordering;

/// An arena of 100 words, of which there is memory for so many.
struct Words(usize);

impl Arena for Words {
    fn words(&self) -> usize {
        100
    }
    fn set(&self, _: usize, _: u64) {}
    fn get(&self, _: usize) -> u64 {
        0
    }
    fn write(&self, _: usize, _: &[u8]) {}
    fn read(&self, _: usize, _: usize, _: &mut Vec<u8>) {}
    fn grow(&self, _: usize, to: usize) -> Result<(), Failure> {
        match to <= self.0 {
            true => Ok(()),
            false => Err(Failure::new(FailureKind::Io, "no memory")),
        }
    }
    fn shrink(&self, _: usize, _: usize) {}
}

/// A ring whose small window has 10 words, and that keeps 40 when it is empty.
fn ring() -> Ring<Words> {
    Ring::new(Words(100), 8, 10, 40)
}

/// The words of a queue whose tail has these words of the storage.
fn control(noted: &[(usize, usize)]) -> Control {
    let control = Control::default();
    for &(note, word) in noted {
        TailState { control: &control }.set(note, word);
    }
    control
}

fn at(position: usize) -> Cursor {
    let position = position as u32;
    Cursor { count: 0, position }
}

/// The head as it was seen, and is.
fn head(control: &Control, front: usize) -> PeerCursor<'_> {
    control.head.set_cursor(at(front));
    PeerCursor {
        cursor: at(front),
        freed: 0,
        fresh: true,
        state: &control.tail,
        other: &control.head,
    }
}

#[test]
fn what_belongs_at_the_tail_fits_there() {
    for (window, tail, front, need, fits) in [
        (0, 4, 0, 6, true),
        (0, 4, 0, 7, false),
        (0, 4, 4, 6, true),
        (20, 4, 0, 16, true),
        (20, 4, 0, 17, false),
        // Wrapped.
        (20, 3, 8, 4, true),
        (20, 3, 8, 5, false),
        (20, 3, 30, 20, true),
    ] {
        let control = control(&[(WINDOW, window)]);
        let tail_state = TailState { control: &control };
        let head = head(&control, front);
        let it_fits = ring().fits_here(&tail_state, tail, &head, need);
        assert_eq!(it_fits, fits, "{window}: {need} at {tail}, head {front}");
    }
}

#[test]
fn a_record_may_end_with_the_memory() {
    for (tail, ends) in [
        (96, Ok(Some(98))),
        (97, Ok(Some(99))),
        (98, Err(FailureKind::Corrupt)),
    ] {
        // As a forged window says that it does, the last one.
        let control = control(&[(WINDOW, 100), (COMMITTED, 100)]);
        let mut head = head(&control, tail);
        let item = Item::new(&[1; 8]);
        let written = ring().write_placed(&control, at(tail), &mut head, item);
        assert_eq!(written.map_err(|failure| failure.kind()), ends, "at {tail}");
    }
}

/// Where the last record ended with the memory, the next one goes to the front.
#[test]
fn a_tail_at_the_end_of_the_memory_is_none_outside_of_it() {
    for (tail, front, goes) in [
        (99, 50, Ok(Some(2))),
        (100, 50, Err(FailureKind::Corrupt)),
        (50, 99, Ok(Some(52))),
        (50, 100, Err(FailureKind::Corrupt)),
    ] {
        let control = control(&[(WINDOW, 99)]);
        let mut head = head(&control, front);
        let item = Item::new(&[1; 8]);
        let written = ring().write_placed(&control, at(tail), &mut head, item);
        assert_eq!(
            written.map_err(|failure| failure.kind()),
            goes,
            "tail {tail}, head {front}"
        );
    }
}

#[test]
fn the_front_is_free_below_the_head_of_a_plain_queue() {
    for (base, tail, front, need, free) in [
        (0, 20, 10, 9, true),
        (0, 20, 10, 10, false),
        (0, 10, 10, 9, true),
        (0, 5, 10, 3, false),
        // Skipped from below `skip_base` to there, until the head comes after.
        (15, 20, 10, 5, false),
        (20, 20, 10, 5, false),
        (21, 20, 10, 5, true),
        (10, 20, 10, 5, true),
    ] {
        let control = control(&[(SKIP_BASE, base)]);
        let tail_state = TailState { control: &control };
        let head = head(&control, front);
        let it_is = Ring::<Words>::is_front_free(&tail_state, tail, &head, need);
        assert_eq!(it_is, free, "{base}: {need} behind {tail}, head {front}");
    }
}

/// What `find_placement` says of a queue with these words, and the window that it leaves.
fn found(
    noted: &[(usize, usize)],
    [tail, front, need]: [usize; 3],
    empty: bool,
) -> (Option<usize>, usize) {
    let control = control(noted);
    let tail_state = TailState { control: &control };
    let mut head = head(&control, front);
    let placement = ring().find_placement(&tail_state, tail, &mut head, empty, need);
    let target = placement.map(|placement| placement.target(tail));
    assert!(!matches!(placement, Some(Placement::Wrap)) || target == Some(0));
    (target, tail_state.get(WINDOW))
}

#[test]
fn what_does_not_fit_at_the_tail_finds_a_place() {
    // The front, if it is free; when the backlog is gone the window is small again.
    assert_eq!(found(&[(WINDOW, 30)], [28, 10, 5], false), (Some(0), 30));
    assert_eq!(found(&[(WINDOW, 30)], [28, 28, 5], true), (Some(0), 0));
    // Upwards, with a window that grows by a half, but not over half of the arena.
    assert_eq!(found(&[], [8, 2, 5], false), (Some(8), 8 + 5 + 5));
    assert_eq!(
        found(&[(WINDOW, 20)], [18, 2, 5], true),
        (Some(18), 18 + 5 + 10)
    );
    assert_eq!(found(&[(WINDOW, 40)], [38, 2, 5], false), (Some(38), 49));
    assert_eq!(found(&[(WINDOW, 49)], [90, 2, 9], false), (Some(90), 49));
    assert_eq!(found(&[(WINDOW, 49)], [90, 2, 10], false).0, None);
    // Wrapped: over all that is live.
    assert_eq!(found(&[(LIVE_END, 60)], [8, 10, 5], false), (Some(60), 0));
    assert_eq!(found(&[(LIVE_END, 60)], [8, 10, 39], false), (Some(60), 0));
    assert_eq!(found(&[(LIVE_END, 60)], [8, 10, 40], false), (None, 0));
    assert_eq!(found(&[(LIVE_END, 10)], [8, 10, 5], false), (None, 0));
    assert_eq!(found(&[(LIVE_END, 11)], [8, 10, 5], false), (Some(11), 0));
    // An empty queue whose ends both stand where the tail turned is plain.
    assert_eq!(found(&[(LIVE_END, 60)], [10, 10, 5], true), (Some(0), 0));
}

#[test]
fn an_old_look_at_the_head_is_renewed_first() {
    let control = control(&[]);
    let tail_state = TailState { control: &control };
    for (now, target) in [(20, Some(3)), (10, None)] {
        let mut head = PeerCursor {
            cursor: at(8),
            fresh: false,
            ..head(&control, now)
        };
        let placement = ring().find_placement(&tail_state, 3, &mut head, false, 9);
        assert_eq!(placement.map(|placement| placement.target(3)), target);
        assert!(head.fresh && head.cursor == at(now));
    }
}

#[test]
fn without_memory_at_the_tail_there_is_the_front() {
    let control = control(&[]);
    let tail_state = TailState { control: &control };
    for (now, placement) in [(20, Some(0)), (5, None)] {
        let mut head = PeerCursor {
            cursor: at(1),
            fresh: true,
            ..head(&control, now)
        };
        let failure = Failure::new(FailureKind::Io, "no memory");
        let found = Ring::<Words>::without_memory(&tail_state, 30, &mut head, 5, failure);
        assert_eq!(found.ok().map(|placement| placement.target(30)), placement);
    }
}

#[test]
fn there_is_room_as_far_as_nobody_need_look() {
    for (window, committed, tail, front, room) in [
        (0, 99, 4, 0, 10),
        (0, 99, 4, 4, 10),
        (20, 99, 4, 0, 20),
        (20, 15, 4, 0, 15),
        (20, 99, 4, 30, 30),
        (20, 25, 4, 30, 25),
    ] {
        let control = control(&[(WINDOW, window), (COMMITTED, committed)]);
        let tail_state = TailState { control: &control };
        let head = head(&control, front);
        assert_eq!(ring().room(&tail_state, tail, &head), room);
    }
}

#[test]
fn memory_comes_a_quarter_ahead_while_there_is_some() {
    for (memory, committed, to, then, later) in [
        (100, 30, 30, Some(30), false),
        (100, 0, 4, Some(10), false),
        (100, 10, 20, Some(25), false),
        (100, 10, 32, Some(40), false),
        (100, 10, 33, Some(41), true),
        (100, 41, 90, Some(100), true),
        // Short of memory.
        (50, 10, 45, Some(45), true),
        (50, 10, 50, Some(50), true),
        (50, 10, 51, None, false),
    ] {
        let control = control(&[(COMMITTED, committed)]);
        let tail_state = TailState { control: &control };
        let ring = Ring::new(Words(memory), 8, 10, 40);
        let grew = ring.grow(&tail_state, to);
        assert_eq!(
            grew.ok().map(|()| tail_state.get(COMMITTED)),
            then,
            "{committed} to {to}"
        );
        assert_eq!(tail_state.get(COMMITTED), then.unwrap_or(committed));
        let needs_trim = control.needs_trim.load(Ordering::Relaxed);
        assert_eq!(
            needs_trim == needs_trim::LATER,
            later,
            "{committed} to {to}"
        );
    }
}
