//! The listeners of one event: those not yet notified stand in line, so that
//! registering, notifying and cancelling are each O(1), with ten thousand waiters too.

use crate::waiters::{Key, Line};
use std::task::Waker;

/// How a listener is woken: a task may never be polled again, a thread comes.
#[derive(Debug)]
pub(super) enum Sleeper {
    Thread(Waker),
    Task(Waker),
}

#[derive(Debug, Default)]
struct Listener {
    notified: bool,
    /// Whether it comes, once notified, and tries again: anybody but a task that sleeps.
    comes: bool,
    /// Set while it sleeps.
    waker: Option<Waker>,
}

impl Listener {
    fn is_sleeping_thread(&self) -> bool {
        self.comes && self.waker.is_some()
    }
}

#[derive(Debug)]
pub(super) struct List {
    line: Line<Listener>,
    /// How many in line are threads asleep.
    threads: usize,
    /// How many were notified, are not back yet, and come.
    coming: usize,
}

impl List {
    pub(super) fn new() -> Self {
        Self {
            line: Line::new(),
            threads: 0,
            coming: 0,
        }
    }

    /// How many are not yet notified.
    pub(super) fn waiting(&self) -> usize {
        self.line.waiting()
    }

    /// Whether somebody is on the way who can be relied on to wake the next one. While a
    /// task waits the answer is no: between a task that was notified and is not polled
    /// again and one that sleeps behind it there would be nobody.
    pub(super) fn has_pending(&self) -> bool {
        self.coming != 0 && self.threads == self.waiting()
    }

    /// A new listener, behind all others.
    pub(super) fn insert(&mut self) -> Key {
        self.line.join(Listener {
            notified: false,
            comes: true,
            waker: None,
        })
    }

    /// Whether `key` has been notified.
    pub(super) fn is_notified(&self, key: Key) -> bool {
        self.line[key].notified
    }

    /// Says how to wake `key`, which is not notified; gives back how it was before.
    pub(super) fn sleep(&mut self, key: Key, sleeper: Sleeper) -> Option<Waker> {
        let (comes, waker) = match sleeper {
            Sleeper::Thread(waker) => (true, waker),
            Sleeper::Task(waker) => (false, waker),
        };
        let listener = &mut self.line[key];
        self.threads -= usize::from(listener.is_sleeping_thread());
        listener.comes = comes;
        let old = listener.waker.replace(waker);
        self.threads += usize::from(comes);
        old
    }

    /// Takes `key` off the list: whether it was notified, and its waker.
    pub(super) fn remove(&mut self, key: Key) -> (bool, Option<Waker>) {
        let Listener {
            notified, comes, ..
        } = self.line[key];
        if notified {
            self.coming -= usize::from(comes);
        } else {
            self.unlink(key);
        }
        (notified, self.line.remove(key).waker)
    }

    /// Notifies who has waited longest; gives how to wake it.
    pub(super) fn notify_first(&mut self) -> Option<Waker> {
        if self.waiting() == 0 {
            return None;
        }
        let key = self.line.first();
        self.unlink(key);
        let listener = &mut self.line[key];
        listener.notified = true;
        self.coming += usize::from(listener.comes);
        listener.waker.take()
    }

    /// Notifies all.
    pub(super) fn notify_all(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while self.waiting() != 0 {
            wakers.extend(self.notify_first());
        }
        wakers
    }

    /// Takes `key` out from among the waiting.
    fn unlink(&mut self, key: Key) {
        self.threads -= usize::from(self.line[key].is_sleeping_thread());
        self.line.unlink(key);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{List, Sleeper};
    use std::task::Waker;

    fn thread() -> Sleeper {
        Sleeper::Thread(Waker::noop().clone())
    }

    fn task() -> Sleeper {
        Sleeper::Task(Waker::noop().clone())
    }

    #[test]
    fn a_thread_that_was_notified_is_on_its_way_until_it_is_back() {
        let mut list = List::new();
        let keys = [(); 4].map(|()| list.insert());
        for key in keys {
            assert!(list.sleep(key, thread()).is_none());
        }
        assert!(list.sleep(keys[3], thread()).is_some(), "asleep before");
        assert!(!list.has_pending(), "nobody was notified");
        assert!(list.notify_first().is_some());
        assert_eq!(
            keys.map(|key| list.is_notified(key)),
            [true, false, false, false]
        );
        assert!(list.has_pending());
        let (notified, waker) = list.remove(keys[1]);
        assert!(!notified && waker.is_some() && list.has_pending());
        let (notified, waker) = list.remove(keys[0]);
        assert!(notified && waker.is_none());
        assert!(!list.has_pending(), "it is back");
        assert_eq!(list.notify_all().len(), 2);
        assert_eq!((list.waiting(), list.has_pending()), (0, true));
    }

    #[test]
    fn a_task_is_relied_on_neither_asleep_nor_notified() {
        let mut list = List::new();
        let [_awake, second, third, _fourth] = [(); 4].map(|()| {
            let key = list.insert();
            list.sleep(key, thread());
            key
        });
        list.notify_first();
        list.sleep(third, task());
        assert!(
            !list.has_pending(),
            "one sleeps behind whom nobody may come"
        );
        list.sleep(third, thread());
        assert!(list.has_pending(), "a thread polls it now");
        list.sleep(second, task());
        list.remove(second);
        assert!(list.has_pending());

        let mut list = List::new();
        let [first, second] = [(); 2].map(|()| list.insert());
        list.sleep(first, task());
        list.sleep(second, thread());
        list.notify_first();
        assert!(!list.has_pending(), "it may never be polled again");
    }
}
