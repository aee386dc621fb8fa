//! [`Platform`]: the shared words of a queue, and the system calls that the engine makes.

use super::control::{Control, End};
use crate::linux::lease::bytes::LeaseMemory;
use crate::sys::Word32;
use queue_core::Failure;
use queue_core::sync::atomic::AtomicU32;
use std::time::Duration;

/// One participant's view of the world: the shared words, and the system calls.
pub(crate) trait Platform: Send + Sync {
    /// The shared words.
    fn control(&self) -> &Control;

    /// The name of this member in a lock word. No other has it ever, not even after its death. Zero in a
    /// forked process, until it [becomes a member](Self::become_member).
    fn owner(&self) -> u32;

    /// Takes part from now on, if this process does not yet.
    ///
    /// # Errors
    /// If there are too many participants, or the system refuses.
    fn become_member(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether the participant whose word `owner` is may still be alive.
    fn is_alive(&self, owner: u32) -> bool;

    /// Passes a little time, the more the higher `round` is, while `holder` has the lock
    /// whose word is `word`.
    fn pause(&self, round: u32, word: &Word32, holder: u32);

    /// The lock whose word is `word` was just given back. Nobody is told in a program, for
    /// nobody sleeps on a lock; a model's processes do, where others pause.
    #[inline]
    fn on_unlock(&self, word: &Word32) {
        let _ = word;
    }

    /// Where the leases are.
    fn leases(&self) -> &dyn LeaseMemory;

    /// Milliseconds, more or less, since some moment that all participants agree on.
    fn now(&self) -> u32;

    /// Sleeps while `word` is `expected`, until woken or for about `at_most`; whether that
    /// time ran out.
    fn sleep(&self, word: &Word32, expected: u32, at_most: Duration) -> bool;

    /// As [`sleep`](Self::sleep), and only while `led`, a word of this process, is 1.
    fn sleep_as_follower(
        &self,
        word: &Word32,
        expected: u32,
        led: &AtomicU32,
        at_most: Duration,
    ) -> bool;

    /// Wakes one of those who [follow](Self::sleep_as_follower) by the word `led`.
    fn wake_follower(&self, led: &AtomicU32);

    /// Wakes up to `sleepers` of those who sleep on `word`.
    fn wake(&self, word: &Word32, sleepers: u32);

    /// Writes to the eventfd of `end` once: each process that listens to it is notified.
    fn notify_futures(&self, end: End);
}
