//! [`read_words`]: reading straight into words that processes share.

use super::Word64;
use rustix::fd::AsFd;
use rustix::io::{Errno, read};

/// Reads from `fd` into `words`: how many bytes. What the kernel gives is in the words before it is
/// gone from where it was, whenever this process is killed.
///
/// # Errors
/// What the system says.
pub(crate) fn read_words(fd: impl AsFd, words: &[Word64]) -> Result<usize, Errno> {
    let (start, bytes) = (words.as_ptr().cast_mut().cast::<u8>(), size_of_val(words));
    // SAFETY: the memory of these words, which are atomics and so may change under a reference;
    // any bytes are values of them. The slice is for the system call alone, which is opaque to the
    // compiler, and lives no longer.
    let into = unsafe { std::slice::from_raw_parts_mut(start, bytes) };
    read(fd, into)
}
