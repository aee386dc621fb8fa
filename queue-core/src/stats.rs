//! [`Stats`] and [`Activity`]: what a queue counts beside its items, for those who watch it. Here are the
//! plain data; a kind counts by itself, or [`Metered`](crate::Metered) counts for it.

use std::time::Duration;

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
    /// How many items have gone out so far, modulo 2^32: each once, also if it came back and went out
    /// again. Between machines those count that are done.
    pub popped: Option<u32>,
    /// What was done through a [`Metered`](crate::Metered) queue, and its clones in this process.
    pub activity: Option<Activity>,
}

/// What was done through a [`Metered`](crate::Metered) queue so far.
///
/// ```
/// use queue_core::Activity;
/// use std::time::Duration;
/// fn report(now: Activity, before: Activity, between: Duration) -> String {
///     let (passed, seconds) = (now.since(before), between.as_secs_f64());
///     format!(
///         "{:.0} pushed/s, {} in flight, {} once more, producers waited {:?}",
///         passed.pushed as f64 / seconds,
///         now.in_flight(),
///         passed.redelivered,
///         passed.push_waits.time,
///     )
/// }
/// assert!(report(Activity::default(), Activity::default(), Duration::from_secs(1)).starts_with("0 "));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Activity {
    /// Items that were pushed.
    pub pushed: u64,
    /// Items that were popped, or given by `close_now`.
    pub popped: u64,
    /// Items that were received on loan, each time anew.
    pub received: u64,
    /// Of those received, how many had been delivered before: their worker gave them back, or died.
    pub redelivered: u64,
    /// Deliveries that ended by `ack` or `take`.
    pub acked: u64,
    /// Deliveries that ended by `nack`, or were dropped.
    pub nacked: u64,
    /// Deliveries that ended by `release`.
    pub released: u64,
    /// Verbs that ended with a [`Failure`](crate::Failure).
    pub failed: u64,
    /// Verbs that had to wait for a slot.
    pub push_waits: Waits,
    /// Verbs that had to wait for an item.
    pub pop_waits: Waits,
}

/// How many had to wait, and how long all of them together, those who gave up too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waits {
    /// How many waits have ended.
    pub count: u64,
    /// How long they took together.
    pub time: Duration,
}

impl Activity {
    /// How many deliveries were received and are not settled yet.
    pub fn in_flight(&self) -> u64 {
        let settled = self.acked + self.nacked + self.released;
        self.received.saturating_sub(settled)
    }

    /// What was done since `earlier`: for rates.
    #[must_use]
    pub fn since(&self, earlier: Self) -> Self {
        Self {
            pushed: self.pushed.saturating_sub(earlier.pushed),
            popped: self.popped.saturating_sub(earlier.popped),
            received: self.received.saturating_sub(earlier.received),
            redelivered: self.redelivered.saturating_sub(earlier.redelivered),
            acked: self.acked.saturating_sub(earlier.acked),
            nacked: self.nacked.saturating_sub(earlier.nacked),
            released: self.released.saturating_sub(earlier.released),
            failed: self.failed.saturating_sub(earlier.failed),
            push_waits: self.push_waits.since(earlier.push_waits),
            pop_waits: self.pop_waits.since(earlier.pop_waits),
        }
    }
}

impl Waits {
    fn since(self, earlier: Self) -> Self {
        Self {
            count: self.count.saturating_sub(earlier.count),
            time: self.time.saturating_sub(earlier.time),
        }
    }
}
