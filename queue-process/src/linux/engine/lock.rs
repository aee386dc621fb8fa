//! The lock on one end: mutual exclusion that survives its holder.
//!
//! The lock word is zero, or says who holds it. Taking it is one compare-and-swap,
//! giving it back one plain store: there is no bit for sleepers, for nobody sleeps on
//! it until woken. The sections are a few dozen instructions; who finds the word taken
//! pauses, then yields, then sleeps in slices of growing length. Who sees the *same*
//! holder for some milliseconds asks whether it is still alive, and inherits the
//! lock if not. The new owner may die too: its name is in the word then.
//!
//! A holder that was stopped keeps the lock until it goes on. Whoever serves other queues too
//! does not wait for that: it makes but a few [`Tries`].

use super::platform::Platform;
use crate::sys::Word32;
use queue_core::sync::atomic::Ordering;

/// How the lock was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquired {
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
pub(super) const FEW: u32 = if cfg!(loom) { 0 } else { 13 };

/// After how many milliseconds with one and the same holder it is suspected to be dead.
/// By the clock, not by pauses: where all processors have work, one pause may be as long.
pub(super) const LIVENESS_CHECK_AFTER: u32 = if cfg!(loom) { 0 } else { 2 };

/// Takes the lock, with so many tries. A process that has no membership of its own yet, because it
/// was forked, joins first.
#[inline(always)]
pub(crate) fn take(word: &Word32, platform: &impl Platform, tries: Tries) -> Acquired {
    let me = platform.me();
    // Acquire: pairs with the Release in `give_back`. Release: whoever sees my name sees
    // what makes it mine, and so does not take me for dead.
    if me != 0 && word.replace(0, me, Ordering::AcqRel) {
        return Acquired::Free;
    }
    take_contended(word, platform, tries)
}

#[cold]
#[allow(clippy::absurd_extreme_comparisons)] // In models nobody is above suspicion.
fn take_contended(word: &Word32, platform: &impl Platform, tries: Tries) -> Acquired {
    if platform.enter().is_err() {
        return Acquired::Refused;
    }
    let (mut last, mut since, mut round) = (0, 0, 0);
    loop {
        let last_try = tries == Tries::Few && round >= FEW;
        // Acquire: pairs with the Release of the exchange that wrote the name.
        let holder = word.load(Ordering::Acquire);
        if holder == 0 {
            // As in `take`.
            if word.replace(0, platform.me(), Ordering::AcqRel) {
                return Acquired::Free;
            }
        } else if holder != last && !last_try {
            (last, since) = (holder, platform.now());
        } else if (last_try || platform.now().wrapping_sub(since) >= LIVENESS_CHECK_AFTER)
            && !platform.is_alive(holder)
        {
            // Release: as in `take`. No Acquire: all that the dead did, and saw, is
            // visible to whoever knows of its death.
            if word.replace(holder, platform.me(), Ordering::Release) {
                return Acquired::FromDead;
            }
        }
        if last_try {
            return Acquired::Busy;
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
