//! [`Line`]: those who wait for one thing, in the order they came.
//!
//! Nobody is ever handed an item. Who stands at the front is *granted*: its turn has
//! come, and it takes what it came for itself, and only then leaves the line. So an
//! item stays in the queue, in order, until the moment it is popped, and a waiter that
//! is cancelled, granted or not, has nothing to give back.
//!
//! The granted are always a prefix of the line, as long as there is something for each
//! of them. A slab of nodes in a doubly linked list: joining, granting and leaving are
//! each O(1), with ten thousand waiters too, and allocate nothing once the slab has
//! grown.

use queue_core::sync::thread::Thread;
use std::task::Waker;

const NONE: usize = usize::MAX;

/// How many nodes a line keeps when it has emptied.
const KEEP: usize = 64;

/// How to wake one who sleeps.
#[derive(Debug)]
pub(crate) enum Wake {
    Thread(Thread),
    Task(Waker),
}

/// Those who are to be woken once the lock is released: that is what dropping this does,
/// so declare it before taking the lock.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    first: Option<Wake>,
    more: Vec<Wake>,
}

impl Wakes {
    fn push(&mut self, wake: Wake) {
        if self.first.is_none() {
            self.first = Some(wake);
        } else {
            self.more.push(wake);
        }
    }
}

impl Drop for Wakes {
    #[inline]
    fn drop(&mut self) {
        if let Some(first) = self.first.take() {
            for wake in std::iter::once(first).chain(self.more.drain(..)) {
                match wake {
                    Wake::Thread(thread) => thread.unpark(),
                    Wake::Task(waker) => waker.wake(),
                }
            }
        }
    }
}

/// Names a waiter from `join` to `leave`.
pub(crate) type Key = usize;

#[derive(Debug)]
struct Node {
    /// Its turn has come.
    granted: bool,
    /// Set while it sleeps: who is granted awake comes back by itself.
    wake: Option<Wake>,
    prev: usize,
    /// The next in line; chains the vacant nodes as well.
    next: usize,
}

/// See the module's page.
#[derive(Debug)]
pub(crate) struct Line {
    nodes: Vec<Node>,
    vacant: usize,
    first: usize,
    last: usize,
    /// The first that is not granted.
    ungranted: usize,
    waiting: usize,
    granted: usize,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            vacant: NONE,
            first: NONE,
            last: NONE,
            ungranted: NONE,
            waiting: 0,
            granted: 0,
        }
    }

    /// How many stand in line, granted or not.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many of them are granted.
    #[inline]
    pub(crate) fn granted(&self) -> usize {
        self.granted
    }

    /// Whether the turn of `key` has come.
    #[inline]
    pub(crate) fn is_granted(&self, key: Key) -> bool {
        self.nodes[key].granted
    }

    /// A new waiter, behind all others; grant it by [`settle`](Self::settle).
    pub(crate) fn join(&mut self, wake: Option<Wake>) -> Key {
        let node = Node {
            granted: false,
            wake,
            prev: self.last,
            next: NONE,
        };
        let key = self.vacant;
        let key = if key == NONE {
            self.nodes.push(node);
            self.nodes.len() - 1
        } else {
            self.vacant = self.nodes[key].next;
            self.nodes[key] = node;
            key
        };
        match self.last {
            NONE => self.first = key,
            last => self.nodes[last].next = key,
        }
        self.last = key;
        if self.ungranted == NONE {
            self.ungranted = key;
        }
        self.waiting += 1;
        key
    }

    /// Whether `key` sleeps and is woken by `waker`.
    pub(crate) fn sleeps_on(&self, key: Key, waker: &Waker) -> bool {
        matches!(&self.nodes[key].wake, Some(Wake::Task(mine)) if mine.will_wake(waker))
    }

    /// Says how to wake `key`, which is not granted. Gives back how it was before, to be
    /// dropped after the lock: a waker is foreign code.
    #[must_use]
    pub(crate) fn sleep(&mut self, key: Key, wake: Wake) -> Option<Wake> {
        self.nodes[key].wake.replace(wake)
    }

    /// Takes `key` out of the line, wherever it stands. The wake is to be dropped after
    /// the lock; who was granted has none.
    #[must_use]
    pub(crate) fn leave(&mut self, key: Key) -> Option<Wake> {
        let node = &mut self.nodes[key];
        let wake = node.wake.take();
        let (prev, next) = (node.prev, node.next);
        if node.granted {
            self.granted -= 1;
        } else if self.ungranted == key {
            self.ungranted = next;
        }
        node.next = self.vacant;
        self.vacant = key;
        match prev {
            NONE => self.first = next,
            prev => self.nodes[prev].next = next,
        }
        match next {
            NONE => self.last = prev,
            next => self.nodes[next].prev = prev,
        }
        self.waiting -= 1;
        if self.waiting == 0 {
            // A crowd that has gone gives its memory back.
            self.vacant = NONE;
            self.nodes.clear();
            self.nodes.shrink_to(KEEP);
        }
        wake
    }

    /// Makes the granted as many as there is something for: grants those next in line,
    /// or takes back the grants of the last (whose wake, if it had one, is on its way:
    /// it comes, finds that somebody was faster, and sleeps again in its place).
    pub(crate) fn settle(&mut self, available: usize, wakes: &mut Wakes) {
        while self.granted < available && self.ungranted != NONE {
            let node = &mut self.nodes[self.ungranted];
            node.granted = true;
            self.ungranted = node.next;
            self.granted += 1;
            if let Some(wake) = node.wake.take() {
                wakes.push(wake);
            }
        }
        while self.granted > available {
            let last = match self.ungranted {
                NONE => self.last,
                key => self.nodes[key].prev,
            };
            self.nodes[last].granted = false;
            self.ungranted = last;
            self.granted -= 1;
        }
    }
}
