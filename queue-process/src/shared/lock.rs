//! The lock on one end: mutual exclusion that survives its holder.
//!
//! The lock word is zero, or says who holds it. Taking it is one compare-and-swap,
//! giving it back one plain store: there is no bit for sleepers, for nobody sleeps on
//! it until woken. The sections are a few dozen instructions; who finds the word taken
//! pauses, then yields, then sleeps in slices of growing length. Who sees the *same*
//! holder for some milliseconds asks whether it is still alive, and inherits the
//! lock if not. The heir may die too: its name is in the word then.

use super::platform::Platform;
use super::word::Word32;
use queue_core::sync::atomic::Ordering;

/// How the lock was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// From nobody.
    Free,
    /// From a holder that died: what it did is half done.
    FromDead,
}

/// After how many milliseconds with one and the same holder it is suspected to be dead.
/// By the clock, not by pauses: where all processors have work, one pause may be as long.
const SUSPICIOUS: u32 = if cfg!(loom) { 0 } else { 2 };

/// Takes the lock, whoever must be waited for.
#[inline(always)]
pub(crate) fn take(word: &Word32, platform: &impl Platform) -> Taken {
    // Acquire: pairs with the Release in `give_back`. Release: whoever sees my name sees
    // what makes it mine, and so does not take me for dead.
    if word.replace(0, platform.me(), Ordering::AcqRel) {
        return Taken::Free;
    }
    take_contended(word, platform)
}

#[cold]
#[allow(clippy::absurd_extreme_comparisons)] // In models nobody is above suspicion.
fn take_contended(word: &Word32, platform: &impl Platform) -> Taken {
    let (mut last, mut since, mut round) = (0, 0, 0);
    loop {
        // Acquire: pairs with the Release of the exchange that wrote the name.
        let holder = word.load(Ordering::Acquire);
        if holder == 0 {
            // As in `take`.
            if word.replace(0, platform.me(), Ordering::AcqRel) {
                return Taken::Free;
            }
        } else if holder != last {
            (last, since) = (holder, platform.now());
        } else if platform.now().wrapping_sub(since) >= SUSPICIOUS && !platform.is_alive(holder) {
            // Release: as in `take`. No Acquire: all that the dead did, and saw, is
            // visible to whoever knows of its death.
            if word.replace(holder, platform.me(), Ordering::Release) {
                return Taken::FromDead;
            }
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
