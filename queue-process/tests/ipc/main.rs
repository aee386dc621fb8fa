//! `IpcQueue` between real processes: a test starts this very program again, and the
//! child runs the function that it is told.

#![cfg(not(loom))]

mod children;
mod deaths;
mod deliveries;
mod guests;
#[cfg(target_os = "linux")]
mod invitations;
mod large;
#[cfg(target_os = "linux")]
mod stopped_host;

use ipc_channel::ipc;
use queue_core::Side;
use queue_process::{
    Capacity, Consumer, FailureKind, Handover, IpcQueue, PopError, PopTimeoutError, Producer,
    PushError, Queue, TryPopError, TryPushError,
};
use std::collections::VecDeque;
use std::pin::pin;
use std::process::{Child, Command};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};
use std::{env, thread};

type Numbers = IpcQueue<u64>;

/// The variable that says what a child runs.
const ROLE: &str = "IPC_TEST_CHILD";

/// Not a test: what a child process runs.
#[test]
fn child() {
    if let Ok(name) = env::var(ROLE) {
        let mut roles = [
            children::ROLES,
            deaths::ROLES,
            deliveries::ROLES,
            large::ROLES,
        ]
        .concat();
        #[cfg(target_os = "linux")]
        roles.extend([invitations::ROLES, stopped_host::ROLES].concat());
        let role = roles.into_iter().find(|role| role.0 == name);
        role.expect("a role").1();
    }
}

/// This program as a child, once its [role](ROLE) is set.
fn program() -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]);
    command.stdout(std::process::Stdio::null());
    command
}

/// This program as a child that runs `name`.
fn command(name: &str) -> Command {
    let mut command = program();
    command.env(ROLE, name);
    command
}

/// A child that runs `name` with these queues.
fn start(name: &str, queues: &[(&str, &Numbers)]) -> Child {
    let mut command = command(name);
    for (name, queue) in queues {
        queue.share_with(&mut command, name).unwrap();
    }
    command.spawn().unwrap()
}

fn succeeds(mut child: Child) {
    assert!(child.wait().unwrap().success());
}

/// Waits for what comes true within a second, or ten on a busy machine.
fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// How many of something this process has: `task`s or `fd`s.
fn count(what: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{what}")).map_or(0, Iterator::count)
}
