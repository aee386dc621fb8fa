//! A process that may write small files only (`ulimit -f`): it gets a failure that says so,
//! and is not killed by a signal (`SIGXFSZ`). And one that may open few files only
//! (`ulimit -n`), in which many wait.

#![cfg(all(target_os = "linux", not(loom)))]

use queue_process::{
    Failure, FailureKind, IpcQueue, PipeQueue, Queue, ShmQueue, TryPopError, WorkQueue,
};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::pin::{Pin, pin};
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

const NAME: &str = "QUEUE_SCARCE";

/// A process in which the test `name` finds itself limited to small files.
fn limited(name: &str) -> Command {
    limited_by("-f 1024", name)
}

fn limited_by(limit: &str, name: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]);
    command.env(format!("{NAME}_LIMITED"), "1");
    command
}

fn is_limited() -> bool {
    std::env::var_os(format!("{NAME}_LIMITED")).is_some()
}

fn run(command: &mut Command) {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{:?}: {said}", done.status);
}

#[track_caller]
fn names_the_limit(failure: &Failure) {
    assert_eq!(failure.kind(), FailureKind::Io, "{failure:#}");
    assert!(failure.to_string().contains("ulimit -f"), "{failure:#}");
}

#[track_caller]
fn not_received<T: std::fmt::Debug>(queue: &impl WorkQueue<Item = T>) -> Failure {
    match queue.try_receive() {
        Err(TryPopError::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_queue_is_not_created_beyond_the_limit() {
    if !is_limited() {
        return run(&mut limited("a_queue_is_not_created_beyond_the_limit"));
    }
    names_the_limit(&ShmQueue::<u64>::try_bounded(4).unwrap_err());
    names_the_limit(&PipeQueue::<u64>::try_bounded(4).unwrap_err());
    // One that needs less can be had.
    let small = ShmQueue::<u64>::options().max_item_bytes(8);
    let queue = small.create(queue_process::Capacity::bounded(4)).unwrap();
    queue.push(7).unwrap();
    assert_eq!(queue.pop(), Ok(7));
}

/// An `IpcQueue` needs none until others are to see it.
#[test]
fn a_queue_is_not_shared_beyond_the_limit() {
    if !is_limited() {
        return run(&mut limited_by(
            "-f 4",
            "a_queue_is_not_shared_beyond_the_limit",
        ));
    }
    let queue = IpcQueue::<u64>::bounded(4);
    let (sender, _receiver) = ipc_channel::ipc::channel().unwrap();
    assert!(sender.send(queue.clone()).is_err());
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
        // On loan its bytes would be written to the file, and for that it would be killed. However
        // often it tries, that takes none of the places for what is lent.
        (0..9).for_each(|_| names_the_limit(&not_received(&queue)));
        assert_eq!((queue.len(), queue.in_flight()), (4, 0), "as if not tried");
        names_the_limit(&PipeQueue::<u64>::from_parent(&format!("{NAME}_PIPE")).unwrap_err());
        return;
    }
    let shm = ShmQueue::<Vec<u64>>::bounded(4);
    let pipe = PipeQueue::<u64>::bounded(4);
    let mut child = limited(name);
    shm.share_with(&mut child, NAME).unwrap();
    pipe.share_with(&mut child, &format!("{NAME}_PIPE"))
        .unwrap();
    run(&mut child);
    for _ in 0..4 {
        assert_eq!(shm.pop().unwrap(), vec![u64::MAX; 50_000]);
    }
}

/// Then it is out of the pipe already.
#[test]
fn a_large_item_that_cannot_be_lent_is_not_lost() {
    let name = "a_large_item_that_cannot_be_lent_is_not_lost";
    if !is_limited() {
        return run(&mut limited_by("-c 0", name));
    }
    let limit_files = |bytes| {
        let mut limit = getrlimit(Resource::Fsize);
        limit.current = bytes;
        setrlimit(Resource::Fsize, limit).unwrap();
    };
    let queue = PipeQueue::<Vec<u8>>::bounded(4);
    queue.push(vec![7; 100]).unwrap();
    queue.push(vec![8]).unwrap();
    limit_files(Some(4096));
    (0..9).for_each(|_| names_the_limit(&not_received(&queue)));
    limit_files(getrlimit(Resource::Fsize).maximum);
    let item = queue.try_receive().unwrap();
    assert_eq!((&*item, item.attempt()), (&vec![7; 100], 1));
    item.ack().unwrap();
    assert_eq!(queue.try_pop().unwrap(), [8]);
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// More futures than the process may have descriptors.
#[test]
fn many_futures_wait_in_a_process_of_few_descriptors() {
    const MANY: usize = 300;
    let name = "many_futures_wait_in_a_process_of_few_descriptors";
    if !is_limited() {
        return run(&mut limited_by("-n 64", name));
    }
    let queue = ShmQueue::<usize>::unbounded();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut waiting: Vec<Pin<Box<dyn Future<Output = _>>>> = Vec::new();
    for _ in 0..MANY {
        waiting.push(Box::pin(queue.pop_async()));
    }
    waiting.retain_mut(|future| future.as_mut().poll(&mut cx).is_pending());
    assert_eq!(waiting.len(), MANY);
    let other = queue.clone();
    let pusher = thread::spawn(move || {
        // They are asleep by then.
        thread::sleep(Duration::from_millis(100));
        (0..MANY).for_each(|n| other.push(n).unwrap());
    });
    while !waiting.is_empty() {
        let begun = Instant::now();
        thread::park_timeout(Duration::from_secs(30));
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody is woken");
        waiting.retain_mut(|future| future.as_mut().poll(&mut cx).is_pending());
    }
    pusher.join().unwrap();
}

/// With so few descriptors that it cannot take the queue, or not hand it on: it is told.
#[test]
fn a_guest_of_few_descriptors_is_told() {
    let name = "a_guest_of_few_descriptors_is_told";
    if is_limited() {
        let refused = |failure: Failure| assert_eq!(failure.kind(), FailureKind::Io, "{failure:#}");
        match IpcQueue::<u64>::from_parent(NAME) {
            Ok(queue) => {
                let shared = queue.share_with(&mut Command::new("true"), NAME);
                shared.err().into_iter().for_each(refused);
                queue.push(7).unwrap();
            }
            Err(failure) => refused(failure),
        }
        return;
    }
    let queue = IpcQueue::<u64>::unbounded();
    // A program needs a few to start with, beside the two that it inherits.
    for most in 8..28 {
        let mut child = limited_by(&format!("-n {most}"), name);
        queue.share_with(&mut child, NAME).unwrap();
        run(&mut child);
    }
    assert!(
        (1..20).contains(&queue.len()),
        "some are too few, some enough"
    );
}

/// Ends after `act`, by a wake that it was given.
#[track_caller]
fn ends_by_itself(future: impl Future, act: impl FnOnce()) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    assert!(future.as_mut().poll(&mut cx).is_pending());
    act();
    let begun = Instant::now();
    thread::park_timeout(Duration::from_secs(30));
    assert!(begun.elapsed() < Duration::from_secs(20), "nobody wakes it");
    assert!(future.poll(&mut cx).is_ready());
}

/// In a process that gets no more threads.
fn without_threads(name: &str) -> Command {
    let mut command = limited_by("-c 0", name);
    // A stack larger than all memory; without threads the tests run one after another.
    command.env("RUST_MIN_STACK", (1_u64 << 60).to_string());
    command.arg("--test-threads=1");
    command
}

/// It stays with its host.
#[test]
fn a_queue_is_not_shared_where_no_thread_can_be_had() {
    if !is_limited() {
        let name = "a_queue_is_not_shared_where_no_thread_can_be_had";
        return run(&mut without_threads(name));
    }
    let queue = IpcQueue::<u64>::bounded(4);
    for _ in 0..3 {
        let shared = queue.share_with(&mut Command::new("true"), NAME);
        assert_eq!(shared.unwrap_err().kind(), FailureKind::Io);
        let (sender, _receiver) = ipc_channel::ipc::channel().unwrap();
        assert!(sender.send(queue.clone()).is_err());
    }
    queue.push(7).unwrap();
    assert_eq!(queue.pop(), Ok(7));
}

/// Nobody wakes its futures: they look by themselves.
#[test]
fn a_future_ends_where_no_thread_can_be_had() {
    let name = "a_future_ends_where_no_thread_can_be_had";
    if is_limited() {
        let queue = PipeQueue::<u64>::from_parent(NAME).unwrap();
        assert!(thread::Builder::new().spawn(|| ()).is_err());
        queue.push(7).unwrap();
        ends_by_itself(queue.join_async(), || assert_eq!(queue.pop(), Ok(7)));
        ends_by_itself(queue.pop_async(), || assert!(queue.close()));
        return;
    }
    let queue = PipeQueue::<u64>::bounded(1);
    let mut child = without_threads(name);
    queue.share_with(&mut child, NAME).unwrap();
    run(&mut child);
}
