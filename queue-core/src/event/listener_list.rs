//! The listeners of one event. Those that are not yet notified are in a wait list, so that
//! registering, notifying and cancelling are each O(1), with ten thousand waiters too.

use crate::waiters::{WaitList, WaiterId};
use std::task::Waker;

/// How a listener is woken. A thread will try again; a task may never be polled again.
#[derive(Debug)]
pub(super) enum Sleeper {
    Thread(Waker),
    Task(Waker),
}

#[derive(Debug, Default)]
struct Listener {
    notified: bool,
    /// Whether it surely tries again once it is notified: true but for a sleeping task.
    will_retry: bool,
    /// Set while it sleeps.
    waker: Option<Waker>,
}

impl Listener {
    fn is_sleeping_thread(&self) -> bool {
        self.will_retry && self.waker.is_some()
    }
}

#[derive(Debug)]
pub(super) struct Listeners {
    waiters: WaitList<Listener>,
    /// How many of the waiters are sleeping threads.
    threads: usize,
    /// How many were notified, will retry, and have not done so yet.
    woken: usize,
}

impl Listeners {
    pub(super) fn new() -> Self {
        Self {
            waiters: WaitList::new(),
            threads: 0,
            woken: 0,
        }
    }

    /// How many are not yet notified.
    pub(super) fn waiting(&self) -> usize {
        self.waiters.waiting()
    }

    /// Whether a notified listener will surely retry, and so wake the next one. The answer is no while
    /// a task waits: a notified task that is not polled again would wake nobody behind it.
    pub(super) fn has_pending(&self) -> bool {
        self.woken != 0 && self.threads == self.waiting()
    }

    /// Adds a listener behind all others.
    pub(super) fn insert(&mut self) -> WaiterId {
        self.waiters.enqueue(Listener {
            notified: false,
            will_retry: true,
            waker: None,
        })
    }

    /// Whether `id` has been notified.
    pub(super) fn is_notified(&self, id: WaiterId) -> bool {
        self.waiters[id].notified
    }

    /// Sets how to wake `id`, which is not notified, and returns the waker that it had before.
    pub(super) fn sleep(&mut self, id: WaiterId, sleeper: Sleeper) -> Option<Waker> {
        let (will_retry, waker) = match sleeper {
            Sleeper::Thread(waker) => (true, waker),
            Sleeper::Task(waker) => (false, waker),
        };
        let listener = &mut self.waiters[id];
        self.threads -= usize::from(listener.is_sleeping_thread());
        listener.will_retry = will_retry;
        let old = listener.waker.replace(waker);
        self.threads += usize::from(will_retry);
        old
    }

    /// Removes `id`, and returns whether it was notified, and its waker.
    pub(super) fn remove(&mut self, id: WaiterId) -> (bool, Option<Waker>) {
        let Listener {
            notified,
            will_retry,
            ..
        } = self.waiters[id];
        if notified {
            self.woken -= usize::from(will_retry);
        } else {
            self.unlink(id);
        }
        (notified, self.waiters.remove(id).waker)
    }

    /// Notifies the listener that has waited longest, and returns its waker.
    pub(super) fn notify_first(&mut self) -> Option<Waker> {
        if self.waiting() == 0 {
            return None;
        }
        let id = self.waiters.first();
        self.unlink(id);
        let listener = &mut self.waiters[id];
        listener.notified = true;
        self.woken += usize::from(listener.will_retry);
        listener.waker.take()
    }

    /// Notifies all, and returns their wakers.
    pub(super) fn notify_all(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while self.waiting() != 0 {
            wakers.extend(self.notify_first());
        }
        wakers
    }

    /// Takes `id` out of the wait list.
    fn unlink(&mut self, id: WaiterId) {
        self.threads -= usize::from(self.waiters[id].is_sleeping_thread());
        self.waiters.unlink(id);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Listeners, Sleeper};
    use std::task::Waker;

    fn thread() -> Sleeper {
        Sleeper::Thread(Waker::noop().clone())
    }

    fn task() -> Sleeper {
        Sleeper::Task(Waker::noop().clone())
    }

    #[test]
    fn a_notified_thread_is_pending_until_it_retries() {
        let mut list = Listeners::new();
        let ids = [(); 4].map(|()| list.insert());
        for id in ids {
            assert!(list.sleep(id, thread()).is_none());
        }
        assert!(list.sleep(ids[3], thread()).is_some(), "asleep before");
        assert!(!list.has_pending(), "nobody was notified");
        assert!(list.notify_first().is_some());
        assert_eq!(
            ids.map(|id| list.is_notified(id)),
            [true, false, false, false]
        );
        assert!(list.has_pending());
        let (notified, waker) = list.remove(ids[1]);
        assert!(!notified && waker.is_some() && list.has_pending());
        let (notified, waker) = list.remove(ids[0]);
        assert!(notified && waker.is_none());
        assert!(!list.has_pending(), "it has retried");
        assert_eq!(list.notify_all().len(), 2);
        assert_eq!((list.waiting(), list.has_pending()), (0, true));
    }

    #[test]
    fn no_task_is_relied_on_asleep_or_notified() {
        let mut list = Listeners::new();
        let [_awake, second, third, _fourth] = [(); 4].map(|()| {
            let id = list.insert();
            list.sleep(id, thread());
            id
        });
        list.notify_first();
        list.sleep(third, task());
        assert!(
            !list.has_pending(),
            "a task sleeps, and it may never be polled"
        );
        list.sleep(third, thread());
        assert!(list.has_pending(), "a thread polls it now");
        list.sleep(second, task());
        list.remove(second);
        assert!(list.has_pending());

        let mut list = Listeners::new();
        let [first, second] = [(); 2].map(|()| list.insert());
        list.sleep(first, task());
        list.sleep(second, thread());
        list.notify_first();
        assert!(!list.has_pending(), "it may never be polled again");
    }
}
