//! A system that has no more memory: every verb answers, and nobody is killed by a signal.
//!
//! The memory is that of a small tmpfs, mounted for a process of its own. Where a process
//! may not do that, the tests say so and pass.

use crate::codec::Raw;
use crate::linux::queue::header::Header;
use crate::linux::queue::open::lease_layout;
use crate::linux::shm::arena::Mapped;
use crate::linux::shm::queue::ShmQueue;
use crate::linux::shm::storage::Ring;
use crate::sys::Mapping;
use queue_core::{Capacity, Failure, FailureKind, Queue, TryPopError};
use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

type Bytes = ShmQueue<Vec<u8>, Raw>;

/// Where the small tmpfs is, in the process that has one.
const DIRECTORY: &str = "QUEUE_FULL_DIRECTORY";

/// Runs the test `name` once more, in a process with a tmpfs of `kib` KiB. In that
/// process: where it is.
fn with_tmpfs(name: &str, kib: u32) -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return Some(directory.into());
    }
    let directory = std::env::temp_dir().join(format!("queue-full-{}-{name}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let run = |then: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
        command.arg("mount -t tmpfs -o \"size=$0k\" none \"$1\" && shift && exec \"$@\"");
        command.arg(kib.to_string()).arg(&directory).args(then);
        command.env(DIRECTORY, &directory).output()
    };
    if run(&["true"]).is_ok_and(|tried| tried.status.success()) {
        let this = std::env::current_exe().unwrap();
        let test = format!("linux::queue::tests::out_of_memory::{name}");
        let done = run(&[this.to_str().unwrap(), "--exact", &test, "--nocapture"]).unwrap();
        let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{:?}: {said}", done.status);
        assert!(said.contains("1 passed"), "{said}");
    } else {
        eprintln!("{name}: this process may not mount a tmpfs, so nothing was tested");
    }
    std::fs::remove_dir(&directory).unwrap();
    None
}

/// An unbounded queue in a file there.
fn queue_in(directory: &Path) -> Result<Bytes, Failure> {
    let limits = Bytes::options().limits(Capacity::Unbounded);
    let leases = lease_layout::<Ring<Mapped>>(&limits)?;
    let len = leases.mapped();
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(directory.join("queue"))
        .unwrap();
    file.set_len(len as u64 + leases.beyond()).unwrap();
    let mapping = Mapping::with_file(file.into(), len, Header::END)?;
    Bytes::create_in(mapping, limits)
}

#[test]
fn a_push_that_finds_no_memory_fails() {
    let Some(directory) = with_tmpfs("a_push_that_finds_no_memory_fails", 1024) else {
        return;
    };
    let queue = queue_in(&directory).unwrap();
    for size in [100_000, 10_000, 1000, 10] {
        let item = |n: usize| vec![n as u8; size];
        let mut pushed = 0;
        let error = loop {
            match queue.try_push(item(pushed)) {
                Ok(()) => pushed += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(
            error.failure().unwrap().kind(),
            FailureKind::Io,
            "{error:#}"
        );
        assert_eq!(error.into_item(), item(pushed), "handed back");
        // Most of the memory there is, wherever in the ring it was taken before.
        let taken = pushed * (size + 16);
        assert!(taken > 500_000, "room for {pushed} of {size}");
        let mut more: VecDeque<_> = (0..5).map(item).collect();
        let error = queue.try_push_many(&mut more).unwrap_err();
        assert_eq!(
            error.failure().unwrap().kind(),
            FailureKind::Io,
            "{error:#}"
        );
        assert_eq!((more.len(), queue.len()), (5, pushed), "as if not tried");
        // What is inside is whole, and there is room again.
        for n in 0..pushed {
            assert_eq!(queue.try_pop().unwrap(), item(n));
        }
        assert!(matches!(queue.try_pop(), Err(TryPopError::Empty)));
    }
}

#[test]
fn a_queue_that_finds_no_memory_is_not_created() {
    let Some(directory) = with_tmpfs("a_queue_that_finds_no_memory_is_not_created", 4) else {
        return;
    };
    let failure = queue_in(&directory).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Io, "{failure:#}");
}
