//! [`Push`]: the way of an item into a [`Pipe`].

use super::overflow::{ArenaState, GRANULE, granules};
use super::storage::{
    BATCH, LOG_LEN, MAX_INLINE, Pipe, RETAINED_GRANULES, Record, SIZE, TailState, is_from,
};
use crate::linux::engine::PeerCursor;
use crate::linux::engine::control::{Control, Cursor, needs_trim};
#[cfg(loom)]
use crate::sys::modelled::write;
use crate::sys::refused;
use queue_core::Failure;
use queue_core::sync::atomic::Ordering::Relaxed;
use rustix::io::Errno;
#[cfg(not(loom))]
use rustix::io::write;

/// A push that is under way, under the tail lock.
pub(super) struct Push<'a> {
    pipe: &'a Pipe,
    control: &'a Control,
    tail_state: TailState<'a>,
    head: Cursor,
    /// Moves on with each item that is written.
    pub(super) tail: Cursor,
    arena_state: ArenaState,
}

impl<'a> Push<'a> {
    pub(super) fn new(
        pipe: &'a Pipe,
        control: &'a Control,
        mut tail: Cursor,
        head: &mut PeerCursor<'_>,
    ) -> Self {
        let tail_state = TailState(control);
        // While nothing lies in the arena or the log, it does not matter where the head is,
        // and two processes pass on small items with fewer cache lines.
        let known = head.cursor.position == tail.position && tail_state.log_start().is_none();
        if !known && head.refresh().count == tail.count {
            // Nothing is inside, so nothing of the arena is taken. Who died may have said that
            // something is, and no pop would ever free it.
            tail.position = head.cursor.position;
        }
        let arena_state = match tail.position == head.cursor.position {
            // The arena is empty, whatever was noted for an item that then did not come.
            true => ArenaState::default(),
            false => tail_state.arena_state(),
        };
        Self {
            pipe,
            control,
            tail_state,
            head: head.cursor,
            tail,
            arena_state,
        }
    }

    /// Writes one item; false if there is no room.
    pub(super) fn write_one(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        let Some((record, high_water, arena_state)) =
            self.allocate(self.tail.position, self.arena_state, bytes)?
        else {
            return Ok(false);
        };
        let written = self.append(&record, &[(high_water, arena_state)])?;
        Ok(written == 1)
    }

    /// Writes up to [`BATCH`] items: how many.
    pub(super) fn write_some<'b>(
        &mut self,
        items: impl Iterator<Item = &'b [u8]>,
    ) -> Result<usize, Failure> {
        let mut records = [0; BATCH * SIZE];
        let mut arenas = [(self.tail.position, self.arena_state); BATCH];
        let mut count = 0_usize;
        for bytes in items {
            let (high_water, arena_state) = arenas[count.saturating_sub(1)];
            match self.allocate(high_water, arena_state, bytes) {
                Ok(Some((record, high_water, arena_state))) => {
                    records[count * SIZE..][..SIZE].copy_from_slice(&record);
                    arenas[count] = (high_water, arena_state);
                    count += 1;
                }
                Err(failure) if count == 0 => return Err(failure),
                Ok(None) | Err(_) => break,
            }
        }
        match count {
            0 => Ok(0),
            _ => self.append(&records[..count * SIZE], &arenas[..count]),
        }
    }

    /// Puts the bytes of an item where they belong if the arena is taken up to `tail`: its
    /// record, how far the arena is taken then, and how; or `None` if there is no room.
    fn allocate(
        &self,
        tail: u32,
        arena_state: ArenaState,
        bytes: &[u8],
    ) -> Result<Option<([u8; SIZE], u32, ArenaState)>, Failure> {
        let len = bytes.len();
        if len <= MAX_INLINE {
            return Ok(Some((Record::Inline(bytes).encode(), tail, arena_state)));
        }
        let placed = granules(len).and_then(|need| {
            let (at, arena_state) = arena_state.allocate(tail, self.head.position, need)?;
            Some((at, at + need, arena_state))
        });
        let Some((at, high_water, arena_state)) = placed.filter(|&(_, high_water, arena_state)| {
            self.memory_left(high_water, arena_state).is_some()
        }) else {
            return Ok(None);
        };
        self.pipe.arena().write(u64::from(at) * GRANULE, bytes)?;
        // Relaxed, both: a hint, and those who empty the queue see it with the item.
        if high_water > RETAINED_GRANULES && self.control.needs_trim.load(Relaxed) == 0 {
            self.control.needs_trim.store(needs_trim::LATER, Relaxed);
        }
        Ok(Some((
            Record::Indirect { at, len }.encode(),
            high_water,
            arena_state,
        )))
    }

    /// How many bytes of memory are left if the arena is taken up to `high_water`; `None` if
    /// that is too far.
    fn memory_left(&self, high_water: u32, arena_state: ArenaState) -> Option<u64> {
        let taken = u64::from(arena_state.taken(high_water, self.head.position)) * GRANULE;
        let logged = self.tail_state.log_start().map_or(0, |log_start| {
            let head = self.head.count;
            let oldest = if is_from(head, log_start) {
                head
            } else {
                log_start
            };
            u64::from(self.tail.count.wrapping_sub(oldest)) * SIZE as u64
        });
        self.pipe.limits.memory.checked_sub(taken + logged)
    }

    /// Whether the next record goes to the log.
    fn is_logging(&self) -> bool {
        let Some(log_start) = self.tail_state.log_start() else {
            return false;
        };
        let (tail, head) = (self.tail.count, self.head.count);
        if head == tail {
            // All is read: back to the pipe.
            self.pipe.log().punch_hole(0, LOG_LEN);
            self.tail_state.set_log_start(None);
            return false;
        }
        if tail.wrapping_sub(log_start) > 1 << 30 && is_from(head, log_start) {
            // Before the numbers have gone round. All that is inside is in the log.
            self.tail_state.set_log_start(Some(head));
        }
        true
    }

    /// Appends records to the queue, after each of which the arena is as `arenas` says: to
    /// the pipe, and what that does not hold to the log, as far as there is room: how
    /// many. The tail is moved.
    fn append(&mut self, records: &[u8], arenas: &[(u32, ArenaState)]) -> Result<usize, Failure> {
        let (high_water, arena_state) = arenas[arenas.len() - 1];
        let logging = self.is_logging();
        // In this order, and before the records: see `ArenaState`, and `repair`. They stay ahead of
        // the tail if not all records go in, as they do where somebody dies just here.
        self.tail_state.set_arena_state(arena_state);
        self.tail_state.set_high_water(high_water);
        let piped = if logging { 0 } else { self.pipe_in(records)? };
        let logged = match &records[piped * SIZE..] {
            [] => Ok(0),
            rest => {
                let room = self.memory_left(high_water, arena_state).unwrap_or(0) / SIZE as u64;
                self.log_in(rest, piped, room, logging)
            }
        };
        let written = piped + logged.as_ref().unwrap_or(&0);
        if written == 0 {
            return logged;
        }
        let (high_water, arena_state) = arenas[written - 1];
        self.arena_state = arena_state;
        self.tail = self.tail.advanced(written as u32, high_water);
        Ok(written)
    }

    /// Writes records to the pipe: how many it took.
    fn pipe_in(&self, records: &[u8]) -> Result<usize, Failure> {
        match write(&self.pipe.pipe, records) {
            Ok(bytes) => Ok(bytes / SIZE),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(error) => Err(refused("cannot write to the pipe", error)),
        }
    }

    /// Writes records to the log, no more than `room`, behind `piped` ones that just went
    /// into the pipe: how many.
    fn log_in(
        &self,
        records: &[u8],
        piped: usize,
        room: u64,
        logging: bool,
    ) -> Result<usize, Failure> {
        let first = self.tail.count.wrapping_add(piped as u32);
        // Up to where the numbers go round, and the rest another time.
        let room = room.min(u64::from(u32::MAX - first) + 1);
        let count = room.min((records.len() / SIZE) as u64) as usize;
        if count == 0 {
            return Ok(0);
        }
        if !logging {
            // Relaxed: as above. At once, for then the pipe is used again.
            self.control.needs_trim.store(needs_trim::AT_ONCE, Relaxed);
            // Before the records are there: whoever repairs knows what the pipe holds.
            self.tail_state.set_log_start(Some(first));
        }
        let at = u64::from(first) * SIZE as u64;
        let written = self.pipe.log().write(at, &records[..count * SIZE]);
        if written.is_err() && !logging {
            self.tail_state.set_log_start(None);
        }
        written.map(|()| count)
    }
}
