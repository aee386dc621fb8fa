//! [`Ring`]: records of any size, however large, one behind the other in an arena.
//!
//! A record is a header word and the bytes, padded to words; all positions count words.
//! The live records are a chain from head to tail that runs upwards, except where a
//! *jump* record sends it elsewhere. It has one of three shapes:
//!
//! ```text
//! plain     ____[head......tail______________        up, within the arena
//! wrapped   ......tail___[head.......J_______        J jumps to 0
//! skipped   ....J____[head...J.......|.....tail___   the first J to 0, then one to `skip_base`
//! ```
//!
//! A queue that is nearly empty should stay in the processor's caches, however large its
//! arena: so the tail wraps as soon as it has left a small *window*, if the front is free
//! by then. If the backlog outgrows the window, the tail of the wrapped shape runs into
//! the head; it then skips over all that is live, to `live_end`, and goes on upwards from there,
//! with a larger window. An arena of twice the live bytes (and a little) has room always.
//!
//! Pushers keep five words under the tail lock: `skip_base`, where the last skip went, or 0
//! once wrapped again; `window`; `live_end`, the upper end of what was live at the last wrap;
//! `committed`, up to where the arena has memory; and `fast_limit`, up to where records go without
//! any of these questions being asked again. All are written before the tail is
//! published, and mean no harm if it never is: at worst the tail goes on upwards where it
//! might have wrapped.

use super::arena::Arena;
use crate::linux::engine::batch::{Batch, RECORD};
use crate::linux::engine::control::{Control, Cursor, INLINE_MAX, Item, needs_trim};
use crate::linux::engine::{MAX_BATCH_BYTES, PeerCursor, Storage};
use crate::sys::corrupt;
use queue_core::Failure;
use queue_core::sync::atomic::Ordering;

/// The storage of a queue in an [`Arena`].
#[derive(Debug)]
pub struct Ring<A> {
    pub(super) arena: A,
    /// How many bytes an item may have.
    item: u32,
    /// How many words a small window has: a queue that is nearly empty uses no more.
    pub(super) window: usize,
    /// How many words an empty queue may keep.
    pub(super) retained: usize,
}

/// What the header of a jump says in its upper half, as [`RECORD`]; the lower has its target.
const JUMP: u64 = 0x6a75_6d70 << 32;

/// How many words a record of `len` bytes takes.
#[inline]
fn words(len: usize) -> usize {
    1 + len.div_ceil(8)
}

impl<A: Arena> Ring<A> {
    /// The ring in `arena` of items up to `item` bytes.
    pub(crate) fn new(arena: A, item: u32, window: usize, retained: usize) -> Self {
        Self {
            arena,
            item,
            window,
            retained,
        }
    }

    /// How many words an arena needs for `items` items of up to `item` bytes with a small
    /// window of `window` words, so that room never ends before slots do.
    pub(crate) fn words_for(items: u64, item: u32, window: usize) -> u64 {
        let record = words(item as usize) as u64;
        items
            .saturating_add(4)
            .saturating_mul(2 * record)
            .saturating_add(2 * window as u64 + 2)
    }

    /// Writes the record of an item, with its word if it is a small one, at the tail or
    /// where there is room for it: the new position.
    #[inline]
    fn write_record(
        &self,
        control: &Control,
        tail: Cursor,
        head: &mut PeerCursor<'_>,
        item: Item<'_>,
    ) -> Result<Option<u32>, Failure> {
        let (at, need) = (tail.position as usize, words(item.bytes.len()));
        let room = TailState { control }.get(FAST_LIMIT);
        if at + need < room.min(self.end()) {
            self.put(at, item);
            return Ok(Some((at + need) as u32));
        }
        // Of a copy, so that the original need not lie in memory.
        let mut local = *head;
        let position = self.write_placed(control, tail, &mut local, item);
        *head = local;
        position
    }

    /// Writes a record to `at`, where it fits.
    #[inline]
    fn put(&self, at: usize, Item { bytes, small }: Item<'_>) {
        self.arena.prefetch(at + words(bytes.len()), bytes.len());
        let header = RECORD | bytes.len() as u64;
        match small {
            Some(word) => self.arena.set_two(at, [header, word]),
            None => {
                self.arena.set(at, header);
                self.arena.write(at + 1, bytes);
            }
        }
    }

    /// [`write_record`](Self::write_record) where there may be no room at the tail.
    #[cold]
    pub(super) fn write_placed(
        &self,
        control: &Control,
        tail: Cursor,
        head: &mut PeerCursor<'_>,
        item: Item<'_>,
    ) -> Result<Option<u32>, Failure> {
        let at = tail.position as usize;
        if at > self.end() || head.cursor.position as usize > self.end() {
            return Err(corrupt("the queue's ends are outside its memory"));
        }
        let tail_state = TailState { control };
        let need = words(item.bytes.len());
        let empty = head.cursor.count == tail.count;
        let mut placement = Placement::Append;
        if !self.fits_here(&tail_state, at, head, need) {
            match self.find_placement(&tail_state, at, head, empty, need) {
                Some(found) => placement = found,
                None => return Ok(None),
            }
        }
        if placement.target(at) + need > self.end() {
            return Err(corrupt("the state of the queue's tail is damaged"));
        }
        // With the word for the jump that may come behind it.
        let reach = (placement.target(at) + need + 1).max(at + 1);
        if let Err(failure) = self.grow(&tail_state, reach) {
            placement = Self::without_memory(&tail_state, at, head, need, failure)?;
        }
        let target = placement.target(at);
        self.put(target, item);
        match placement {
            Placement::Append => {
                // Not within a batch: who dies leaves the tail where it is published, and
                // between there and here may lie a jump.
                if tail == control.tail.cursor(Ordering::Relaxed) {
                    tail_state.set(FAST_LIMIT, self.room(&tail_state, target + need, head));
                }
            }
            Placement::Wrap => {
                tail_state.set(FAST_LIMIT, 0);
                tail_state.set(SKIP_BASE, 0);
                tail_state.set(LIVE_END, at + 1);
            }
            Placement::Skip(live_end) => {
                tail_state.set(FAST_LIMIT, 0);
                tail_state.set(SKIP_BASE, live_end);
                tail_state.set(WINDOW, (2 * live_end).min(self.end() / 2));
            }
        }
        if target != at {
            self.arena.set(at, JUMP | target as u64);
        }
        Ok(Some((target + need) as u32))
    }

    /// Writes these records at the tail if it is known that they fit there: the new
    /// position.
    fn write_at(
        &self,
        control: &Control,
        tail: Cursor,
        head: &PeerCursor<'_>,
        records: &[u8],
    ) -> Option<u32> {
        let (at, need) = (tail.position as usize, records.len().div_ceil(8));
        let tail_state = TailState { control };
        let fits = head.cursor.position as usize <= self.end()
            && self.fits_here(&tail_state, at, head, need)
            && at + need <= self.end();
        // With the word for the jump that may come behind.
        if !fits || self.grow(&tail_state, at + need + 1).is_err() {
            return None;
        }
        self.arena.write(at, records);
        Some((at + need) as u32)
    }

    /// The record that the chain comes to from `at` on: where it is, and how many bytes its
    /// item has.
    #[inline]
    fn record_from(&self, mut at: usize) -> Result<(usize, usize), Failure> {
        // No more than two jumps follow one another: one of a wrap and one of a trim.
        for _ in 0..3 {
            if at > self.end() {
                break;
            }
            let header = self.arena.get(at);
            let low = header as u32 as usize;
            match header & !u64::from(u32::MAX) {
                RECORD if low <= self.item as usize && at + words(low) <= self.end() => {
                    return Ok((at, low));
                }
                JUMP => at = low,
                _ => break,
            }
        }
        Err(corrupt("what lies at the queue's head is no item"))
    }
}

impl<A: Arena> Storage for Ring<A> {
    #[inline]
    fn write(
        &self,
        control: &Control,
        tail: Cursor,
        head: &mut PeerCursor<'_>,
        item: Item<'_>,
    ) -> Result<Option<u32>, Failure> {
        let position = self.write_record(control, tail, head, item)?;
        if position.is_some() {
            let latest = control.tail.published.inline_item(tail.count);
            match item.small {
                Some(word) => latest.set(item.bytes.len(), word),
                None => latest.clear(),
            }
        }
        Ok(position)
    }

    fn write_many(
        &self,
        control: &Control,
        tail: Cursor,
        head: &mut PeerCursor<'_>,
        batch: &Batch,
        most: u32,
    ) -> Result<(u32, u32), Failure> {
        let (mut written, mut at) = (0, tail);
        while written < most {
            // The rest in one piece; or, where that does not fit, one and then the others.
            let rest = batch.records(written as usize, most as usize);
            if let Some(position) = self.write_at(control, at, head, rest) {
                at = at.advanced(most - written, position);
                written = most;
                break;
            }
            let item = Item::new(batch.get(written as usize));
            match self.write_record(control, at, head, item) {
                Ok(Some(position)) => at = at.advanced(1, position),
                Err(failure) if written == 0 => return Err(failure),
                Ok(None) | Err(_) => break,
            }
            written += 1;
        }
        if written != 0 {
            // Of the last alone, for until there is a cursor the item before is the latest.
            let last = at.count.wrapping_sub(1);
            control.tail.published.inline_item(last).clear();
        }
        Ok((written, at.position))
    }

    #[inline]
    fn read(&self, _: &Control, head: Cursor, into: &mut Vec<u8>) -> Result<u32, Failure> {
        let (at, len) = self.record_from(head.position as usize)?;
        self.arena.read(at + 1, len, into);
        Ok((at + words(len)) as u32)
    }

    #[inline]
    fn read_inline(&self, control: &Control, tail: Cursor, into: &mut Vec<u8>) -> bool {
        let published = &control.tail.published;
        let (len, word) = published.inline_item(tail.count.wrapping_sub(1)).get();
        let is_inline = (1..=INLINE_MAX).contains(&len);
        // Relaxed: after the loads in `get`, with Acquire.
        if !is_inline || published.cursor.load(Ordering::Relaxed) != tail.word() {
            return false;
        }
        let end = into.len() + len;
        into.extend_from_slice(&word.to_ne_bytes());
        into.truncate(end);
        true
    }

    fn read_many(
        &self,
        _: &Control,
        head: Cursor,
        max: u32,
        into: &mut Batch,
    ) -> Result<(u32, u32), Failure> {
        let (mut at, mut len) = self.record_from(head.position as usize)?;
        let (mut read, mut bytes) = (0, 0);
        // Where the piece begins that lies behind one another.
        let mut from = at;
        let end = loop {
            into.found(len);
            read += 1;
            bytes += len;
            let next = at + words(len);
            if read == max || bytes >= MAX_BATCH_BYTES {
                break next;
            }
            match self.record_from(next) {
                Ok(found) => (at, len) = found,
                Err(_) => break next,
            }
            if at != next {
                self.arena.read(from, (next - from) * 8, &mut into.bytes);
                from = at;
            }
        };
        self.arena.read(from, (end - from) * 8, &mut into.bytes);
        Ok((read, end as u32))
    }

    fn trim(&self, control: &Control) {
        let tail_state = TailState { control };
        let tail = control.tail.cursor(Ordering::Relaxed);
        let at = tail.position as usize;
        let committed = tail_state.get(COMMITTED).min(self.arena.words());
        if at >= committed || committed <= self.retained {
            control.needs_trim.store(0, Ordering::Relaxed);
            return;
        }
        // Both ends to 0, in steps of which each leaves a queue in order: the tail by a
        // jump, and the head after it, as a pop would go.
        tail_state.set(FAST_LIMIT, 0);
        self.arena.set(at, JUMP);
        let to_front = tail.advanced(0, 0);
        tail_state.set(SKIP_BASE, 0);
        tail_state.set(WINDOW, 0);
        tail_state.set(LIVE_END, at + 1);
        control.tail.set_cursor(to_front);
        control.head.set_cursor(to_front);
        // Nothing is live now. If we die here, the memory stays until the next time.
        tail_state.set(COMMITTED, self.retained);
        control.needs_trim.store(0, Ordering::Relaxed);
        self.arena.shrink(self.retained, committed);
    }
}

/// Where the last skip went, or 0.
pub(super) const SKIP_BASE: usize = 0;
/// How many words the window has.
pub(super) const WINDOW: usize = 1;
/// The upper end of what was live at the last wrap.
pub(super) const LIVE_END: usize = 2;
/// Up to where the arena has memory.
pub(super) const COMMITTED: usize = 3;
/// Up to where records can be written at the tail without another look, or 0.
pub(super) const FAST_LIMIT: usize = 4;

/// What producers keep at the tail for one another, under the tail lock: words of the arena. What they
/// mean is on the page of the [storage](super::storage).
pub(super) struct TailState<'a> {
    pub(super) control: &'a Control,
}

impl TailState<'_> {
    // Relaxed, both: under the tail lock.
    #[inline]
    pub(super) fn get(&self, index: usize) -> usize {
        // Words of the arena: whatever they say, every use is checked against its end.
        let word = self.control.tail.storage_words[index].load(Ordering::Relaxed);
        word.min(u64::from(u32::MAX)) as usize
    }

    #[inline]
    pub(super) fn set(&self, index: usize, word: usize) {
        self.control.tail.storage_words[index].store(word as u64, Ordering::Relaxed);
    }
}

/// Where a record goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Placement {
    /// To the tail.
    Append,
    /// To 0, with a jump.
    Wrap,
    /// To there, with a jump, over all that is live.
    Skip(usize),
}

impl Placement {
    /// Where that is, with the tail at `tail`.
    #[inline]
    pub(super) fn target(self, tail: usize) -> usize {
        match self {
            Self::Append => tail,
            Self::Wrap => 0,
            Self::Skip(live_end) => live_end,
        }
    }
}

impl<A: Arena> Ring<A> {
    /// Records end before this word; beyond, there is always one for a jump.
    pub(super) fn end(&self) -> usize {
        self.arena.words() - 1
    }

    /// Whether `need` words fit at the tail, as far as is known, and belong there.
    #[inline]
    pub(super) fn fits_here(
        &self,
        tail_state: &TailState<'_>,
        tail: usize,
        head: &PeerCursor<'_>,
        need: usize,
    ) -> bool {
        let front = head.cursor.position as usize;
        if front <= tail {
            // Plain or skipped.
            tail + need <= tail_state.get(WINDOW).max(self.window)
        } else {
            // Wrapped. A word stays free before the head, so that there is room for a jump.
            tail + need < front
        }
    }

    /// Finds a place for `need` words that do not fit at the tail, as far as is known.
    #[cold]
    pub(super) fn find_placement(
        &self,
        tail_state: &TailState<'_>,
        tail: usize,
        head: &mut PeerCursor<'_>,
        empty: bool,
        need: usize,
    ) -> Option<Placement> {
        if !head.fresh {
            head.refresh();
            if self.fits_here(tail_state, tail, head, need) {
                return Some(Placement::Append);
            }
        }
        let front = head.cursor.position as usize;
        if front > tail {
            // Wrapped, and up to the head.
            let live_end = tail_state.get(LIVE_END);
            return (live_end > front && live_end + need <= self.end())
                .then_some(Placement::Skip(live_end));
        }
        if Self::is_front_free(tail_state, tail, head, need) {
            if empty {
                // The backlog is gone.
                tail_state.set(WINDOW, 0);
            }
            return Some(Placement::Wrap);
        }
        // Upwards; not to look again at once, the window grows, but never so far that a
        // skip over it could fail.
        let window = tail_state.get(WINDOW).max(self.window);
        let larger = (tail + need + window / 2).min(self.end() / 2);
        tail_state.set(WINDOW, larger);
        (tail + need <= self.end()).then_some(Placement::Append)
    }

    /// Whether the tail of a plain queue can wrap to 0 now.
    pub(super) fn is_front_free(
        tail_state: &TailState<'_>,
        tail: usize,
        head: &PeerCursor<'_>,
        need: usize,
    ) -> bool {
        let (front, base) = (head.cursor.position as usize, tail_state.get(SKIP_BASE));
        let skipped = front < base && base <= tail;
        front <= tail && !skipped && need < front
    }

    /// There is no memory at the tail, says `failure`: the front has some, if it is free.
    #[cold]
    pub(super) fn without_memory(
        tail_state: &TailState<'_>,
        tail: usize,
        head: &mut PeerCursor<'_>,
        need: usize,
        failure: Failure,
    ) -> Result<Placement, Failure> {
        head.refresh();
        match Self::is_front_free(tail_state, tail, head, need) {
            true => Ok(Placement::Wrap),
            false => Err(failure),
        }
    }

    /// Up to where there is room at the tail, and memory, whatever the head does.
    pub(super) fn room(
        &self,
        tail_state: &TailState<'_>,
        tail: usize,
        head: &PeerCursor<'_>,
    ) -> usize {
        let front = head.cursor.position as usize;
        let room = if front <= tail {
            tail_state.get(WINDOW).max(self.window)
        } else {
            front
        };
        room.min(tail_state.get(COMMITTED))
    }

    /// Sees to it that there is memory up to word `to`.
    #[inline]
    pub(super) fn grow(&self, tail_state: &TailState<'_>, to: usize) -> Result<(), Failure> {
        let committed = tail_state.get(COMMITTED);
        if to <= committed {
            return Ok(());
        }
        self.grow_from(tail_state, committed, to)
    }

    #[cold]
    fn grow_from(
        &self,
        tail_state: &TailState<'_>,
        committed: usize,
        to: usize,
    ) -> Result<(), Failure> {
        // A quarter more than needed, so that this is rare, but no more than asked for
        // when memory is short.
        let ample = (to + to / 4).max(self.window).min(self.arena.words());
        let to = match self.arena.grow(committed, ample) {
            Ok(()) => ample,
            Err(_) => self.arena.grow(committed, to).map(|()| to)?,
        };
        tail_state.set(COMMITTED, to);
        if to > self.retained {
            // Relaxed: a hint for those who drain the queue.
            let needs_trim = &tail_state.control.needs_trim;
            needs_trim.store(needs_trim::LATER, Ordering::Relaxed);
        }
        Ok(())
    }
}
