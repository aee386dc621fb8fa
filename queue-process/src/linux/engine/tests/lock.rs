//! Tests of [`end_lock`](crate::linux::engine::end_lock).

use crate::linux::engine::Platform;
use crate::linux::engine::control::{Control, End};
use crate::linux::engine::end_lock::*;
use crate::linux::lease::bytes::{LeaseMemory, NoLeases};
use crate::sys::Word32;
use queue_core::sync::atomic::Ordering;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

const ME: u32 = 0x100;

/// A world in which a millisecond passes with each pause, or with so many, and then something happens.
struct Simulation<F> {
    control: Control,
    now: AtomicU32,
    pauses_of_a_millisecond: u32,
    rounds: Mutex<Vec<u32>>,
    /// Given the time and the lock word: who is dead from then on.
    happens: F,
    dead: AtomicU32,
}

impl<F: Fn(u32, &Word32) -> Option<u32> + Send + Sync> Platform for Simulation<F> {
    fn control(&self) -> &Control {
        &self.control
    }
    fn leases(&self) -> &dyn LeaseMemory {
        &NoLeases
    }
    fn owner(&self) -> u32 {
        ME
    }
    fn is_alive(&self, owner: u32) -> bool {
        self.dead.load(Ordering::Relaxed) != owner
    }
    fn pause(&self, round: u32, word: &Word32, _: u32) {
        let now = self.now.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.rounds.lock().unwrap().push(round);
        if let Some(dead) = (self.happens)(now.wrapping_sub(BEGIN), word) {
            self.dead.store(dead, Ordering::Relaxed);
        }
        assert!(now.wrapping_sub(BEGIN) < 1000, "it waits for ever");
    }
    fn now(&self) -> u32 {
        let passed = self.now.load(Ordering::Relaxed).wrapping_sub(BEGIN);
        BEGIN.wrapping_add(passed / self.pauses_of_a_millisecond)
    }
    fn sleep(&self, _: &Word32, _: u32, _: Duration) -> bool {
        unreachable!("nobody sleeps on a lock")
    }
    fn sleep_as_follower(&self, _: &Word32, _: u32, _: &AtomicU32, _: Duration) -> bool {
        unreachable!("nobody sleeps on a lock")
    }
    fn wake_follower(&self, _: &AtomicU32) {}
    fn wake(&self, _: &Word32, _: u32) {}
    fn notify_futures(&self, _: End) {}
}

/// The clock goes round soon.
const BEGIN: u32 = u32::MAX - 20;

/// Takes a lock whose word is `holder` in such a world: how, and when.
fn taken(
    holder: u32,
    happens: impl Fn(u32, &Word32) -> Option<u32> + Send + Sync,
) -> (Acquired, u32) {
    let simulation = Simulation {
        control: Control::default(),
        now: AtomicU32::new(BEGIN),
        pauses_of_a_millisecond: 1,
        rounds: Mutex::default(),
        happens,
        dead: AtomicU32::new(0),
    };
    let word = &simulation.control.tail.lock;
    word.store(holder, Ordering::Relaxed);
    let taken = acquire_lock(word, &simulation, Tries::Endless);
    assert_eq!(word.load(Ordering::Relaxed), ME);
    let passed = simulation.now().wrapping_sub(BEGIN);
    let rounds = simulation.rounds.lock().unwrap();
    assert!(rounds.iter().copied().eq(0..passed), "longer and longer");
    release_lock(word, &simulation);
    assert_eq!(word.load(Ordering::Relaxed), 0);
    (taken, passed)
}

#[test]
fn a_lock_is_waited_for_as_long_as_its_holder_lives() {
    assert_eq!(taken(0, |_, _| None), (Acquired::Free, 0));
    let gives_back = |now, word: &Word32| {
        if now == 50 {
            word.store(0, Ordering::Relaxed);
        }
        None
    };
    assert_eq!(taken(7, gives_back), (Acquired::Free, 50));
}

#[test]
fn few_tries_end_with_a_holder_that_lives() {
    let few_of = |pauses_of_a_millisecond, holder, dead| {
        let simulation = Simulation {
            control: Control::default(),
            now: AtomicU32::new(BEGIN),
            pauses_of_a_millisecond,
            rounds: Mutex::default(),
            happens: |_, _: &Word32| None,
            dead: AtomicU32::new(dead),
        };
        let word = &simulation.control.tail.lock;
        word.store(holder, Ordering::Relaxed);
        let taken = acquire_lock(word, &simulation, Tries::Few);
        let pauses = simulation.rounds.lock().unwrap().len() as u32;
        (taken, word.load(Ordering::Relaxed), pauses)
    };
    let few = |holder, dead| few_of(1, holder, dead);
    assert_eq!(few(0, 0), (Acquired::Free, ME, 0));
    assert_eq!(few(7, 0), (Acquired::Busy, 7, FEW_TRIES));
    assert_eq!(few(7, 7), (Acquired::FromDead, ME, LIVENESS_CHECK_AFTER));
    // Who makes no others must not pass by one that is dead, though all of them took no time.
    assert_eq!(few_of(99, 7, 7), (Acquired::FromDead, ME, FEW_TRIES));
}

#[test]
fn the_dead_are_inherited_from_when_that_is_sure() {
    let dies = |when| move |now, _: &Word32| (now == when).then_some(7);
    assert_eq!(
        taken(7, dies(1)),
        (Acquired::FromDead, LIVENESS_CHECK_AFTER)
    );
    assert_eq!(taken(7, dies(50)), (Acquired::FromDead, 50));
    // It gave the lock to another, of whom nobody knows yet how long it has had it.
    let follows = |now, word: &Word32| {
        if now == 50 {
            word.store(8, Ordering::Relaxed);
        }
        (now == 50).then_some(8)
    };
    assert_eq!(
        taken(7, follows),
        (Acquired::FromDead, 50 + LIVENESS_CHECK_AFTER)
    );
}
