//! Tests of [`file_range`](crate::sys::file_range).

use crate::sys::file;
use crate::sys::file_range::*;
use queue_core::FailureKind;
use rustix::fd::AsFd;
use rustix::fs::fstat;

#[test]
fn what_was_written_is_read_and_given_back() {
    let memory = file("range", 1 << 62).unwrap();
    let range = FileRange {
        file: memory.as_fd(),
        start: 4096,
        len: 1 << 61,
    };
    let bytes: Vec<u8> = (0..3 << 20).map(|n| (n % 251) as u8).collect();
    range.write(1 << 40, &bytes).unwrap();
    let mut read = vec![0; bytes.len()];
    range.fill(1 << 40, &mut read).unwrap();
    assert!(read == bytes);
    assert!(fstat(&memory).unwrap().st_blocks * 512 >= 3 << 20);
    range.punch_hole(1 << 40, (1 << 40) + bytes.len() as u64);
    assert_eq!(fstat(&memory).unwrap().st_blocks, 0);
    range.fill(1 << 40, &mut read).unwrap();
    assert!(read.iter().all(|byte| *byte == 0));
}

#[test]
fn nothing_leads_outside() {
    let memory = file("range", 8192).unwrap();
    let range = FileRange {
        file: memory.as_fd(),
        start: 4096,
        len: 4096,
    };
    for at in [4093, 4097, u64::MAX - 1, u64::MAX] {
        let failure = range.fill(at, &mut [0; 4]).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Corrupt);
        let failure = range.write(at, &[0; 4]).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Corrupt);
        let mut read = vec![1];
        let failure = range.read(at, 4, &mut read).unwrap_err();
        assert_eq!((failure.kind(), read), (FailureKind::Corrupt, vec![1]));
    }
    range.punch_hole(4000, u64::MAX);
    range.punch_hole(5000, 6000);
    range.punch_hole(100, 50);
}

#[test]
fn what_is_behind_it_stays() {
    let memory = file("range", 3 * 4096).unwrap();
    let [range, next] = [1, 2].map(|page| FileRange {
        file: memory.as_fd(),
        start: page * 4096,
        len: 4096,
    });
    range.write(1024, b"given back").unwrap();
    next.write(0, b"stays").unwrap();
    range.punch_hole(1024, u64::MAX);
    let mut bytes = [1; 5];
    range.fill(1024, &mut bytes).unwrap();
    assert_eq!(bytes, [0; 5]);
    next.fill(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"stays");
}

#[test]
fn a_file_cut_short_is_damage() {
    let memory = file("range", 4096).unwrap();
    let range = FileRange {
        file: memory.as_fd(),
        start: 4096,
        len: 4096,
    };
    let failure = range.fill(0, &mut [0; 4]).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Corrupt);
}
