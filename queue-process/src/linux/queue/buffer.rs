//! Buffers that a thread keeps, for items on their way to bytes or back.
//!
//! They are lent out in a box, for one word is moved faster than three: those would be
//! read back in other pieces than they were just written in.

use crate::linux::engine::batch::Frames;
use std::cell::Cell;
use std::thread::LocalKey;

/// The capacity in bytes of the largest buffer that is kept.
const MOST_KEPT: usize = 4 << 20;

thread_local! {
    static ONE: Kept<Vec<u8>> = const { Cell::new(None) };
    static MANY: Kept<Frames> = const { Cell::new(None) };
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

impl Buffer for Frames {
    const KEPT: &'static LocalKey<Kept<Self>> = &MANY;

    fn clear(&mut self) -> usize {
        self.clear();
        self.bytes.capacity()
    }
}

/// This thread's buffer, empty. An item whose own code uses a queue gets a new one, and
/// so does a thread that is about to end.
#[inline(always)]
pub(super) fn lend<B: Buffer>() -> Box<B> {
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
pub(super) fn keep<B: Buffer>(mut buffer: Box<B>) {
    if buffer.clear() <= MOST_KEPT {
        let _ = B::KEPT.try_with(|kept| kept.set(Some(buffer)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a thread of its own, which has no buffer yet. `fill` gives one room for so many
    /// bytes, and some content.
    fn is_kept<B: Buffer>(bytes: usize, fill: fn(&mut B, usize)) -> bool {
        let lives = move || {
            let mut buffer = lend::<B>();
            assert_eq!(buffer.clear(), 0, "a new one");
            fill(&mut buffer, bytes);
            keep(buffer);
            let mut again = lend::<B>();
            assert_eq!(lend::<B>().clear(), 0, "lent already");
            again.clear() >= bytes
        };
        std::thread::spawn(lives).join().unwrap()
    }

    #[test]
    fn a_thread_keeps_its_buffers_unless_they_are_large() {
        let one = |buffer: &mut Vec<u8>, bytes| buffer.resize(bytes, 1);
        let many = |buffer: &mut Frames, bytes| {
            let add = |buffer: &mut Vec<u8>| -> Result<(), ()> {
                buffer.resize(bytes, 1);
                Ok(())
            };
            buffer.add(add).unwrap();
        };
        for (bytes, kept) in [(1000, true), (2 << 20, true), (MOST_KEPT + 1, false)] {
            assert_eq!(is_kept::<Vec<u8>>(bytes, one), kept, "{bytes}");
            assert_eq!(is_kept::<Frames>(bytes, many), kept, "{bytes}");
        }
    }

    #[test]
    fn what_is_lent_again_is_empty() {
        let mut buffer = lend::<Vec<u8>>();
        buffer.extend(b"of an item before");
        keep(buffer);
        assert!(lend::<Vec<u8>>().is_empty());
        let mut frames = lend::<Frames>();
        frames.add(|_| Ok::<_, ()>(())).unwrap();
        keep(frames);
        assert_eq!(lend::<Frames>().len(), 0);
    }
}
