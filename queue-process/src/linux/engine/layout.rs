//! [`Control`]: the shared words of a queue, and [`Mark`]: where one of its ends is.

use super::inline_item::Latest;
use crate::sys::shared_safe;
use crate::sys::{Word32, Word64};
use queue_core::sync::CachePadded;
use queue_core::sync::atomic::Ordering;

/// One of the two ends of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Where items go in. Whoever waits for items waits for it to move.
    Tail,
    /// Where items come out. Whoever waits for places waits for it to move.
    Head,
}

impl End {
    #[inline]
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Tail => Self::Head,
            Self::Head => Self::Tail,
        }
    }
}

/// How far one end has come. It is published as one word, so that an item is inside
/// (or out) with all that belongs to it, or not at all, whenever its pusher is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// How many items have passed, modulo 2^32.
    pub(crate) count: u32,
    /// The storage's own idea of the place.
    pub(crate) position: u32,
}

impl Mark {
    #[inline]
    pub(crate) fn from_word(word: u64) -> Self {
        Self {
            count: word as u32,
            position: (word >> 32) as u32,
        }
    }

    #[inline]
    pub(crate) fn word(self) -> u64 {
        u64::from(self.count) | u64::from(self.position) << 32
    }

    /// `items` further, at `position`.
    #[inline]
    pub(crate) fn advanced(self, items: u32, position: u32) -> Self {
        Self {
            count: self.count.wrapping_add(items),
            position,
        }
    }

    /// How many items lie between this head and `tail`.
    #[inline]
    pub(crate) fn items_until(self, tail: Self) -> u32 {
        tail.count.wrapping_sub(self.count)
    }
}

/// What the other end's people read of an end, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Shown {
    /// How far this end is. Written under the lock, with Release; read by the other
    /// end's people, with Acquire: they then see the item, or that it is read.
    pub(crate) mark: Word64,
    /// Of the tail: the items of even and of odd count that came last.
    latest: [Latest; 2],
}

shared_safe!(Shown { mark, latest });

impl Shown {
    /// Where item `count` is, if it is the last.
    #[inline(always)]
    pub(crate) fn latest(&self, count: u32) -> &Latest {
        &self.latest[(count & 1) as usize]
    }
}

/// What belongs to one end. All but `shown` is for whoever holds `lock`, and lies on
/// cache lines that the other end's people leave alone.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Line {
    /// Who works at this end: see [`lock`](super::lock).
    pub(crate) lock: Word32,
    /// Not zero once a holder of the lock died, until what it left is repaired.
    pub(crate) torn: Word32,
    /// Not zero when a thread may be asleep until this end moves.
    pub(crate) waiting: Word32,
    /// Not zero when a future may be waiting until this end moves.
    pub(crate) armed: Word32,
    /// A mark of the other end, as of late: it may only have moved on since.
    pub(crate) seen: Word64,
    /// What the storage remembers at this end.
    pub(crate) notes: [Word64; 5],
    /// What is read of it at the other end.
    pub(crate) shown: CachePadded<Shown>,
    /// Changes whenever sleepers are woken: what they sleep on.
    pub(crate) moved: CachePadded<Word32>,
}

shared_safe!(Line {
    lock,
    torn,
    waiting,
    armed,
    seen,
    notes,
    shown,
    moved
});

/// The words that all processes of a queue share, beside its storage.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Control {
    /// Not zero once the queue is closed. Set under both locks, read under either.
    pub(crate) closed: Word32,
    /// Not zero while the storage takes more memory than an empty queue should: when that
    /// is to be given back, see [`bulky`].
    pub(crate) bulky: Word32,
    /// What the storage says to those at either end. It seldom changes: to read it costs
    /// nothing, as a note of the other end would.
    pub(crate) both: Word64,
    pub(crate) tail: CachePadded<Line>,
    pub(crate) head: CachePadded<Line>,
}

shared_safe!(Control {
    closed,
    bulky,
    both,
    tail,
    head
});

/// What [`Control::bulky`] says: zero, one of these, or a time in milliseconds: when
/// the queue was first empty after [`LATER`](bulky::LATER) was said.
pub(crate) mod bulky {
    /// Give it back as soon as the queue is empty.
    pub(crate) const AT_ONCE: u32 = 1;
    /// Give it back some time after the queue was empty: to take memory costs as much as
    /// to pass it on a few times, and a queue that was full will soon be full again.
    pub(crate) const LATER: u32 = 2;
    /// How long after, in milliseconds.
    pub(crate) const CALM: u32 = if cfg!(loom) { 0 } else { 1000 };
}

impl Control {
    #[inline]
    pub(crate) fn line(&self, end: End) -> &Line {
        match end {
            End::Tail => &self.tail.0,
            End::Head => &self.head.0,
        }
    }
}

impl Line {
    #[inline(always)]
    pub(crate) fn mark(&self, order: Ordering) -> Mark {
        Mark::from_word(self.shown.mark.load(order))
    }

    /// Says how far this end is: under both locks.
    pub(crate) fn set_mark(&self, mark: Mark) {
        // Relaxed: whoever works at the other end takes its lock after us.
        self.shown.mark.store(mark.word(), Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Shown;
    use std::ptr;

    #[test]
    fn the_item_before_keeps_its_place_beside_the_mark() {
        let shown = Shown::default();
        assert!(!ptr::eq(shown.latest(6), shown.latest(7)));
        assert!(ptr::eq(shown.latest(6), shown.latest(8)));
    }
}
