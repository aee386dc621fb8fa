//! The sentinel: a thread that waits for bells in the place of futures which no runtime's
//! reactor serves, and looks for the dead in the place of all futures.
//!
//! There is one per process, and only while futures wait. It moves no items.

use super::NET;
use super::layout::End;
use super::linux::{Bells, bell, event};
use crate::foreign::calmly;
use queue_core::waiters::wake_all;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

/// What the sentinel patrols.
pub(crate) trait Patrolled: Send + Sync {
    fn patrol(&self);
}

/// A bell for which futures wait.
struct Watch {
    queue: Weak<dyn Patrolled>,
    bells: Bells,
    end: End,
    /// How many wait.
    posts: usize,
    /// Woken, once, when the bell rings. Who is not here was woken, or something else sees
    /// to that.
    wakers: HashMap<u64, Waker>,
}

/// By the number of the bell's descriptor, which no other has as long as it is open.
type ByBell<V> = HashMap<RawFd, V>;

/// Bells to listen to.
type Listened = ByBell<(Bells, End)>;

#[derive(Default)]
struct State {
    watches: ByBell<Watch>,
    next: u64,
    runs: bool,
}

impl State {
    /// Whether there is a thread, which is started if there is none.
    fn has_thread(&mut self) -> bool {
        if !self.runs {
            let thread = std::thread::Builder::new().name("queue-sentinel".into());
            self.runs = thread.spawn(|| SENTINEL.run()).is_ok();
        }
        self.runs
    }
}

struct Sentinel {
    state: Mutex<State>,
    /// Makes it look at the watches anew. Without it (no descriptors left) it looks
    /// every few milliseconds.
    nudge: Option<OwnedFd>,
}

static SENTINEL: LazyLock<Sentinel> = LazyLock::new(|| Sentinel {
    state: Mutex::default(),
    nudge: event().ok(),
});

/// How long it stays without work before its thread ends.
const IDLE: Duration = Duration::from_secs(2);

/// A place at the sentinel, given up when dropped.
#[derive(Debug)]
pub(crate) struct Post {
    bell: RawFd,
    key: u64,
}

impl Post {
    /// Has `queue`, of which all these bells are, patrolled from now on.
    pub(crate) fn new(queue: Weak<dyn Patrolled>, bells: Bells, end: End) -> Self {
        let number = bell(&bells, end).as_raw_fd();
        let mut state = SENTINEL.lock();
        state.next += 1;
        let key = state.next;
        let watch = state.watches.entry(number).or_insert_with(|| Watch {
            queue,
            bells,
            end,
            posts: 0,
            wakers: HashMap::new(),
        });
        watch.posts += 1;
        state.has_thread();
        Self { bell: number, key }
    }

    /// Has `waker` woken when the bell rings, if it does not ring already.
    pub(crate) fn wake(&self, waker: &Waker) {
        // Wakers are foreign code: cloned, dropped and woken outside the lock.
        let own = waker.clone();
        let mut state = SENTINEL.lock();
        if !state.has_thread() {
            drop(state);
            // The system gives none just now: whoever waits must look again by itself.
            waker.wake_by_ref();
            return;
        }
        let Some(watch) = state.watches.get_mut(&self.bell) else {
            return;
        };
        let is_first = watch.wakers.is_empty();
        let old = watch.wakers.insert(self.key, own);
        drop(state);
        drop(old);
        if is_first {
            // Else it listens to this bell, or is about to.
            SENTINEL.nudge();
        }
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        let mut state = SENTINEL.lock();
        let Some(watch) = state.watches.get_mut(&self.bell) else {
            return;
        };
        let waker = watch.wakers.remove(&self.key);
        watch.posts -= 1;
        let last = match watch.posts {
            0 => state.watches.remove(&self.bell),
            _ => None,
        };
        drop(state);
        drop((waker, last));
    }
}

impl Sentinel {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nudge(&self) {
        if let Some(nudge) = &self.nudge {
            let _ = rustix::io::write(nudge, &1u64.to_ne_bytes());
        }
    }

    fn run(&self) {
        let mut patrolled = Instant::now();
        let mut busy = Instant::now();
        loop {
            let bells: Listened = {
                let mut state = self.lock();
                if !state.watches.is_empty() {
                    busy = Instant::now();
                } else if busy.elapsed() > IDLE {
                    state.runs = false;
                    return;
                }
                let waiting = state.watches.iter();
                waiting
                    .filter(|(_, watch)| !watch.wakers.is_empty())
                    .map(|(&number, watch)| (number, (watch.bells.clone(), watch.end)))
                    .collect()
            };
            self.wait(&bells);
            if patrolled.elapsed() >= NET {
                self.patrol();
                patrolled = Instant::now();
            }
        }
    }

    /// Waits until a bell rings or a patrol is due, and wakes who waits for the bell.
    fn wait(&self, bells: &Listened) {
        let mut fds: Vec<_> = (bells.values())
            .map(|(bells, end)| PollFd::from_borrowed_fd(bell(bells, *end), PollFlags::IN))
            .collect();
        fds.extend(
            self.nudge
                .as_ref()
                .map(|nudge| PollFd::new(nudge, PollFlags::IN)),
        );
        let slice = if self.nudge.is_some() { NET } else { NET / 16 };
        let timeout = Timespec::try_from(slice).ok();
        if !matches!(poll(&mut fds, timeout.as_ref()), Ok(1..)) {
            return;
        }
        if let Some(nudge) = &self.nudge {
            let _ = rustix::io::read(nudge, &mut [0; 8]);
        }
        let mut wakers = Vec::new();
        let mut state = self.lock();
        for (number, fd) in bells.keys().zip(&fds) {
            if fd.revents().is_empty() {
                continue;
            }
            if let Some(watch) = state.watches.get_mut(number) {
                wakers.extend(watch.wakers.drain().map(|(_, waker)| waker));
            }
        }
        drop(state);
        calmly(|| wake_all(wakers));
    }

    fn patrol(&self) {
        let watched = |watch: &Watch| watch.queue.clone();
        let queues: Vec<_> = self.lock().watches.values().map(watched).collect();
        queues
            .iter()
            .filter_map(Weak::upgrade)
            .for_each(|queue: Arc<_>| queue.patrol());
    }
}

#[cfg(test)]
mod tests {
    use super::super::linux::bells;
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;
    use std::task::Wake;

    /// A queue that counts its patrols.
    #[derive(Default)]
    struct Patrols(AtomicU32);

    impl Patrolled for Patrols {
        fn patrol(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says when it was woken.
    struct Woken(mpsc::Sender<Instant>);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(Instant::now());
        }
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn it_patrols_as_long_as_somebody_waits() {
        let queue = Arc::new(Patrols::default());
        let watched: Arc<dyn Patrolled> = queue.clone();
        let post = Post::new(Arc::downgrade(&watched), bells().unwrap(), End::Tail);
        let begun = Instant::now();
        while queue.0.load(Ordering::Relaxed) < 3 {
            assert!(begun.elapsed() < LONG, "the dead are not found");
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(post);
        // It may be at it right now.
        std::thread::sleep(NET);
        let last = queue.0.load(Ordering::Relaxed);
        std::thread::sleep(3 * NET);
        assert_eq!(
            queue.0.load(Ordering::Relaxed),
            last,
            "nobody waits any more"
        );
    }

    #[test]
    fn without_a_nudge_it_looks_often() {
        let sentinel = Sentinel {
            state: Mutex::default(),
            nudge: None,
        };
        let waits = (0..10).map(|_| {
            let begun = Instant::now();
            sentinel.wait(&Listened::new());
            begun.elapsed()
        });
        let least = waits.min().unwrap();
        assert!((NET / 16..NET / 2).contains(&least), "{least:?}");
    }

    /// Whether the sentinel's thread lives.
    fn lives() -> bool {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
        tasks.flatten().any(|task| {
            let name = name(task).unwrap_or_default();
            name.trim_end() == "queue-sentinel"
        })
    }

    /// In a process of its own, where nobody else waits.
    #[test]
    fn its_thread_lives_while_somebody_waits_and_a_while_longer() {
        const ALONE: &str = "SENTINEL_ALONE";
        if std::env::var_os(ALONE).is_none() {
            let mut command = std::process::Command::new(std::env::current_exe().unwrap());
            let name = "its_thread_lives_while_somebody_waits_and_a_while_longer";
            let name = format!("shared::sentinel::tests::{name}");
            command.args(["--exact", &name]).env(ALONE, "1");
            let done = command.output().unwrap();
            let said = String::from_utf8_lossy(&done.stdout);
            assert!(done.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        let queue = Arc::new(Patrols::default());
        let watched: Arc<dyn Patrolled> = queue.clone();
        let post = Post::new(Arc::downgrade(&watched), bells().unwrap(), End::Tail);
        std::thread::sleep(IDLE + 10 * NET);
        assert!(lives(), "while somebody waits");
        let patrols = queue.0.load(Ordering::Relaxed);
        assert!((3..100).contains(&patrols), "{patrols}");
        drop(post);
        std::thread::sleep(IDLE / 4);
        assert!(lives(), "somebody may soon wait again");
        let begun = Instant::now();
        while lives() {
            assert!(begun.elapsed() < LONG, "for ever");
            std::thread::sleep(NET);
        }
        let _post = Post::new(Arc::downgrade(&watched), bells().unwrap(), End::Tail);
        let patrols = queue.0.load(Ordering::Relaxed);
        while queue.0.load(Ordering::Relaxed) == patrols {
            assert!(begun.elapsed() < LONG, "a new one is not started");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_bell_is_heard_at_once() {
        let queue: Arc<dyn Patrolled> = Arc::new(Patrols::default());
        let bells = bells().unwrap();
        let posts = [End::Tail, End::Tail, End::Head]
            .map(|end| Post::new(Arc::downgrade(&queue), bells.clone(), end));
        let (told, tidings) = mpsc::channel();
        let waker = Waker::from(Arc::new(Woken(told)));
        let mut delays: Vec<_> = (0..21)
            .map(|_| {
                // It has gone back to wait by then, for the bells it knows.
                std::thread::sleep(Duration::from_millis(5));
                posts.iter().for_each(|post| post.wake(&waker));
                let rung = Instant::now();
                rustix::io::write(bell(&bells, End::Tail), &1u64.to_ne_bytes()).unwrap();
                // Both that listen to this bell.
                let heard = [(); 2].map(|()| tidings.recv_timeout(LONG).unwrap() - rung);
                rustix::io::read(bell(&bells, End::Tail), &mut [0; 8]).unwrap();
                assert!(tidings.try_recv().is_err(), "the other bell is silent");
                heard[1]
            })
            .collect();
        // Most of the time: the machine may be busy.
        delays.sort_unstable();
        assert!(delays[10] < NET / 3, "{delays:?}");
    }

    /// Panics when it is woken.
    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker that fails, for a test");
        }
    }

    #[test]
    fn a_waker_that_panics_leaves_nobody_asleep() {
        let queue: Arc<dyn Patrolled> = Arc::new(Patrols::default());
        let bells = bells().unwrap();
        let (told, tidings) = mpsc::channel();
        let wakers = [Waker::from(Arc::new(Panics)), Arc::new(Woken(told)).into()];
        let posts = [(); 8].map(|()| Post::new(Arc::downgrade(&queue), bells.clone(), End::Tail));
        for round in 0..2 {
            for (n, post) in posts.iter().enumerate() {
                post.wake(&wakers[n % 2]);
            }
            rustix::io::write(bell(&bells, End::Tail), &1u64.to_ne_bytes()).unwrap();
            for _ in 0..4 {
                let heard = tidings.recv_timeout(LONG);
                assert!(heard.is_ok(), "asleep in round {round}");
            }
            rustix::io::read(bell(&bells, End::Tail), &mut [0; 8]).unwrap();
        }
    }
}
