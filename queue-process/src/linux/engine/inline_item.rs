//! [`InlineItem`]: the item that was pushed last, once more, beside the cursor that says that it is
//! there.
//!
//! Where items are passed on one by one, fetching them costs more than all else: a popper
//! gets the cache line with the cursor from the pusher's core, and then the one with the item.
//! So a small item stands on the first of them as well.
//!
//! There are two of these, for items of even and odd count. The one for item `n` is
//! written before a cursor says that `n` is there, and again only after a cursor has said that
//! `n + 1` is: who reads it between two looks at a cursor that says that `n` is the
//! last, has read it whole. (So the items of a batch, which share a cursor, stand only where
//! all items are.) It holds whatever happens to a pusher: what one that died left
//! here belongs to an item that no cursor speaks of, and whose next pusher writes anew.

use crate::sys::Word64;
use crate::sys::shared_safe;
use queue_core::sync::atomic::Ordering;

/// The most bytes that such an item has.
pub(crate) const SMALL: usize = 8;

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
        let small = matches!(bytes.len(), 1..=SMALL).then(|| word(bytes));
        Self { bytes, small }
    }
}

/// A small item, or none.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct InlineItem {
    /// How many bytes it has, from 1 on; zero for none.
    len: Word64,
    word: Word64,
}

shared_safe!(InlineItem { len, word });

impl InlineItem {
    /// An item of `len` bytes in `word`: under the tail lock.
    #[inline]
    pub(crate) fn set(&self, len: usize, word: u64) {
        // Release, both: pairs with the Acquire in `get`: who sees what is written here for
        // a later item sees at least the cursor that this pusher found.
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{InlineItem, Item};

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
