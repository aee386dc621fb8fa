//! The listeners of one event, in the order they came.
//!
//! A slab of nodes; those not yet notified form a doubly linked list, so that
//! registering, notifying and cancelling are each O(1), with ten thousand waiters too.

use crate::sync::thread::Thread;
use std::task::Waker;

const NONE: usize = usize::MAX;

/// How to wake who sleeps on a listener.
#[derive(Debug)]
pub(super) enum Wake {
    Thread(Thread),
    Task(Waker),
}

impl Wake {
    fn is_thread(&self) -> bool {
        matches!(self, Self::Thread(_))
    }

    pub(super) fn wake(self) {
        match self {
            Self::Thread(thread) => thread.unpark(),
            Self::Task(waker) => waker.wake(),
        }
    }
}

#[derive(Debug)]
enum State {
    /// Listening; asleep once there is a wake.
    Waiting(Option<Wake>),
    /// Told to try again, and not yet back. A task may never be polled again; anybody
    /// else comes.
    Notified { comes: bool },
    /// Not in use.
    Vacant,
}

#[derive(Debug)]
struct Node {
    state: State,
    /// Neighbours among the waiting; `next` also chains the vacant.
    prev: usize,
    next: usize,
}

#[derive(Debug)]
pub(super) struct List {
    nodes: Vec<Node>,
    vacant: usize,
    first: usize,
    last: usize,
    /// How many are not yet notified, and how many of them are threads asleep.
    waiting: usize,
    threads: usize,
    /// How many were notified and are not back yet, and how many of them come.
    pending: usize,
    coming: usize,
}

impl List {
    pub(super) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            vacant: NONE,
            first: NONE,
            last: NONE,
            waiting: 0,
            threads: 0,
            pending: 0,
            coming: 0,
        }
    }

    /// How many are not yet notified.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether somebody is on the way who can be relied on to wake the next one. While a
    /// task waits the answer is no: between a task that was notified and is not polled
    /// again and one that sleeps behind it there would be nobody.
    pub(super) fn has_pending(&self) -> bool {
        self.coming != 0 && self.threads == self.waiting
    }

    /// A new listener, behind all others.
    pub(super) fn insert(&mut self) -> usize {
        let node = Node {
            state: State::Waiting(None),
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
        self.waiting += 1;
        key
    }

    /// Whether `key` has been notified.
    pub(super) fn is_notified(&self, key: usize) -> bool {
        matches!(self.nodes[key].state, State::Notified { .. })
    }

    /// Says how to wake `key`, which is not notified; gives back how it was before.
    pub(super) fn sleep(&mut self, key: usize, wake: Wake) -> Option<Wake> {
        match &mut self.nodes[key].state {
            State::Waiting(slot) => {
                self.threads += usize::from(wake.is_thread());
                let old = slot.replace(wake);
                self.threads -= usize::from(old.as_ref().is_some_and(Wake::is_thread));
                old
            }
            State::Notified { .. } | State::Vacant => Some(wake),
        }
    }

    /// Takes `key` off the list: whether it was notified, and its wake.
    pub(super) fn remove(&mut self, key: usize) -> (bool, Option<Wake>) {
        let removed = match std::mem::replace(&mut self.nodes[key].state, State::Vacant) {
            State::Waiting(wake) => {
                self.unlink(key, wake.as_ref());
                (false, wake)
            }
            State::Notified { comes } => {
                self.pending -= 1;
                self.coming -= usize::from(comes);
                (true, None)
            }
            State::Vacant => unreachable!("a listener is removed once"),
        };
        self.nodes[key].next = self.vacant;
        self.vacant = key;
        if self.waiting == 0 && self.pending == 0 {
            // A crowd that has gone gives its memory back.
            self.vacant = NONE;
            self.nodes.clear();
            self.nodes.shrink_to(64);
        }
        removed
    }

    /// Notifies who has waited longest; gives how to wake them.
    pub(super) fn notify_first(&mut self) -> Option<Wake> {
        let key = self.first;
        if key == NONE {
            return None;
        }
        let State::Waiting(wake) = std::mem::replace(&mut self.nodes[key].state, State::Vacant)
        else {
            unreachable!("only the waiting are linked");
        };
        self.unlink(key, wake.as_ref());
        let comes = !matches!(wake, Some(Wake::Task(_)));
        self.nodes[key].state = State::Notified { comes };
        self.pending += 1;
        self.coming += usize::from(comes);
        wake
    }

    /// Notifies all.
    pub(super) fn notify_all(&mut self) -> Vec<Wake> {
        let mut wakes = Vec::new();
        while self.first != NONE {
            wakes.extend(self.notify_first());
        }
        wakes
    }

    /// Takes `key`, that would be woken by `wake`, out from among the waiting.
    fn unlink(&mut self, key: usize, wake: Option<&Wake>) {
        let Node { prev, next, .. } = self.nodes[key];
        match prev {
            NONE => self.first = next,
            prev => self.nodes[prev].next = next,
        }
        match next {
            NONE => self.last = prev,
            next => self.nodes[next].prev = prev,
        }
        self.waiting -= 1;
        self.threads -= usize::from(wake.is_some_and(Wake::is_thread));
    }
}
