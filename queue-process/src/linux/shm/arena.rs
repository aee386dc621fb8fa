//! [`Arena`]: the memory of a [ring](super::storage), and [`Mapped`]: the one that processes share.

use queue_core::Failure;
#[cfg(not(loom))]
use {
    crate::linux::engine::control::word,
    crate::linux::queue::header::Header,
    crate::sys::{Mapping, refused},
    queue_core::sync::atomic::Ordering,
    std::sync::Arc,
    std::sync::atomic::AtomicU64,
};

/// Memory of whole words, shared by those who use the ring. An access outside may panic.
pub(crate) trait Arena: Send + Sync {
    /// How many words it has.
    fn words(&self) -> usize;
    /// Writes the header word at `at`.
    fn set(&self, at: usize, word: u64);
    /// Writes the header word at `at` and the word behind it.
    fn set_two(&self, at: usize, words: [u64; 2]) {
        self.set(at, words[0]);
        self.set(at + 1, words[1]);
    }
    /// The header word at `at`.
    fn get(&self, at: usize) -> u64;
    /// Writes `bytes` from word `at` on.
    fn write(&self, at: usize, bytes: &[u8]);
    /// Says that about `bytes` bytes will soon be written, a little past word `at`. They may lie past the end.
    fn prefetch(&self, _at: usize, _bytes: usize) {}
    /// Appends `len` bytes from word `at` on to `into`.
    fn read(&self, at: usize, len: usize, into: &mut Vec<u8>);
    /// Gets memory for the words `from..to`.
    ///
    /// # Errors
    /// If there is none.
    fn grow(&self, from: usize, to: usize) -> Result<(), Failure>;
    /// Gives the memory of the words `from..to` back.
    fn shrink(&self, from: usize, to: usize);
}

/// The part of a queue's mapping behind its header, as an arena.
#[cfg(not(loom))]
#[derive(Debug)]
pub struct Mapped {
    mapping: Arc<Mapping>,
    words: usize,
}

/// Up to how many bytes an item is copied by words.
pub(super) const MAX_COPIED_BY_WORDS: usize = 16;

#[cfg(not(loom))]
impl Mapped {
    /// `words` words, which the mapping has.
    pub(crate) fn new(mapping: Arc<Mapping>, words: usize) -> Self {
        assert!(byte(words) <= mapping.len());
        Self { mapping, words }
    }
}

/// Where word `at` lies in the mapping.
#[cfg(not(loom))]
#[inline]
const fn byte(at: usize) -> usize {
    Header::END + at * 8
}

#[cfg(not(loom))]
impl Arena for Mapped {
    #[inline]
    fn words(&self) -> usize {
        self.words
    }

    #[inline]
    fn set(&self, at: usize, word: u64) {
        // Relaxed: published by the cursor of the tail.
        self.mapping
            .at::<AtomicU64>(byte(at))
            .store(word, Ordering::Relaxed);
    }

    #[inline]
    fn set_two(&self, at: usize, [first, second]: [u64; 2]) {
        // Relaxed, both: as in `set`.
        let words: &[AtomicU64; 2] = self.mapping.at(byte(at));
        words[0].store(first, Ordering::Relaxed);
        words[1].store(second, Ordering::Relaxed);
    }

    #[inline]
    fn get(&self, at: usize) -> u64 {
        self.mapping
            .at::<AtomicU64>(byte(at))
            .load(Ordering::Relaxed)
    }

    #[inline]
    fn write(&self, at: usize, bytes: &[u8]) {
        match bytes.len() {
            // By words, for a call of the general copy costs more than these.
            0..=MAX_COPIED_BY_WORDS => {
                for (n, bytes) in bytes.chunks(8).enumerate() {
                    self.set(at + n, word(bytes));
                }
            }
            _ => self.mapping.write(byte(at), bytes),
        }
    }

    #[inline]
    fn prefetch(&self, at: usize, bytes: usize) {
        // Two lines past the header that is about to be written: one was a little slower, and more no
        // better. No more of them than a processor asks for at a time; of longer items the writes
        // themselves ask.
        const AHEAD: usize = 112;
        const LINE: usize = 64;
        const MOST: usize = 8;
        for line in 0..(bytes + 8).div_ceil(LINE).min(MOST) {
            (self.mapping).prefetch_for_writing(byte(at) + AHEAD + line * LINE);
        }
    }

    #[inline]
    fn read(&self, at: usize, len: usize, into: &mut Vec<u8>) {
        match len {
            0..=MAX_COPIED_BY_WORDS => {
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
        self.mapping.punch_hole(byte(from), byte(to) - byte(from));
    }
}
