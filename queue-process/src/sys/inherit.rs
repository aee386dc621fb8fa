//! Descriptors that a child process inherits on purpose.

use super::descriptors::ABOVE_STDIO;
use super::{Mapping, PerProcess};
use crate::linux::membership::member::DESCRIPTORS;
use crate::linux::membership::registry::Sides;
use crate::linux::queue::platform::Page;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, fcntl_setfd};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What a `Command` leaves its children, as long as that is there and not [revoked](Left::revoke).
pub(crate) struct Left(Weak<Mutex<Option<Legacy>>>);

/// What is to be left.
struct Legacy {
    /// The first is the file that is mapped.
    fds: Vec<OwnedFd>,
    /// What becomes those of the child's place. (Also where this process itself was to become a
    /// program, and there was none: then it has that place until it tries again.)
    place: [OwnedFd; DESCRIPTORS],
    mapping: Arc<Mapping>,
    sides: Sides,
}

impl Legacy {
    /// To be called between fork and exec.
    fn leave(&mut self) -> io::Result<()> {
        let registry = &Page::of(&self.mapping).registry;
        // By this command's own descriptor of the memory: no other is sure to be what it was
        // when the child's streams, and what else the command gives it, have their numbers.
        registry.claim_for_exec(self.fds[0].as_fd(), self.sides, &mut self.place)?;
        for fd in &self.fds {
            fcntl_setfd(fd, FdFlags::empty())?;
        }
        Ok(())
    }
}

impl Left {
    /// Nothing is left to children that are started from now on.
    pub(crate) fn revoke(&self) {
        if let Some(legacy) = self.0.upgrade() {
            drop(legacy.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}

/// Has every child that `command` starts inherit duplicates of `fds`, the first of which is the
/// file of `mapping`, under the numbers returned, the last of which are those of its place, and
/// take part in the queue whose memory `mapping` is, on `sides`. In this
/// process the duplicates are close-on-exec, so no other child inherits them, and they
/// are closed with `command`, or when revoked.
pub(crate) fn leave(
    command: &mut Command,
    fds: &[BorrowedFd<'_>],
    mapping: Arc<Mapping>,
    sides: Sides,
) -> io::Result<(Vec<RawFd>, Left)> {
    let duplicate = |fd: &BorrowedFd<'_>| fcntl_dupfd_cloexec(fd, ABOVE_STDIO);
    let fds = fds.iter().map(duplicate).collect::<Result<Vec<_>, _>>()?;
    let place = [duplicate(&mapping.file())?, duplicate(&mapping.file())?];
    let numbers = fds.iter().chain(&place).map(AsRawFd::as_raw_fd).collect();
    let legacy = Arc::new(Mutex::new(Some(Legacy {
        fds,
        place,
        mapping,
        sides,
    })));
    let left = Left(Arc::downgrade(&legacy));
    let hook = move || match legacy.try_lock() {
        Ok(mut legacy) => legacy.as_mut().map_or(Ok(()), Legacy::leave),
        // Only if it was just being revoked.
        Err(_) => Err(Errno::AGAIN.into()),
    };
    // SAFETY: between fork and exec the child is a copy of one thread of this process:
    // whatever lock another thread held stays locked for ever. The hook waits for none, and
    // does not allocate, which may take one: it makes system calls, as claiming does
    // (`claim_for_exec` is made for this place) and dropping a descriptor, beside atomic
    // operations on its own memory and on memory that is shared and mapped in the child as
    // it is here; and an `io::Error` of the system's code is a number.
    unsafe { command.pre_exec(hook) };
    Ok((numbers, left))
}

/// Why inherited descriptors could not be taken.
#[derive(Debug)]
pub(crate) enum Refusal<E> {
    /// They are not open, not different ones, or opened by this very program.
    Gone,
    /// They were taken before.
    Taken,
    /// The caller's own reason.
    Theirs(E),
}

/// Lets `with` make use of the descriptors that the parent of this process [left](leave)
/// under these numbers, once: if it does they are closed, if it does not they stay.
///
/// A number that comes from outside may be stale, and mean something else by now: `with`
/// must look whether the first is what it expects.
pub(crate) fn take<R, E>(
    numbers: &[RawFd],
    with: impl FnOnce(&[BorrowedFd<'_>]) -> Result<R, E>,
) -> Result<R, Refusal<E>> {
    /// The first number of each that was taken; what it means since is not ours.
    static TAKEN: PerProcess<Mutex<Vec<RawFd>>> = PerProcess::new();
    let taken = TAKEN.get_or(Mutex::default);
    let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
    if numbers.first().is_some_and(|first| taken.contains(first)) {
        return Err(Refusal::Taken);
    }

    let odd = |at: usize| numbers[at] < ABOVE_STDIO || numbers[..at].contains(&numbers[at]);
    if numbers.is_empty() || (0..numbers.len()).any(odd) {
        return Err(Refusal::Gone);
    }
    let mut found = Vec::new();
    for number in numbers {
        // SAFETY: it is not -1. It is only asked whether it is open and for its flags,
        // and kept if it came across `exec`: what objects of this program own, and could
        // close meanwhile, is close-on-exec.
        let fd = unsafe { BorrowedFd::borrow_raw(*number) };
        match fcntl_getfd(fd) {
            Ok(flags) if !flags.contains(FdFlags::CLOEXEC) => found.push(fd),
            _ => return Err(Refusal::Gone),
        }
    }
    let made = with(&found).map_err(Refusal::Theirs)?;
    taken.push(numbers[0]);
    for number in numbers {
        // SAFETY: open and not close-on-exec, as seen above, so it came across `exec` and
        // no object of this program owns it; and `with` knew the first for what `leave`
        // leaves, always all of them together. It is not taken again.
        drop(unsafe { OwnedFd::from_raw_fd(*number) });
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{MemfdFlags, memfd_create};
    use std::os::fd::IntoRawFd;

    fn file() -> OwnedFd {
        memfd_create("left", MemfdFlags::CLOEXEC).unwrap()
    }

    #[test]
    fn a_child_inherits_what_was_left_and_nothing_else() {
        let mut command = Command::new("ls");
        command.args(["-l", "/proc/self/fd"]);
        let kept = file();
        let mapping = Arc::new(Mapping::create("inherit", Page::END, Page::END).unwrap());
        let fds = [mapping.file().try_clone_to_owned().unwrap(), kept];
        let fds = fds.each_ref().map(AsFd::as_fd);
        let (numbers, left) = leave(&mut command, &fds, mapping, Sides::BOTH).unwrap();
        for fd in &numbers {
            // SAFETY: owned by the command, which lives.
            let flags = fcntl_getfd(unsafe { BorrowedFd::borrow_raw(*fd) }).unwrap();
            assert_eq!(flags, FdFlags::CLOEXEC, "still, in this process");
        }
        for _ in 0..2 {
            let listed = String::from_utf8(command.output().unwrap().stdout).unwrap();
            let count = |what: &str| listed.lines().filter(|line| line.contains(what)).count();
            // The last two are its place in the registry.
            let names = ["inherit", "left", "inherit", "inherit"];
            for (fd, name) in numbers.iter().zip(names) {
                assert_eq!(count(&format!(" {fd} -> /memfd:{name} ")), 1, "{listed}");
            }
            assert_eq!(count(" -> /memfd:"), names.len(), "{listed}");
        }
        left.revoke();
        let listed = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(!listed.contains("/memfd:left "), "{listed}");
        assert!(!listed.contains("/memfd:inherit "), "{listed}");
    }

    #[test]
    fn each_is_taken_once() {
        let left: Vec<OwnedFd> = vec![file(), file()];
        for fd in &left {
            fcntl_setfd(fd, FdFlags::empty()).unwrap();
        }
        let numbers: Vec<RawFd> = left.into_iter().map(IntoRawFd::into_raw_fd).collect();
        let refused = take(&numbers, |_| Err::<(), _>("no"));
        assert!(matches!(refused, Err(Refusal::Theirs("no"))));
        let took = take(&numbers, |fds| Ok::<_, ()>(fds[1].try_clone_to_owned())).unwrap();
        assert_eq!(fcntl_getfd(took.unwrap()).unwrap(), FdFlags::CLOEXEC);
        let again = take(&numbers, |_| Ok::<(), ()>(()));
        assert!(matches!(again, Err(Refusal::Taken)));
    }

    #[test]
    fn what_was_not_left_is_not_taken() {
        // Of a number that no other test has taken.
        let own = fcntl_dupfd_cloexec(file(), 700).unwrap();
        let refused = take(&[own.as_raw_fd()], |_| Ok::<(), ()>(()));
        assert!(matches!(refused, Err(Refusal::Gone)));
        for numbers in [vec![], vec![-1], vec![0], vec![1 << 20], vec![900, 900]] {
            let refused = take(&numbers, |_| Ok::<(), ()>(()));
            assert!(matches!(refused, Err(Refusal::Gone)), "{numbers:?}");
        }
    }
}
