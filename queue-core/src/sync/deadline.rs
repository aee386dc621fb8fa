//! [`Deadline`]: until when somebody is ready to wait.

use std::time::{Duration, Instant};

/// An instant, or never.
///
/// A duration too long to be represented means never. Under loom, which has no
/// clock, any deadline that is not never has run out: models explore a timeout
/// against everything else by the interleaving alone.
///
/// ```
/// use queue_core::sync::Deadline;
/// use std::time::{Duration, Instant};
/// let soon = Deadline::after(Duration::from_secs(60));
/// assert!(!soon.has_passed() && soon.remaining().is_some());
/// assert!(Deadline::at(Instant::now()).has_passed());
/// assert_eq!(Deadline::after(Duration::MAX), Deadline::NEVER);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Waits as long as it takes.
    pub const NEVER: Self = Self(None);

    /// The moment `timeout` from now.
    pub fn after(timeout: Duration) -> Self {
        Self(Instant::now().checked_add(timeout))
    }

    /// The moment `instant`.
    pub fn at(instant: Instant) -> Self {
        Self(Some(instant))
    }

    /// The instant, unless it is never.
    pub fn instant(self) -> Option<Instant> {
        self.0
    }

    /// The time left: `None` for never, zero once it has passed.
    pub fn remaining(self) -> Option<Duration> {
        self.0.map(|at| {
            if cfg!(loom) {
                Duration::ZERO
            } else {
                at.saturating_duration_since(Instant::now())
            }
        })
    }

    /// Whether it has passed.
    pub fn has_passed(self) -> bool {
        self.remaining().is_some_and(|left| left.is_zero())
    }
}
