//! [`Line`]: waiters in the order they came.
//!
//! A slab of nodes, those who wait in a doubly linked ring: joining and leaving are O(1)
//! wherever one stands, and allocate nothing once the slab has grown.

use std::ops::{Index, IndexMut};

/// How many nodes are kept once all have left.
const KEEP: usize = 64;

/// Names a waiter from [`Line::join`] to [`Line::remove`].
pub type Key = usize;

#[derive(Debug)]
struct Node<W> {
    prev: usize,
    /// The next in line; chains the unused nodes as well.
    next: usize,
    waiter: W,
}

/// Waiters in the order they came, each with a `W` of its own.
///
/// Joining and leaving cost O(1), wherever one stands. A key is good from
/// [`join`](Self::join) to [`remove`](Self::remove); with any other the methods panic or
/// speak of somebody else.
///
/// ```
/// use queue_core::waiters::Line;
///
/// let mut line = Line::new();
/// let (anna, ben) = (line.join("Anna"), line.join("Ben"));
/// assert_eq!(line.first(), anna);
/// line.unlink(anna);
/// assert_eq!(line.first(), ben);
/// assert_eq!(line.remove(anna), "Anna");
/// ```
#[derive(Debug)]
#[repr(C)] // What every push and pop looks at stands first.
pub struct Line<W> {
    /// How many nodes stand in line, and how many are in use at all.
    waiting: usize,
    used: usize,
    /// Empty until somebody joins.
    nodes: Vec<Node<W>>,
    unused: usize,
}

impl<W: Default> Default for Line<W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<W: Default> Line<W> {
    /// Nobody: closes the ring, before the first and after the last.
    pub const NONE: Key = 0;

    /// A line in which nobody stands.
    pub fn new() -> Self {
        Self {
            waiting: 0,
            used: 0,
            nodes: Vec::new(),
            unused: Self::NONE,
        }
    }

    /// How many stand in line.
    #[inline]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// The first in line, or [`NONE`](Self::NONE).
    #[inline]
    pub fn first(&self) -> Key {
        self.nodes.first().map_or(Self::NONE, |none| none.next)
    }

    /// Who stands behind `key`; behind the last nobody.
    #[inline]
    pub fn next(&self, key: Key) -> Key {
        self.nodes[key].next
    }

    /// Who stands before `key`; before nobody the last.
    #[inline]
    pub fn prev(&self, key: Key) -> Key {
        self.nodes[key].prev
    }

    /// A new waiter, behind all others.
    #[inline]
    pub fn join(&mut self, waiter: W) -> Key {
        if self.unused == Self::NONE {
            self.grow();
        }
        let key = self.unused;
        let last = self.nodes[Self::NONE].prev;
        self.nodes[Self::NONE].prev = key;
        self.nodes[last].next = key;
        let node = &mut self.nodes[key];
        self.unused = node.next;
        node.prev = last;
        node.next = Self::NONE;
        node.waiter = waiter;
        self.used += 1;
        self.waiting += 1;
        key
    }

    /// A node to join with.
    #[cold]
    fn grow(&mut self) {
        let node = || Node {
            prev: Self::NONE,
            next: Self::NONE,
            waiter: W::default(),
        };
        if self.nodes.is_empty() {
            self.nodes.push(node());
        }
        self.unused = self.nodes.len();
        self.nodes.push(node());
    }

    /// Takes `key`, which stands in line, out of it; it may be looked at until it is
    /// removed.
    #[inline]
    pub fn unlink(&mut self, key: Key) {
        let Node { prev, next, .. } = self.nodes[key];
        self.nodes[prev].next = next;
        self.nodes[next].prev = prev;
        self.waiting -= 1;
    }

    /// Removes `key`, which does not stand in line any more.
    #[inline]
    pub fn remove(&mut self, key: Key) -> W {
        let node = &mut self.nodes[key];
        node.next = self.unused;
        self.unused = key;
        let waiter = std::mem::take(&mut node.waiter);
        self.used -= 1;
        if self.used == 0 && self.nodes.len() > KEEP {
            self.shrink();
        }
        waiter
    }

    /// A crowd that has gone gives its memory back.
    #[cold]
    fn shrink(&mut self) {
        self.unused = Self::NONE;
        self.nodes.clear();
        self.nodes.shrink_to(KEEP);
    }
}

impl<W> Index<Key> for Line<W> {
    type Output = W;
    #[inline]
    fn index(&self, key: Key) -> &W {
        &self.nodes[key].waiter
    }
}

impl<W> IndexMut<Key> for Line<W> {
    #[inline]
    fn index_mut(&mut self, key: Key) -> &mut W {
        &mut self.nodes[key].waiter
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{KEEP, Line};

    fn in_line(line: &Line<u32>) -> Vec<u32> {
        let forth = std::iter::successors(Some(line.first()), |key| Some(line.next(*key)));
        let forth = forth.take_while(|key| *key != Line::<u32>::NONE);
        let forth: Vec<_> = forth.map(|key| line[key]).collect();
        assert_eq!(forth.len(), line.waiting());
        let last = line.prev(Line::<u32>::NONE);
        let back = std::iter::successors(Some(last), |key| Some(line.prev(*key)));
        let back = back.take_while(|key| *key != Line::<u32>::NONE);
        let back: Vec<_> = back.map(|key| line[key]).collect();
        assert!(back.iter().rev().eq(&forth));
        forth
    }

    #[test]
    fn whoever_leaves_leaves_the_others_in_order() {
        for leaver in 0..4 {
            let mut line = Line::new();
            let keys: Vec<_> = (0..4).map(|waiter| line.join(waiter)).collect();
            line.unlink(keys[leaver]);
            let mut left = vec![0, 1, 2, 3];
            left.remove(leaver);
            assert_eq!(in_line(&line), left);
            assert_eq!(line.remove(keys[leaver]), leaver as u32);
            assert_eq!(line.join(7), keys[leaver], "a node is used again");
            left.push(7);
            assert_eq!(in_line(&line), left);
        }
    }

    #[test]
    fn a_crowd_that_has_gone_gives_its_memory_back() {
        let mut line = Line::new();
        for _ in 0..2 {
            let keys: Vec<_> = (0..1000).map(|waiter| line.join(waiter)).collect();
            assert_eq!(in_line(&line), (0..1000).collect::<Vec<_>>());
            for key in keys {
                assert!(line.nodes.capacity() >= 1000);
                line.unlink(key);
                line.remove(key);
            }
            assert_eq!(line.first(), Line::<u32>::NONE);
            assert!(line.nodes.capacity() < 100);
        }
    }

    #[test]
    fn those_who_were_taken_out_stay_until_they_are_removed() {
        let mut line = Line::new();
        let keys: Vec<_> = (0..1000).map(|waiter| line.join(waiter)).collect();
        keys.iter().for_each(|key| line.unlink(*key));
        assert_eq!(line.waiting(), 0);
        for (waiter, key) in keys.into_iter().enumerate() {
            assert_eq!(line[key], waiter as u32);
            assert_eq!(line.remove(key), waiter as u32);
        }
    }

    #[test]
    fn a_few_keep_their_memory() {
        let mut line = Line::new();
        let keys: Vec<_> = (1..KEEP).map(|_| line.join(0)).collect();
        for key in keys {
            line.unlink(key);
            line.remove(key);
        }
        assert_eq!(line.nodes.len(), KEEP);
    }
}
