//! The numbers of file descriptors.

use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec};
use std::io;

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

/// The descriptor `raw`, that another process left open for this one across `exec`. It
/// is close-on-exec from now on.
///
/// # Errors
/// If there is no such descriptor, or if it cannot be one left for us: a standard one, or
/// one that is close-on-exec, as everything is that a Rust program opens itself.
pub(crate) fn inherit(raw: RawFd) -> io::Result<OwnedFd> {
    if raw < ABOVE_STDIO {
        return Err(Errno::BADF.into());
    }
    // SAFETY: only asked whether it is open, and for its flags; the borrow ends before
    // anybody could close it in reliance on owning it.
    let borrowed = unsafe { BorrowedFd::borrow_raw(raw) };
    let flags = rustix::io::fcntl_getfd(borrowed)?;
    if flags.contains(FdFlags::CLOEXEC) {
        return Err(Errno::BADF.into());
    }
    rustix::io::fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    // SAFETY: it is open, as just seen, and came across `exec`: no object of this program
    // owns it, for what those own is close-on-exec. It is made so here, hence a second
    // call for the same number fails, and it gets one owner.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}
