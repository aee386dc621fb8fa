//! [`Pipe`]: where the items of a [`PipeQueue`](super::PipeQueue) are.
//!
//! Each item is a [`Record`] of 64 bytes in a kernel pipe. Beside the pipe there is a
//! sparse file in memory with two parts: the *hall*, where the bytes of items lie that
//! are too large for a record, and the *log*, where records go that find the pipe full.
//!
//! # Order
//!
//! While there is anything in the log, pushes append to it. So its items are the
//! youngest, in a row from the one numbered `spill` on; and as a record's place in the
//! log follows from its number, that one word tells where each item is.
//!
//! # Death
//!
//! The engine publishes an item by its count, after the record was written; and the pipe
//! takes or gives a record whole or not at all. So whoever dies leaves at most a count
//! that the kernel contradicts, and [`repair`](Storage::repair) asks the kernel.

use super::hall::{GRANULE, GRANULES, Lap, granules};
use super::record::{INLINE, Record, SIZE};
use super::stretch::{self, Stretch};
use crate::shared::handle::Shareable;
use crate::shared::identity::Limits;
use crate::shared::layout::{Control, Line, Mark};
use crate::shared::storage::{Frames, MOST_AT_ONCE, Opposite, Storage, corrupt};
use crate::sys::{Mapping, refused};
use queue_core::Failure;
use queue_core::sync::atomic::Ordering::Relaxed;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, fcntl_getfl, fstat};
use rustix::io::{Errno, ioctl_fionread, read, write};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// How many records are written or read at once: what the kernel moves as a whole.
const BATCH: usize = 4096 / SIZE;

/// The largest pipe that needs no privilege.
const LARGEST: usize = 1 << 20;

// The parts of the file, each larger than it can ever get.
const HALL: u64 = 4096;
const LOG: u64 = 1 << 40;
const LOG_LEN: u64 = (1 << 32) * SIZE as u64;
const FILE: u64 = 1 << 41;

/// So much of the hall is kept when the queue is empty: 4 MiB.
const KEPT: u32 = (4 << 20) / GRANULE as u32;

/// The log is given back in chunks of so many records: 1 MiB.
const CHUNK: u32 = (1 << 20) / SIZE as u32;

/// The pipe, the file around it, and how much memory they may take.
#[derive(Debug)]
pub(crate) struct Pipe {
    pipe: OwnedFd,
    file: OwnedFd,
    limits: Limits,
}

/// What those who push remember at the tail.
struct Notes<'a>(&'a Line);

// Relaxed in all of these: they are written under the tail lock alone. Those who pop
// read `spill` too; `Pipe::is_in_log` says why any value that they may see will do.
impl Notes<'_> {
    /// The number of the first item that went to the log, while pushes go there.
    fn spill(&self) -> Option<u32> {
        let word = self.0.notes[0].load(Relaxed);
        (word != 0).then_some(word as u32)
    }

    fn set_spill(&self, spill: Option<u32>) {
        let word = spill.map_or(0, |number| u64::from(number) | 1 << 32);
        self.0.notes[0].store(word, Relaxed);
    }

    /// How far the hall is taken at most, written before the record that takes it is in
    /// the pipe.
    fn reach(&self) -> u32 {
        self.0.notes[1].load(Relaxed) as u32
    }

    fn set_reach(&self, reach: u32) {
        self.0.notes[1].store(reach.into(), Relaxed);
    }

    /// How the items lie in the hall, written before `reach`.
    fn lap(&self) -> Lap {
        Lap::from_word(self.0.notes[2].load(Relaxed))
    }

    fn set_lap(&self, lap: Lap) {
        self.0.notes[2].store(lap.word(), Relaxed);
    }
}

/// Whether the item of that number is behind the one numbered `from`, or that one.
fn is_from(number: u32, from: u32) -> bool {
    number.wrapping_sub(from).cast_signed() >= 0
}

impl Pipe {
    /// A pipe for up to `capacity` items, as far as one holds so many.
    fn make_pipe(capacity: u32) -> Result<OwnedFd, Failure> {
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let (one_way, _) = pipe_with(flags).map_err(|e| refused("cannot create a pipe", e))?;
        // Both ways by one descriptor: no pipe without a reader, hence never `SIGPIPE`.
        let path = format!("/proc/self/fd/{}", one_way.as_raw_fd());
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let pipe = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|e| refused("cannot open a pipe both ways", e))?;
        // One page more, for the front one may be read in part. Refused to a user who has
        // very many pipes: then more goes to the log.
        let bytes = (capacity as usize)
            .saturating_mul(SIZE)
            .saturating_add(4096);
        let _ = fcntl_setpipe_size(&pipe, bytes.clamp(8192, LARGEST));
        Ok(pipe)
    }

    /// Refuses what is no pipe that can be read and written without waiting.
    fn check_pipe(pipe: &OwnedFd) -> Result<(), Failure> {
        let wanted = OFlags::RDWR | OFlags::NONBLOCK;
        let is_pipe = fstat(pipe).is_ok_and(|it| FileType::from_raw_mode(it.st_mode).is_fifo());
        let flags = fcntl_getfl(pipe).unwrap_or(OFlags::empty());
        if is_pipe && flags & (OFlags::ACCMODE | OFlags::NONBLOCK) == wanted {
            return Ok(());
        }
        Err(corrupt("a descriptor of the queue is not its pipe"))
    }

    fn hall(&self) -> Stretch<'_> {
        let len = u64::from(GRANULES) * GRANULE;
        Stretch {
            file: self.file.as_fd(),
            start: HALL,
            len,
        }
    }

    fn log(&self) -> Stretch<'_> {
        Stretch {
            file: self.file.as_fd(),
            start: LOG,
            len: LOG_LEN,
        }
    }

    /// Puts the bytes of an item where they belong: its record, or `None` if there is no
    /// room. `hall` is where the tail is in the hall and how the items lie there, and is
    /// moved on.
    fn place(
        &self,
        control: &Control,
        hall: &mut (u32, Lap),
        head: Mark,
        bytes: &[u8],
    ) -> Result<Option<[u8; SIZE]>, Failure> {
        if bytes.len() <= INLINE {
            return Ok(Some(Record::Inside(bytes).encode()));
        }
        let (tail, lap) = *hall;
        let Some(need) = granules(bytes.len()) else {
            return Ok(None);
        };
        let Some((at, lap)) = lap.place(tail, head.position, need) else {
            return Ok(None);
        };
        let reach = at + need;
        let taken = u64::from(lap.taken(reach, head.position)) * GRANULE;
        if taken + self.logged(control, head) > self.limits.memory {
            return Ok(None);
        }
        self.hall().write(u64::from(at) * GRANULE, bytes)?;
        if reach > KEPT {
            // Relaxed: a hint, and those who empty the queue see it with the item.
            control.bulky.store(1, Relaxed);
        }
        *hall = (reach, lap);
        Ok(Some(
            Record::Elsewhere {
                at,
                len: bytes.len(),
            }
            .encode(),
        ))
    }

    /// Writes up to [`BATCH`] items, as many as go: where the tail is then.
    fn write_some<'a>(
        &self,
        control: &Control,
        tail: Mark,
        head: Mark,
        items: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Mark, Failure> {
        let notes = Notes(&control.tail);
        let spilling = self.is_spilling(control, tail, head);
        let (mut records, mut reaches, mut count) = ([0; BATCH * SIZE], [0; BATCH], 0);
        let mut hall = (tail.position, notes.lap());
        for bytes in items {
            let record = match self.place(control, &mut hall, head, bytes) {
                Ok(Some(record)) => record,
                Err(failure) if count == 0 => return Err(failure),
                Ok(None) | Err(_) => break,
            };
            records[count * SIZE..][..SIZE].copy_from_slice(&record);
            reaches[count] = hall.0;
            count += 1;
        }
        if count == 0 {
            return Ok(tail);
        }
        notes.set_lap(hall.1);
        notes.set_reach(hall.0);
        let written = self.append(control, tail.count, &records[..count * SIZE], spilling)?;
        Ok(tail.advanced(written as u32, reaches[written - 1]))
    }

    /// How many bytes the log holds.
    fn logged(&self, control: &Control, head: Mark) -> u64 {
        let Some(spill) = Notes(&control.tail).spill() else {
            return 0;
        };
        let tail = control.tail.mark(Relaxed);
        let oldest = if is_from(head.count, spill) {
            head.count
        } else {
            spill
        };
        u64::from(tail.count.wrapping_sub(oldest)) * SIZE as u64
    }

    /// Whether the next record goes to the log; with the head as it is now.
    fn is_spilling(&self, control: &Control, tail: Mark, head: Mark) -> bool {
        let notes = Notes(&control.tail);
        let Some(spill) = notes.spill() else {
            return false;
        };
        if head.count == tail.count {
            // All is read: back to the pipe.
            self.log().give_back(0, LOG_LEN);
            notes.set_spill(None);
            return false;
        }
        if tail.count.wrapping_sub(spill) > 1 << 30 && is_from(head.count, spill) {
            // Before the numbers have gone round. All that is inside is in the log.
            notes.set_spill(Some(head.count));
        }
        true
    }

    /// Appends records to the queue whose tail is at the number `tail`: how many of them.
    fn append(
        &self,
        control: &Control,
        tail: u32,
        records: &[u8],
        spilling: bool,
    ) -> Result<usize, Failure> {
        let notes = Notes(&control.tail);
        let mut piped = 0;
        if !spilling {
            piped = match write(&self.pipe, records) {
                Ok(bytes) => bytes / SIZE,
                Err(Errno::AGAIN | Errno::INTR) => 0,
                Err(error) => return Err(refused("cannot write to the pipe", error)),
            };
            if piped * SIZE == records.len() {
                return Ok(piped);
            }
            control.bulky.store(1, Relaxed);
        }
        let first = tail.wrapping_add(piped as u32);
        if !spilling {
            // Before the records are: whoever repairs then knows what the pipe holds.
            notes.set_spill(Some(first));
        }
        let records = &records[piped * SIZE..];
        // Up to the end of the numbers, and the rest another time.
        let most = (u32::MAX - first) as usize + 1;
        let logged = (records.len() / SIZE).min(most);
        match self
            .log()
            .write(u64::from(first) * SIZE as u64, &records[..logged * SIZE])
        {
            Ok(()) => Ok(piped + logged),
            Err(failure) => {
                if !spilling {
                    notes.set_spill(None);
                }
                if piped == 0 { Err(failure) } else { Ok(piped) }
            }
        }
    }

    /// Whether item `head` is in the log rather than in the pipe; under the head lock,
    /// for an item that is inside.
    ///
    /// `spill` was written before that item was published, so at least that value is
    /// seen. A later one says the same of this item: it is unset when all is read, is
    /// set to the number of a later item, and moved up only as far as all is read.
    fn is_in_log(&self, control: &Control, head: u32) -> bool {
        Notes(&control.tail)
            .spill()
            .is_some_and(|spill| is_from(head, spill))
    }

    /// Reads the records of up to `into.len() / SIZE` items from `head` on, which are
    /// inside: how many.
    fn fetch(&self, control: &Control, head: u32, into: &mut [u8]) -> Result<usize, Failure> {
        let notes = Notes(&control.tail);
        let wanted = into.len() / SIZE;
        if self.is_in_log(control, head) {
            let wanted = wanted.min((u32::MAX - head) as usize + 1);
            self.log()
                .read(u64::from(head) * SIZE as u64, &mut into[..wanted * SIZE])?;
            return Ok(wanted);
        }
        // Not beyond what the pipe has.
        let wanted = match notes.spill() {
            Some(spill) => wanted.min(spill.wrapping_sub(head) as usize),
            None => wanted,
        };
        loop {
            match read(&self.pipe, &mut into[..wanted * SIZE]) {
                Ok(bytes) if bytes > 0 && bytes % SIZE == 0 => return Ok(bytes / SIZE),
                Err(Errno::INTR) => {}
                Ok(_) | Err(Errno::AGAIN) => {
                    return Err(self.damaged(control, "the pipe does not hold what it should"));
                }
                Err(error) => return Err(refused("cannot read from the pipe", error)),
            }
        }
    }

    /// Something was taken out of the pipe that is no item: asks for a repair, which
    /// counts anew what is inside.
    #[cold]
    fn damaged(&self, control: &Control, what: &str) -> Failure {
        control.head.torn.store(1, Relaxed);
        corrupt(what)
    }

    /// Gives the part of the log back that was read when `head` begins a new chunk.
    fn pass(&self, control: &Control, head: u32) {
        if head.is_multiple_of(CHUNK) && self.is_in_log(control, head) {
            let end = u64::from(head) * SIZE as u64;
            let chunk = u64::from(CHUNK) * SIZE as u64;
            let end = if end == 0 { LOG_LEN } else { end };
            self.log().give_back(end - chunk, end);
        }
    }

    /// Appends to `into` the bytes of the item whose record this is: where the head then
    /// is in the hall.
    fn unpack(&self, record: &[u8], head: u32, into: &mut Vec<u8>) -> Result<u32, Failure> {
        match Record::decode(record) {
            Some(Record::Inside(bytes)) => {
                into.extend_from_slice(bytes);
                Ok(head)
            }
            Some(Record::Elsewhere { at, len }) if len <= self.limits.item as usize => {
                let begin = into.len();
                into.resize(begin + len, 0);
                let bytes = &mut into[begin..];
                if let Err(failure) = self.hall().read(u64::from(at) * GRANULE, bytes) {
                    into.truncate(begin);
                    return Err(failure);
                }
                let need = granules(len).unwrap_or(0);
                Ok(at.saturating_add(need))
            }
            _ => Err(corrupt("what came out of the pipe is no item")),
        }
    }
}

impl Shareable for Pipe {
    const KIND: u32 = 2;
    const DESCRIPTORS: usize = 2;

    fn mapped(_: &Limits) -> Result<usize, Failure> {
        Ok(0)
    }

    fn create(_: &Arc<Mapping>, limits: &Limits) -> Result<Self, Failure> {
        let pipe = Self::make_pipe(limits.capacity())?;
        let file = stretch::create(FILE)?;
        Ok(Self {
            pipe,
            file,
            limits: *limits,
        })
    }

    fn open(_: &Arc<Mapping>, limits: &Limits, own: Vec<OwnedFd>) -> Result<Self, Failure> {
        let Ok([pipe, file]) = <[OwnedFd; 2]>::try_from(own) else {
            return Err(corrupt("not as many descriptors as a pipe queue has"));
        };
        Self::check_pipe(&pipe)?;
        stretch::check(&file, FILE)?;
        Ok(Self {
            pipe,
            file,
            limits: *limits,
        })
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.pipe.as_fd(), self.file.as_fd()]
    }
}

impl Storage for Pipe {
    fn write(
        &self,
        control: &Control,
        tail: Mark,
        head: &mut Opposite<'_>,
        bytes: &[u8],
    ) -> Result<Option<u32>, Failure> {
        // A cache line is nothing beside a system call.
        let head = head.look();
        let notes = Notes(&control.tail);
        let spilling = self.is_spilling(control, tail, head);
        let mut hall = (tail.position, notes.lap());
        let Some(record) = self.place(control, &mut hall, head, bytes)? else {
            return Ok(None);
        };
        notes.set_lap(hall.1);
        notes.set_reach(hall.0);
        self.append(control, tail.count, &record, spilling)?;
        Ok(Some(hall.0))
    }

    fn write_many(
        &self,
        control: &Control,
        tail: Mark,
        head: &mut Opposite<'_>,
        frames: &Frames,
        most: u32,
    ) -> Result<(u32, u32), Failure> {
        let head = head.look();
        let mut at = tail;
        loop {
            let written = at.count.wrapping_sub(tail.count);
            let some = written as usize..(written as usize + BATCH).min(most as usize);
            match self.write_some(control, at, head, some.map(|n| frames.get(n))) {
                Ok(next) if next != at => at = next,
                Err(failure) if written == 0 => return Err(failure),
                _ => return Ok((written, at.position)),
            }
        }
    }

    fn read(
        &self,
        control: &Control,
        head: Mark,
        _: Mark,
        into: &mut Vec<u8>,
    ) -> Result<u32, Failure> {
        let mut record = [0; SIZE];
        self.pass(control, head.count);
        self.fetch(control, head.count, &mut record)?;
        self.unpack(&record, head.position, into).inspect_err(|_| {
            self.damaged(control, "");
        })
    }

    fn read_many(
        &self,
        control: &Control,
        head: Mark,
        _: Mark,
        max: u32,
        into: &mut Frames,
    ) -> Result<(u32, u32), Failure> {
        let mut records = [0; BATCH * SIZE];
        let mut at = head;
        while at.count.wrapping_sub(head.count) < max && into.bytes.len() < MOST_AT_ONCE {
            let left = max - at.count.wrapping_sub(head.count);
            let wanted = (left as usize).min(BATCH);
            // Not across a chunk, so that its end is not missed.
            let wanted = wanted.min((CHUNK - at.count % CHUNK) as usize);
            self.pass(control, at.count);
            let fetched = match self.fetch(control, at.count, &mut records[..wanted * SIZE]) {
                Ok(fetched) => fetched,
                Err(failure) if at == head => return Err(failure),
                Err(_) => break,
            };
            for record in records[..fetched * SIZE].chunks_exact(SIZE) {
                match self.unpack(record, at.position, &mut into.bytes) {
                    Ok(position) => {
                        at = at.advanced(1, position);
                        into.end();
                    }
                    // The others of this read are out of the pipe, so they are given.
                    Err(_) => {
                        self.damaged(control, "");
                    }
                }
            }
            if fetched < wanted {
                break;
            }
        }
        if at == head {
            return Err(corrupt("what came out of the pipe is no item"));
        }
        Ok((at.count.wrapping_sub(head.count), at.position))
    }

    fn repair(&self, tail_line: &Line, head_line: &Line) -> Result<(), Failure> {
        let notes = Notes(tail_line);
        // Relaxed: under both locks.
        let (mut tail, mut head) = (tail_line.mark(Relaxed), head_line.mark(Relaxed));
        let bytes = ioctl_fionread(&self.pipe).map_err(|e| refused("cannot ask the pipe", e))?;
        let piped = u32::try_from(bytes / SIZE as u64).unwrap_or(u32::MAX);
        match notes.spill() {
            // The pipe holds the items up to `spill`, the log those from there on.
            Some(spill) => {
                if !is_from(tail.count, spill) {
                    tail.count = spill;
                }
                let front = spill.wrapping_sub(piped);
                if piped > 0 || !is_from(head.count, spill) {
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
        tail.position = notes.reach();
        tail_line.set_mark(tail);
        head_line.set_mark(head);
        Ok(())
    }

    fn trim(&self, control: &Control) {
        self.hall()
            .give_back(u64::from(KEPT) * GRANULE, u64::from(GRANULES) * GRANULE);
        self.log().give_back(0, LOG_LEN);
        Notes(&control.tail).set_spill(None);
        control.bulky.store(0, Relaxed);
    }
}
