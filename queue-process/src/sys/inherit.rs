//! Descriptors that a child process inherits on purpose.

use super::PerProcess;
use super::descriptors::ABOVE_STDIO;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, fcntl_setfd};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What a `Command` leaves its children, as long as that is there and not
/// [revoked](InheritGuard::revoke).
pub(crate) struct InheritGuard(Weak<Mutex<Option<ExecHook>>>);

type BeforeExec = Box<dyn FnMut(&[OwnedFd]) -> io::Result<()> + Send>;

/// What is to be left.
struct ExecHook {
    fds: Vec<OwnedFd>,
    /// Is called between fork and exec, with `fds`. It owns the last of the descriptors.
    before_exec: BeforeExec,
}

impl ExecHook {
    /// To be called between fork and exec.
    fn leave(&mut self) -> io::Result<()> {
        (self.before_exec)(&self.fds)?;
        for fd in &self.fds {
            fcntl_setfd(fd, FdFlags::empty())?;
        }
        Ok(())
    }
}

impl InheritGuard {
    /// Sees to it that what is left under `number` and so on is left in the place of what the same
    /// command left under `former` and so on, and not beside it: who starts many children by one
    /// command may share anew before each.
    pub(crate) fn replace(self, former: Option<RawFd>, number: RawFd) {
        /// By the first number of each, which no other has as long as it is there.
        static ALL: PerProcess<Mutex<BTreeMap<RawFd, InheritGuard>>> = PerProcess::new();
        let all = ALL.get_or_init(Mutex::default);
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = former.and_then(|former| all.remove(&former)) {
            former.revoke();
        }
        all.insert(number, self);
    }

    /// Nothing is left to children that are started from now on.
    pub(crate) fn revoke(&self) {
        if let Some(hook_state) = self.0.upgrade() {
            *hook_state.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

/// Has every child that `command` starts inherit duplicates of `fds`, and `N` descriptors more,
/// under the numbers returned, in this order. In this process they are close-on-exec, so no other
/// child inherits them, and they are closed with `command`, or when revoked.
///
/// Between fork and exec `before_exec` is called in the child, with the duplicate of the first of
/// `fds` and with the `N` more, which are duplicates of it as well until the hook makes them
/// something else. It must do no more than may be done there: it makes system calls, accesses
/// atomics and its own memory, and neither allocates nor waits for a lock. (If this process itself
/// was to become a program, and there was none, it has what the hook made until it tries again.)
pub(crate) fn leave<const N: usize>(
    command: &mut Command,
    fds: &[BorrowedFd<'_>],
    mut before_exec: impl FnMut(BorrowedFd<'_>, &mut [OwnedFd; N]) -> io::Result<()> + Send + 'static,
) -> io::Result<(Vec<RawFd>, InheritGuard)> {
    let duplicate = |fd: &BorrowedFd<'_>| fcntl_dupfd_cloexec(fd, ABOVE_STDIO);
    let more = std::iter::repeat_n(&fds[0], N);
    let more = more.map(duplicate).collect::<Result<Vec<_>, _>>()?;
    let mut more: [OwnedFd; N] = more.try_into().expect("so many");
    let fds = fds.iter().map(duplicate).collect::<Result<Vec<_>, _>>()?;
    let numbers = fds.iter().chain(&more).map(AsRawFd::as_raw_fd).collect();
    let hook_state = Arc::new(Mutex::new(Some(ExecHook {
        fds,
        // By this command's own descriptor: no other is sure to be what it was when the child's
        // streams, and what else the command gives it, have their numbers.
        before_exec: Box::new(move |fds| before_exec(fds[0].as_fd(), &mut more)),
    })));
    let left = InheritGuard(Arc::downgrade(&hook_state));
    let hook = move || match hook_state.try_lock() {
        Ok(mut hook_state) => hook_state.as_mut().map_or(Ok(()), ExecHook::leave),
        // Only if it was just being revoked.
        Err(_) => Err(Errno::AGAIN.into()),
    };
    // SAFETY: between fork and exec the child is a copy of one thread of this process:
    // whatever lock another thread held stays locked for ever. The hook waits for none, and
    // does not allocate, which may take one: it makes system calls, drops descriptors, and
    // calls `before_exec`, of which the same is asked; and an `io::Error` of the system's code
    // is a number.
    unsafe { command.pre_exec(hook) };
    Ok((numbers, left))
}

/// Why inherited descriptors could not be taken.
#[derive(Debug)]
pub(crate) enum TakeError<E> {
    /// They are not open, not different ones, or opened by this very program.
    NotInherited,
    /// They were taken before.
    AlreadyTaken,
    /// The caller's own reason.
    Callback(E),
}

/// Lets `with` make use of the descriptors that the parent of this process [left](leave)
/// under these numbers, once: if it does they are closed, if it does not they stay.
///
/// A number that comes from outside may be stale, and mean something else by now: `with`
/// must look whether the first is what it expects.
pub(crate) fn take<R, E>(
    numbers: &[RawFd],
    with: impl FnOnce(&[BorrowedFd<'_>]) -> Result<R, E>,
) -> Result<R, TakeError<E>> {
    /// The first number of each that was taken; what it means since is not ours.
    static TAKEN: PerProcess<Mutex<Vec<RawFd>>> = PerProcess::new();
    let taken = TAKEN.get_or_init(Mutex::default);
    let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
    if numbers.first().is_some_and(|first| taken.contains(first)) {
        return Err(TakeError::AlreadyTaken);
    }

    let odd = |at: usize| numbers[at] < ABOVE_STDIO || numbers[..at].contains(&numbers[at]);
    if numbers.is_empty() || (0..numbers.len()).any(odd) {
        return Err(TakeError::NotInherited);
    }
    let mut found = Vec::new();
    for number in numbers {
        // SAFETY: it is not -1. It is only asked whether it is open and for its flags,
        // and kept if it came across `exec`: what objects of this program own, and could
        // close meanwhile, is close-on-exec.
        let fd = unsafe { BorrowedFd::borrow_raw(*number) };
        match fcntl_getfd(fd) {
            Ok(flags) if !flags.contains(FdFlags::CLOEXEC) => found.push(fd),
            _ => return Err(TakeError::NotInherited),
        }
    }
    let made = with(&found).map_err(TakeError::Callback)?;
    taken.push(numbers[0]);
    for number in numbers {
        // SAFETY: open and not close-on-exec, as seen above, so it came across `exec` and
        // no object of this program owns it; and `with` knew the first for what `leave`
        // leaves, always all of them together. It is not taken again.
        drop(unsafe { OwnedFd::from_raw_fd(*number) });
    }
    Ok(made)
}
