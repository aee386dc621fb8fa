//! Tests of [`prepare`](crate::linux::wait::thread_wait).

use crate::ShmQueue;
use crate::linux::engine::control::End;
use crate::linux::wait::thread_wait::*;
use queue_core::Queue;
use queue_core::sync::atomic::Ordering;

/// What the flag of sleepers and the word they sleep on say after somebody got ready to wait for
/// `end` of a queue of three slots with so many items, back or not; and what came of it.
fn stood(items: u8, end: End, back: bool) -> (PreparedWait, u32, u32) {
    let queue = ShmQueue::<u8>::bounded(3);
    (0..items).for_each(|item| queue.try_push(item).unwrap());
    let engine = &queue.shared.engine;
    let state = engine.control().end(end);
    state.wake_seq.store(7, Ordering::Relaxed);
    let prepared = engine.prepare_wait(end, back).unwrap();
    let word = |word: &crate::sys::Word32| word.load(Ordering::Relaxed);
    (prepared, word(&state.waiting), word(&state.wake_seq))
}

#[test]
fn who_finds_nothing_sleeps_and_says_so() {
    for back in [false, true] {
        assert_eq!(stood(0, End::Tail, back), (PreparedWait::Asleep(7), 1, 7));
        assert_eq!(stood(3, End::Head, back), (PreparedWait::Asleep(7), 1, 7));
    }
}

#[test]
fn who_finds_something_takes_it_and_passes_the_wake_on() {
    for (items, end) in [
        (1, End::Tail),
        (2, End::Tail),
        (2, End::Head),
        (0, End::Head),
    ] {
        assert_eq!(stood(items, end, false), (PreparedWait::Ready, 0, 7));
    }
    // There is one: the others are woken with the next. There are more: one is, now.
    for (items, end) in [(1, End::Tail), (2, End::Head)] {
        assert_eq!(stood(items, end, true), (PreparedWait::Ready, 1, 7));
    }
    for (items, end) in [(2, End::Tail), (1, End::Head), (0, End::Head)] {
        assert_eq!(stood(items, end, true), (PreparedWait::Ready, 0, 8));
    }
}

#[test]
fn nobody_sleeps_at_the_end() {
    let queue = ShmQueue::<u8>::bounded(3);
    queue.close();
    let engine = &queue.shared.engine;
    for end in [End::Tail, End::Head] {
        assert_eq!(
            engine.prepare_wait(end, false).unwrap(),
            PreparedWait::Ready
        );
    }
}
