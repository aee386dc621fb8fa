//! [`Pipe`]: where the items of a [`PipeQueue`](super::queue::PipeQueue) are.
//!
//! Each item is a [`Record`] of 64 bytes in a kernel pipe. Beside
//! the pipe there is a sparse file in memory with two parts: the overflow *arena*, where the bytes
//! of items lie that are too large for a record, and the *log*, where records go that
//! find the pipe full.
//!
//! # Order
//!
//! While there is anything in the log, pushes append to it. So its items are the
//! youngest, in a row from the one numbered `log_start` on; and as a record's place in the
//! log follows from its number, that one word tells where each item is.
//!
//! # Death
//!
//! The engine publishes an item by its count, after the record was written; and the pipe
//! takes or gives a record whole or not at all. So whoever dies leaves at most a count
//! that the kernel contradicts, and [`repair`](Storage::repair) asks the kernel.

use super::overflow::{ArenaState, GRANULE, GRANULES};
use super::pop::Pop;
use super::push::Push;
use crate::linux::engine::batch::Batch;
use crate::linux::engine::control::{Control, Cursor, Item};
use crate::linux::engine::{MAX_BATCH_BYTES, PeerCursor, Storage};
use crate::linux::lease::bytes::Lease;
use crate::linux::queue::format::Limits;
#[cfg(loom)]
use crate::sys::modelled::{AsFd, OwnedFd, ioctl_fionread};
use crate::sys::{FileRange, refused};
use queue_core::sync::atomic::Ordering::Relaxed;
use queue_core::{Failure, FailureKind};
#[cfg(not(loom))]
use rustix::{
    fd::{AsFd, OwnedFd},
    io::ioctl_fionread,
};

/// How many records are written or read at once: what the kernel moves as a whole.
pub(super) const BATCH: usize = 4096 / SIZE;

// The parts of the file, each larger than it can ever get.
const ARENA: u64 = 4096;
const LOG: u64 = 1 << 40;
pub(super) const LOG_LEN: u64 = (1 << 32) * SIZE as u64;
#[cfg_attr(loom, allow(dead_code))] // A model has one that it makes itself.
pub(super) const FILE_LEN: u64 = 1 << 41;

/// So much of the arena is kept when the queue is empty: 4 MiB. In a model one item is.
pub(super) const RETAINED_GRANULES: u32 = if cfg!(loom) {
    1
} else {
    (4 << 20) / GRANULE as u32
};

/// The log is given back in chunks of so many records: 1 MiB. In a model two are one.
pub(super) const CHUNK: u32 = if cfg!(loom) {
    2
} else {
    (1 << 20) / SIZE as u32
};

/// The pipe, the file around it, and how much memory they may take.
#[derive(Debug)]
pub struct Pipe {
    pub(crate) pipe: OwnedFd,
    pub(crate) file: OwnedFd,
    pub(crate) limits: Limits,
}

impl Pipe {
    pub(super) fn arena(&self) -> FileRange<'_> {
        let len = u64::from(GRANULES) * GRANULE;
        FileRange {
            file: self.file.as_fd(),
            start: ARENA,
            len,
        }
    }

    pub(super) fn log(&self) -> FileRange<'_> {
        FileRange {
            file: self.file.as_fd(),
            start: LOG,
            len: LOG_LEN,
        }
    }
}

impl Pipe {
    /// Keeps in `lease` the bytes of the item whose record is there: the others lie outside.
    fn keep(&self, lease: &Lease<'_>, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.len() > MAX_INLINE {
            return lease.keep_outside(bytes);
        }
        lease.say_inline(bytes.len());
        Ok(())
    }
}

impl Storage for Pipe {
    fn write(
        &self,
        control: &Control,
        tail: Cursor,
        head: &mut PeerCursor<'_>,
        item: Item<'_>,
    ) -> Result<Option<u32>, Failure> {
        let mut push = Push::new(self, control, tail, head);
        Ok(push.write_one(item.bytes)?.then_some(push.tail.position))
    }

    fn lend(
        &self,
        control: &Control,
        (head, _, _): (Cursor, Cursor, bool),
        lease: &Lease<'_>,
        into: &mut Vec<u8>,
    ) -> Result<u32, Failure> {
        let pop = Pop::new(self, control, head);
        pop.fetch_into(lease)?;
        let position = pop.unpack(&lease.record_bytes(), into);
        let kept = match position {
            Ok(position) => self.keep(lease, into).map(|()| position),
            Err(failure) => Err(failure),
        };
        // Of a pipe it is out, so that only the lease has it.
        kept.map_err(|failure| pop.poison(failure))
    }

    fn was_lent(&self, control: &Control, lease: &Lease<'_>) -> Result<bool, Failure> {
        let count = lease.slot.count();
        // What the log holds it holds on until the head has moved; the pipe gives a record whole
        // and once, so if it is here it is nowhere else.
        let head = control.head.cursor(Relaxed);
        let in_log = (TailState(control).log_start()).is_some_and(|start| is_from(count, start));
        if !lease.has_record() || in_log && head.count == count {
            return Ok(false);
        }
        let mut bytes = Vec::new();
        let pop = Pop::new(self, control, head);
        // Its bytes are still where they were: nobody has been told that the head moved.
        match pop.unpack(&lease.record_bytes(), &mut bytes) {
            Ok(_) => self.keep(lease, &bytes).map(|()| true),
            Err(failure) if failure.kind() == FailureKind::Corrupt => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    fn write_many(
        &self,
        control: &Control,
        tail: Cursor,
        head: &mut PeerCursor<'_>,
        batch: &Batch,
        most: u32,
    ) -> Result<(u32, u32), Failure> {
        let mut push = Push::new(self, control, tail, head);
        loop {
            let written = push.tail.count.wrapping_sub(tail.count);
            let some = written as usize..(written as usize + BATCH).min(most as usize);
            match push.write_some(some.map(|n| batch.get(n))) {
                Err(failure) if written == 0 => return Err(failure),
                Ok(0) | Err(_) => return Ok((written, push.tail.position)),
                Ok(_) => {}
            }
        }
    }

    fn read(&self, control: &Control, head: Cursor, into: &mut Vec<u8>) -> Result<u32, Failure> {
        let mut pop = Pop::new(self, control, head);
        pop.read_one(into)?;
        Ok(pop.head.position)
    }

    fn read_many(
        &self,
        control: &Control,
        head: Cursor,
        max: u32,
        into: &mut Batch,
    ) -> Result<(u32, u32), Failure> {
        let mut pop = Pop::new(self, control, head);
        loop {
            let read = pop.head.count.wrapping_sub(head.count);
            let some = (max - read).min(BATCH as u32);
            if some == 0 || into.bytes.len() >= MAX_BATCH_BYTES {
                return Ok((read, pop.head.position));
            }
            match pop.read_some(some as usize, into) {
                Err(failure) if read == 0 => return Err(failure),
                Err(_) => return Ok((read, pop.head.position)),
                Ok(()) => {}
            }
        }
    }

    fn repair(&self, control: &Control) -> Result<(), Failure> {
        let tail_state = TailState(control);
        // Relaxed: under both locks.
        let (mut tail, mut head) = (control.tail.cursor(Relaxed), control.head.cursor(Relaxed));
        let bytes = ioctl_fionread(&self.pipe).map_err(|e| refused("cannot ask the pipe", e))?;
        let piped = u32::try_from(bytes / SIZE as u64).unwrap_or(u32::MAX);
        match tail_state.log_start() {
            // The pipe holds the items up to `log_start`, the log those from there on.
            Some(log_start) => {
                if !is_from(tail.count, log_start) {
                    tail.count = log_start;
                }
                let front = log_start.wrapping_sub(piped);
                if piped > 0 || !is_from(head.count, log_start) {
                    head.count = front;
                }
            }
            // All are in the pipe: one more than published, or one fewer than not read.
            // If both happened the sum is right, and that is all it is needed for.
            None => {
                let counted = head.items_until(tail);
                if piped >= counted {
                    tail.count = head.count.wrapping_add(piped);
                } else {
                    head.count = tail.count.wrapping_sub(piped);
                }
            }
        }
        // The dead may have put a record into the pipe that takes up to here.
        tail.position = tail_state.high_water();
        control.tail.set_cursor(tail);
        control.head.set_cursor(head);
        Ok(())
    }

    fn trim(&self, control: &Control) {
        self.arena().punch_hole(
            u64::from(RETAINED_GRANULES) * GRANULE,
            u64::from(GRANULES) * GRANULE,
        );
        self.log().punch_hole(0, LOG_LEN);
        TailState(control).set_log_start(None);
        control.needs_trim.store(0, Relaxed);
    }
}

/// The bytes of a record on the wire.
pub(super) const SIZE: usize = 64;

/// An item of up to so many bytes rides inside its record.
pub(super) const MAX_INLINE: usize = SIZE - HEADER;

pub(super) const HEADER: usize = 8;

/// Tells a record with its item inside from one whose item lies elsewhere, and both
/// from zeros.
pub(super) const INLINE_TAG: u32 = u32::from_le_bytes(*b"item");
pub(super) const INDIRECT_TAG: u32 = u32::from_le_bytes(*b"at..");

/// What goes through the pipe for each item: its bytes, or where they lie.
///
/// All records have 64 bytes. That divides a page, so the kernel never splits one, and
/// how many are in the pipe follows from how many bytes are. A small item is inline;
/// of a larger one the record says where its bytes lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// These are they.
    Inline(&'a [u8]),
    /// So many, from granule `at` of the arena on.
    Indirect { at: u32, len: usize },
}

impl<'a> Record<'a> {
    /// The record on the wire.
    ///
    /// # Panics
    /// If an item inside is larger than [`MAX_INLINE`], or one elsewhere than `u32::MAX`.
    pub(super) fn encode(self) -> [u8; SIZE] {
        let mut wire = [0; SIZE];
        let (tag, len) = match self {
            Self::Inline(bytes) => {
                wire[HEADER..][..bytes.len()].copy_from_slice(bytes);
                (INLINE_TAG, bytes.len())
            }
            Self::Indirect { at, len } => {
                wire[HEADER..][..4].copy_from_slice(&at.to_le_bytes());
                (INDIRECT_TAG, len)
            }
        };
        let len = u32::try_from(len).expect("an item's limit fits 32 bits");
        wire[..4].copy_from_slice(&tag.to_le_bytes());
        wire[4..HEADER].copy_from_slice(&len.to_le_bytes());
        wire
    }

    /// The record that `wire` holds, or `None` if it is not one that [`encode`] wrote.
    ///
    /// [`encode`]: Self::encode
    pub(super) fn decode(wire: &'a [u8]) -> Option<Self> {
        let (tag, rest) = wire.split_first_chunk()?;
        let (len, body) = rest.split_first_chunk()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        match u32::from_le_bytes(*tag) {
            INLINE_TAG => Some(Self::Inline(body.get(..len)?)),
            INDIRECT_TAG => Some(Self::Indirect {
                at: u32::from_le_bytes(*body.first_chunk()?),
                len,
            }),
            _ => None,
        }
    }
}

/// What those who push remember: at the tail, but for `log_start`, which each pop asks for.
pub(super) struct TailState<'a>(pub(super) &'a Control);

// Relaxed in all of these: they are written under the tail lock alone. Those who pop
// read `log_start` too; [`Pop`](Pop) says why any value that they may see will do.
impl TailState<'_> {
    /// The number of the first item that went to the log, while pushes go there.
    pub(super) fn log_start(&self) -> Option<u32> {
        let word = self.0.storage_word.load(Relaxed);
        (word != 0).then_some(word as u32)
    }

    pub(super) fn set_log_start(&self, log_start: Option<u32>) {
        let word = log_start.map_or(0, |number| u64::from(number) | 1 << 32);
        self.0.storage_word.store(word, Relaxed);
    }

    /// How far the arena is taken at most, written before the record that takes it is in
    /// the pipe.
    pub(super) fn high_water(&self) -> u32 {
        self.0.tail.storage_words[0].load(Relaxed) as u32
    }

    pub(super) fn set_high_water(&self, high_water: u32) {
        self.0.tail.storage_words[0].store(high_water.into(), Relaxed);
    }

    /// How the items lie in the arena, written before `high_water`.
    pub(super) fn arena_state(&self) -> ArenaState {
        let word = self.0.tail.storage_words[1].load(Relaxed);
        ArenaState::new(word as u32, (word >> 32) as u32)
    }

    pub(super) fn set_arena_state(&self, arena_state: ArenaState) {
        let ArenaState { wrapped_at, front } = arena_state;
        let word = u64::from(wrapped_at) | u64::from(front) << 32;
        self.0.tail.storage_words[1].store(word, Relaxed);
    }
}

/// Whether the item of that number is behind the one numbered `from`, or that one.
pub(super) fn is_from(number: u32, from: u32) -> bool {
    number.wrapping_sub(from) as i32 >= 0
}
