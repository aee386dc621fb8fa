//! Buffers that a thread keeps, for items on their way to bytes or back.
//!
//! They are lent out in a box, for one word is moved faster than three: those would be
//! read back in other pieces than they were just written in.

use crate::linux::engine::batch::Batch;
use std::cell::Cell;
use std::thread::LocalKey;

/// The capacity in bytes of the largest buffer that is kept.
pub(super) const MAX_RETAINED_BYTES: usize = 4 << 20;

thread_local! {
    static ONE: Kept<Vec<u8>> = const { Cell::new(None) };
    static MANY: Kept<Batch> = const { Cell::new(None) };
}

type Kept<B> = Cell<Option<Box<B>>>;

/// For the bytes of one item, or of several.
pub(super) trait Buffer: Default + 'static {
    /// Where this thread keeps one.
    const KEPT: &'static LocalKey<Kept<Self>>;

    /// Empties it, and says how many bytes it has room for.
    fn clear(&mut self) -> usize;
}

impl Buffer for Vec<u8> {
    const KEPT: &'static LocalKey<Kept<Self>> = &ONE;

    #[inline(always)]
    fn clear(&mut self) -> usize {
        self.clear();
        self.capacity()
    }
}

impl Buffer for Batch {
    const KEPT: &'static LocalKey<Kept<Self>> = &MANY;

    fn clear(&mut self) -> usize {
        self.clear();
        self.bytes.capacity()
    }
}

/// This thread's buffer, empty. An item whose own code uses a queue gets a new one, and
/// so does a thread that is about to end.
#[inline(always)]
pub(super) fn take_buffer<B: Buffer>() -> Box<B> {
    match B::KEPT.try_with(Cell::take) {
        Ok(Some(buffer)) => buffer,
        _ => new(),
    }
}

#[cold]
fn new<B: Buffer>() -> Box<B> {
    Box::default()
}

/// Keeps `buffer` for the next time, unless it is a large one.
#[inline(always)]
pub(super) fn recycle<B: Buffer>(mut buffer: Box<B>) {
    if buffer.clear() <= MAX_RETAINED_BYTES {
        let _ = B::KEPT.try_with(|kept| kept.set(Some(buffer)));
    }
}
