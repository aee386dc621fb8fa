//! Tests of [`socket`](crate::linux::share::socket).

use crate::linux::share::fd_bundle::{BundleHeader, FdBundle};
use crate::linux::share::socket::*;
use queue_core::FailureKind;
use rustix::fd::AsFd;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_getfd, pread, pwrite};
use std::io;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

fn bundle(count: usize) -> FdBundle {
    let file = memfd_create("socket", MemfdFlags::CLOEXEC).unwrap();
    FdBundle::pack(&vec![file.as_fd(); count], None).unwrap()
}

#[test]
fn a_bundle_arrives() {
    let (here, there) = UnixStream::pair().unwrap();
    same_user(&here).unwrap();
    let sent = bundle(4);
    send(&here, &sent).unwrap();
    let received = receive(&there).unwrap();
    assert_eq!(received.header, sent.header);
    assert_eq!(received.fds.len(), 4);
    pwrite(&sent.fds[0], b"hello", 0).unwrap();
    for fd in &received.fds {
        assert_eq!(fcntl_getfd(fd).unwrap(), FdFlags::CLOEXEC);
        let mut read = [0; 5];
        pread(fd, &mut read, 0).unwrap();
        assert_eq!(&read, b"hello");
    }
}

#[test]
fn who_does_not_receive_keeps_nobody_waiting() {
    let (here, _there) = UnixStream::pair().unwrap();
    here.set_write_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let (sent, begun) = (bundle(1), Instant::now());
    let full = loop {
        if let Err(error) = send(&here, &sent) {
            break error;
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn what_is_no_bundle_is_refused() {
    let refused = |bytes: &[u8]| {
        let (mut here, there) = UnixStream::pair().unwrap();
        here.write_all(bytes).unwrap();
        drop(here);
        receive(&there).unwrap_err().kind()
    };
    assert_eq!(refused(b""), FailureKind::PeerGone);
    assert_eq!(refused(b"nonsense"), FailureKind::Corrupt);
    assert_eq!(refused(&[0xff; 1000]), FailureKind::Corrupt);
    let header = BundleHeader { id: 9, half: None }.to_string();
    assert_eq!(refused(header.as_bytes()), FailureKind::Corrupt, "no fds");
}
