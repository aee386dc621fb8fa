//! [`judge`]: whether a queue may have done what was noted, and how long it took.

use super::log::Noted;
use queue_core::Capacity;
use queue_core::contract::history::{History, NEVER, OpKind, Operation};
use std::collections::HashSet;
use std::fmt;

/// What a run measured. Times in nanoseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(super) kills: u64,
    pub(super) operations: u64,
    pub(super) popped: u64,
    /// Items that were accepted and never came out: those in the hands of each
    /// consumer that was killed.
    pub(super) lost: u64,
    pub(super) cut_pops: u64,
    /// The longest time in which nobody finished anything.
    pub(super) stall: u64,
    /// The most that an operation took beyond what it might.
    pub(super) overrun: u64,
    /// The longest from the death of the last of a side until the other was told.
    pub(super) told: u64,
    /// The longest that the machine kept a thread of the parent from running.
    pub(super) noise: u64,
    /// Why somebody was later than he should have been, if so.
    pub(super) late: Option<String>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.kills += other.kills;
        self.operations += other.operations;
        self.popped += other.popped;
        self.lost += other.lost;
        self.cut_pops += other.cut_pops;
        self.stall = self.stall.max(other.stall);
        self.overrun = self.overrun.max(other.overrun);
        self.told = self.told.max(other.told);
        self.noise = self.noise.max(other.noise);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |nanos: u64| nanos as f64 / 1e6;
        write!(
            f,
            "{} kills, {} operations, {} items popped, {} gone with {} poppers killed at work; \
             longest stall {:.1} ms, overrun {:.1} ms, end told after {:.1} ms \
             (the machine itself: {:.1} ms)",
            self.kills,
            self.operations,
            self.popped,
            self.lost,
            self.cut_pops,
            ms(self.stall),
            ms(self.overrun),
            ms(self.told),
            ms(self.noise),
        )
    }
}

/// Puts all notes together, those of the workers and those of the parent, and checks that a
/// FIFO queue could have done this; one whose last of a side was gone at `closed`.
pub(super) fn judge(
    bound: Capacity,
    notes: &[Noted],
    parent: &[Operation],
    closed: u64,
) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let mut history = History::new(bound.capacity());
    let mut last_pop = 0;
    for note in notes {
        let Noted {
            operation,
            patience,
            failed,
        } = *note;
        if failed {
            return Err(format!("the queue failed: {operation:?}"));
        }
        history.extend([operation]);
        tally.operations += 1;
        match operation.kind {
            OpKind::Popped(_) if operation.end != NEVER => last_pop = last_pop.max(operation.end),
            _ => {}
        }
        if operation.end != NEVER && patience > 0 {
            let took = operation.end - operation.start;
            tally.overrun = tally.overrun.max(took.saturating_sub(patience));
        }
    }
    for note in notes {
        let told = match note.operation.kind {
            // They had to drain it first.
            OpKind::Drained => closed.max(last_pop),
            OpKind::PushClosed(_) => closed,
            _ => continue,
        };
        tally.told = tally.told.max(note.operation.end.saturating_sub(told));
    }
    history.extend(parent.iter().copied());
    let popped = history.operations().iter();
    tally.popped = popped
        .filter(|o| matches!(o.kind, OpKind::Popped(_)))
        .count() as u64;
    let cut = history.operations().iter();
    tally.cut_pops = cut.filter(|o| o.kind == OpKind::PopCut).count() as u64;
    if let Some(violation) = history.violations().first() {
        return Err(format!("{violation} ({violation:?})"));
    }
    tally.lost = lost(history.operations());
    Ok(tally)
}

/// How many accepted items never came out, if the queue was drained.
fn lost(operations: &[Operation]) -> u64 {
    if !operations.iter().any(|o| o.kind == OpKind::Drained) {
        return 0;
    }
    let popped: HashSet<u64> = operations
        .iter()
        .filter_map(|o| match o.kind {
            OpKind::Popped(item) => Some(item),
            _ => None,
        })
        .collect();
    let lost = operations
        .iter()
        .filter(|o| matches!(o.kind, OpKind::Pushed(item) if !popped.contains(&item)));
    lost.count() as u64
}

/// The longest time between two moments at which somebody finished something.
pub(super) fn stall(notes: &[Noted], begun: u64, over: u64) -> u64 {
    let ends = notes.iter().map(|note| note.operation.end);
    let mut ends: Vec<u64> = ends.filter(|&end| (begun..over).contains(&end)).collect();
    ends.extend([begun, over]);
    ends.sort_unstable();
    ends.windows(2)
        .map(|pair| pair[1] - pair[0])
        .max()
        .unwrap_or(0)
}
