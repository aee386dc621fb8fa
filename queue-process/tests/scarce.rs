//! A process that may write small files only (`ulimit -f`): it gets a failure that says so,
//! and is not killed by a signal (`SIGXFSZ`).

#![cfg(all(target_os = "linux", not(loom)))]

use queue_process::{Failure, FailureKind, PipeQueue, Queue, ShmQueue};
use std::process::Command;

const NAME: &str = "QUEUE_SCARCE";

/// A process in which the test `name` finds itself limited.
fn limited(name: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 1024 && exec \"$0\" \"$@\""]);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]);
    command.env(format!("{NAME}_LIMITED"), "1");
    command
}

fn is_limited() -> bool {
    std::env::var_os(format!("{NAME}_LIMITED")).is_some()
}

fn run(mut command: Command) {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{:?}: {said}", done.status);
}

#[track_caller]
fn names_the_limit(failure: &Failure) {
    assert_eq!(failure.kind(), FailureKind::Io, "{failure:#}");
    assert!(failure.to_string().contains("ulimit -f"), "{failure:#}");
}

#[test]
fn a_queue_is_not_created_beyond_the_limit() {
    if !is_limited() {
        return run(limited("a_queue_is_not_created_beyond_the_limit"));
    }
    names_the_limit(&ShmQueue::<u64>::bounded(4).unwrap_err());
    names_the_limit(&PipeQueue::<u64>::bounded(4).unwrap_err());
    // One that needs less can be had.
    let small = ShmQueue::<u64>::options().max_item_bytes(8);
    let queue = small.create(queue_process::Bound::items(4)).unwrap();
    queue.push(7).unwrap();
    assert_eq!(queue.pop(), Ok(7));
}

#[test]
fn a_limited_process_uses_the_queue_of_another_or_is_told() {
    let name = "a_limited_process_uses_the_queue_of_another_or_is_told";
    if is_limited() {
        let queue = ShmQueue::<Vec<u64>>::from_parent(NAME).unwrap();
        // Far beyond the limit in the file, which has that size already.
        for _ in 0..4 {
            queue.push(vec![u64::MAX; 50_000]).unwrap();
        }
        names_the_limit(&PipeQueue::<u64>::from_parent(&format!("{NAME}_PIPE")).unwrap_err());
        return;
    }
    let shm = ShmQueue::<Vec<u64>>::bounded(4).unwrap();
    let pipe = PipeQueue::<u64>::bounded(4).unwrap();
    let mut child = limited(name);
    shm.share_with(&mut child, NAME).unwrap();
    pipe.share_with(&mut child, &format!("{NAME}_PIPE"))
        .unwrap();
    run(child);
    for _ in 0..4 {
        assert_eq!(shm.pop().unwrap(), vec![u64::MAX; 50_000]);
    }
}
