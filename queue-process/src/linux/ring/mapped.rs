//! The [`Arena`] of a queue: the part of its mapping behind the page.

use super::arena::Arena;
use crate::linux::engine::inline_item::word;
use crate::linux::queue::header::Page;
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
        assert!(byte(words) <= mapping.len());
        Self { mapping, words }
    }
}

/// Where word `at` lies in the mapping.
#[inline(always)]
const fn byte(at: usize) -> usize {
    Page::END + at * 8
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
            .at::<AtomicU64>(byte(at))
            .store(word, Ordering::Relaxed);
    }

    #[inline(always)]
    fn set_two(&self, at: usize, [first, second]: [u64; 2]) {
        // Relaxed, both: as in `set`.
        let words: &[AtomicU64; 2] = self.mapping.at(byte(at));
        words[0].store(first, Ordering::Relaxed);
        words[1].store(second, Ordering::Relaxed);
    }

    #[inline(always)]
    fn get(&self, at: usize) -> u64 {
        self.mapping
            .at::<AtomicU64>(byte(at))
            .load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn announce(&self, at: usize) {
        self.mapping.announce(byte(at));
    }

    fn expect(&self, at: usize, words: usize) {
        self.mapping.expect(byte(at), words.saturating_mul(8));
    }

    #[inline(always)]
    fn write(&self, at: usize, bytes: &[u8]) {
        match bytes.len() {
            // By words, for a call of the general copy costs more than these.
            0..=SMALL => {
                for (n, bytes) in bytes.chunks(8).enumerate() {
                    self.set(at + n, word(bytes));
                }
            }
            _ => self.mapping.write(byte(at), bytes),
        }
    }

    #[inline(always)]
    fn read(&self, at: usize, len: usize, into: &mut Vec<u8>) {
        match len {
            0..=SMALL => {
                let end = into.len() + len;
                for n in 0..len.div_ceil(8) {
                    into.extend_from_slice(&self.get(at + n).to_ne_bytes());
                }
                into.truncate(end);
            }
            _ => self.mapping.read(byte(at), len, into),
        }
    }

    fn grow(&self, from: usize, to: usize) -> Result<(), Failure> {
        self.mapping
            .take(byte(from), byte(to) - byte(from))
            .map_err(|error| refused("no memory for the item", error))
    }

    fn shrink(&self, from: usize, to: usize) {
        self.mapping.give_back(byte(from), byte(to) - byte(from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_to_a_word_is_read_from_there() {
        for len in 0..5 * SMALL {
            let bytes: Vec<u8> = (1..=len as u8).collect();
            let size = Page::END + 64 * 8;
            let mapping = Arc::new(Mapping::create("arena", size, size).unwrap());
            let arena = Mapped::new(mapping.clone(), 64);
            arena.write(3, &bytes);
            let mut read = b"> ".to_vec();
            arena.read(3, len, &mut read);
            assert_eq!(read, [b"> ", &bytes[..]].concat());
            let mut there = Vec::new();
            mapping.read(Page::END + 3 * 8, len, &mut there);
            assert_eq!(there, bytes);
            let around = [2, 3 + len.div_ceil(8)].map(|at| arena.get(at));
            assert_eq!(around, [0, 0], "{len} bytes");
        }
    }

    #[test]
    fn words_lie_one_behind_the_other() {
        let size = Page::END + 4 * 8;
        let arena = Mapped::new(Arc::new(Mapping::create("arena", size, size).unwrap()), 4);
        assert_eq!(arena.words(), 4);
        arena.set(0, 7);
        arena.set_two(2, [8, 9]);
        assert_eq!([0, 1, 2, 3].map(|at| arena.get(at)), [7, 0, 8, 9]);
        // Hints that nothing comes of, wherever.
        arena.announce(1 << 40);
        arena.expect(3, usize::MAX);
    }

    #[test]
    fn memory_comes_and_goes_by_words() {
        let words = 4 * 4096 / 8;
        let size = Page::END + words * 8;
        let mapping = Arc::new(Mapping::create("arena", size, Page::END).unwrap());
        let arena = Mapped::new(mapping.clone(), words);
        let pages = || {
            let blocks = rustix::fs::fstat(mapping.file()).unwrap().st_blocks as usize;
            (blocks * 512 - Page::END) / 4096
        };
        assert_eq!(pages(), 0);
        arena.grow(0, words / 4 + 1).unwrap();
        assert_eq!(pages(), 2);
        arena.grow(words / 4 + 1, words).unwrap();
        assert_eq!(pages(), 4);
        arena.shrink(words / 4, words / 2);
        assert_eq!(pages(), 3);
        arena.shrink(words / 4, words);
        assert_eq!(pages(), 1);
        assert!(arena.grow(words, words + 1).is_err());
    }

    #[test]
    #[should_panic(expected = "len()")]
    fn an_arena_is_no_larger_than_its_mapping() {
        let size = Page::END + 8;
        let mapping = Mapping::create("arena", size, size).unwrap();
        let _ = Mapped::new(Arc::new(mapping), 2);
    }
}
