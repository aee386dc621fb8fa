//! [`Shared`]: what the handles of one process have in common, and what it does for those who
//! [wait](crate::linux::wait).

use super::format::Limits;
use super::platform::Linux;
use crate::deferred::Deferred;
use crate::linux::engine::control::{End, joining};
use crate::linux::engine::end_lock::Tries;
use crate::linux::engine::leases::PreparedJoin;
use crate::linux::engine::{Engine, Storage};
use crate::linux::wait::futures::WaitList;
use crate::linux::wait::sleepers::Sleepers;
use crate::linux::wait::target::WaitTarget;
use crate::linux::wait::waker_thread::{Registration, WatchedQueue};
use crate::sys::PerProcess;
use crate::unwind::ignore_panic;
use queue_core::event::Event;
use queue_core::sync::{Deadline, spin};
use queue_core::{EndpointCounts, Failure, QueueId, Side, Stats};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What the clones of a handle share.
pub(crate) struct Shared<S: Storage> {
    pub(crate) engine: Engine<S, Linux>,
    pub(crate) limits: Limits,
    pub(crate) ends: EndpointCounts,
    /// The futures of this process that wait for the tail, and for the head.
    pub(super) waiting: PerProcess<[WaitList; 2]>,
    /// Its threads that sleep until the tail moves, and until the head does.
    pub(super) sleepers: PerProcess<[Sleepers; 2]>,
    /// The half whose verbs alone this process may use, or the whole.
    pub(crate) half: Option<Side>,
    /// What lives as long as this process has a handle: what hands the queue to whoever asks
    /// for it by name.
    pub(super) attached: Mutex<Option<Box<dyn Send>>>,
    /// When the dead were last looked for, in milliseconds of a coarse clock.
    pub(crate) last_check: AtomicU32,
    /// What was popped in a batch and is still to be returned.
    pub(crate) deferred: Deferred,
    /// The futures of this process that join the queue.
    pub(super) joining: PerProcess<Event>,
    /// At which [idle moment](crate::linux::lease::table::LeaseState::idle_seq) they were last woken.
    pub(super) joined: AtomicU32,
}

impl<S: Storage> Shared<S> {
    /// Keeps `what` until the last handle of this process is dropped.
    pub(crate) fn attach(&self, what: impl Send + 'static) {
        let mut attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
        *attached = Some(Box::new(what));
    }

    /// The futures of this process that wait for `end`.
    pub(crate) fn waiting(&self, end: End) -> &WaitList {
        &self.waiting.get_or_init(Default::default)[end as usize]
    }

    /// The threads of this process that sleep until `end` moves.
    fn sleepers(&self, end: End) -> &Sleepers {
        &self.sleepers.get_or_init(Default::default)[end as usize]
    }

    /// Tells this queue from all others, by whatever way it came into this process: by the number of
    /// its memory, which while it exists no other has.
    pub(crate) fn id(&self) -> QueueId {
        match rustix::fs::fstat(self.engine.platform().mapping().file()) {
            Ok(status) => QueueId::new(status.st_dev, status.st_ino),
            Err(_) => QueueId::of_address(&self.ends),
        }
    }

    /// How many items are inside, or still to be given to this process.
    pub(crate) fn len(&self) -> usize {
        self.check_holders_if_due();
        let len = self.engine.exact_len() as usize + self.deferred.len();
        len.min(self.engine.capacity() as usize)
    }

    /// Whether a push would find no slot.
    pub(crate) fn is_full(&self) -> bool {
        self.engine.recover(Tries::Endless);
        self.engine.free() == 0
    }

    /// Who takes part, and how many items have passed each end.
    pub(crate) fn stats(&self) -> Stats {
        // Relaxed: numbers, no more.
        let passed = |end| {
            let control = self.engine.control();
            Some(control.end(end).cursor(Ordering::Relaxed).count)
        };
        let mut stats = Stats::default();
        stats.producers = self.engine.platform().members(Side::Producers);
        stats.consumers = self.engine.platform().members(Side::Consumers);
        stats.pushed = passed(End::Tail);
        stats.popped = passed(End::Head);
        stats
    }

    /// Who slept looks for the dead: without fail if it slept for as long as one may.
    fn check_after_sleep(&self, is_time: bool) {
        match is_time {
            true => self.check_peers(Tries::Endless),
            // Who is woken again and again, by signals say, sleeps no whole time.
            false => self.check_peers_if_due(),
        }
    }

    /// Wakes those who wait for items: something was deferred.
    pub(crate) fn wake_consumers(&self) {
        self.engine.wake_for_returned(Tries::Endless, true);
        self.waiting(End::Tail).event().notify_all();
    }
}

impl<S: Storage + 'static> WaitTarget for Arc<Shared<S>> {
    fn wait(&self, end: End, deadline: Deadline) -> bool {
        let sleepers = self.sleepers(end);
        let left = || deadline.remaining();
        let awake = |is_time| self.check_after_sleep(is_time);
        (self.engine).wait(end, sleepers, left, || has_deferred(self, end), awake)
    }

    fn ready_hint(&self, end: End) -> usize {
        match end {
            _ if self.engine.is_over(end) => usize::MAX,
            // Not `len`: to ask whether a holder of a lock lives is a system call.
            End::Tail => self.engine.len() as usize + self.deferred.len(),
            End::Head => self.engine.free() as usize,
        }
    }

    fn batch_target(&self) -> usize {
        spin::batch_target(self.limits.bound.capacity())
    }

    fn event(&self, end: End) -> &Event {
        self.waiting(end).event()
    }

    fn prepare_async_wait(&self, end: End) -> bool {
        // In this order: a thread that defers something wakes those who waited before.
        self.engine
            .prepare_async_wait(end, self.waiting(end))
            .unwrap_or(false)
            && !has_deferred(self, end)
    }

    fn registration(&self, end: End) -> Option<Registration> {
        let queue: Weak<Shared<S>> = Arc::downgrade(self);
        let queue: Weak<dyn WatchedQueue> = queue;
        Registration::new(&queue, self.engine.platform().eventfds(), end)
    }

    fn join(&self, deadline: Deadline) -> bool {
        let awake = |is_time| self.check_after_sleep(is_time);
        self.engine.join(|| deadline.remaining(), awake)
    }

    fn joining(&self) -> &Event {
        self.joining.get_or_init(Event::new)
    }

    fn prepare_join(&self) -> Result<PreparedJoin, Failure> {
        self.engine.prepare_join(joining::FUTURES)
    }
}

/// Whether something was deferred for those who wait for `end`.
fn has_deferred<S: Storage>(shared: &Shared<S>, end: End) -> bool {
    end == End::Tail && shared.deferred.is_some()
}

impl<S: Storage> WatchedQueue for Shared<S> {
    fn check_peers(&self) {
        Self::check_peers(self, Tries::Few);
    }

    fn wake_futures(&self, end: End) -> bool {
        if end == End::Head {
            self.wake_joining();
        }
        let list = self.waiting(end);
        let passed = self.engine.wake_futures(end, list, Tries::Few);
        passed.unwrap_or_else(|_| {
            // Whoever tries now will meet the failure.
            ignore_panic(|| list.event().notify_all());
            true
        })
    }
}
