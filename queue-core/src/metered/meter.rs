//! [`Meter`]: the counts of a metered queue, and what it tells `tracing`.

use crate::stats::Waits;
use crate::work::Settlement;
use crate::{Activity, Failure, Side};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Tells `tracing`, if it was asked for.
macro_rules! tell {
    ($level:ident, $meter:ident, $($what:tt)*) => {
        #[cfg(feature = "tracing")]
        tracing::$level!(target: "queue", queue = $meter.name, $($what)*)
    };
}

/// What has passed one side. Each has cache lines of its own: producers and consumers
/// do not slow each other down.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Passed {
    items: AtomicU64,
    waits: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Passed {
    fn waits(&self) -> Waits {
        Waits {
            count: self.waits.load(Relaxed),
            time: Duration::from_nanos(self.nanoseconds.load(Relaxed)),
        }
    }
}

/// The counts. Each is for itself, and nothing hangs on them: all accesses are Relaxed.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) name: String,
    producers: Passed,
    consumers: Passed,
    received: AtomicU64,
    redelivered: AtomicU64,
    acked: AtomicU64,
    nacked: AtomicU64,
    released: AtomicU64,
    failed: AtomicU64,
    /// Items that went out and were none.
    gone: AtomicU64,
    /// Items that came back and are still inside, as far as is known here: they go out before all others.
    back: AtomicU64,
    /// How often an item went out that had come back.
    again: AtomicU64,
    /// Whether the close was told.
    closed: AtomicBool,
}

impl Meter {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            ..Self::default()
        }
    }

    pub(super) fn activity(&self) -> Activity {
        // What ended is read before what began, so that more has never ended than begun.
        let acked = self.acked.load(Relaxed);
        let nacked = self.nacked.load(Relaxed);
        let released = self.released.load(Relaxed);
        Activity {
            pushed: self.producers.items.load(Relaxed),
            popped: self.consumers.items.load(Relaxed),
            received: self.received.load(Relaxed),
            redelivered: self.redelivered.load(Relaxed),
            acked,
            nacked,
            released,
            failed: self.failed.load(Relaxed),
            push_waits: self.producers.waits(),
            pop_waits: self.consumers.waits(),
        }
    }

    fn side(&self, side: Side) -> &Passed {
        match side {
            Side::Producers => &self.producers,
            Side::Consumers => &self.consumers,
        }
    }

    /// How many items have gone out, each once.
    pub(super) fn gone_out(&self) -> u64 {
        let again = self.again.load(Relaxed);
        let taken = self.consumers.items.load(Relaxed) + self.received.load(Relaxed);
        (taken + self.gone.load(Relaxed)).saturating_sub(again)
    }

    /// So many items go out.
    fn go_out(&self, items: u64) {
        let taken = self.back.fetch_update(Relaxed, Relaxed, |back| {
            (back != 0).then(|| back.saturating_sub(items))
        });
        if let Ok(back) = taken {
            self.again.fetch_add(back.min(items), Relaxed);
        }
    }

    /// So many items have passed `side`.
    pub(super) fn passed(&self, side: Side, items: usize) {
        if items > 0 {
            if side == Side::Consumers {
                self.go_out(items as u64);
            }
            self.side(side).items.fetch_add(items as u64, Relaxed);
            tell!(trace, self, ?side, items);
        }
    }

    /// A verb of `side` that began to wait at `start` waits no more.
    pub(super) fn waited(&self, side: Side, start: Instant) {
        let waited = start.elapsed();
        let nanoseconds = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        let passed = self.side(side);
        passed.waits.fetch_add(1, Relaxed);
        passed.nanoseconds.fetch_add(nanoseconds, Relaxed);
        tell!(debug, self, ?side, ?waited);
    }

    /// An item was lent for the `attempt`th time.
    pub(super) fn received(&self, attempt: u32) {
        self.received.fetch_add(1, Relaxed);
        self.go_out(1);
        if attempt > 1 {
            self.redelivered.fetch_add(1, Relaxed);
            tell!(debug, self, attempt, "delivered once more");
        } else {
            tell!(trace, self, attempt, "delivered");
        }
    }

    /// A delivery is about to end.
    pub(super) fn settled<T>(&self, how: &Settlement<T>) {
        if let Settlement::Back { .. } = how {
            self.back.fetch_add(1, Relaxed);
        }
        match how {
            Settlement::Done => {
                self.acked.fetch_add(1, Relaxed);
                tell!(trace, self, "acked");
            }
            Settlement::Back { counted: true, .. } => {
                self.nacked.fetch_add(1, Relaxed);
                tell!(debug, self, "given back as not done");
            }
            Settlement::Back { counted: false, .. } => {
                self.released.fetch_add(1, Relaxed);
                tell!(debug, self, "given back as not begun");
            }
        }
    }

    /// A verb ended so.
    #[cold]
    pub(super) fn failed(&self, failure: &Failure) {
        self.failed.fetch_add(1, Relaxed);
        if failure.consumed_item() {
            self.gone.fetch_add(1, Relaxed);
        }
        let _ = failure;
        tell!(warn, self, "{failure:#}");
    }

    /// This failure was met, but it was not how the verb ended: another one will tell of it.
    #[cold]
    pub(super) fn not_yet_failed(&self, failure: &Failure) {
        self.failed.fetch_sub(1, Relaxed);
        if failure.consumed_item() {
            self.gone.fetch_sub(1, Relaxed);
        }
    }

    /// The queue is closed.
    pub(super) fn closed(&self) {
        if !self.closed.swap(true, Relaxed) {
            tell!(info, self, "closed");
        }
    }
}
