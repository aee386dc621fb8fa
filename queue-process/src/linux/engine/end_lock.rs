//! The lock on an end of a queue: mutual exclusion that survives its holder.
//!
//! The lock word is zero, or the name of the holder. Acquiring it is one compare-and-swap,
//! releasing it one plain store. There is no bit for sleepers, because no thread sleeps on
//! it until woken. The critical sections are a few dozen instructions. A thread that finds the word
//! taken pauses, then yields, then sleeps in slices of growing length. If it sees the *same*
//! holder for some milliseconds, it asks whether the holder is still alive, and takes the
//! lock over if not. If the new owner dies too, its name is in the word.
//!
//! A holder that was stopped keeps the lock until it is continued. A thread that serves other queues
//! too does not wait for that: it makes a few [`Tries`] only.

use super::Platform;
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
    NotMember,
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
pub(super) const FEW_TRIES: u32 = if cfg!(loom) { 0 } else { 13 };

/// After how many milliseconds with one and the same holder it is suspected to be dead.
/// By the clock, not by pauses: where all processors have work, one pause may be as long.
pub(super) const LIVENESS_CHECK_AFTER: u32 = if cfg!(loom) { 0 } else { 2 };

/// Takes the lock, with so many tries. A process that has no membership of its own yet, because it
/// was forked, joins first.
#[inline]
pub(crate) fn acquire_lock(word: &Word32, platform: &impl Platform, tries: Tries) -> Acquired {
    let me = platform.owner();
    // Acquire: pairs with the Release in `release_lock`. Release: whoever sees my name sees
    // what makes it mine, and so does not take me for dead.
    if me != 0 && word.replace(0, me, Ordering::AcqRel) {
        return Acquired::Free;
    }
    acquire_contended(word, platform, tries)
}

#[cold]
#[allow(clippy::absurd_extreme_comparisons)] // In models nobody is above suspicion.
fn acquire_contended(word: &Word32, platform: &impl Platform, tries: Tries) -> Acquired {
    if platform.become_member().is_err() {
        return Acquired::NotMember;
    }
    let (mut last, mut since, mut round) = (0, 0, 0);
    loop {
        let last_try = tries == Tries::Few && round >= FEW_TRIES;
        // Acquire: pairs with the Release of the exchange that wrote the name.
        let holder = word.load(Ordering::Acquire);
        if holder == 0 {
            // As in `acquire_lock`.
            if word.replace(0, platform.owner(), Ordering::AcqRel) {
                return Acquired::Free;
            }
        } else if holder != last && !last_try {
            (last, since) = (holder, platform.now());
        } else if (last_try || platform.now().wrapping_sub(since) >= LIVENESS_CHECK_AFTER)
            && !platform.is_alive(holder)
        {
            // Release: as in `acquire_lock`. No Acquire: all that the dead did, and saw, is
            // visible to whoever knows of its death.
            if word.replace(holder, platform.owner(), Ordering::Release) {
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
#[inline]
pub(crate) fn release_lock(word: &Word32, platform: &impl Platform) {
    // Release: pairs with the Acquire in `acquire_lock`.
    word.store(0, Ordering::Release);
    platform.on_unlock(word);
}
