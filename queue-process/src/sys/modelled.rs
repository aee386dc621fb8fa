//! The system calls of a pipe queue's storage, as modelled processes make them: each takes
//! effect as a whole or not at all, and is a step at which its process may die.

use super::Word64;
use super::steps::step;
use loom::sync::Mutex;
use rustix::io::Errno;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// What is read and written in one piece: a record, or a granule of the overflow arena.
const PIECE: usize = 64;

type Piece = [u8; PIECE];

/// A pipe and a file, of which a descriptor means one.
#[derive(Debug)]
struct Node {
    /// How many records the pipe holds.
    room: usize,
    records: Mutex<VecDeque<Piece>>,
    /// What was written to the file, by its place; all else reads as zeros.
    pieces: Mutex<HashMap<u64, Piece>>,
}

/// A descriptor of a pipe or a file.
#[derive(Clone, Debug)]
pub(crate) struct OwnedFd(Arc<Node>);

/// The same, lent.
pub(crate) type BorrowedFd<'a> = &'a OwnedFd;

/// Lending it.
pub(crate) trait AsFd {
    fn as_fd(&self) -> BorrowedFd<'_>;
}

impl AsFd for OwnedFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self
    }
}

impl OwnedFd {
    /// A pipe for so many records, and a file.
    pub(crate) fn new(room: usize) -> Self {
        Self(Arc::new(Node {
            room,
            records: Mutex::default(),
            pieces: Mutex::default(),
        }))
    }

    /// How many records are in the pipe, for who looks at the model from outside.
    pub(crate) fn records(&self) -> usize {
        self.0.records.lock().expect("nobody panics here").len()
    }
}

/// What is done by the dead.
fn dead<T>() -> Result<T, Errno> {
    Err(Errno::SRCH)
}

pub(crate) fn write(pipe: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
    if !step() {
        return dead();
    }
    let mut records = pipe.0.records.lock().expect("nobody panics here");
    // As the kernel does with no more than a page: all or nothing.
    if records.len() + bytes.len() / PIECE > pipe.0.room {
        return Err(Errno::AGAIN);
    }
    records.extend(whole(bytes, 0));
    Ok(bytes.len())
}

pub(crate) fn read(pipe: &OwnedFd, into: &mut [u8]) -> Result<usize, Errno> {
    if !step() {
        return dead();
    }
    let mut records = pipe.0.records.lock().expect("nobody panics here");
    let count = records.len().min(into.len() / PIECE);
    if count == 0 {
        return Err(Errno::AGAIN);
    }
    for (piece, record) in into.chunks_exact_mut(PIECE).zip(records.drain(..count)) {
        piece.copy_from_slice(&record);
    }
    Ok(count * PIECE)
}

/// As [`read`], of one record, into words that processes share.
pub(crate) fn read_words(pipe: &OwnedFd, into: &[Word64]) -> Result<usize, Errno> {
    if !step() {
        return dead();
    }
    let mut records = pipe.0.records.lock().expect("nobody panics here");
    let Some(record) = records.pop_front() else {
        return Err(Errno::AGAIN);
    };
    for (word, bytes) in into.iter().zip(record.chunks_exact(8)) {
        word.put(u64::from_ne_bytes(bytes.try_into().expect("so many")));
    }
    Ok(PIECE)
}

pub(crate) fn ioctl_fionread(pipe: &OwnedFd) -> Result<u64, Errno> {
    if !step() {
        return dead();
    }
    Ok((pipe.records() * PIECE) as u64)
}

pub(crate) fn pwrite(file: BorrowedFd<'_>, bytes: &[u8], at: u64) -> Result<usize, Errno> {
    if !step() {
        return dead();
    }
    let mut pieces = file.0.pieces.lock().expect("nobody panics here");
    for (place, piece) in (at..).step_by(PIECE).zip(whole(bytes, at)) {
        pieces.insert(place, piece);
    }
    Ok(bytes.len())
}

pub(crate) fn pread(file: BorrowedFd<'_>, into: &mut [u8], at: u64) -> Result<usize, Errno> {
    if !step() {
        return dead();
    }
    let _ = whole(into, at);
    let pieces = file.0.pieces.lock().expect("nobody panics here");
    for (place, piece) in (at..).step_by(PIECE).zip(into.chunks_exact_mut(PIECE)) {
        piece.copy_from_slice(pieces.get(&place).unwrap_or(&[0; PIECE]));
    }
    Ok(into.len())
}

pub(crate) fn punch_hole(file: BorrowedFd<'_>, at: u64, len: u64) {
    if step() {
        let mut pieces = file.0.pieces.lock().expect("nobody panics here");
        pieces.retain(|place, _| !(at..at + len).contains(place));
    }
}

/// `bytes` at `at`, which are whole pieces, for a model has no others.
fn whole(bytes: &[u8], at: u64) -> impl Iterator<Item = Piece> {
    let piece = PIECE as u64;
    assert!(bytes.len() as u64 % piece == 0 && at % piece == 0);
    (bytes.chunks_exact(PIECE)).map(|bytes| bytes.try_into().expect("so many"))
}
