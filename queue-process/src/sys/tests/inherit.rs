//! Tests of [`inherit`](crate::sys::inherit).

use crate::sys::inherit::*;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, fcntl_setfd};
use std::os::fd::IntoRawFd;
use std::process::Command;

fn file() -> OwnedFd {
    memfd_create("left", MemfdFlags::CLOEXEC).unwrap()
}

#[test]
fn a_child_inherits_what_was_left_and_nothing_else() {
    let mut command = Command::new("ls");
    command.args(["-l", "/proc/self/fd"]);
    let kept = file();
    let first = memfd_create("inherit", MemfdFlags::CLOEXEC).unwrap();
    let fds = [&first, &kept].map(AsFd::as_fd);
    let wake_futures = |_: BorrowedFd<'_>, more: &mut [OwnedFd; 2]| {
        let mut more = more.iter();
        more.try_for_each(|fd| Ok(fcntl_setfd(fd, FdFlags::empty())?))
    };
    let (numbers, left) = leave(&mut command, &fds, wake_futures).unwrap();
    for fd in &numbers {
        // SAFETY: owned by the command, which lives.
        let flags = fcntl_getfd(unsafe { BorrowedFd::borrow_raw(*fd) }).unwrap();
        assert_eq!(flags, FdFlags::CLOEXEC, "still, in this process");
    }
    for _ in 0..2 {
        let listed = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let count = |what: &str| listed.lines().filter(|line| line.contains(what)).count();
        // The last two are those of the hook.
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
    assert!(matches!(refused, Err(TakeError::Callback("no"))));
    let took = take(&numbers, |fds| Ok::<_, ()>(fds[1].try_clone_to_owned())).unwrap();
    assert_eq!(fcntl_getfd(took.unwrap()).unwrap(), FdFlags::CLOEXEC);
    let again = take(&numbers, |_| Ok::<(), ()>(()));
    assert!(matches!(again, Err(TakeError::AlreadyTaken)));
}

#[test]
fn what_was_not_left_is_not_taken() {
    // Of a number that no other test has taken.
    let own = fcntl_dupfd_cloexec(file(), 700).unwrap();
    let refused = take(&[own.as_raw_fd()], |_| Ok::<(), ()>(()));
    assert!(matches!(refused, Err(TakeError::NotInherited)));
    for numbers in [vec![], vec![-1], vec![0], vec![1 << 20], vec![900, 900]] {
        let refused = take(&numbers, |_| Ok::<(), ()>(()));
        assert!(
            matches!(refused, Err(TakeError::NotInherited)),
            "{numbers:?}"
        );
    }
}
