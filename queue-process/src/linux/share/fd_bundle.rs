//! [`FdBundle`]: a queue on its way to another process.

use crate::sys::{packets, refused};
use queue_core::{Failure, FailureKind, Side};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::fstat;
use std::fmt;
use std::io;
use std::str::FromStr;

/// The descriptors that a queue is made of, memory first, all close-on-exec; and what
/// they are.
#[derive(Debug)]
pub(crate) struct FdBundle {
    pub(crate) header: BundleHeader,
    pub(crate) fds: Vec<OwnedFd>,
}

impl FdBundle {
    /// Duplicates of `fds`, as `half` of the queue.
    pub(crate) fn pack(fds: &[BorrowedFd<'_>], half: Option<Side>) -> Result<Self, Failure> {
        debug_assert!(fds.len() <= packets::MAX_FDS);
        let id = id(fds[0])?;
        let header = BundleHeader { id, half };
        let fds = duplicates(fds)?;
        Ok(Self { header, fds })
    }
}

/// Duplicates of `fds`.
pub(crate) fn duplicates(fds: &[BorrowedFd<'_>]) -> io::Result<Vec<OwnedFd>> {
    fds.iter().map(BorrowedFd::try_clone_to_owned).collect()
}

/// The number of the queue whose memory this is: while it exists no other has the same.
pub(crate) fn id(memory: BorrowedFd<'_>) -> Result<u64, Failure> {
    let status = fstat(memory).map_err(|e| refused("cannot look at a queue's memory", e))?;
    Ok(status.st_ino)
}

/// Which queue a bundle holds, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BundleHeader {
    /// By this, descriptors that have come to mean something else are recognized.
    pub(crate) id: u64,
    /// The half that is handed over, or the whole.
    pub(crate) half: Option<Side>,
}

/// What every header begins with: the name and version of this form of handing over.
const FORMAT: &str = "queue-process/2";

impl fmt::Display for BundleHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let half = match self.half {
            None => "whole",
            Some(Side::Producers) => "producer",
            Some(Side::Consumers) => "consumer",
        };
        write!(f, "{FORMAT} {:016x} {half}", self.id)
    }
}

impl FromStr for BundleHeader {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let mut words = text.split(' ');
        match words.next() {
            Some(FORMAT) => {}
            _ => return Err(malformed("it is of another version")),
        }
        let id = words.next().and_then(|id| u64::from_str_radix(id, 16).ok());
        let half = match words.next() {
            Some("whole") => Some(None),
            Some("producer") => Some(Some(Side::Producers)),
            Some("consumer") => Some(Some(Side::Consumers)),
            _ => None,
        };
        match (id, half, words.next()) {
            (Some(id), Some(half), None) => Ok(Self { id, half }),
            _ => Err(malformed("it is not one")),
        }
    }
}

/// The failure of a bundle that cannot be read.
#[cold]
pub(crate) fn malformed(why: &str) -> Failure {
    let message = format!("cannot read the handed over queue: {why}");
    Failure::new(FailureKind::Corrupt, message)
}
