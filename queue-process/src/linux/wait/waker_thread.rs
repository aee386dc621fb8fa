//! The sentinel: a thread that listens to bells in the place of futures, and looks for the
//! dead in their place.
//!
//! There is one per process, and only while futures wait. It moves no items. A forked child,
//! which has no thread of its parent's, has one of its own.
//!
//! It serves all queues of the process, and so waits for none: where a process that was stopped
//! has the lock of a queue, that queue is left for later.

use super::RECHECK_INTERVAL;
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
pub(super) struct Watch {
    queue: Weak<dyn Watched>,
    bells: Bells,
    end: End,
    /// How many wait.
    posts: usize,
    /// Whether one came since the last patrol: the next one may be about to.
    used: bool,
    /// Whether its ringing reaches the thread. If not (no descriptors left, say) the thread
    /// looks every few milliseconds.
    pub(super) heard: bool,
}

#[derive(Default)]
pub(super) struct State {
    /// By the number of the bell's descriptor, which no other has as long as it is open.
    pub(super) watches: BTreeMap<RawFd, Watch>,
    /// Hears the bells: each time that one rings, whether it still rings from before or
    /// not, so that nobody has to silence it, and no process takes a ring from another.
    pub(super) epoll: Option<Arc<OwnedFd>>,
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
pub(super) struct Sentinel {
    pub(super) state: Mutex<State>,
}

/// That of this process.
pub(super) fn sentinel() -> &'static Sentinel {
    static SENTINEL: PerProcess<Sentinel> = PerProcess::new();
    SENTINEL.get_or(Sentinel::default)
}

/// After how long it looks again where a bell does not reach it, or a queue could not be told:
/// whoever has the lock may only have lost its processor for a moment.
pub(super) const SOON: Duration = Duration::from_millis(4);

/// How long it stays without work before its thread ends.
pub(super) const IDLE: Duration = Duration::from_secs(2);

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
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        IS_THIS.set(true);
        let (mut patrolled, mut busy) = (Instant::now(), Instant::now());
        let mut slice = RECHECK_INTERVAL;
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
    pub(super) fn wait(&self, slice: Duration) -> Vec<News> {
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
    pub(super) fn patrol(&self) -> Duration {
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
        if heard && told {
            RECHECK_INTERVAL
        } else {
            SOON
        }
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
