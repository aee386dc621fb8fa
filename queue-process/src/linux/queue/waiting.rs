//! What a queue does for those who [wait](crate::linux::wait) for it.

use super::handle::Shared;
use crate::foreign::calmly;
use crate::linux::engine::layout::End;
use crate::linux::engine::lock::Tries;
use crate::linux::engine::storage::Storage;
use crate::linux::wait::listener::WaitTarget;
use crate::linux::wait::waker_thread::{Registration, WatchedQueue};
use queue_core::event::Event;
use queue_core::sync::{Deadline, spin};
use std::sync::{Arc, Weak};

impl<S: Storage + 'static> WaitTarget for Arc<Shared<S>> {
    fn wait(&self, end: End, deadline: Deadline) -> bool {
        let awake = |is_time| {
            if is_time {
                self.check_peers(Tries::Endless);
            } else {
                // Who is woken again and again, by signals say, sleeps no whole time.
                self.check_peers_if_due();
            }
        };
        let sleepers = self.sleepers(end);
        let left = || deadline.remaining();
        (self.engine).wait(end, sleepers, left, || owes(self, end), awake)
    }

    fn ready_hint(&self, end: End) -> usize {
        Shared::ready_hint(self, end)
    }

    fn enough(&self) -> usize {
        spin::batch_target(self.limits.bound.capacity())
    }

    fn event(&self, end: End) -> &Event {
        self.waiting(end).event()
    }

    fn prepare_async_wait(&self, end: End) -> bool {
        // In this order: who owes something wakes those who waited before.
        self.engine
            .prepare_async_wait(end, self.waiting(end))
            .unwrap_or(false)
            && !owes(self, end)
    }

    fn registration(&self, end: End) -> Option<Registration> {
        let queue: Weak<Shared<S>> = Arc::downgrade(self);
        let queue: Weak<dyn WatchedQueue> = queue;
        Registration::new(&queue, self.engine.platform().eventfds(), end)
    }
}

/// Whether something is owed to those who wait for `end`.
fn owes<S: Storage>(shared: &Shared<S>, end: End) -> bool {
    end == End::Tail && shared.owed.is_some()
}

impl<S: Storage> WatchedQueue for Shared<S> {
    fn check_peers(&self) {
        Self::check_peers(self, Tries::Few);
    }

    fn wake_futures(&self, end: End) -> bool {
        let list = self.waiting(end);
        let passed = self.engine.wake_futures(end, list, Tries::Few);
        passed.unwrap_or_else(|_| {
            // Whoever tries now will meet the failure.
            calmly(|| list.event().notify_all());
            true
        })
    }
}
