//! [`Pop`]: the way of an item out of a [`Pipe`].

use super::overflow::{GRANULE, granules};
use super::storage::{BATCH, CHUNK, LOG_LEN, Pipe, Record, SIZE, TailState, is_from};
use crate::linux::engine::batch::Batch;
use crate::linux::engine::control::{Control, Cursor};
use crate::linux::lease::bytes::Lease;
use crate::sys::corrupt;
#[cfg(loom)]
use crate::sys::modelled::read;
use crate::sys::refused;
use queue_core::Failure;
use queue_core::sync::atomic::Ordering::Relaxed;
use rustix::io::Errno;
#[cfg(not(loom))]
use rustix::io::read;

/// A pop that is under way, under the head lock.
pub(super) struct Pop<'a> {
    pipe: &'a Pipe,
    control: &'a Control,
    /// Moves on with each item that is read.
    pub(super) head: Cursor,
}

impl<'a> Pop<'a> {
    pub(super) fn new(pipe: &'a Pipe, control: &'a Control, head: Cursor) -> Self {
        Self {
            pipe,
            control,
            head,
        }
    }

    /// Appends the bytes of the oldest item, which there is, to `into`.
    pub(super) fn read_one(&mut self, into: &mut Vec<u8>) -> Result<(), Failure> {
        let mut record = [0; SIZE];
        self.fetch(&mut record)?;
        match self.unpack(&record, into) {
            Ok(position) => {
                self.head = self.head.advanced(1, position);
                Ok(())
            }
            Err(failure) => Err(self.poison(failure)),
        }
    }

    /// Appends up to `max` items, at least one, which there are.
    pub(super) fn read_some(&mut self, max: usize, into: &mut Batch) -> Result<(), Failure> {
        let mut records = [0; BATCH * SIZE];
        // Not past the end of a chunk, which is given back there.
        let max = max
            .min((CHUNK - self.head.count % CHUNK) as usize)
            .min(BATCH);
        let fetched = self.fetch(&mut records[..max * SIZE])?;
        let before = self.head;
        let mut failed = None;
        for record in records[..fetched * SIZE].chunks_exact(SIZE) {
            let mut high_water = 0;
            let unpacked = into.add(|bytes| {
                high_water = self.unpack(record, bytes)?;
                Ok(())
            });
            match unpacked {
                Ok(()) => self.head = self.head.advanced(1, high_water),
                // The others are out of the pipe, so they must be given.
                Err(failure) => failed = Some(self.poison(failure)),
            }
        }
        match failed {
            Some(failure) if self.head == before => Err(failure),
            _ => Ok(()),
        }
    }

    /// Whether the oldest item is in the log rather than in the pipe.
    ///
    /// `log_start` was written before that item was published, so at least that value is
    /// seen. A later one says the same of this item: it is unset when all is read, is
    /// set to the number of a later item, and moved up only as far as all is read.
    fn is_in_log(&self) -> bool {
        let log_start = TailState(self.control).log_start();
        log_start.is_some_and(|log_start| is_from(self.head.count, log_start))
    }

    /// Reads the records of as many of the oldest items as `into` has room for, or of
    /// fewer: how many.
    fn fetch(&self, into: &mut [u8]) -> Result<usize, Failure> {
        let head = self.head.count;
        let wanted = into.len() / SIZE;
        if self.is_in_log() {
            if head % CHUNK == 0 {
                self.punch_hole_before(head);
            }
            self.pipe.log().fill(u64::from(head) * SIZE as u64, into)?;
            return Ok(wanted);
        }
        // Those behind them in the log are not in the pipe, so it gives fewer.
        self.count_read(|| read(&self.pipe.pipe, &mut *into))
    }

    /// How many records `read` has read from the pipe, which holds some.
    fn count_read(&self, mut read: impl FnMut() -> Result<usize, Errno>) -> Result<usize, Failure> {
        loop {
            match read() {
                Ok(bytes) if bytes > 0 && bytes % SIZE == 0 => return Ok(bytes / SIZE),
                Err(Errno::INTR) => {}
                Ok(_) | Err(Errno::AGAIN) => {
                    return Err(self.poison(corrupt("the pipe does not hold what it should")));
                }
                Err(error) => return Err(refused("cannot read from the pipe", error)),
            }
        }
    }

    /// Has the record of the oldest item in `lease`, which has none.
    pub(super) fn fetch_into(&self, lease: &Lease<'_>) -> Result<(), Failure> {
        if self.is_in_log() {
            let mut record = [0; SIZE];
            self.fetch(&mut record)?;
            lease.put_record(&record);
            return Ok(());
        }
        self.count_read(|| lease.read_record(&self.pipe.pipe))?;
        Ok(())
    }

    /// Gives the chunk of the log back that ends before `head`.
    fn punch_hole_before(&self, head: u32) {
        let end = if head == 0 {
            LOG_LEN
        } else {
            u64::from(head) * SIZE as u64
        };
        let chunk = u64::from(CHUNK) * SIZE as u64;
        self.pipe.log().punch_hole(end - chunk, end);
    }

    /// Appends to `into` the bytes of the item whose record this is: where the head then
    /// is in the arena.
    pub(super) fn unpack(&self, record: &[u8], into: &mut Vec<u8>) -> Result<u32, Failure> {
        match Record::decode(record) {
            Some(Record::Inline(bytes)) => {
                into.extend_from_slice(bytes);
                Ok(self.head.position)
            }
            Some(Record::Indirect { at, len }) if len <= self.pipe.limits.item as usize => {
                self.pipe.arena().read(u64::from(at) * GRANULE, len, into)?;
                Ok(at.saturating_add(granules(len).unwrap_or(0)))
            }
            _ => Err(corrupt("what came out of the pipe is no item")),
        }
    }

    /// What was taken out of the pipe is no item: asks for a repair, which counts anew
    /// what is inside.
    #[cold]
    pub(super) fn poison(&self, failure: Failure) -> Failure {
        // Relaxed: under this lock.
        self.control.head.poisoned.store(1, Relaxed);
        failure
    }
}
