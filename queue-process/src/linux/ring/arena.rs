//! [`Arena`]: the memory that a ring lies in.

use queue_core::Failure;

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
    /// Word `at`, if there is one, will soon be written.
    fn prefetch_write(&self, at: usize) {
        let _ = at;
    }
    /// The `words` from word `at` on, as far as there are such, will soon be read.
    fn prefetch_read(&self, at: usize, words: usize) {
        let _ = (at, words);
    }
    /// Writes `bytes` from word `at` on.
    fn write(&self, at: usize, bytes: &[u8]);
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
