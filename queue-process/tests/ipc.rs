//! `IpcQueue` between real processes: a test starts this very program again, and the
//! child runs the function of `CHILDREN` that it is told.
#![cfg(not(loom))]

use ipc_channel::ipc;
use queue_process::{
    Bound, Consumer, FailureKind, Handover, IpcQueue, PopError, PopTimeoutError, Producer,
    PushError, Queue, Side, TryPopError, TryPushError,
};
use std::collections::VecDeque;
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use std::{env, thread};

type Numbers = IpcQueue<u64>;

/// What a child can be told to do.
const CHILDREN: &[(&str, fn())] = &[
    ("echo", echo),
    ("produce", produce),
    ("produce_half", produce_half),
    ("pop_one_and_hang", pop_one_and_hang),
    ("wait_for_end", wait_for_end),
    ("host", host),
    ("wrong_type", wrong_type),
    ("pass_on", pass_on),
    ("die", || ()),
    ("miss_a_child", miss_a_child),
];

/// Not a test: what a child process runs.
#[test]
fn child() {
    if let Ok(name) = env::var("IPC_TEST_CHILD") {
        let (_, child) = CHILDREN.iter().find(|child| child.0 == name).unwrap();
        child();
    }
}

/// This program as a child that runs `name`.
fn command(name: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]);
    command.env("IPC_TEST_CHILD", name);
    command.stdout(std::process::Stdio::null());
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

/// A guest in this process.
fn guest_of(queue: &Numbers) -> Numbers {
    let (sender, receiver) = ipc::channel().unwrap();
    sender.send(queue.clone()).unwrap();
    let guest: Numbers = receiver.recv().unwrap();
    assert!(!guest.is_host());
    guest
}

fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn echo() {
    let jobs = Numbers::from_parent("JOBS").unwrap();
    let results = Numbers::from_parent("RESULTS").unwrap();
    for job in jobs.iter() {
        results.push(job * 2).unwrap();
    }
}

#[test]
fn a_child_works() {
    let jobs = Numbers::bounded(4).unwrap();
    let results = Numbers::unbounded().unwrap();
    let child = start("echo", &[("JOBS", &jobs), ("RESULTS", &results)]);
    for n in 0..500 {
        jobs.push(n).unwrap();
    }
    jobs.close();
    for n in 0..500 {
        assert_eq!(results.pop().unwrap(), n * 2);
    }
    succeeds(child);
    assert_eq!(results.try_pop(), Err(TryPopError::Empty));
}

fn produce() {
    let queue = Numbers::from_parent("Q").unwrap();
    let mut batch: VecDeque<u64> = (0..1000).collect();
    queue.push_many(&mut batch).unwrap();
}

#[test]
fn the_last_producer_process_closes() {
    let queue = Numbers::bounded(16).unwrap();
    let children = [0; 2].map(|_| start("produce", &[("Q", &queue)]));
    let (producer, consumer) = queue.into_ends();
    drop(producer);
    let mut all: Vec<_> = consumer.iter().collect();
    all.sort_unstable();
    let expected: Vec<_> = (0..1000).flat_map(|n| [n, n]).collect();
    assert_eq!(all, expected);
    children.into_iter().for_each(succeeds);
}

fn produce_half() {
    let queue = Numbers::from_parent("Q").unwrap();
    let denied = queue.pop().unwrap_err();
    assert_eq!(denied.failure().unwrap().kind(), FailureKind::Denied);
    let denied = queue.half(Side::Consumers).unwrap_err();
    assert_eq!(denied.kind(), FailureKind::Denied);
    queue.push(7).unwrap();
    let producer = Producer::<u64, Numbers>::from_parent("HALF").unwrap();
    producer.push(8).unwrap();
    let denied = Consumer::<u64, Numbers>::from_parent("OTHER").unwrap_err();
    assert_eq!(denied.kind(), FailureKind::Denied);
}

#[test]
fn a_child_with_a_half_does_no_more() {
    let queue = Numbers::bounded(16).unwrap();
    let (producer, consumer) = queue.clone().into_ends();
    let mut child = command("produce_half");
    queue
        .half(Side::Producers)
        .unwrap()
        .share_with(&mut child, "Q")
        .unwrap();
    producer.share_with(&mut child, "HALF").unwrap();
    producer.share_with(&mut child, "OTHER").unwrap();
    let child = child.spawn().unwrap();
    drop((producer, queue));
    assert_eq!(consumer.iter().collect::<Vec<_>>(), [7, 8]);
    succeeds(child);
}

fn pop_one_and_hang() {
    let queue = Numbers::from_parent("Q").unwrap();
    queue.pop().unwrap();
    let results = Numbers::from_parent("DONE").unwrap();
    results.push(1).unwrap();
    let _ = queue.pop();
    thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_killed_guest_takes_no_more_than_what_it_popped() {
    let queue = Numbers::bounded(3).unwrap();
    let done = Numbers::unbounded().unwrap();
    for n in 1..3 {
        queue.push(n).unwrap();
    }
    for round in 0..3 {
        let mut child = start("pop_one_and_hang", &[("Q", &queue), ("DONE", &done)]);
        done.pop().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // It popped one, and perhaps a second that it could not speak of; nothing that it
        // was only lent is missing.
        let mut left = Vec::new();
        soon("the dead lends nothing", || {
            left.extend(queue.try_iter());
            queue.is_empty()
        });
        assert!(left.is_empty() || left == [2], "round {round}: {left:?}");
        for n in 0..3 {
            assert!(queue.try_push(n).is_ok(), "its places are free");
        }
        queue.pop().unwrap();
    }
}

#[test]
fn the_last_consumer_process_closes_when_killed() {
    let queue = Numbers::bounded(3).unwrap();
    let done = Numbers::unbounded().unwrap();
    let mut child = start("pop_one_and_hang", &[("Q", &queue), ("DONE", &done)]);
    let (producer, consumer) = queue.into_ends();
    drop(consumer);
    producer.push(1).unwrap();
    done.pop().unwrap();
    let killed = Instant::now();
    child.kill().unwrap();
    while producer.push_timeout(1, Duration::from_secs(5)).is_ok() {}
    assert!(producer.is_closed());
    assert!(killed.elapsed() < Duration::from_secs(1));
    child.wait().unwrap();
}

#[test]
fn a_child_that_never_takes_its_queue_up_can_be_missed() {
    // In a process of its own, for the invitation's socket outlives who ends before it
    // is void: it goes with the directory that it is in.
    let scratch = std::env::temp_dir().join(format!("missed-{}", std::process::id()));
    std::fs::create_dir(&scratch).unwrap();
    let host = command("miss_a_child").env("TMPDIR", &scratch).spawn();
    succeeds(host.unwrap());
    std::fs::remove_dir_all(&scratch).unwrap();
}

fn miss_a_child() {
    // Its invitation is void after a minute; here only that it disturbs nobody.
    let queue = Numbers::bounded(3).unwrap();
    succeeds(start("die", &[("Q", &queue)]));
    queue.push(1).unwrap();
    assert!(queue.close());
}

fn wait_for_end() {
    let queue = Numbers::from_parent("Q").unwrap();
    let ready = Numbers::from_parent("READY").unwrap();
    ready.push(1).unwrap();
    let end = thread::scope(|scope| {
        let threads = [
            scope.spawn(|| queue.pop().unwrap_err() == PopError::Closed),
            scope.spawn(|| pollster(queue.pop_async()).unwrap_err() == PopError::Closed),
            scope.spawn(|| {
                queue.pop_timeout(Duration::from_secs(60)) == Err(PopTimeoutError::Closed)
            }),
        ];
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(end, [true; 3]);
    assert!(matches!(queue.try_push(1), Err(TryPushError::Closed(1))));
    assert!(queue.is_closed() && queue.is_empty() && !queue.close());
    // The test cannot be told by a queue whose host is gone.
    println!("ended");
}

/// Runs a future on this thread.
fn pollster<F: Future>(future: F) -> F::Output {
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Creates a queue and a child that waits on it, says that child's number, and waits to be killed.
fn host() {
    let queue = Numbers::bounded(1).unwrap();
    let ready = Numbers::unbounded().unwrap();
    let mut child = command("wait_for_end");
    queue.share_with(&mut child, "Q").unwrap();
    ready.share_with(&mut child, "READY").unwrap();
    child.stdout(std::process::Stdio::inherit());
    let mut child = child.spawn().unwrap();
    ready.pop().unwrap();
    thread::sleep(Duration::from_millis(50));
    println!("child {}", child.id());
    child.wait().unwrap();
}

#[test]
fn the_hosts_death_is_the_end_for_all_at_once() {
    use std::io::{BufRead, BufReader};
    let mut host = command("host");
    host.stdout(std::process::Stdio::piped());
    let mut host = host.spawn().unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().contains("child ") {}
    let killed = Instant::now();
    host.kill().unwrap();
    host.wait().unwrap();
    while !lines.next().unwrap().unwrap().contains("ended") {}
    let elapsed = killed.elapsed();
    assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
    lines.for_each(|line| drop(line.unwrap()));
}

fn wrong_type() {
    let other = IpcQueue::<i64>::from_parent("Q").unwrap_err();
    assert_eq!(other.kind(), FailureKind::Corrupt);
    let again = Numbers::from_parent("Q").unwrap_err();
    assert_eq!(again.kind(), FailureKind::PeerGone);
    let none = Numbers::from_parent("NONE").unwrap_err();
    assert_eq!(none.kind(), FailureKind::PeerGone);
}

#[test]
fn another_type_or_a_second_time_is_refused() {
    let queue = Numbers::unbounded().unwrap();
    succeeds(start("wrong_type", &[("Q", &queue)]));
    for failure in [
        Numbers::create_named("name", Bound::Unbounded).unwrap_err(),
        Numbers::open_named("name").unwrap_err(),
    ] {
        assert_eq!(failure.kind(), FailureKind::Unsupported);
    }
    let mut command = Command::new("true");
    for name in ["", "A=B", "A\0B"] {
        let failure = queue.share_with(&mut command, name).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Unsupported);
    }
}

fn pass_on() {
    let jobs = Numbers::from_parent("JOBS").unwrap();
    let results = Numbers::from_parent("RESULTS").unwrap();
    let grandchild = start("echo", &[("JOBS", &jobs), ("RESULTS", &results)]);
    succeeds(grandchild);
}

#[test]
fn a_guest_can_hand_it_on() {
    let jobs = Numbers::bounded(4).unwrap();
    let results = Numbers::unbounded().unwrap();
    let child = start("pass_on", &[("JOBS", &jobs), ("RESULTS", &results)]);
    for n in 0..50 {
        jobs.push(n).unwrap();
    }
    jobs.close();
    assert_eq!(results.iter().take(50).sum::<u64>(), 49 * 50);
    succeeds(child);
}

#[test]
fn guests_of_guests_share_one_queue() {
    let queue = Numbers::bounded(2).unwrap();
    let guest = guest_of(&queue);
    let third = guest_of(&guest);
    guest.push(1).unwrap();
    third.push(2).unwrap();
    assert_eq!(queue.len(), 2);
    assert!(matches!(third.try_push(3), Err(TryPushError::Full(3))));
    assert!(guest.is_full());
    assert_eq!(queue.pop().unwrap(), 1);
    assert_eq!(third.pop().unwrap(), 2);
    assert_eq!(guest.len(), 0);
    assert!(third.close());
    assert!(!queue.close() && guest.is_closed());
    assert!(matches!(guest.push(1), Err(PushError::Closed(1))));
    assert_eq!(guest.pop(), Err(PopError::Closed));
}

#[test]
fn batches_keep_order_and_leave_the_rest() {
    let queue = Numbers::bounded(1000).unwrap();
    let guest = guest_of(&queue);
    let mut items: VecDeque<u64> = (0..1500).collect();
    let mut pushed = 0;
    while let Ok(count) = guest.try_push_many(&mut items) {
        pushed += count;
    }
    assert_eq!((pushed, items.len(), items[0]), (1000, 500, 1000));
    let mut popped = Vec::new();
    assert_eq!(guest.pop_many(&mut popped, 600).unwrap(), 600);
    assert_eq!(queue.pop_many(&mut popped, 10_000).unwrap(), 400);
    assert!(popped.into_iter().eq(0..1000));
}

#[test]
fn large_items_pass() {
    let queue = IpcQueue::<Vec<u8>, queue_process::codec::Raw>::bounded(2).unwrap();
    let (sender, receiver) = ipc::channel().unwrap();
    sender.send(queue.clone()).unwrap();
    let guest: IpcQueue<Vec<u8>, queue_process::codec::Raw> = receiver.recv().unwrap();
    let item = vec![7; 20 << 20];
    guest.push(item.clone()).unwrap();
    assert!(guest.pop().unwrap() == item);
    guest.push(item.clone()).unwrap();
    assert!(queue.pop().unwrap() == item);
}

#[test]
fn sleepers_of_one_guest_are_all_served() {
    for _ in 0..20 {
        let queue = Numbers::bounded(2).unwrap();
        let guest = guest_of(&queue);
        let other = guest_of(&queue);
        let total: u64 = thread::scope(|scope| {
            let consumers = [0, 1, 2, 3, 4, 5].map(|n| {
                let handle = [&guest, &other, &queue][n % 3];
                scope.spawn(move || handle.iter().sum::<u64>())
            });
            let producers = [0, 1, 2].map(|n| {
                let handle = [&guest, &other, &queue][n % 3];
                scope.spawn(move || (0..50).for_each(|n| handle.push(n).unwrap()))
            });
            producers
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
            queue.close();
            consumers.map(|thread| thread.join().unwrap()).iter().sum()
        });
        assert_eq!(total, 3 * 49 * 50 / 2);
    }
}

#[test]
fn a_cancelled_wait_loses_no_wake() {
    let queue = Numbers::bounded(1).unwrap();
    let guest = guest_of(&queue);
    for n in 0..50 {
        let first = guest.pop_timeout(Duration::from_micros(50 * n % 400));
        assert_eq!(first, Err(PopTimeoutError::Timeout));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| guest.pop_timeout(Duration::from_micros(200 + 10 * n)));
            let patient = scope.spawn(|| guest.pop_timeout(Duration::from_secs(10)));
            thread::sleep(Duration::from_micros(190 + 10 * n));
            queue.push(n).unwrap();
            if waiting.join().unwrap().is_ok() {
                queue.push(n).unwrap();
            }
            assert_eq!(patient.join().unwrap(), Ok(n));
        });
    }
}
