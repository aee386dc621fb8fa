//! [`Slot`]: where one item is that is lent, or that came back; and its [`State`].

use crate::sys::{Word32, Word64, shared_safe};
use queue_core::sync::atomic::Ordering::Relaxed;

/// How many words the bytes of a small item have, and the head of a pipe's record before them.
pub(crate) const RECORD_WORDS: usize = if cfg!(loom) { 8 } else { 12 };

/// An item that is lent, or came back: 128 bytes.
///
/// All but `state` is written before `state` says that it is there, and under the head lock.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Slot {
    /// [`State`].
    pub(super) state: Word64,
    /// The item's place in the order of first deliveries.
    pub(super) number: Word64,
    /// The head's count when the item was first lent.
    pub(super) count: Word32,
    /// How many bytes the item has, and whether they are [outside](OUTSIDE).
    pub(super) len: Word32,
    /// The next slot of its list, plus one; or zero.
    pub(super) next: Word32,
    spare: Word32,
    /// A word for a pipe's record, and then the bytes of a small item.
    pub(super) record: [Word64; RECORD_WORDS],
}

shared_safe!(Slot {
    state,
    number,
    count,
    len,
    next,
    spare,
    record
});

/// Of [`Slot::len`]: the bytes lie in the file, and not in the slot.
pub(super) const OUTSIDE: u32 = 1 << 31;

/// What a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nobody's.
    Free,
    /// Its item is on the way from the queue, or was when somebody died.
    Taken,
    /// Lent.
    Held {
        /// The member that it is lent to.
        owner: u32,
        /// How often it was delivered, this time included.
        attempt: u32,
    },
    /// In the queue again.
    Returned {
        /// How often it will have been delivered with the next time.
        attempt: u32,
    },
}

const TAKEN: u64 = 1 << 30;
const HELD: u64 = 2 << 30;
const RETURNED: u64 = 3 << 30;

/// The most attempts that are counted.
pub(crate) const MAX_ATTEMPTS: u32 = (1 << 30) - 1;

impl State {
    /// The word that says so.
    #[inline]
    pub(crate) fn word(self) -> u64 {
        match self {
            Self::Free => 0,
            Self::Taken => TAKEN,
            Self::Held { owner, attempt } => u64::from(owner) << 32 | HELD | u64::from(attempt),
            Self::Returned { attempt } => RETURNED | u64::from(attempt),
        }
    }

    /// What `word` says.
    #[inline]
    pub(crate) fn from_word(word: u64) -> Self {
        let attempt = word as u32 & MAX_ATTEMPTS;
        match word & RETURNED {
            TAKEN => Self::Taken,
            HELD => Self::Held {
                owner: (word >> 32) as u32,
                attempt,
            },
            RETURNED => Self::Returned { attempt },
            _ => Self::Free,
        }
    }

    /// What is returned of one that was delivered `attempt` times, the last time `counted` or not.
    pub(crate) fn returned(attempt: u32, counted: bool) -> Self {
        Self::Returned {
            attempt: (attempt + u32::from(counted)).min(MAX_ATTEMPTS),
        }
    }
}

impl Slot {
    // Relaxed, here and wherever a slot is read or written: under the head lock.
    #[inline]
    pub(crate) fn state(&self) -> State {
        State::from_word(self.state.load(Relaxed))
    }

    #[inline]
    pub(crate) fn set_state(&self, state: State) {
        self.state.store(state.word(), Relaxed);
    }

    /// The head's count when its item was first lent.
    pub(crate) fn count(&self) -> u32 {
        self.count.load(Relaxed)
    }
}

/// What a holder knows of its lease: by this it settles it, and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseKey {
    /// Which slot.
    pub(crate) slot: u32,
    /// What its word says as long as it is held by us.
    pub(crate) word: u64,
    /// The item's place in the order of first deliveries.
    pub(crate) number: u64,
}

impl LeaseKey {
    /// The member that it was lent to.
    pub(crate) fn owner(&self) -> u32 {
        (self.word >> 32) as u32
    }

    /// How often the item was delivered, this time included.
    pub(crate) fn attempt(&self) -> u32 {
        self.word as u32 & MAX_ATTEMPTS
    }

    /// Whether `slot` is still what was lent by it.
    pub(crate) fn is_of(&self, slot: &Slot) -> bool {
        slot.state.load(Relaxed) == self.word && slot.number.load(Relaxed) == self.number
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_word_says_all_of_a_state() {
        let (owner, attempt) = (u32::MAX, MAX_ATTEMPTS);
        for state in [
            State::Free,
            State::Taken,
            State::Held { owner, attempt },
            State::Held {
                owner: 0x101,
                attempt: 1,
            },
            State::Returned { attempt },
            State::Returned { attempt: 2 },
        ] {
            assert_eq!(State::from_word(state.word()), state);
        }
        assert_eq!(Slot::default().state(), State::Free, "as new memory is");
        assert_eq!(size_of::<Slot>(), 128);
    }

    #[test]
    fn attempts_are_counted_up_to_a_limit() {
        assert_eq!(State::returned(1, true), State::Returned { attempt: 2 });
        assert_eq!(State::returned(1, false), State::Returned { attempt: 1 });
        let most = State::Returned {
            attempt: MAX_ATTEMPTS,
        };
        assert_eq!(State::returned(MAX_ATTEMPTS, true), most);
    }
}
