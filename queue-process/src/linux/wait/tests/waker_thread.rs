//! Tests of [`waker_thread`](crate::linux::wait::waker_thread).

use crate::linux::engine::control::End;
use crate::linux::wait::RECHECK_INTERVAL;
use crate::linux::wait::eventfd::eventfds;
use crate::linux::wait::eventfd::{Eventfds, eventfd};
use crate::linux::wait::waker_thread::*;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A queue that counts how often its peers are checked, and says when an eventfd was notified.
struct Queue {
    checks: AtomicU32,
    notified: Sender<(End, Instant)>,
}

impl Queue {
    fn new() -> (Arc<Self>, Receiver<(End, Instant)>) {
        let (notified, notifications) = mpsc::channel();
        let checks = AtomicU32::new(0);
        (Arc::new(Self { checks, notified }), notifications)
    }

    fn checks(&self) -> u32 {
        self.checks.load(Ordering::Relaxed)
    }
}

impl WatchedQueue for Queue {
    fn check_peers(&self) {
        self.checks.fetch_add(1, Ordering::Relaxed);
    }

    fn wake_futures(&self, end: End) -> bool {
        let _ = self.notified.send((end, Instant::now()));
        true
    }
}

/// Waits for the eventfd of that end.
fn registration(queue: &Arc<Queue>, eventfds: &Eventfds, end: End) -> Registration {
    let queue: Arc<dyn WatchedQueue> = queue.clone();
    Registration::new(&Arc::downgrade(&queue), eventfds, end).expect("a thread")
}

fn notify(eventfds: &Eventfds, end: End) {
    rustix::io::write(eventfd(eventfds, end), &1u64.to_ne_bytes()).unwrap();
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn it_checks_peers_as_long_as_somebody_waits() {
    let (queue, _notifications) = Queue::new();
    let registration = registration(&queue, &eventfds().unwrap(), End::Tail);
    let begun = Instant::now();
    while queue.checks() < 3 {
        assert!(begun.elapsed() < LONG, "the dead are not found");
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(registration);
    // It may be at the last one right now, or late on a busy machine.
    let begun = Instant::now();
    let mut last = queue.checks();
    loop {
        std::thread::sleep(3 * RECHECK_INTERVAL);
        let checks = queue.checks();
        if checks == last {
            break;
        }
        assert!(begun.elapsed() < LONG, "nobody waits any more");
        last = checks;
    }
}

/// How many of these eventfds the waker thread hears.
fn watched(eventfds: &Eventfds) -> usize {
    let state = waker_thread().lock();
    let ends = [End::Tail, End::Head].map(|end| eventfd(eventfds, end).as_raw_fd());
    let entries = ends.iter().filter_map(|number| state.entries.get(number));
    entries.filter(|entry| entry.in_epoll).count()
}

#[test]
fn a_queue_is_forgotten_at_once_and_one_for_which_nobody_waits_soon() {
    let (queue, _notifications) = Queue::new();
    let eventfds = eventfds().unwrap();
    let registration = registration(&queue, &eventfds, End::Tail);
    assert_eq!(watched(&eventfds), 1);
    unregister(&eventfds);
    assert_eq!(watched(&eventfds), 0);
    drop(registration);
    drop(self::registration(&queue, &eventfds, End::Head));
    assert_eq!(watched(&eventfds), 1, "another may come");
    let begun = Instant::now();
    // It is dropped a moment after it is forgotten, with no lock held.
    while watched(&eventfds) > 0 || Arc::strong_count(&eventfds) > 1 {
        assert!(begun.elapsed() < LONG, "for ever");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn without_an_epoll_set_it_sleeps() {
    let waker_thread = WakerThread {
        state: Mutex::new(State::default()),
    };
    let begun = Instant::now();
    assert!(waker_thread.wait(RETRY_INTERVAL).is_empty());
    assert!(begun.elapsed() >= RETRY_INTERVAL);
    // And makes one as soon as it can.
    assert_eq!(waker_thread.check_peers(), RECHECK_INTERVAL);
    assert!(waker_thread.lock().epoll.is_some());
}

/// Whether the waker thread lives.
fn lives() -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
    tasks.flatten().any(|task| {
        let name = name(task).unwrap_or_default();
        name.trim_end() == "queue-waker"
    })
}

/// In a process of its own, where nobody else waits.
#[test]
fn its_thread_lives_while_somebody_waits_and_a_while_longer() {
    const ALONE: &str = "WAKER_THREAD_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let name = "its_thread_lives_while_somebody_waits_and_a_while_longer";
        let name = format!("linux::wait::tests::waker_thread::{name}");
        command.args(["--exact", &name]).env(ALONE, "1");
        let done = command.output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let (queue, _notifications) = Queue::new();
    let eventfds = eventfds().unwrap();
    let registration = registration(&queue, &eventfds, End::Tail);
    std::thread::sleep(IDLE_TIMEOUT + 10 * RECHECK_INTERVAL);
    assert!(lives(), "while somebody waits");
    let checks = queue.checks();
    assert!((3..100).contains(&checks), "{checks}");
    drop(registration);
    std::thread::sleep(IDLE_TIMEOUT / 4);
    assert!(lives(), "somebody may soon wait again");
    let begun = Instant::now();
    while lives() {
        assert!(begun.elapsed() < LONG, "for ever");
        std::thread::sleep(RECHECK_INTERVAL);
    }
    let _post = self::registration(&queue, &eventfds, End::Tail);
    let checks = queue.checks();
    while queue.checks() == checks {
        assert!(begun.elapsed() < LONG, "a new one is not started");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_was_notified_before_anybody_waited_is_told() {
    // Tried until it is quick: the machine may be busy. Who heard nothing would hear of the tail
    // first, at the next check.
    let told = (0..20).any(|_| {
        let (queue, notifications) = Queue::new();
        let eventfds = eventfds().unwrap();
        notify(&eventfds, End::Head);
        let _posts = [End::Tail, End::Head].map(|end| registration(&queue, &eventfds, end));
        notifications.recv_timeout(LONG).unwrap().0 == End::Head
    });
    assert!(told);
}

#[test]
fn each_notification_is_told_at_once() {
    let (queue, notifications) = Queue::new();
    let eventfds = eventfds().unwrap();
    let _posts = [End::Tail, End::Tail, End::Head].map(|end| registration(&queue, &eventfds, end));
    // Tried until it is quick: the machine may be busy. Who heard nothing would hear of it
    // at the next check, and be as quick by chance one time in three.
    let mut in_a_row = 0;
    for _ in 0..400 {
        // It has gone back to wait by then.
        std::thread::sleep(Duration::from_millis(5));
        let notified = Instant::now();
        notify(&eventfds, End::Tail);
        // It looks at both now and then by itself.
        let mut all = std::iter::from_fn(|| notifications.recv_timeout(LONG).ok());
        let (_, at) = all
            .find(|(end, at)| *end == End::Tail && *at >= notified)
            .unwrap();
        in_a_row = if at - notified < RECHECK_INTERVAL / 3 {
            in_a_row + 1
        } else {
            0
        };
        if in_a_row == 12 {
            return;
        }
    }
    panic!("no twelve in a row are notified at once");
}
