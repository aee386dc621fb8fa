//! [`PushCount`]: closing a queue whose pushes hold no lock.
//!
//! A push that began before the queue closed may end after. Until it has, nobody can
//! say that the queue is drained. So pushes are counted in and out, in the same word
//! that says whether the queue is closed.
//!
//! That word also announces the items to those who listen: the end of a push, the load in
//! [`is_over`](PushCount::is_over) and the count of listeners are SeqCst, and stand in one order.

use queue_core::sync::atomic::{AtomicUsize, Ordering};
use queue_core::sync::seq_cst;

const CLOSED: usize = 1;
const ONE: usize = 2;

/// How many pushes are under way, and whether more may come.
#[derive(Debug)]
pub(super) struct PushCount(AtomicUsize);

/// The queue was closed.
pub(super) struct Refused {
    /// It closed in front of this push, which for a moment looked like one under way:
    /// whoever waits for the end may have to look again.
    pub(super) late: bool,
}

/// A push that is under way.
#[must_use]
pub(super) struct PushGuard<'a>(&'a PushCount);

impl PushCount {
    pub(super) fn new() -> Self {
        Self(seq_cst(0))
    }

    /// Lets a push begin, unless closed.
    #[inline]
    pub(super) fn enter(&self) -> Result<PushGuard<'_>, Refused> {
        // Relaxed: one word decides between this and `close`, whatever else is seen. SeqCst below for
        // the models alone: there a SeqCst load is of the latest value only if all are stored so.
        if self.0.load(Ordering::Relaxed) & CLOSED != 0 {
            return Err(Refused { late: false });
        }
        if self.0.fetch_add(ONE, Ordering::SeqCst) & CLOSED != 0 {
            // Relaxed: nothing was pushed that somebody needs to see.
            self.0.fetch_sub(ONE, Ordering::Relaxed);
            return Err(Refused { late: true });
        }
        Ok(PushGuard(self))
    }

    /// True for who closed it.
    pub(super) fn close(&self) -> bool {
        // Relaxed: as in `enter`; what pushes did is published by `leave`.
        self.0.fetch_or(CLOSED, Ordering::Relaxed) & CLOSED == 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// Whether it is closed and every push has ended.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        // SeqCst: all that was pushed by pushes that have left is seen, as with Acquire; and of a push
        // that leaves later, whoever listened before this load is seen.
        self.0.load(Ordering::SeqCst) == CLOSED
    }
}

impl PushGuard<'_> {
    /// Ends the push: whether the queue was closed meanwhile.
    #[inline]
    pub(super) fn leave(self) -> bool {
        // SeqCst: pairs with the load in `is_over`; it announces the item.
        self.0.0.fetch_sub(ONE, Ordering::SeqCst) & CLOSED != 0
    }
}
