//! The numbers of file descriptors.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use std::io;
use std::time::Instant;

/// The first number that is no standard stream's.
pub(super) const ABOVE_STDIO: RawFd = 3;

/// The same file under a number above those of the standard streams, also where one of these
/// was closed and the system gave its number to this file.
///
/// Whatever this crate opens and keeps goes through here. Under number 1 it would get what the
/// program prints; and a child gets other files under these numbers before it takes part.
///
/// System calls and nothing else, so it may be used between fork and exec.
///
/// # Errors
/// If the process can open no more files.
pub(crate) fn above_stdio<F: Into<OwnedFd> + From<OwnedFd>>(file: F) -> io::Result<F> {
    let file = file.into();
    if file.as_raw_fd() >= ABOVE_STDIO {
        return Ok(file.into());
    }
    // What is closed here is the low number alone: locks belong to the description.
    Ok(fcntl_dupfd_cloexec(&file, ABOVE_STDIO)?.into())
}

/// Waits until something can be read from `fd`, or its end: false when the time is over.
pub(crate) fn readable(fd: impl AsFd, until: Instant) -> io::Result<bool> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        // Longer than the system counts is for good.
        let left = Timespec::try_from(left).ok();
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], left.as_ref()) {
            Ok(ready) => return Ok(ready != 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
