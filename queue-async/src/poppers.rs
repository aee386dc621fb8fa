//! [`Poppers`]: those who wait for an item.
//!
//! Nobody is ever handed an item. Who stands at the front is *granted*: its turn has
//! come, and it takes an item itself, and only then leaves the line. So an item stays in
//! the queue, in order, until the moment it is popped, and a waiter that is cancelled,
//! granted or not, has nothing to give back.
//!
//! The granted are a prefix of the line, as many as there are items for.

use crate::line::{Key, Line, NONE};
use crate::wake::{Wake, Wakes};

struct Popper {
    granted: bool,
    /// Set while it sleeps: who is granted awake comes by itself.
    wake: Option<Wake>,
}

/// See the module's page.
#[repr(C)] // See `State`.
pub(crate) struct Poppers {
    granted: usize,
    line: Line<Popper>,
    /// The first that is not granted.
    ungranted: usize,
}

impl Poppers {
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

    pub(crate) fn join(&mut self, wake: Option<Wake>) -> Key {
        let key = self.line.join(Popper {
            granted: false,
            wake,
        });
        if self.ungranted == NONE {
            self.ungranted = key;
        }
        key
    }

    /// How `key`, which is not granted, is woken.
    pub(crate) fn wake_mut(&mut self, key: Key) -> &mut Option<Wake> {
        &mut self.line[key].wake
    }

    /// Takes `key` out of the line, wherever it stands. Its wake (the granted have none)
    /// is to be dropped after the lock.
    pub(crate) fn leave(&mut self, key: Key) -> Option<Wake> {
        if self.is_granted(key) {
            self.granted -= 1;
        } else if self.ungranted == key {
            self.ungranted = self.line.next(key);
        }
        self.line.unlink(key);
        self.line.remove(key).wake
    }

    /// Whether as many are granted as should be with so many items.
    #[inline]
    pub(crate) fn is_settled(&self, items: usize) -> bool {
        self.granted == self.waiting().min(items)
    }

    /// Grants those next in line, or takes back the grants of the last: those were woken,
    /// or will come by themselves, find that somebody was faster, and sleep again in
    /// their place.
    pub(crate) fn settle(&mut self, items: usize, wakes: &mut Wakes) {
        while self.granted < items && self.ungranted != NONE {
            let key = self.ungranted;
            self.ungranted = self.line.next(key);
            self.granted += 1;
            let popper = &mut self.line[key];
            popper.granted = true;
            wakes.add(popper.wake.take());
        }
        while self.granted > items {
            let key = match self.ungranted {
                NONE => self.line.last(),
                key => self.line.prev(key),
            };
            self.line[key].granted = false;
            self.ungranted = key;
            self.granted -= 1;
        }
    }
}
