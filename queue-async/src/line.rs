//! [`Line`]: waiters in the order they came.
//!
//! A slab of nodes, those who wait in a doubly linked list: joining and leaving are O(1)
//! wherever one stands, and allocate nothing once the slab has grown.

use std::ops::{Index, IndexMut};

/// No node.
pub(crate) const NONE: usize = usize::MAX;

/// How many nodes are kept once all have left.
const KEEP: usize = 64;

/// Names a waiter from [`Line::join`] to [`Line::remove`].
pub(crate) type Key = usize;

struct Node<W> {
    /// `None`: not in use.
    waiter: Option<W>,
    prev: usize,
    /// The next in line; chains the unused nodes as well.
    next: usize,
}

/// See the module's page.
#[repr(C)] // What every push and pop looks at stands first.
pub(crate) struct Line<W> {
    /// How many nodes stand in line, and how many are in use at all.
    waiting: usize,
    used: usize,
    nodes: Vec<Node<W>>,
    unused: usize,
    first: usize,
    last: usize,
}

impl<W> Line<W> {
    pub(crate) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            unused: NONE,
            first: NONE,
            last: NONE,
            used: 0,
            waiting: 0,
        }
    }

    /// How many stand in line.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(crate) fn first(&self) -> usize {
        self.first
    }

    pub(crate) fn last(&self) -> usize {
        self.last
    }

    pub(crate) fn next(&self, key: Key) -> usize {
        self.nodes[key].next
    }

    pub(crate) fn prev(&self, key: Key) -> usize {
        self.nodes[key].prev
    }

    /// A new waiter, behind all others.
    pub(crate) fn join(&mut self, waiter: W) -> Key {
        let node = Node {
            waiter: Some(waiter),
            prev: self.last,
            next: NONE,
        };
        let key = self.unused;
        let key = if key == NONE {
            self.nodes.push(node);
            self.nodes.len() - 1
        } else {
            self.unused = self.nodes[key].next;
            self.nodes[key] = node;
            key
        };
        match self.last {
            NONE => self.first = key,
            last => self.nodes[last].next = key,
        }
        self.last = key;
        self.used += 1;
        self.waiting += 1;
        key
    }

    /// Takes one who stands in line out of it; its node stays until it is removed.
    pub(crate) fn unlink(&mut self, key: Key) {
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
    }

    /// Removes one who does not stand in line any more.
    pub(crate) fn remove(&mut self, key: Key) -> W {
        let node = &mut self.nodes[key];
        node.next = self.unused;
        self.unused = key;
        let waiter = node.waiter.take().expect(IN_USE);
        self.used -= 1;
        if self.used == 0 && self.nodes.len() > KEEP {
            // A crowd that has gone gives its memory back.
            self.unused = NONE;
            self.nodes.clear();
            self.nodes.shrink_to(KEEP);
        }
        waiter
    }
}

const IN_USE: &str = "a key is used until its waiter is removed";

impl<W> Index<Key> for Line<W> {
    type Output = W;
    #[inline]
    fn index(&self, key: Key) -> &W {
        self.nodes[key].waiter.as_ref().expect(IN_USE)
    }
}

impl<W> IndexMut<Key> for Line<W> {
    #[inline]
    fn index_mut(&mut self, key: Key) -> &mut W {
        self.nodes[key].waiter.as_mut().expect(IN_USE)
    }
}
