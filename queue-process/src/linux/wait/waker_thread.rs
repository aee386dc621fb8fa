//! The waker thread: it listens to eventfds for the futures of its process, wakes them, and checks
//! for them whether peers have died.
//!
//! There is one per process, and only while futures wait. It moves no items. A forked child,
//! which has no thread of its parent's, has one of its own.
//!
//! It serves all queues of the process, and so waits for none of them. If a process that was stopped
//! holds the lock of a queue, the thread comes back to that queue later.

use super::RECHECK_INTERVAL;
use super::eventfd::{Eventfds, eventfd};
use crate::linux::engine::control::End;
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

/// What the waker thread does for a queue. Neither waits long for another process.
pub(crate) trait WatchedQueue: Send + Sync {
    /// Checks whether peers have died.
    fn check_peers(&self);

    /// Wakes futures that wait for `end`, as many as there is news for. False if it could not,
    /// and is to try again.
    fn wake_futures(&self, end: End) -> bool;
}

/// An eventfd for which futures wait, or did of late.
pub(super) struct Entry {
    queue: Weak<dyn WatchedQueue>,
    eventfds: Eventfds,
    end: End,
    /// How many wait.
    registrations: usize,
    /// Whether one came since the last check: the next one may be about to.
    recently_used: bool,
    /// Whether the thread is told of its events. If not (no descriptors left, say) the thread
    /// looks every few milliseconds.
    pub(super) in_epoll: bool,
}

#[derive(Default)]
pub(super) struct State {
    /// By the number of the eventfd's descriptor, which no other has as long as it is open.
    pub(super) entries: BTreeMap<RawFd, Entry>,
    /// Hears the eventfds, edge-triggered: each write is an event, whether the count was zero or
    /// not. So nobody has to clear it, and no process takes a notification from another.
    pub(super) epoll: Option<Arc<OwnedFd>>,
    is_running: bool,
}

impl State {
    /// Whether there is a thread, which is started if there is none.
    fn has_thread(&mut self) -> bool {
        if !self.is_running {
            let thread = std::thread::Builder::new().name("queue-waker".into());
            self.is_running = thread.spawn(|| waker_thread().run()).is_ok();
        }
        self.is_running
    }

    /// Has all eventfds reach the thread, as far as the system allows: whether they do.
    fn watch_all(&mut self) -> bool {
        if self.epoll.is_none() {
            let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(io::Error::from);
            self.epoll = epoll.and_then(above_stdio).ok().map(Arc::new);
        }
        let Some(epoll) = &self.epoll else {
            return false;
        };
        for (number, entry) in &mut self.entries {
            if !entry.in_epoll {
                let data = EventData::new_u64(*number as u64);
                let each_write = EventFlags::IN | EventFlags::ET;
                let added =
                    epoll::add(epoll, eventfd(&entry.eventfds, entry.end), data, each_write);
                entry.in_epoll = added.is_ok();
            }
        }
        self.entries.values().all(|entry| entry.in_epoll)
    }

    /// Removes the entry of the eventfd of that number; to be dropped after the lock.
    fn remove(&mut self, number: RawFd) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        if let Some(epoll) = &self.epoll {
            // To close the eventfd would not do, for other processes have it open.
            let _ = epoll::delete(epoll, eventfd(&entry.eventfds, entry.end));
        }
        Some(entry)
    }
}

#[derive(Default)]
pub(super) struct WakerThread {
    pub(super) state: Mutex<State>,
}

/// That of this process.
pub(super) fn waker_thread() -> &'static WakerThread {
    static WAKER_THREAD: PerProcess<WakerThread> = PerProcess::new();
    WAKER_THREAD.get_or_init(WakerThread::default)
}

/// After how long it looks again where an eventfd does not reach it, or a queue could not be told:
/// whoever has the lock may only have lost its processor for a moment.
pub(super) const RETRY_INTERVAL: Duration = Duration::from_millis(4);

/// How long it stays without work before its thread ends.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// A registration at the waker thread, given up when dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    eventfd: RawFd,
}

impl Registration {
    /// Has `queue`, of which all these eventfds are, looked after from now on, and told when
    /// the eventfd of `end` is notified, or was before. `None` if the system gives no thread.
    pub(crate) fn new(
        queue: &Weak<dyn WatchedQueue>,
        eventfds: &Eventfds,
        end: End,
    ) -> Option<Self> {
        let number = eventfd(eventfds, end).as_raw_fd();
        let mut state = waker_thread().lock();
        if !state.has_thread() {
            return None;
        }
        let entry = state.entries.entry(number).or_insert_with(|| Entry {
            queue: queue.clone(),
            eventfds: eventfds.clone(),
            end,
            registrations: 0,
            recently_used: true,
            in_epoll: false,
        });
        entry.registrations += 1;
        entry.recently_used = true;
        if !entry.in_epoll {
            state.watch_all();
        }
        Some(Self { eventfd: number })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(entry) = waker_thread().lock().entries.get_mut(&self.eventfd) {
            entry.registrations -= 1;
        }
    }
}

thread_local! {
    static IS_THIS: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is the waker thread, which is not to wait.
pub(crate) fn is_this_thread() -> bool {
    IS_THIS.get()
}

/// Forgets the queue whose eventfds these are, which nobody waits for any more.
pub(crate) fn unregister(eventfds: &Eventfds) {
    let mut state = waker_thread().lock();
    let entries =
        [End::Tail, End::Head].map(|end| state.remove(eventfd(eventfds, end).as_raw_fd()));
    drop(state);
    drop(entries);
}

/// Something to tell the queue, with no lock held.
type Notified = (Weak<dyn WatchedQueue>, End);

impl WakerThread {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        IS_THIS.set(true);
        let (mut last_check, mut busy) = (Instant::now(), Instant::now());
        let mut timeout = RECHECK_INTERVAL;
        loop {
            let notified = self.wait(timeout);
            if !notify_queues(notified, WatchedQueue::wake_futures) {
                timeout = RETRY_INTERVAL;
            }
            if last_check.elapsed() < timeout {
                continue;
            }
            timeout = self.check_peers();
            last_check = Instant::now();
            let mut state = self.lock();
            if !state.entries.is_empty() {
                busy = last_check;
            } else if busy.elapsed() > IDLE_TIMEOUT {
                state.is_running = false;
                return;
            }
        }
    }

    /// Waits until eventfds are notified, or for `timeout`: the queues of those that were.
    pub(super) fn wait(&self, timeout: Duration) -> Vec<Notified> {
        let epoll = self.lock().epoll.clone();
        let Some(epoll) = epoll else {
            std::thread::sleep(timeout);
            return Vec::new();
        };
        let mut events = [MaybeUninit::uninit(); 32];
        let timeout = Timespec::try_from(timeout).ok();
        let Ok((notified, _)) = epoll::wait(&epoll, &mut events, timeout.as_ref()) else {
            return Vec::new();
        };
        let state = self.lock();
        notified
            .iter()
            .filter_map(|event| state.entries.get(&(event.data.u64() as RawFd)))
            .map(|entry| (entry.queue.clone(), entry.end))
            .collect()
    }

    /// Checks the peers, and looks at what may have come unheard; how long until the next time.
    pub(super) fn check_peers(&self) -> Duration {
        let mut state = self.lock();
        let unused = (state.entries.iter_mut()).filter_map(|(number, entry)| {
            (entry.registrations == 0 && !take(&mut entry.recently_used)).then_some(*number)
        });
        let unused: Vec<_> = unused.collect();
        let unused: Vec<_> = (unused.into_iter())
            .map(|number| state.remove(number))
            .collect();
        let in_epoll = state.watch_all();
        let watched = (state.entries.values()).filter(|entry| entry.registrations > 0);
        let watched = watched
            .map(|entry| (entry.queue.clone(), entry.end))
            .collect();
        drop(state);
        drop(unused);
        let all_notified = notify_queues(watched, |queue, end| {
            queue.check_peers();
            queue.wake_futures(end)
        });
        if in_epoll && all_notified {
            RECHECK_INTERVAL
        } else {
            RETRY_INTERVAL
        }
    }
}

/// Tells the queues that are still there; whether all could be told.
fn notify_queues(
    notified: Vec<Notified>,
    mut what: impl FnMut(&(dyn WatchedQueue + 'static), End) -> bool,
) -> bool {
    let mut all = true;
    for (queue, end) in notified {
        if let Some(queue) = queue.upgrade() {
            all &= what(&*queue, end);
        }
    }
    all
}
