//! The [`Arena`] of a queue: the part of its mapping behind the page.

use crate::shared::arena::Arena;
use crate::shared::latest::word;
use crate::shared::linux::Page;
use crate::sys::{Mapping, refused};
use queue_core::Failure;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Memory of a mapping from [`Page::END`] on.
#[derive(Debug)]
pub(crate) struct Mapped {
    mapping: Arc<Mapping>,
    words: usize,
}

/// Up to how many bytes an item is copied by words.
const SMALL: usize = 16;

impl Mapped {
    /// `words` words, which the mapping has.
    pub(crate) fn new(mapping: Arc<Mapping>, words: usize) -> Self {
        assert!(words * 8 <= mapping.len() - Page::END);
        Self { mapping, words }
    }

    /// Where the bytes lie that hold the words, and how many they are.
    fn bytes(from: usize, to: usize) -> (usize, usize) {
        (Page::END + from * 8, (to - from) * 8)
    }
}

impl Arena for Mapped {
    #[inline(always)]
    fn words(&self) -> usize {
        self.words
    }

    #[inline(always)]
    fn set(&self, at: usize, word: u64) {
        // Relaxed: published by the mark of the tail.
        self.mapping
            .plain::<AtomicU64>(Page::END + at * 8)
            .store(word, Ordering::Relaxed);
    }

    #[inline(always)]
    fn set_two(&self, at: usize, [first, second]: [u64; 2]) {
        // Relaxed, both: as in `set`.
        let words: &[AtomicU64; 2] = self.mapping.plain(Page::END + at * 8);
        words[0].store(first, Ordering::Relaxed);
        words[1].store(second, Ordering::Relaxed);
    }

    #[inline(always)]
    fn get(&self, at: usize) -> u64 {
        self.mapping
            .plain::<AtomicU64>(Page::END + at * 8)
            .load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn announce(&self, at: usize) {
        self.mapping.announce(Page::END + at * 8);
    }

    fn expect(&self, at: usize, words: usize) {
        self.mapping
            .expect(Page::END + at * 8, words.saturating_mul(8));
    }

    #[inline(always)]
    fn write(&self, at: usize, bytes: &[u8]) {
        if bytes.len() > SMALL {
            self.mapping.write(Page::END + at * 8, bytes);
            return;
        }
        // By words, for a call of the general copy costs more than these.
        for (n, bytes) in bytes.chunks(8).enumerate() {
            self.set(at + n, word(bytes));
        }
    }

    #[inline(always)]
    fn read(&self, at: usize, len: usize, into: &mut Vec<u8>) {
        if len > SMALL {
            self.mapping.read(Page::END + at * 8, len, into);
            return;
        }
        let end = into.len() + len;
        for n in 0..len.div_ceil(8) {
            into.extend_from_slice(&self.get(at + n).to_ne_bytes());
        }
        into.truncate(end);
    }

    fn grow(&self, from: usize, to: usize) -> Result<(), Failure> {
        let (at, len) = Self::bytes(from, to);
        self.mapping
            .take(at, len)
            .map_err(|error| refused("no memory for the item", error))
    }

    fn shrink(&self, from: usize, to: usize) {
        let (at, len) = Self::bytes(from, to);
        self.mapping.give_back(at, len);
    }
}
