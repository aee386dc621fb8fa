//! Tests of [`inherit`](crate::sys::inherit).

use crate::sys::inherit::*;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use std::os::fd::IntoRawFd;
use std::process::Command;

fn file(name: &str) -> OwnedFd {
    memfd_create(name, MemfdFlags::CLOEXEC).unwrap()
}

#[test]
fn a_child_inherits_what_was_left_and_nothing_else() {
    let mut command = Command::new("ls");
    command.args(["-l", "/proc/self/fd"]);
    let (first, second) = (file("inherit-1"), file("inherit-2"));
    let fds = [&first, &second].map(AsFd::as_fd);
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
        let names = ["inherit-1", "inherit-2", "inherit-1", "inherit-1"];
        for (fd, name) in numbers.iter().zip(names) {
            assert_eq!(count(&format!(" {fd} -> /memfd:{name} ")), 1, "{listed}");
        }
        // By name: what other tests leave to their children is inherited by all.
        assert_eq!(count(" -> /memfd:inherit-"), names.len(), "{listed}");
    }
    left.revoke();
    let listed = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(!listed.contains("/memfd:inherit-"), "{listed}");
}

#[test]
fn what_was_left_is_taken_once_and_nothing_else_is() {
    // Before anything is taken here: a number that was taken is not looked at again, whatever
    // other tests open under it.
    let own = file("own");
    for numbers in [
        vec![own.as_raw_fd()],
        vec![],
        vec![-1],
        vec![0],
        vec![1 << 20],
        vec![900, 900],
    ] {
        let refused = take(&numbers, |_| Ok::<(), ()>(()));
        assert!(
            matches!(refused, Err(TakeError::NotInherited)),
            "{numbers:?}: {refused:?}"
        );
    }

    let left: Vec<OwnedFd> = vec![file("left"), file("left")];
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
