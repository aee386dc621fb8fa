//! [`Control`]: the shared words of a queue, and [`Cursor`]: where one of its ends is.

use crate::linux::lease::table::LeaseState;
use crate::sys::{Word32, Word64, shared_safe};
use queue_core::sync::CachePadded;
use queue_core::sync::atomic::Ordering;

/// One of the two ends of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Where items go in. Whoever waits for items waits for it to move.
    Tail,
    /// Where items come out. Whoever waits for free slots waits for it to move.
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
/// (or out) with all that belongs to it, or not at all, whenever its producer is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// How many items have passed, modulo 2^32.
    pub(crate) count: u32,
    /// Where that is in the storage.
    pub(crate) position: u32,
}

impl Cursor {
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

/// The most bytes that such an item has.
pub(crate) const INLINE_MAX: usize = 8;

/// Up to eight bytes as a word in memory. It is put together from bytes, for as such they
/// were just written: to read them in larger pieces means to wait for those writes.
#[inline]
pub(crate) fn word(bytes: &[u8]) -> u64 {
    (bytes.iter().rev())
        .fold(0, |word, &byte| word << 8 | u64::from(byte))
        .to_le()
}

/// The bytes of an item; if they are few, also as a [`word`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) small: Option<u64>,
}

impl<'a> Item<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let small = matches!(bytes.len(), 1..=INLINE_MAX).then(|| word(bytes));
        Self { bytes, small }
    }
}

/// The item that was pushed last, if it is a small one, once more: beside the cursor that publishes it.
///
/// Where items are passed on one by one, fetching them costs more than all else: the consumer
/// gets the cache line with the cursor from the producer's core, and then the one with the item.
/// So a small item stands on the first of them as well.
///
/// There are two of these, for items of even and odd count. The one for item `n` is
/// written before a cursor says that `n` is there, and again only after a cursor has said that
/// `n + 1` is: who reads it between two looks at a cursor that says that `n` is the
/// last, has read it whole. (So the items of a batch, which share a cursor, stand only where
/// all items are.) This holds if a producer dies, too: what it left here belongs to an item that
/// was never published, and the next producer overwrites it.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct InlineItem {
    /// How many bytes it has, from 1 on; zero for none.
    len: Word64,
    word: Word64,
}

shared_safe! { InlineItem { len, word } }

impl InlineItem {
    /// An item of `len` bytes in `word`: under the tail lock.
    #[inline]
    pub(crate) fn set(&self, len: usize, word: u64) {
        // Release, both: pairs with the Acquire in `get`: who sees what is written here for
        // a later item sees at least the cursor that this producer found.
        self.len.store(len as u64, Ordering::Release);
        self.word.store(word, Ordering::Release);
    }

    /// The item here is no small one: under the tail lock.
    #[inline]
    pub(crate) fn clear(&self) {
        // Relaxed: who takes it for that of an earlier item looks where all items are.
        self.len.store(0, Ordering::Relaxed);
    }

    /// How many bytes there are in which word, none of which is true unless the cursor is then
    /// found unchanged.
    #[inline]
    pub(crate) fn get(&self) -> (usize, u64) {
        // Acquire, both: pairs with the Release in `set`.
        let len = self.len.load(Ordering::Acquire);
        let word = self.word.load(Ordering::Acquire);
        (len.min(u64::from(u32::MAX)) as usize, word)
    }
}

/// What the other end's people read of an end, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Published {
    /// How far this end is. Written under the lock, with Release; read by the other
    /// end's people, with Acquire: they then see the item, or that it is read.
    pub(crate) cursor: Word64,
    /// Of the tail: the items of even and of odd count that came last.
    inline_items: [InlineItem; 2],
    /// Of the head: how many items have gone for good, popped or acked, modulo 2^32. The slots of
    /// all others are taken. Written under the lock, after the cursor, with Release; read by those
    /// who push, with Acquire.
    pub(crate) freed: Word32,
    /// Of the head: how many items are lent. This and the next two are written under the lock, and
    /// read by whoever counts.
    pub(crate) held: Word32,
    /// Of the head: how many items came back and were not lent again.
    pub(crate) returned: Word32,
    /// Of the head: not zero while somebody may be waiting until the queue is idle; see
    /// [`joining`].
    pub(crate) joining: Word32,
}

shared_safe! { Published { cursor, inline_items, freed, held, returned, joining } }

/// What [`Published::joining`] says, as bits.
pub(crate) mod joining {
    /// A thread may be asleep.
    pub(crate) const ASLEEP: u32 = 1;
    /// A future may be waiting: the processes that listen to the head are to be notified.
    pub(crate) const FUTURES: u32 = 2;
}

impl Published {
    /// Where item `count` is, if it is the last.
    #[inline]
    pub(crate) fn inline_item(&self, count: u32) -> &InlineItem {
        &self.inline_items[(count & 1) as usize]
    }
}

/// What belongs to one end. All but `published` is for whoever holds `lock`, and lies on
/// cache lines that the other end's people leave alone.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct EndState {
    /// Who works at this end: see the module's page.
    pub(crate) lock: Word32,
    /// Not zero once a holder of the lock died, until what it left is repaired.
    pub(crate) poisoned: Word32,
    /// Not zero when a thread may be asleep until this end moves.
    pub(crate) waiting: Word32,
    /// Not zero when a future may be waiting until this end moves: its process is to be notified.
    pub(crate) async_waiting: Word32,
    /// A cursor of the other end, as of late: it may only have moved on since.
    pub(crate) cached: Word64,
    /// What the storage keeps at this end.
    pub(crate) storage_words: [Word64; 5],
    /// Of the tail: [`Published::freed`] of the head, as of that late look.
    pub(crate) cached_freed: Word32,
    /// What is read of it at the other end.
    pub(crate) published: CachePadded<Published>,
    /// Changes whenever sleepers are woken: what they sleep on.
    pub(crate) wake_seq: CachePadded<Word32>,
}

shared_safe! {
    EndState {
        lock, poisoned, waiting, async_waiting, cached, storage_words, cached_freed, published,
        wake_seq
    }
}

/// The words that all processes of a queue share, beside its storage.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Control {
    /// Not zero once the queue is closed. Set under both locks, read under either.
    pub(crate) closed: Word32,
    /// Not zero while the storage takes more memory than an empty queue should: when that
    /// is to be given back, see [`needs_trim`].
    pub(crate) needs_trim: Word32,
    /// What the storage says to those at either end. It seldom changes: to read it costs
    /// nothing, as a word of the other end would.
    pub(crate) storage_word: Word64,
    pub(crate) tail: CachePadded<EndState>,
    pub(crate) head: CachePadded<EndState>,
    pub(crate) leases: CachePadded<LeaseState>,
}

shared_safe! { Control { closed, needs_trim, storage_word, tail, head, leases } }

/// What [`Control::needs_trim`] says: zero, one of these, or a time in milliseconds: when
/// the queue was first empty after [`LATER`](needs_trim::LATER) was said.
pub(crate) mod needs_trim {
    /// Give it back as soon as the queue is empty.
    pub(crate) const AT_ONCE: u32 = 1;
    /// Give it back some time after the queue was empty: to take memory costs as much as
    /// to pass it on a few times, and a queue that was full will soon be full again.
    pub(crate) const LATER: u32 = 2;
    /// How long after, in milliseconds.
    pub(crate) const DELAY_MS: u32 = if cfg!(loom) { 0 } else { 1000 };
}

impl Control {
    #[inline]
    pub(crate) fn end(&self, end: End) -> &EndState {
        match end {
            End::Tail => &self.tail.0,
            End::Head => &self.head.0,
        }
    }
}

impl EndState {
    #[inline]
    pub(crate) fn cursor(&self, order: Ordering) -> Cursor {
        Cursor::from_word(self.published.cursor.load(order))
    }

    /// Says how far this end is: under both locks.
    pub(crate) fn set_cursor(&self, cursor: Cursor) {
        // Relaxed: whoever works at the other end takes its lock after us.
        self.published
            .cursor
            .store(cursor.word(), Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{InlineItem, Item, Published};
    use std::ptr;

    #[test]
    fn the_item_before_keeps_its_place_beside_the_cursor() {
        let published = Published::default();
        assert!(!ptr::eq(published.inline_item(6), published.inline_item(7)));
        assert!(ptr::eq(published.inline_item(6), published.inline_item(8)));
    }

    #[test]
    fn a_small_item_stands_here_and_any_other_does_not() {
        let latest = InlineItem::default();
        assert_eq!(latest.get().0, 0, "none");
        for item in [&b"1"[..], b"eight by"] {
            let word = Item::new(item).small.unwrap();
            latest.set(item.len(), word);
            assert_eq!(latest.get(), (item.len(), word));
            assert_eq!(word.to_ne_bytes()[..item.len()], *item);
        }
        latest.clear();
        assert_eq!(latest.get().0, 0, "none any more");
        assert_eq!(
            [&b""[..], b"nine byte"].map(|item| Item::new(item).small),
            [None; 2]
        );
    }
}
