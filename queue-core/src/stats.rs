//! [`Stats`]: what a queue counts beside its items, for those who watch it.

/// Who takes part in a queue, and what has passed, from [`Queue::stats`](crate::Queue::stats).
///
/// Nothing here is for decisions: a number may have changed by the time that it is read. A kind says
/// `None` of what it does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How many processes are counted among the producers.
    pub producers: Option<usize>,
    /// How many processes are counted among the consumers.
    pub consumers: Option<usize>,
    /// How many items have come in so far, modulo 2^32: `wrapping_sub` gives how many came between
    /// two looks.
    pub pushed: Option<u32>,
    /// How many items have gone out so far, modulo 2^32.
    pub popped: Option<u32>,
}
