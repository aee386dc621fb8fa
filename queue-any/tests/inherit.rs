//! `inherit:` takes what the parent shared, of whatever kind it is.
//!
//! The child is this very program, told so by an environment variable.

use queue_any::{FailureKind, Handover, IpcQueue, Queue, open};
#[cfg(target_os = "linux")]
use queue_any::{PipeQueue, ShmQueue};
use std::env;
use std::process::Command;

/// Not a test: the process that the tests start.
#[test]
fn child() {
    if env::var("CHILD").is_ok() {
        let strange = open::<String>("inherit:STRANGE").unwrap_err();
        assert_eq!(strange.kind(), FailureKind::Mismatch, "{strange}");
        let jobs = open::<u32>("inherit:JOBS").unwrap();
        let job = jobs.pop().unwrap();
        jobs.push(job + 1).unwrap();
    }
}

fn is_inherited<Q: Queue<Item = u32> + Handover>(jobs: &Q) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child"]).env("CHILD", "");
    jobs.share_with(&mut command, "JOBS").unwrap();
    jobs.share_with(&mut command, "STRANGE").unwrap();
    jobs.push(1).unwrap();
    assert!(command.spawn().unwrap().wait().unwrap().success());
    assert_eq!(jobs.try_pop(), Ok(2));
}

#[test]
fn an_ipc_queue_is_inherited() {
    is_inherited(&IpcQueue::bounded(2));
}

#[test]
#[cfg(target_os = "linux")]
fn a_pipe_queue_is_inherited() {
    is_inherited(&PipeQueue::bounded(2));
}

#[test]
#[cfg(target_os = "linux")]
fn a_shm_queue_is_inherited() {
    is_inherited(&ShmQueue::bounded(2));
}
