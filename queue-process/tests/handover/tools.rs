//! Child processes: started, killed, looked into.

use std::env;
use std::fs;
use std::future::Future;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// What the child is to do.
pub(crate) const ROLE: &str = "HANDOVER_ROLE";

/// By when a survivor has noticed a death; twice, for this machine may be busy.
const NOTICED: Duration = Duration::from_millis(200);

/// Fails unless a survivor notices a death in time: `death` says how long that took. On a
/// machine so busy that it is late, there are more tries.
pub(crate) fn is_noticed_in_time(mut death: impl FnMut() -> Duration) {
    let mut delays = Vec::new();
    while delays.len() < 20 {
        let delay = death();
        if delay < NOTICED {
            return;
        }
        delays.push(delay);
    }
    panic!("{delays:?}");
}

/// A child that is to do `role` with `kind`, not yet started.
pub(crate) fn child(kind: &str, role: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child_process", "--ignored", "--nocapture"]);
    command.env(ROLE, format!("{kind} {role}"));
    command.stdout(Stdio::null());
    command
}

pub(crate) fn succeeded(mut child: Child) {
    assert!(child.wait().unwrap().success());
}

pub(crate) fn kill(child: &mut Child) -> Instant {
    child.kill().unwrap();
    let now = Instant::now();
    child.wait().unwrap();
    now
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What comes of `future`, polled by this thread when it is woken, and never else; `None` if
/// nothing does for long.
pub(crate) fn in_time<R>(future: impl Future<Output = R>) -> Option<R> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(result);
        }
        thread::park_timeout(Duration::from_secs(20));
    }
    None
}

/// Where the descriptors of a process lead.
pub(crate) fn descriptors(process: &str) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let target = |entry: fs::DirEntry| fs::read_link(entry.path()).ok();
    let paths = entries.filter_map(|entry| target(entry.unwrap()));
    paths
        .map(|path| path.to_string_lossy().into_owned())
        .collect()
}

/// Those among them that a queue may consist of.
pub(crate) fn of_queues(mut descriptors: Vec<String>) -> Vec<String> {
    descriptors.retain(|to| to.contains("memfd:queue") || to.contains("eventfd"));
    descriptors
}
