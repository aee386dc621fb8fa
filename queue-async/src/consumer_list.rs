//! [`ConsumerList`]: those who wait for an item.
//!
//! Nobody is ever handed an item. Who stands at the front is *granted*: its turn has
//! come, and it takes an item itself, and only then leaves the line. So an item stays in
//! the queue, in order, until the moment it is popped, and a waiter that is cancelled,
//! granted or not, has nothing to give back.
//!
//! The granted are a prefix of the line, as many as there are items for.

use queue_core::waiters::{WaitList as Line, WaiterId as Key};
use std::task::Waker;

/// The first that is not granted, where all are.
const NONE: Key = Line::<WaitingConsumer>::NONE;

#[derive(Default)]
struct WaitingConsumer {
    /// Set while it sleeps: who is granted awake comes by itself.
    waker: Option<Waker>,
    granted: bool,
}

/// See the module's page.
#[repr(C)] // See `State`.
pub(crate) struct ConsumerList {
    granted: usize,
    line: Line<WaitingConsumer>,
    /// The first that is not granted.
    ungranted: Key,
}

impl ConsumerList {
    pub(crate) fn new() -> Self {
        Self {
            line: Line::new(),
            granted: 0,
            ungranted: NONE,
        }
    }

    /// How many stand in line, granted or not.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.line.waiting()
    }

    /// How many of them are granted.
    #[inline]
    pub(crate) fn granted(&self) -> usize {
        self.granted
    }

    #[inline]
    pub(crate) fn is_granted(&self, key: Key) -> bool {
        self.line[key].granted
    }

    #[inline]
    pub(crate) fn join(&mut self, waker: Option<Waker>) -> Key {
        let key = self.line.enqueue(WaitingConsumer {
            waker,
            granted: false,
        });
        if self.ungranted == NONE {
            self.ungranted = key;
        }
        key
    }

    /// How `key`, which is not granted, is woken.
    pub(crate) fn waker_mut(&mut self, key: Key) -> &mut Option<Waker> {
        &mut self.line[key].waker
    }

    /// Takes `key` out of the line, wherever it stands. Its waker (the granted have none)
    /// is to be dropped after the lock.
    pub(crate) fn leave(&mut self, key: Key) -> Option<Waker> {
        if self.is_granted(key) {
            self.leave_granted(key);
            return None;
        }
        if self.ungranted == key {
            self.ungranted = self.line.next(key);
        }
        self.line.unlink(key);
        self.line.remove(key).waker
    }

    /// Takes `key`, which is granted, out of the line.
    #[inline]
    pub(crate) fn leave_granted(&mut self, key: Key) {
        self.granted -= 1;
        self.line.unlink(key);
        self.line.remove(key);
    }

    /// Whether as many are granted as should be with so many items.
    #[inline]
    pub(crate) fn all_served(&self, items: usize) -> bool {
        self.granted == self.waiting().min(items)
    }

    /// Grants those next in line, or takes grants back, until as many are granted as
    /// should be with so many items, or until one is granted who sleeps: its waker.
    #[inline]
    pub(crate) fn grant(&mut self, items: usize) -> Option<Waker> {
        while self.granted < items && self.ungranted != NONE {
            let key = self.ungranted;
            self.ungranted = self.line.next(key);
            self.granted += 1;
            let consumer = &mut self.line[key];
            consumer.granted = true;
            let waker = consumer.waker.take();
            if waker.is_some() {
                return waker;
            }
        }
        if self.granted > items {
            self.take_back(items);
        }
        None
    }

    /// Takes back the grants of the last, if more than `items` are granted: those were woken, or
    /// will come by themselves, find that somebody was faster, and sleep again in their position.
    #[cold]
    pub(crate) fn take_back(&mut self, items: usize) {
        while self.granted > items {
            self.ungranted = self.line.prev(self.ungranted);
            self.line[self.ungranted].granted = false;
            self.granted -= 1;
        }
    }
}
