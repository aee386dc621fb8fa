//! Guests and hosts that die.

use super::*;

/// What the children here can be told to do.
pub(super) const ROLES: &[(&str, fn())] = &[
    ("pop_one_and_hang", pop_one_and_hang),
    ("miss_a_child", miss_a_child),
    ("wait_for_end", wait_for_end),
    ("host", host),
    ("miss_it_and_hang", miss_it_and_hang),
    ("push_and_pop_and_hang", push_and_pop_and_hang),
    #[cfg(target_os = "linux")]
    ("host_and_stop", host_and_stop),
    #[cfg(target_os = "linux")]
    ("wait_for_a_stopped_host", wait_for_a_stopped_host),
    ("die", || ()),
];

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
    let queue = Numbers::bounded(3);
    let done = Numbers::unbounded();
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

/// Fails unless `death` is noticed within a second, by what it says; on a machine so busy
/// that it is late, there are more tries.
fn is_noticed_at_once(mut death: impl FnMut() -> Duration) {
    let mut quickest = Duration::MAX;
    for _ in 0..10 {
        quickest = quickest.min(death());
        if quickest < Duration::from_secs(1) {
            return;
        }
    }
    panic!("{quickest:?}");
}

#[test]
fn the_last_consumer_process_closes_when_killed() {
    is_noticed_at_once(the_last_consumer_process);
}

fn the_last_consumer_process() -> Duration {
    let queue = Numbers::bounded(3);
    let done = Numbers::unbounded();
    let mut child = start("pop_one_and_hang", &[("Q", &queue), ("DONE", &done)]);
    let (producer, consumer) = queue.into_ends();
    drop(consumer);
    producer.push(1).unwrap();
    done.pop().unwrap();
    let killed = Instant::now();
    child.kill().unwrap();
    while producer.push_timeout(1, Duration::from_secs(60)).is_ok() {}
    assert!(producer.is_closed());
    let elapsed = killed.elapsed();
    child.wait().unwrap();
    elapsed
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
    let queue = Numbers::bounded(3);
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
    let queue = Numbers::bounded(1);
    let ready = Numbers::unbounded();
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
    is_noticed_at_once(the_hosts_death);
}

fn the_hosts_death() -> Duration {
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
    lines.for_each(|line| drop(line.unwrap()));
    elapsed
}

fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Stops a process, and lets it go on when dropped.
#[cfg(target_os = "linux")]
struct Stopped(u32);

#[cfg(target_os = "linux")]
impl Stopped {
    fn new(process: u32) -> Self {
        signal("-STOP", process);
        Self(process)
    }
}

#[cfg(target_os = "linux")]
impl Drop for Stopped {
    fn drop(&mut self) {
        signal("-CONT", self.0);
    }
}

#[cfg(target_os = "linux")]
fn signal(which: &str, process: u32) {
    let sent = Command::new("kill")
        .args([which, &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Hosts a full queue and an empty one, and hands them to a child that is told which process
/// hosts.
#[cfg(target_os = "linux")]
fn host_and_stop() {
    let (full, empty) = (Numbers::bounded(1), Numbers::bounded(1));
    full.push(1).unwrap();
    let mut child = command("wait_for_a_stopped_host");
    full.share_with(&mut child, "FULL").unwrap();
    empty.share_with(&mut child, "EMPTY").unwrap();
    child.env("IPC_TEST_HOST", std::process::id().to_string());
    succeeds(child.spawn().unwrap());
}

#[cfg(target_os = "linux")]
fn wait_for_a_stopped_host() {
    let [full, empty] = ["FULL", "EMPTY"].map(|name| Numbers::from_parent(name).unwrap());
    let host = Stopped::new(env::var("IPC_TEST_HOST").unwrap().parse().unwrap());
    for timeout in [0, 1, 50, 200].map(Duration::from_millis) {
        for _ in 0..10 {
            let begun = Instant::now();
            let late = full.push_timeout(7, timeout);
            assert_eq!(late, Err(PushTimeoutError::Timeout(7)));
            assert_eq!(empty.pop_timeout(timeout), Err(PopTimeoutError::Timeout));
            assert!(begun.elapsed() < timeout * 2 + Duration::from_secs(2));
        }
    }
    drop(host);
    // All is as if none of that had been.
    assert_eq!(full.pop(), Ok(1));
    assert!(full.is_empty() && empty.is_empty());
    full.push(2).unwrap();
    empty.push(3).unwrap();
    assert_eq!((full.pop(), empty.pop()), (Ok(2), Ok(3)));
}

#[cfg(target_os = "linux")]
#[test]
fn a_stopped_host_keeps_nobody_beyond_his_time() {
    let mut host = command("host_and_stop").spawn().unwrap();
    assert!(host.wait().unwrap().success());
}

/// Nobody stands in for a child that never takes what was shared: the command is still there.
#[cfg(target_os = "linux")]
#[test]
fn a_command_keeps_no_queue_open() {
    for starts in [None, Some("die"), Some("miss_it_and_hang")] {
        let (producer, consumer) = Numbers::bounded(2).into_ends();
        let mut child = command(starts.unwrap_or_default());
        consumer.share_with(&mut child, "Q").unwrap();
        let started = starts.map(|_| child.spawn().unwrap());
        drop(consumer);
        if let Some(mut started) = started {
            if starts == Some("miss_it_and_hang") {
                producer.push(1).unwrap();
                started.kill().unwrap();
            }
            started.wait().unwrap();
        }
        assert_eq!(producer.push(7), Err(PushError::Closed(7)), "{starts:?}");
    }
}

fn miss_it_and_hang() {
    thread::sleep(Duration::from_secs(60));
}

/// Its death is seen before whoever waited for it goes on.
#[cfg(target_os = "linux")]
#[test]
fn a_dead_side_is_missed_at_once() {
    for round in 0..20 {
        let queue = Numbers::bounded(8);
        let done = Numbers::unbounded();
        let mut child = start("pop_one_and_hang", &[("Q", &queue), ("DONE", &done)]);
        let (producer, consumer) = queue.into_ends();
        drop(consumer);
        producer.push(1).unwrap();
        done.pop().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let closed = producer.try_push(2);
        assert!(
            matches!(closed, Err(TryPushError::Closed(2))),
            "round {round}: {closed:?}"
        );
    }
}

/// Places and items that were given to a dead client ahead come back.
#[test]
fn what_a_dead_guest_was_given_ahead_comes_back() {
    let (queue, done) = (Numbers::bounded(64), Numbers::unbounded());
    let mut child = start("push_and_pop_and_hang", &[("Q", &queue), ("DONE", &done)]);
    done.pop().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    soon("its items are back", || queue.len() == 20);
    assert!(queue.try_iter().eq(1..21), "it took one");
    let pushed = (0..100).take_while(|n| queue.try_push(*n).is_ok()).count();
    assert_eq!(pushed, 64, "its slots are free");
}

fn push_and_pop_and_hang() {
    let queue = Numbers::from_parent("Q").unwrap();
    (0..21).for_each(|n| queue.push(n).unwrap());
    assert_eq!(queue.pop(), Ok(0));
    Numbers::from_parent("DONE").unwrap().push(1).unwrap();
    thread::sleep(Duration::from_secs(60));
}
