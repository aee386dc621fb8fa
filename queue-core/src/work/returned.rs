//! [`Returned`]: the items that came back, in the order in which they were first lent.

use std::collections::BTreeMap;

/// What a kind inside a process knows of an item that is lent.
#[derive(Debug)]
pub struct Lease {
    /// Its place in the order of first deliveries, kept for life.
    number: u64,
    attempt: u32,
}

impl Lease {
    /// Of an item that was never lent before; numbers grow in FIFO order.
    #[inline]
    pub fn first(number: u64) -> Self {
        Self { number, attempt: 1 }
    }

    /// How often the item was delivered, this time included.
    #[inline]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}

/// Items that came back, the oldest first.
///
/// ```
/// use queue_core::work::{Lease, Returned};
/// let mut returned = Returned::new();
/// returned.insert(Lease::first(2), "b", true);
/// returned.insert(Lease::first(1), "a", false);
/// let (item, lease) = returned.lend().unwrap();
/// assert_eq!((item, lease.attempt()), ("a", 1));
/// let (item, lease) = returned.lend().unwrap();
/// assert_eq!((item, lease.attempt()), ("b", 2));
/// ```
#[derive(Debug)]
pub struct Returned<T>(
    /// By number: the item, and the attempt that its next delivery is.
    BTreeMap<u64, (T, u32)>,
);

impl<T> Default for Returned<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Returned<T> {
    /// Nothing has come back.
    pub fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes back what was lent by `lease`, whose delivery is `counted` as an attempt or not.
    pub fn insert(&mut self, lease: Lease, item: T, counted: bool) {
        let attempt = lease.attempt.saturating_add(u32::from(counted));
        self.0.insert(lease.number, (item, attempt));
    }

    /// Takes the oldest one out for good.
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop_first().map(|(_, (item, _))| item)
    }

    /// Takes the oldest one out to be lent again.
    #[inline]
    pub fn lend(&mut self) -> Option<(T, Lease)> {
        // Mostly there is none.
        if self.is_empty() {
            return None;
        }
        self.lend_first()
    }

    #[cold]
    fn lend_first(&mut self) -> Option<(T, Lease)> {
        (self.0.pop_first()).map(|(number, (item, attempt))| (item, Lease { number, attempt }))
    }
}
