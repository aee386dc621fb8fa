//! The lock on one end: mutual exclusion that survives its holder.
//!
//! The lock word is zero, or says who holds it. Taking it is one compare-and-swap,
//! giving it back one plain store: there is no bit for sleepers, for nobody sleeps on
//! it until woken. The sections are a few dozen instructions; who finds the word taken
//! pauses, then yields, then sleeps in slices of growing length. Who sees the *same*
//! holder for some milliseconds asks whether it is still alive, and inherits the
//! lock if not. The heir may die too: its name is in the word then.
//!
//! A holder that was stopped keeps the lock until it goes on. Whoever serves other queues too
//! does not wait for that: it makes but a few [`Tries`].

use super::platform::Platform;
use crate::sys::Word32;
use queue_core::sync::atomic::Ordering;

/// How the lock was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// From nobody.
    Free,
    /// From a holder that died: what it did is half done.
    FromDead,
    /// Not at all: this process does not take part, and cannot.
    Refused,
    /// Not at all: its holder lives, and the tries were few.
    Busy,
}

/// How often to try while the holder lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tries {
    /// Until the lock is taken.
    Endless,
    /// For about half a millisecond.
    Few,
}

/// After how many pauses the [`Few`](Tries::Few) tries are over. In a model a pause is as long
/// as the holder has the lock.
const FEW: u32 = if cfg!(loom) { 0 } else { 13 };

/// After how many milliseconds with one and the same holder it is suspected to be dead.
/// By the clock, not by pauses: where all processors have work, one pause may be as long.
const SUSPICIOUS: u32 = if cfg!(loom) { 0 } else { 2 };

/// Takes the lock, with so many tries; and first of all a place of its own, in a process that has
/// none yet because it was forked.
#[inline(always)]
pub(crate) fn take(word: &Word32, platform: &impl Platform, tries: Tries) -> Taken {
    let me = platform.me();
    // Acquire: pairs with the Release in `give_back`. Release: whoever sees my name sees
    // what makes it mine, and so does not take me for dead.
    if me != 0 && word.replace(0, me, Ordering::AcqRel) {
        return Taken::Free;
    }
    take_contended(word, platform, tries)
}

#[cold]
#[allow(clippy::absurd_extreme_comparisons)] // In models nobody is above suspicion.
fn take_contended(word: &Word32, platform: &impl Platform, tries: Tries) -> Taken {
    if platform.enter().is_err() {
        return Taken::Refused;
    }
    let (mut last, mut since, mut round) = (0, 0, 0);
    loop {
        let last_try = tries == Tries::Few && round >= FEW;
        // Acquire: pairs with the Release of the exchange that wrote the name.
        let holder = word.load(Ordering::Acquire);
        if holder == 0 {
            // As in `take`.
            if word.replace(0, platform.me(), Ordering::AcqRel) {
                return Taken::Free;
            }
        } else if holder != last && !last_try {
            (last, since) = (holder, platform.now());
        } else if (last_try || platform.now().wrapping_sub(since) >= SUSPICIOUS)
            && !platform.is_alive(holder)
        {
            // Release: as in `take`. No Acquire: all that the dead did, and saw, is
            // visible to whoever knows of its death.
            if word.replace(holder, platform.me(), Ordering::Release) {
                return Taken::FromDead;
            }
        }
        if last_try {
            return Taken::Busy;
        }
        platform.pause(round, word, holder);
        round += 1;
    }
}

/// Gives the lock back.
#[inline(always)]
pub(crate) fn give_back(word: &Word32, platform: &impl Platform) {
    // Release: pairs with the Acquire in `take`.
    word.store(0, Ordering::Release);
    platform.given_back(word);
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::super::layout::{Control, End};
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    const ME: u32 = 0x100;

    /// A world in which a millisecond passes with each pause, and then something happens.
    struct World<F> {
        control: Control,
        now: AtomicU32,
        rounds: Mutex<Vec<u32>>,
        /// Given the time and the lock word: who is dead from then on.
        happens: F,
        dead: AtomicU32,
    }

    impl<F: Fn(u32, &Word32) -> Option<u32> + Send + Sync> Platform for World<F> {
        fn control(&self) -> &Control {
            &self.control
        }
        fn me(&self) -> u32 {
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
            self.now.load(Ordering::Relaxed)
        }
        fn sleep(&self, _: &Word32, _: u32, _: Duration) -> bool {
            unreachable!("nobody sleeps on a lock")
        }
        fn follow(&self, _: &Word32, _: u32, _: &AtomicU32, _: Duration) -> bool {
            unreachable!("nobody sleeps on a lock")
        }
        fn call(&self, _: &AtomicU32) {}
        fn wake(&self, _: &Word32, _: u32) {}
        fn ring(&self, _: End) {}
    }

    /// The clock goes round soon.
    const BEGIN: u32 = u32::MAX - 20;

    /// Takes a lock whose word is `holder` in such a world: how, and when.
    fn taken(
        holder: u32,
        happens: impl Fn(u32, &Word32) -> Option<u32> + Send + Sync,
    ) -> (Taken, u32) {
        let world = World {
            control: Control::default(),
            now: AtomicU32::new(BEGIN),
            rounds: Mutex::default(),
            happens,
            dead: AtomicU32::new(0),
        };
        let word = &world.control.tail.lock;
        word.store(holder, Ordering::Relaxed);
        let taken = take(word, &world, Tries::Endless);
        assert_eq!(word.load(Ordering::Relaxed), ME);
        let passed = world.now().wrapping_sub(BEGIN);
        let rounds = world.rounds.lock().unwrap();
        assert!(rounds.iter().copied().eq(0..passed), "longer and longer");
        give_back(word, &world);
        assert_eq!(word.load(Ordering::Relaxed), 0);
        (taken, passed)
    }

    #[test]
    fn a_lock_is_waited_for_as_long_as_its_holder_lives() {
        assert_eq!(taken(0, |_, _| None), (Taken::Free, 0));
        let gives_back = |now, word: &Word32| {
            if now == 50 {
                word.store(0, Ordering::Relaxed);
            }
            None
        };
        assert_eq!(taken(7, gives_back), (Taken::Free, 50));
    }

    #[test]
    fn few_tries_end_with_a_holder_that_lives() {
        let few = |holder, dead| {
            let world = World {
                control: Control::default(),
                now: AtomicU32::new(BEGIN),
                rounds: Mutex::default(),
                happens: |_, _: &Word32| None,
                dead: AtomicU32::new(dead),
            };
            let word = &world.control.tail.lock;
            word.store(holder, Ordering::Relaxed);
            let taken = take(word, &world, Tries::Few);
            let pauses = world.rounds.lock().unwrap().len() as u32;
            (taken, word.load(Ordering::Relaxed), pauses)
        };
        assert_eq!(few(0, 0), (Taken::Free, ME, 0));
        assert_eq!(few(7, 0), (Taken::Busy, 7, FEW));
        assert_eq!(few(7, 7), (Taken::FromDead, ME, SUSPICIOUS));
    }

    #[test]
    fn the_dead_are_inherited_from_when_that_is_sure() {
        let dies = |when| move |now, _: &Word32| (now == when).then_some(7);
        assert_eq!(taken(7, dies(1)), (Taken::FromDead, SUSPICIOUS));
        assert_eq!(taken(7, dies(50)), (Taken::FromDead, 50));
        // It gave the lock to another, of whom nobody knows yet how long it has had it.
        let follows = |now, word: &Word32| {
            if now == 50 {
                word.store(8, Ordering::Relaxed);
            }
            (now == 50).then_some(8)
        };
        assert_eq!(taken(7, follows), (Taken::FromDead, 50 + SUSPICIOUS));
    }
}
