//! Tests of [`mapping`](crate::sys::mapping).

use crate::sys::shared_memory::mapping::*;
use queue_core::FailureKind;
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn two_mappings_of_one_file_are_one_memory() {
    let a = Mapping::create("mapping", 8192, 8192, 0).unwrap();
    let file = a.file().try_clone_to_owned().unwrap();
    let (b, _) = Mapping::open(file, usize::MAX).unwrap();
    a.at::<AtomicU64>(8).store(7, Ordering::Relaxed);
    assert_eq!(b.at::<AtomicU64>(8).load(Ordering::Relaxed), 7);
    a.write(8190, b"ok");
    let mut bytes = b"> ".to_vec();
    b.read(8190, 2, &mut bytes);
    assert_eq!(bytes, b"> ok");
}

/// How many bytes of the mapping of a file of that name this process has mapped already:
/// what `/proc` says, or `None` where the system does not map in one go.
fn populated(name: &str) -> Option<usize> {
    let number = |text: Option<&str>| text?.parse::<usize>().ok();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut version = release.split(['.', '-']);
    if (number(version.next()), number(version.next())) < (Some(5), Some(14)) {
        return None;
    }
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut lines = maps.lines().skip_while(|line| !line.contains(name));
    let rss = lines.find_map(|line| line.strip_prefix("Rss:"));
    number(rss.unwrap().split_whitespace().next()).map(|kilobytes| kilobytes << 10)
}

#[test]
fn what_is_taken_is_mapped_at_once() {
    let mapping = Mapping::create("all at once", 64 * PAGE, 3 * PAGE, 0).unwrap();
    assert!(populated("all at once").is_none_or(|bytes| bytes == 3 * PAGE));
    // It begins in the middle of a page, and ends in another's.
    mapping.take(10 * PAGE + 100, 4 * PAGE).unwrap();
    assert!(populated("all at once").is_none_or(|bytes| bytes == 8 * PAGE));
    mapping.take(60 * PAGE, 4 * PAGE).unwrap();
    assert!(populated("all at once").is_none_or(|bytes| bytes == 12 * PAGE));
    assert!(mapping.take(63 * PAGE, 2 * PAGE).is_err(), "not so many");
}

#[test]
fn what_is_given_back_is_zero_and_takes_no_room() {
    let mapping = Mapping::create("given back", 8 * PAGE, 8 * PAGE, 0).unwrap();
    mapping.write(3 * PAGE, b"something");
    mapping.punch_hole(2 * PAGE, 4 * PAGE);
    let mut bytes = Vec::new();
    mapping.read(3 * PAGE, 9, &mut bytes);
    assert_eq!(bytes, [0; 9]);
    let status = rustix::fs::fstat(mapping.file()).unwrap();
    assert_eq!(status.st_size as usize, 8 * PAGE);
    assert!(status.st_blocks as usize * 512 <= 5 * PAGE, "{status:?}");
}

#[test]
fn a_mapping_goes_with_its_owner() {
    let mapped = || std::fs::read_to_string("/proc/self/maps").unwrap();
    let mapping = Mapping::create("goes soon", PAGE, PAGE, 0).unwrap();
    assert!(mapped().contains("goes soon"));
    drop(mapping);
    assert!(!mapped().contains("goes soon"));
}

#[test]
fn a_file_of_another_sort_is_refused() {
    let plain = rustix::fs::memfd_create("plain", rustix::fs::MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::fs::ftruncate(&plain, 4096).unwrap();
    let corrupt =
        |file| Mapping::open(file, usize::MAX).unwrap_err().kind() == FailureKind::Corrupt;
    assert!(corrupt(plain), "not sealed");
    assert!(
        corrupt(std::fs::File::open("/proc/self/exe").unwrap().into()),
        "no memory"
    );
}

#[test]
#[should_panic(expected = "outside the mapping")]
fn an_access_beyond_the_end_panics() {
    Mapping::create("mapping", 4096, 4096, 0)
        .unwrap()
        .write(4095, b"no");
}

#[test]
#[should_panic(expected = "misaligned")]
fn a_misaligned_reference_panics() {
    Mapping::create("mapping", 4096, 4096, 0)
        .unwrap()
        .at::<AtomicU64>(4);
}
