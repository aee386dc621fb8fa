//! Tests of [`fd_bundle`](crate::linux::share::fd_bundle).

use crate::linux::share::fd_bundle::*;
use queue_core::{FailureKind, Side};
use rustix::fd::AsFd;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_getfd};

#[test]
fn a_label_survives_its_text() {
    for half in [None, Some(Side::Producers), Some(Side::Consumers)] {
        for id in [0, 7, u64::MAX] {
            let header = BundleHeader { id, half };
            assert_eq!(header.to_string().parse::<BundleHeader>().unwrap(), header);
        }
    }
}

#[test]
fn other_texts_are_refused() {
    let good = BundleHeader { id: 7, half: None }.to_string();
    for text in [
        "",
        "queue-process/2",
        "queue-process/1 0000000000000007 whole",
        "queue-process/2 x whole",
        "queue-process/2 7 half",
        &good[..good.len() - 1],
        &format!("{good} "),
        &format!(" {good}"),
    ] {
        let failure = text.parse::<BundleHeader>().unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Corrupt, "{text:?}");
    }
}

#[test]
fn packing_keeps_what_it_packs() {
    let memory = memfd_create("bundle", MemfdFlags::CLOEXEC).unwrap();
    let bundle = FdBundle::pack(&[memory.as_fd(), memory.as_fd()], None).unwrap();
    assert_eq!(bundle.header.id, id(memory.as_fd()).unwrap());
    let other = memfd_create("other", MemfdFlags::CLOEXEC).unwrap();
    assert_ne!(bundle.header.id, id(other.as_fd()).unwrap());
    drop(memory);
    assert_eq!(bundle.fds.len(), 2);
    for fd in &bundle.fds {
        assert_eq!(fcntl_getfd(fd).unwrap(), FdFlags::CLOEXEC);
    }
}
