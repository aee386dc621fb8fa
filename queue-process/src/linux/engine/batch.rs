//! [`Batch`]: the bytes of several items, on their way in or out together.

/// What the header of a record says in its upper half; the lower has the length of the item
/// in bytes. Not zero, so that memory that was given back is no record.
pub(crate) const RECORD: u64 = 0x7265_636f << 32;

/// How many bytes a header has, of what a record's length is a multiple.
const WORD: usize = 8;

/// The bytes of several items.
///
/// They lie as records do in a ring, one behind the other: a header word, the bytes, and
/// what it takes to be whole words. So they get there, and back, in one piece.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    /// Where each item ends.
    ends: Vec<usize>,
}

impl Batch {
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// How many there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Where item `n` begins, which may be the one behind the last.
    #[inline]
    fn start(&self, n: usize) -> usize {
        let end = n.checked_sub(1).map_or(0, |before| self.ends[before]);
        end.next_multiple_of(WORD) + WORD
    }

    /// Adds an item: its bytes are those that `append` appends to what it is given. If that
    /// fails there is no such item.
    ///
    /// # Errors
    /// That of `append`.
    #[inline]
    pub(crate) fn add<E>(
        &mut self,
        append: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let end = self.bytes.len();
        let start = end.next_multiple_of(WORD) + WORD;
        self.bytes.extend_from_slice(&[0; 2 * WORD]);
        self.bytes.truncate(start);
        if let Err(error) = append(&mut self.bytes) {
            self.bytes.truncate(end);
            return Err(error);
        }
        let end = self.bytes.len();
        let header = RECORD | (end - start) as u64;
        self.bytes[start - WORD..start].copy_from_slice(&header.to_ne_bytes());
        self.ends.push(end);
        Ok(())
    }

    /// Records may be appended to `bytes` behind items that were [added](Self::add).
    pub(crate) fn pad(&mut self) {
        self.bytes
            .resize(self.bytes.len().next_multiple_of(WORD), 0);
    }

    /// The last bytes that were appended to `bytes` are a record, whose item has `len`.
    #[inline]
    pub(crate) fn found(&mut self, len: usize) {
        self.ends.push(self.start(self.len()) + len);
    }

    /// The bytes of item `n`.
    #[inline]
    pub(crate) fn get(&self, n: usize) -> &[u8] {
        &self.bytes[self.start(n)..self.ends[n]]
    }

    /// The bytes of each item.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|n| self.get(n))
    }

    /// The records of the items `from..to`, which are some.
    #[inline]
    pub(crate) fn records(&self, from: usize, to: usize) -> &[u8] {
        &self.bytes[self.start(from) - WORD..self.ends[to - 1]]
    }
}
