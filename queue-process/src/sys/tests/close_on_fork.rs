//! Tests of [`close_on_fork`](crate::sys::close_on_fork).

use crate::sys::close_on_fork::*;
use rustix::fs::{MemfdFlags, fstat, memfd_create};
use std::collections::HashSet;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Barrier;
use std::sync::atomic::Ordering;
use std::{ptr, thread};

fn file() -> OwnedFd {
    memfd_create("close_on_fork", MemfdFlags::CLOEXEC).unwrap()
}

#[test]
fn more_than_a_part_are_registered_each_until_it_is_dropped() {
    let files: Vec<_> = (0..200).map(|_| file()).collect();
    let register = |file: &OwnedFd| CloseOnFork::register(file.as_fd()).unwrap();
    let all: Vec<_> = files.iter().map(register).collect();
    let mut entries: Vec<_> = all.iter().map(|it| ptr::from_ref(it.entry)).collect();
    entries.sort_unstable();
    entries.dedup();
    assert_eq!(entries.len(), files.len());
    for (file, entry) in files.iter().zip(&all) {
        let number = entry.entry.number.load(Ordering::Relaxed);
        assert_eq!(number, file.as_raw_fd());
    }
    let entries: Vec<_> = all.iter().map(|it| it.entry).collect();
    drop(all);
    for (file, entry) in files.iter().zip(entries) {
        // It may be another's by now.
        assert_ne!(entry.number.load(Ordering::Relaxed), file.as_raw_fd());
    }
}

/// Threads that find the table full at the same moment: none loses what another has added.
#[test]
fn the_table_grows_under_many_threads() {
    const THREADS: usize = 4;
    let start = Barrier::new(THREADS);
    let register_many = || {
        let file = file();
        start.wait();
        let register = |_| CloseOnFork::register(file.as_fd()).unwrap();
        let many: Vec<_> = (0..2000).map(register).collect();
        // In the order in which they are to be dropped.
        (many, file)
    };
    let all = thread::scope(|scope| {
        let threads = [(); THREADS].map(|()| scope.spawn(register_many));
        threads.map(|thread| thread.join().unwrap())
    });
    let known: HashSet<_> = entries().map(ptr::from_ref).collect();
    for (many, _file) in &all {
        let is_known = |it: &CloseOnFork| known.contains(&ptr::from_ref(it.entry));
        assert!(many.iter().all(is_known));
    }
}

#[test]
fn what_is_let_go_is_open_and_something_else() {
    let (one, other) = (file(), file());
    let inode = |fd: &OwnedFd| fstat(fd).unwrap().st_ino;
    let before = inode(&one);
    let entry = CloseOnFork::register(other.as_fd()).unwrap();
    entry.detach();
    let third = file();
    detach(third.as_raw_fd(), before);
    assert_ne!(inode(&third), inode(&other), "another has the number");
    detach_fd(&one);
    assert_ne!(inode(&one), before);
    assert_eq!(inode(&one), inode(&other), "both are nothing");
    let flags = rustix::io::fcntl_getfd(&one).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}
