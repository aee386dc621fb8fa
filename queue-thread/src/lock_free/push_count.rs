//! [`PushCount`]: closing a queue whose pushes hold no lock.
//!
//! A push that began before the queue closed may end after. Until it has, nobody can
//! say that the queue is drained. So pushes are counted in and out, in the same word
//! that says whether the queue is closed.

use queue_core::sync::atomic::{AtomicUsize, Ordering};

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
        Self(AtomicUsize::new(0))
    }

    /// Lets a push begin, unless closed.
    #[inline]
    pub(super) fn enter(&self) -> Result<PushGuard<'_>, Refused> {
        // Relaxed: one word decides between this and `close`, whatever else is seen.
        if self.0.load(Ordering::Relaxed) & CLOSED != 0 {
            return Err(Refused { late: false });
        }
        if self.0.fetch_add(ONE, Ordering::Relaxed) & CLOSED != 0 {
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
        // Acquire: pairs with the Release in `leave`; all pushed items are seen.
        self.0.load(Ordering::Acquire) == CLOSED
    }
}

impl PushGuard<'_> {
    /// Ends the push: whether The queue was closed meanwhile.
    #[inline]
    pub(super) fn leave(self) -> bool {
        // Release: pairs with the Acquire in `is_over`.
        self.0.0.fetch_sub(ONE, Ordering::Release) & CLOSED != 0
    }
}
