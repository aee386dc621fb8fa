//! [`Deadline`]: how long a verb may wait.

use std::time::{Duration, Instant};

/// An instant, or at once, or never.
///
/// A duration too long to be represented means never. Zero means at once, which needs no clock. So
/// one try works where there is no clock (`wasm32`). loom has no clock either: under loom every
/// deadline but never has passed, so that models explore a timeout against everything else by the
/// interleaving alone.
///
/// ```
/// use queue_core::sync::Deadline;
/// use std::time::{Duration, Instant};
/// let soon = Deadline::after(Duration::from_secs(60));
/// assert!(!soon.has_passed() && soon.remaining().is_some());
/// assert!(Deadline::at(Instant::now()).has_passed());
/// assert_eq!(Deadline::after(Duration::MAX), Deadline::NEVER);
/// assert_eq!(Deadline::after(Duration::ZERO), Deadline::AT_ONCE);
/// assert!(Deadline::AT_ONCE.has_passed());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Until);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    Never,
    AtOnce,
    At(Instant),
}

impl Deadline {
    /// Waits as long as it takes.
    pub const NEVER: Self = Self(Until::Never);

    /// Does not wait: it has passed, whatever the clock says.
    pub const AT_ONCE: Self = Self(Until::AtOnce);

    /// The moment `timeout` from now; with a timeout of zero [`AT_ONCE`](Self::AT_ONCE).
    pub fn after(timeout: Duration) -> Self {
        if timeout.is_zero() {
            return Self::AT_ONCE;
        }
        (Instant::now().checked_add(timeout)).map_or(Self::NEVER, Self::at)
    }

    /// The moment `instant`.
    pub fn at(instant: Instant) -> Self {
        Self(Until::At(instant))
    }

    /// The instant, unless it is at once or never.
    pub fn instant(self) -> Option<Instant> {
        match self.0 {
            Until::At(instant) => Some(instant),
            Until::Never | Until::AtOnce => None,
        }
    }

    /// The time left: `None` for never, zero once it has passed.
    pub fn remaining(self) -> Option<Duration> {
        match self.0 {
            Until::Never => None,
            Until::AtOnce => Some(Duration::ZERO),
            Until::At(_) if cfg!(loom) => Some(Duration::ZERO),
            Until::At(at) => Some(at.saturating_duration_since(Instant::now())),
        }
    }

    /// Whether it has passed.
    pub fn has_passed(self) -> bool {
        self.remaining().is_some_and(|left| left.is_zero())
    }
}
