//! [`Heard`]: a bell in the reactor of a tokio runtime, heard by one future.

use crate::sys::in_reactor;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::unix::AsyncFd;

/// So many futures of a process have a descriptor in a reactor at one time; the sentinel
/// serves all others. Each has one of its own, for that is what a reactor wakes one task by,
/// and thousands that wait must not take all that the process may open.
const MOST: usize = 64;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// A bell that one future listens to.
pub(super) struct Heard {
    bell: AsyncFd<OwnedFd>,
    _place: Place,
}

/// One of the [`MOST`].
struct Place;

impl Place {
    fn take() -> Option<Self> {
        // Relaxed, all: a count, no more.
        let one_more = |taken| (taken < MOST).then_some(taken + 1);
        let taken = TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.ok().map(|_| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        TAKEN.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Heard {
    /// The bell that `duplicate` is, in the reactor of the runtime that this is called in: if
    /// there is a runtime, and a descriptor to spare. Panics, as tokio does, in one without I/O.
    pub(super) fn new(duplicate: impl FnOnce() -> std::io::Result<OwnedFd>) -> Option<Self> {
        tokio::runtime::Handle::try_current().ok()?;
        let place = Place::take()?;
        Some(Self {
            bell: in_reactor(duplicate().ok()?).ok()?,
            _place: place,
        })
    }

    /// Has the task woken when the bell rings: `Ready` if it may ring already, with an
    /// error if the runtime is shutting down.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.bell.poll_read_ready(cx).map_ok(|mut guard| {
            // Clears only what has been heard so far.
            guard.clear_ready();
        })
    }
}
