//! [`WaitList`]: waiters in the order they came.
//!
//! The nodes lie in a slab. Those that wait form a doubly linked ring in it, so that adding and
//! unlinking a waiter is O(1), wherever it is. Neither allocates once the slab has grown.

use std::ops::{Index, IndexMut};

/// How many nodes keep their memory once the list is empty.
const KEEP: usize = 64;

/// Names a waiter from [`WaitList::enqueue`] to [`WaitList::remove`].
pub type WaiterId = usize;

#[derive(Debug)]
struct Node<W> {
    prev: usize,
    /// The next in the list; it links the unused nodes as well.
    next: usize,
    waiter: W,
}

/// Waiters in the order they came, each with a `W` of its own.
///
/// Adding, unlinking and removing a waiter costs O(1), wherever it is in the list. An id is valid
/// from [`enqueue`](Self::enqueue) to [`remove`](Self::remove). With any other id the methods
/// panic, or act on another waiter.
///
/// ```
/// use queue_core::waiters::WaitList;
///
/// let mut list = WaitList::new();
/// let (anna, ben) = (list.enqueue("Anna"), list.enqueue("Ben"));
/// assert_eq!(list.first(), anna);
/// list.unlink(anna);
/// assert_eq!(list.first(), ben);
/// assert_eq!(list.remove(anna), "Anna");
/// ```
#[derive(Debug)]
#[repr(C)] // The fields that every push and pop reads come first.
pub struct WaitList<W> {
    /// How many waiters are in the list, and how many nodes are in use at all.
    waiting: usize,
    used: usize,
    /// Empty until the first waiter is added.
    nodes: Vec<Node<W>>,
    unused: usize,
}

impl<W: Default> Default for WaitList<W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<W: Default> WaitList<W> {
    /// No waiter: it closes the ring, before the first waiter and after the last.
    pub const NONE: WaiterId = 0;

    /// An empty list.
    pub fn new() -> Self {
        Self {
            waiting: 0,
            used: 0,
            nodes: Vec::new(),
            unused: Self::NONE,
        }
    }

    /// How many waiters are in the list.
    #[inline]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// The first waiter, or [`NONE`](Self::NONE).
    #[inline]
    pub fn first(&self) -> WaiterId {
        self.nodes.first().map_or(Self::NONE, |none| none.next)
    }

    /// The waiter behind `id`, or [`NONE`](Self::NONE) behind the last; of `NONE` the first.
    #[inline]
    pub fn next(&self, id: WaiterId) -> WaiterId {
        self.nodes[id].next
    }

    /// The waiter before `id`, or [`NONE`](Self::NONE) before the first; of `NONE` the last.
    #[inline]
    pub fn prev(&self, id: WaiterId) -> WaiterId {
        self.nodes[id].prev
    }

    /// Adds a waiter behind all others.
    #[inline]
    pub fn enqueue(&mut self, waiter: W) -> WaiterId {
        if self.unused == Self::NONE {
            self.grow();
        }
        let id = self.unused;
        let last = self.nodes[Self::NONE].prev;
        self.nodes[Self::NONE].prev = id;
        self.nodes[last].next = id;
        let node = &mut self.nodes[id];
        self.unused = node.next;
        node.prev = last;
        node.next = Self::NONE;
        node.waiter = waiter;
        self.used += 1;
        self.waiting += 1;
        id
    }

    /// Adds an unused node.
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

    /// Takes `id`, which is in the list, out of it. Its value can be read until it is removed.
    #[inline]
    pub fn unlink(&mut self, id: WaiterId) {
        let Node { prev, next, .. } = self.nodes[id];
        self.nodes[prev].next = next;
        self.nodes[next].prev = prev;
        self.waiting -= 1;
    }

    /// Frees the node of `id`, which was [unlinked](Self::unlink), and returns its value.
    #[inline]
    pub fn remove(&mut self, id: WaiterId) -> W {
        let node = &mut self.nodes[id];
        node.next = self.unused;
        self.unused = id;
        let waiter = std::mem::take(&mut node.waiter);
        self.used -= 1;
        if self.used == 0 && self.nodes.len() > KEEP {
            self.shrink();
        }
        waiter
    }

    /// Gives back the memory that many waiters needed.
    #[cold]
    fn shrink(&mut self) {
        self.unused = Self::NONE;
        self.nodes.clear();
        self.nodes.shrink_to(KEEP);
    }
}

impl<W> Index<WaiterId> for WaitList<W> {
    type Output = W;
    #[inline]
    fn index(&self, id: WaiterId) -> &W {
        &self.nodes[id].waiter
    }
}

impl<W> IndexMut<WaiterId> for WaitList<W> {
    #[inline]
    fn index_mut(&mut self, id: WaiterId) -> &mut W {
        &mut self.nodes[id].waiter
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{KEEP, WaitList};

    fn in_order(list: &WaitList<u32>) -> Vec<u32> {
        let forth = std::iter::successors(Some(list.first()), |id| Some(list.next(*id)));
        let forth = forth.take_while(|id| *id != WaitList::<u32>::NONE);
        let forth: Vec<_> = forth.map(|id| list[id]).collect();
        assert_eq!(forth.len(), list.waiting());
        let last = list.prev(WaitList::<u32>::NONE);
        let back = std::iter::successors(Some(last), |id| Some(list.prev(*id)));
        let back = back.take_while(|id| *id != WaitList::<u32>::NONE);
        let back: Vec<_> = back.map(|id| list[id]).collect();
        assert!(back.iter().rev().eq(&forth));
        forth
    }

    #[test]
    fn unlinking_one_keeps_the_others_in_order() {
        for leaving in 0..4 {
            let mut list = WaitList::new();
            let ids: Vec<_> = (0..4).map(|waiter| list.enqueue(waiter)).collect();
            list.unlink(ids[leaving]);
            let mut left = vec![0, 1, 2, 3];
            left.remove(leaving);
            assert_eq!(in_order(&list), left);
            assert_eq!(list.remove(ids[leaving]), leaving as u32);
            assert_eq!(list.enqueue(7), ids[leaving], "a node is used again");
            left.push(7);
            assert_eq!(in_order(&list), left);
        }
    }

    #[test]
    fn memory_is_given_back_once_many_have_gone() {
        let mut list = WaitList::new();
        for _ in 0..2 {
            let ids: Vec<_> = (0..1000).map(|waiter| list.enqueue(waiter)).collect();
            assert_eq!(in_order(&list), (0..1000).collect::<Vec<_>>());
            for id in ids {
                assert!(list.nodes.capacity() >= 1000);
                list.unlink(id);
                list.remove(id);
            }
            assert_eq!(list.first(), WaitList::<u32>::NONE);
            assert!(list.nodes.capacity() < 100);
        }
    }

    #[test]
    fn an_unlinked_waiter_is_kept_until_it_is_removed() {
        let mut list = WaitList::new();
        let ids: Vec<_> = (0..1000).map(|waiter| list.enqueue(waiter)).collect();
        ids.iter().for_each(|id| list.unlink(*id));
        assert_eq!(list.waiting(), 0);
        for (waiter, id) in ids.into_iter().enumerate() {
            assert_eq!(list[id], waiter as u32);
            assert_eq!(list.remove(id), waiter as u32);
        }
    }

    #[test]
    fn few_waiters_keep_their_memory() {
        let mut list = WaitList::new();
        let ids: Vec<_> = (1..KEEP).map(|_| list.enqueue(0)).collect();
        for id in ids {
            list.unlink(id);
            list.remove(id);
        }
        assert_eq!(list.nodes.len(), KEEP);
    }
}
