//! [`IntervalSet`]: the union of open intervals.

/// Open intervals of time, merged where they overlap.
#[derive(Debug)]
pub(super) struct IntervalSet(Vec<(u64, u64)>);

impl IntervalSet {
    pub(super) fn new(mut intervals: Vec<(u64, u64)>) -> Self {
        intervals.retain(|(from, to)| from < to);
        intervals.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (from, to) in intervals {
            match merged.last_mut() {
                // Open: two that only touch leave the moment between them free.
                Some(last) if from < last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    /// Whether every moment from `start` to `end`, both included, is inside.
    pub(super) fn covers(&self, start: u64, end: u64) -> bool {
        let after = self.0.partition_point(|&(from, _)| from < start);
        after > 0 && end < self.0[after - 1].1
    }
}
