//! [`Pipe`]: where the items of a [`PipeQueue`](super::queue::PipeQueue) are.
//!
//! Each item is a [`Record`](super::record::Record) of 64 bytes in a kernel pipe. Beside
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

use super::file_range::FileRange;
use super::overflow::{GRANULE, GRANULES};
use super::pop::Pop;
use super::push::Push;
use super::record::SIZE;
use super::state::{TailState, is_from};
use crate::linux::engine::batch::Batch;
use crate::linux::engine::inline_item::Item;
use crate::linux::engine::layout::{Control, Cursor};
use crate::linux::engine::storage::{MAX_BATCH_BYTES, PeerCursor, Storage};
use crate::linux::queue::format::Limits;
use crate::sys::calls::{AsFd, OwnedFd, ioctl_fionread, refused};
use queue_core::Failure;
use queue_core::sync::atomic::Ordering::Relaxed;

/// How many records are written or read at once: what the kernel moves as a whole.
pub(super) const BATCH: usize = 4096 / SIZE;

// The parts of the file, each larger than it can ever get.
const ARENA: u64 = 4096;
const LOG: u64 = 1 << 40;
pub(super) const LOG_LEN: u64 = (1 << 32) * SIZE as u64;
#[cfg_attr(loom, allow(dead_code))] // A model has one that it makes itself.
pub(super) const FILE: u64 = 1 << 41;

/// So much of the arena is kept when the queue is empty: 4 MiB.
pub(super) const RETAINED_GRANULES: u32 = (4 << 20) / GRANULE as u32;

/// The log is given back in chunks of so many records: 1 MiB.
pub(super) const CHUNK: u32 = (1 << 20) / SIZE as u32;

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

impl Storage for Pipe {
    fn write(
        &self,
        control: &Control,
        tail: Cursor,
        head: &mut PeerCursor<'_>,
        item: Item<'_>,
    ) -> Result<Option<u32>, Failure> {
        let mut push = Push::new(self, control, tail, head);
        Ok(push.one(item.bytes)?.then_some(push.tail.position))
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
            match push.some(some.map(|n| batch.get(n))) {
                Err(failure) if written == 0 => return Err(failure),
                Ok(0) | Err(_) => return Ok((written, push.tail.position)),
                Ok(_) => {}
            }
        }
    }

    fn read(
        &self,
        control: &Control,
        head: Cursor,
        _: Cursor,
        into: &mut Vec<u8>,
    ) -> Result<u32, Failure> {
        let mut pop = Pop {
            pipe: self,
            control,
            head,
        };
        pop.one(into)?;
        Ok(pop.head.position)
    }

    fn read_many(
        &self,
        control: &Control,
        head: Cursor,
        _: Cursor,
        max: u32,
        into: &mut Batch,
    ) -> Result<(u32, u32), Failure> {
        let mut pop = Pop {
            pipe: self,
            control,
            head,
        };
        loop {
            let read = pop.head.count.wrapping_sub(head.count);
            let some = (max - read).min(BATCH as u32);
            if some == 0 || into.bytes.len() >= MAX_BATCH_BYTES {
                return Ok((read, pop.head.position));
            }
            match pop.some(some as usize, into) {
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
        self.arena().give_back(
            u64::from(RETAINED_GRANULES) * GRANULE,
            u64::from(GRANULES) * GRANULE,
        );
        self.log().give_back(0, LOG_LEN);
        TailState(control).set_log_start(None);
        control.needs_trim.store(0, Relaxed);
    }
}
