//! Locks on single bytes of a file that belong to an open file *description*.
//!
//! The kernel gives such a lock back when the last descriptor of that description is
//! closed, hence when its process dies, however it dies; no process can hold one for
//! another, and process ids, which are reused, play no part.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

fn byte(at: u32, kind: i32) -> libc::flock {
    libc::flock {
        l_type: kind as i16,
        l_whence: libc::SEEK_SET as i16,
        // `off_t` has 32 bits on some systems.
        l_start: (at as i32).into(),
        l_len: 1,
        l_pid: 0,
    }
}

/// Locks byte `at` for the description of `file`: false if another description has it.
///
/// A system call and nothing else, so it may be used between fork and exec.
pub(crate) fn lock_byte(file: BorrowedFd<'_>, at: u32) -> io::Result<bool> {
    let lock = byte(at, libc::F_WRLCK);
    // SAFETY: the descriptor is open, for it is borrowed, and `lock` is a valid `flock`
    // that the call only reads.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) } {
        0 => Ok(true),
        _ => match io::Error::last_os_error() {
            error if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
            error => Err(error),
        },
    }
}

/// Gives byte `at` back, if the description of `file` has it.
pub(crate) fn unlock_byte(file: BorrowedFd<'_>, at: u32) {
    let lock = byte(at, libc::F_UNLCK);
    // SAFETY: as in `lock_byte`. It cannot fail for an open file.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
}

/// Whether another description than that of `file` has byte `at` locked.
pub(crate) fn is_byte_locked(file: BorrowedFd<'_>, at: u32) -> io::Result<bool> {
    let mut lock = byte(at, libc::F_WRLCK);
    // SAFETY: the descriptor is open, for it is borrowed, and `lock` is a valid `flock`
    // that is ours alone while the call writes to it.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) } {
        0 => Ok(i32::from(lock.l_type) != libc::F_UNLCK),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn a_lock_lives_as_long_as_its_description() {
        let memory = rustix::fs::memfd_create("locks", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
        let reopen = || File::options().read(true).write(true).open(&path).unwrap();
        let (a, b) = (reopen(), reopen());
        assert!(lock_byte(a.as_fd(), 3).unwrap());
        assert!(lock_byte(a.as_fd(), 3).unwrap(), "again is fine");
        assert!(!lock_byte(b.as_fd(), 3).unwrap());
        assert!(lock_byte(b.as_fd(), 4).unwrap());
        assert!(is_byte_locked(b.as_fd(), 3).unwrap());
        unlock_byte(b.as_fd(), 4);
        assert!(!is_byte_locked(a.as_fd(), 4).unwrap());
        unlock_byte(b.as_fd(), 3);
        assert!(is_byte_locked(b.as_fd(), 3).unwrap(), "another's stays");
        assert!(
            !is_byte_locked(a.as_fd(), 3).unwrap(),
            "one's own is not seen"
        );
        drop(a);
        assert!(!is_byte_locked(b.as_fd(), 3).unwrap());
        let reader = File::open(&path).unwrap();
        assert!(
            lock_byte(reader.as_fd(), 3).is_err(),
            "not to be written to"
        );
    }
}
