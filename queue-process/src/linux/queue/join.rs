//! Waiting until the queue is idle, of the handles of one process.

use super::shared::Shared;
use crate::linux::engine::Storage;
use crate::linux::engine::layout::{End, Tries, joining};
use crate::linux::engine::lend::PreparedJoin;
use crate::linux::wait::join_listener::JoinTarget;
use crate::linux::wait::listener::WaitTarget;
use crate::linux::wait::waker_thread::Registration;
use crate::unwind::ignore_panic;
use queue_core::event::Event;
use queue_core::sync::Deadline;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl<S: Storage> Shared<S> {
    /// How many items are lent.
    pub(super) fn in_flight(&self) -> usize {
        if self.engine.held() != 0 {
            // Some of those that have them may be dead.
            self.check_peers_if_due();
        }
        self.engine.held() as usize
    }

    /// Whether nothing waits and nothing is lent. What is deferred in this process was popped: who
    /// waits for the queue to be idle is not told of it either.
    pub(super) fn is_idle(&self) -> bool {
        self.engine.is_idle()
    }

    fn joining_event(&self) -> &Event {
        self.joining.get_or_init(Event::new)
    }

    /// Wakes the futures of this process that join, if the queue was idle since the last time, or
    /// is.
    pub(super) fn wake_joining(&self) {
        let Some(event) = self.joining.get() else {
            return;
        };
        if !event.has_waiting() {
            return;
        }
        let idle_seq = &self.engine.control().leases.idle_seq;
        let seq = idle_seq.load(Ordering::Relaxed);
        // Relaxed: of the waker thread alone.
        if self.joined.swap(seq, Ordering::Relaxed) != seq || self.engine.is_idle() {
            ignore_panic(|| event.notify_all());
        }
    }
}

impl<S: Storage + 'static> JoinTarget for Arc<Shared<S>> {
    fn join(&self, deadline: Deadline) -> bool {
        let awake = |is_time| match is_time {
            true => self.check_peers(Tries::Endless),
            false => self.check_peers_if_due(),
        };
        self.engine.join(|| deadline.remaining(), awake)
    }

    fn joining(&self) -> &Event {
        self.joining_event()
    }

    fn prepare_join(&self) -> PreparedJoin {
        // A failure: it is looked at again as long as this waits.
        let asleep = PreparedJoin::Asleep(0);
        self.engine.prepare_join(joining::FUTURES).unwrap_or(asleep)
    }

    fn registration(&self) -> Option<Registration> {
        WaitTarget::registration(self, End::Head)
    }
}
