//! The sentinel: a thread that listens to bells in the place of futures, and looks for the
//! dead in their place.
//!
//! There is one per process, and only while futures wait. It moves no items. A forked child,
//! which has no thread of its parent's, has one of its own.
//!
//! It serves all queues of the process, and so waits for none: where a process that was stopped
//! has the lock of a queue, that queue is left for later.

use super::NET;
use super::eventfd::{Bells, bell};
use crate::linux::engine::layout::End;
use crate::sys::{PerProcess, above_stdio};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::time::Timespec;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::mem::{MaybeUninit, take};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// What the sentinel does for a queue. Neither waits long for another process.
pub(crate) trait Watched: Send + Sync {
    /// Looks for the dead.
    fn patrol(&self);

    /// Wakes futures that wait for `end`, as many as there is news for. False if it could not,
    /// and is to try again.
    fn pass_on(&self, end: End) -> bool;
}

/// A bell for which futures wait, or did of late.
struct Watch {
    queue: Weak<dyn Watched>,
    bells: Bells,
    end: End,
    /// How many wait.
    posts: usize,
    /// Whether one came since the last patrol: the next one may be about to.
    used: bool,
    /// Whether its ringing reaches the thread. If not (no descriptors left, say) the thread
    /// looks every few milliseconds.
    heard: bool,
}

#[derive(Default)]
struct State {
    /// By the number of the bell's descriptor, which no other has as long as it is open.
    watches: BTreeMap<RawFd, Watch>,
    /// Hears the bells: each time that one rings, whether it still rings from before or
    /// not, so that nobody has to silence it, and no process takes a ring from another.
    epoll: Option<Arc<OwnedFd>>,
    runs: bool,
}

impl State {
    /// Whether there is a thread, which is started if there is none.
    fn has_thread(&mut self) -> bool {
        if !self.runs {
            let thread = std::thread::Builder::new().name("queue-sentinel".into());
            self.runs = thread.spawn(|| sentinel().run()).is_ok();
        }
        self.runs
    }

    /// Has all bells reach the thread, as far as the system allows: whether they do.
    fn hear(&mut self) -> bool {
        if self.epoll.is_none() {
            let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(io::Error::from);
            self.epoll = epoll.and_then(above_stdio).ok().map(Arc::new);
        }
        let Some(epoll) = &self.epoll else {
            return false;
        };
        for (number, watch) in &mut self.watches {
            if !watch.heard {
                let data = EventData::new_u64(*number as u64);
                let each_ring = EventFlags::IN | EventFlags::ET;
                let added = epoll::add(epoll, bell(&watch.bells, watch.end), data, each_ring);
                watch.heard = added.is_ok();
            }
        }
        self.watches.values().all(|watch| watch.heard)
    }

    /// Ends the watch for the bell of that number; to be dropped after the lock.
    fn remove(&mut self, number: RawFd) -> Option<Watch> {
        let watch = self.watches.remove(&number)?;
        if let Some(epoll) = &self.epoll {
            // To close the bell would not do, for other processes have it open.
            let _ = epoll::delete(epoll, bell(&watch.bells, watch.end));
        }
        Some(watch)
    }
}

#[derive(Default)]
struct Sentinel {
    state: Mutex<State>,
}

/// That of this process.
fn sentinel() -> &'static Sentinel {
    static SENTINEL: PerProcess<Sentinel> = PerProcess::new();
    SENTINEL.get_or(Sentinel::default)
}

/// After how long it looks again where a bell does not reach it, or a queue could not be told:
/// whoever has the lock may only have lost its processor for a moment.
const SOON: Duration = Duration::from_millis(4);

/// How long it stays without work before its thread ends.
const IDLE: Duration = Duration::from_secs(2);

/// A place at the sentinel, given up when dropped.
#[derive(Debug)]
pub(crate) struct Post {
    bell: RawFd,
}

impl Post {
    /// Has `queue`, of which all these bells are, looked after from now on, and told when
    /// the bell of `end` rings, or has before. `None` if the system gives no thread.
    pub(crate) fn new(queue: &Weak<dyn Watched>, bells: &Bells, end: End) -> Option<Self> {
        let number = bell(bells, end).as_raw_fd();
        let mut state = sentinel().lock();
        if !state.has_thread() {
            return None;
        }
        let watch = state.watches.entry(number).or_insert_with(|| Watch {
            queue: queue.clone(),
            bells: bells.clone(),
            end,
            posts: 0,
            used: true,
            heard: false,
        });
        watch.posts += 1;
        watch.used = true;
        if !watch.heard {
            state.hear();
        }
        Some(Self { bell: number })
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        if let Some(watch) = sentinel().lock().watches.get_mut(&self.bell) {
            watch.posts -= 1;
        }
    }
}

thread_local! {
    static IS_THIS: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is the sentinel's, which is not to wait.
pub(crate) fn is_this_thread() -> bool {
    IS_THIS.get()
}

/// Forgets the queue whose bells these are, which nobody waits for any more.
pub(crate) fn forget(bells: &Bells) {
    let mut state = sentinel().lock();
    let watches = [End::Tail, End::Head].map(|end| state.remove(bell(bells, end).as_raw_fd()));
    drop(state);
    drop(watches);
}

/// Something to tell the queue, with no lock held.
type News = (Weak<dyn Watched>, End);

impl Sentinel {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        IS_THIS.set(true);
        let (mut patrolled, mut busy) = (Instant::now(), Instant::now());
        let mut slice = NET;
        loop {
            let rung = self.wait(slice);
            if !tell(rung, Watched::pass_on) {
                slice = SOON;
            }
            if patrolled.elapsed() < slice {
                continue;
            }
            slice = self.patrol();
            patrolled = Instant::now();
            let mut state = self.lock();
            if !state.watches.is_empty() {
                busy = patrolled;
            } else if busy.elapsed() > IDLE {
                state.runs = false;
                return;
            }
        }
    }

    /// Waits until bells ring, or for `slice`: the queues of those that rang.
    fn wait(&self, slice: Duration) -> Vec<News> {
        let epoll = self.lock().epoll.clone();
        let Some(epoll) = epoll else {
            std::thread::sleep(slice);
            return Vec::new();
        };
        let mut events = [MaybeUninit::uninit(); 32];
        let timeout = Timespec::try_from(slice).ok();
        let Ok((rung, _)) = epoll::wait(&epoll, &mut events, timeout.as_ref()) else {
            return Vec::new();
        };
        let state = self.lock();
        rung.iter()
            .filter_map(|event| state.watches.get(&(event.data.u64() as RawFd)))
            .map(|watch| (watch.queue.clone(), watch.end))
            .collect()
    }

    /// Looks for the dead, and at what may have come unheard; how long until the next time.
    fn patrol(&self) -> Duration {
        let mut state = self.lock();
        let unused = (state.watches.iter_mut()).filter_map(|(number, watch)| {
            (watch.posts == 0 && !take(&mut watch.used)).then_some(*number)
        });
        let unused: Vec<_> = unused.collect();
        let unused: Vec<_> = (unused.into_iter())
            .map(|number| state.remove(number))
            .collect();
        let heard = state.hear();
        let watched = (state.watches.values()).filter(|watch| watch.posts > 0);
        let watched = watched
            .map(|watch| (watch.queue.clone(), watch.end))
            .collect();
        drop(state);
        drop(unused);
        let told = tell(watched, |queue, end| {
            queue.patrol();
            queue.pass_on(end)
        });
        if heard && told { NET } else { SOON }
    }
}

/// Tells the queues that are still there; whether all could be told.
fn tell(news: Vec<News>, mut what: impl FnMut(&(dyn Watched + 'static), End) -> bool) -> bool {
    let mut all = true;
    for (queue, end) in news {
        if let Some(queue) = queue.upgrade() {
            all &= what(&*queue, end);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::wait::eventfd::bells;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::{self, Receiver, Sender};

    /// A queue that counts its patrols, and says when a bell rang.
    struct Queue {
        patrols: AtomicU32,
        rung: Sender<(End, Instant)>,
    }

    impl Queue {
        fn new() -> (Arc<Self>, Receiver<(End, Instant)>) {
            let (rung, heard) = mpsc::channel();
            let patrols = AtomicU32::new(0);
            (Arc::new(Self { patrols, rung }), heard)
        }

        fn patrols(&self) -> u32 {
            self.patrols.load(Ordering::Relaxed)
        }
    }

    impl Watched for Queue {
        fn patrol(&self) {
            self.patrols.fetch_add(1, Ordering::Relaxed);
        }

        fn pass_on(&self, end: End) -> bool {
            let _ = self.rung.send((end, Instant::now()));
            true
        }
    }

    /// Waits for the bell of that end.
    fn post(queue: &Arc<Queue>, bells: &Bells, end: End) -> Post {
        let queue: Arc<dyn Watched> = queue.clone();
        Post::new(&Arc::downgrade(&queue), bells, end).expect("a thread")
    }

    fn ring(bells: &Bells, end: End) {
        rustix::io::write(bell(bells, end), &1u64.to_ne_bytes()).unwrap();
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn it_patrols_as_long_as_somebody_waits() {
        let (queue, _heard) = Queue::new();
        let post = post(&queue, &bells().unwrap(), End::Tail);
        let begun = Instant::now();
        while queue.patrols() < 3 {
            assert!(begun.elapsed() < LONG, "the dead are not found");
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(post);
        // It may be at the last one right now, or late on a busy machine.
        let begun = Instant::now();
        let mut last = queue.patrols();
        loop {
            std::thread::sleep(3 * NET);
            let patrols = queue.patrols();
            if patrols == last {
                break;
            }
            assert!(begun.elapsed() < LONG, "nobody waits any more");
            last = patrols;
        }
    }

    /// How many bells the sentinel hears of these.
    fn watched(bells: &Bells) -> usize {
        let state = sentinel().lock();
        let ends = [End::Tail, End::Head].map(|end| bell(bells, end).as_raw_fd());
        let watches = ends.iter().filter_map(|number| state.watches.get(number));
        watches.filter(|watch| watch.heard).count()
    }

    #[test]
    fn a_queue_is_forgotten_at_once_and_one_for_which_nobody_waits_soon() {
        let (queue, _heard) = Queue::new();
        let bells = bells().unwrap();
        let post = post(&queue, &bells, End::Tail);
        assert_eq!(watched(&bells), 1);
        forget(&bells);
        assert_eq!(watched(&bells), 0);
        drop(post);
        drop(super::tests::post(&queue, &bells, End::Head));
        assert_eq!(watched(&bells), 1, "another may come");
        let begun = Instant::now();
        while watched(&bells) > 0 {
            assert!(begun.elapsed() < LONG, "for ever");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(Arc::strong_count(&bells), 1);
    }

    #[test]
    fn without_an_epoll_set_it_sleeps() {
        let sentinel = Sentinel {
            state: Mutex::new(State::default()),
        };
        let begun = Instant::now();
        assert!(sentinel.wait(SOON).is_empty());
        assert!(begun.elapsed() >= SOON);
        // And makes one as soon as it can.
        assert_eq!(sentinel.patrol(), NET);
        assert!(sentinel.lock().epoll.is_some());
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
            let name = format!("linux::wait::waker_thread::tests::{name}");
            command.args(["--exact", &name]).env(ALONE, "1");
            let done = command.output().unwrap();
            let said = String::from_utf8_lossy(&done.stdout);
            assert!(done.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        let (queue, _heard) = Queue::new();
        let bells = bells().unwrap();
        let post = post(&queue, &bells, End::Tail);
        std::thread::sleep(IDLE + 10 * NET);
        assert!(lives(), "while somebody waits");
        let patrols = queue.patrols();
        assert!((3..100).contains(&patrols), "{patrols}");
        drop(post);
        std::thread::sleep(IDLE / 4);
        assert!(lives(), "somebody may soon wait again");
        let begun = Instant::now();
        while lives() {
            assert!(begun.elapsed() < LONG, "for ever");
            std::thread::sleep(NET);
        }
        let _post = super::tests::post(&queue, &bells, End::Tail);
        let patrols = queue.patrols();
        while queue.patrols() == patrols {
            assert!(begun.elapsed() < LONG, "a new one is not started");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn each_ring_is_heard_at_once() {
        let (queue, heard) = Queue::new();
        let bells = bells().unwrap();
        // One that rang before anybody waited.
        ring(&bells, End::Head);
        let _posts = [End::Tail, End::Tail, End::Head].map(|end| post(&queue, &bells, end));
        let (end, _) = heard.recv_timeout(LONG).unwrap();
        assert_eq!(end, End::Head);
        // Tried until it is quick: the machine may be busy. Who heard nothing would hear of it
        // at the next patrol, and be as quick by chance one time in three.
        let mut in_a_row = 0;
        for _ in 0..400 {
            // It has gone back to wait by then.
            std::thread::sleep(Duration::from_millis(5));
            let rung = Instant::now();
            ring(&bells, End::Tail);
            // It looks at both now and then by itself.
            let mut all = std::iter::from_fn(|| heard.recv_timeout(LONG).ok());
            let (_, at) = all
                .find(|(end, at)| *end == End::Tail && *at >= rung)
                .unwrap();
            in_a_row = if at - rung < NET / 3 { in_a_row + 1 } else { 0 };
            if in_a_row == 12 {
                return;
            }
        }
        panic!("no twelve in a row are heard at once");
    }
}
