//! [`LenBounds`]: a count that goes up and down with time.

/// The value of a count after each of its changes, with the maximum over any span.
#[derive(Debug)]
pub(super) struct LenBounds {
    times: Vec<u64>,
    /// `maxima[k][i]` is the maximum of the values i to i + 2^k - 1.
    maxima: Vec<Vec<i64>>,
}

impl LenBounds {
    /// From changes (time, rank, difference); those of one time happen by rank.
    pub(super) fn new(mut changes: Vec<(u64, u8, i64)>) -> Self {
        changes.sort_unstable();
        let times = changes.iter().map(|change| change.0).collect();
        let mut value = 0;
        let values: Vec<i64> = changes
            .iter()
            .map(|change| {
                value += change.2;
                value
            })
            .collect();
        let mut maxima = vec![values];
        let mut width = 1;
        while 2 * width <= maxima[0].len() {
            let last = &maxima[maxima.len() - 1];
            let next = (0..last.len() - width)
                .map(|i| last[i].max(last[i + width]))
                .collect();
            maxima.push(next);
            width *= 2;
        }
        Self { times, maxima }
    }

    /// The highest value it ever has.
    pub(super) fn highest(&self) -> i64 {
        self.maxima[0].iter().copied().max().unwrap_or(0).max(0)
    }

    /// The highest value it has from `start` to `end`, both included, where what
    /// happens at `end` has happened, and what happens at `start` may not have yet.
    pub(super) fn highest_in(&self, start: u64, end: u64) -> i64 {
        // The value before the first change at `start` counts as well.
        let from = self.times.partition_point(|&time| time < start);
        let to = self.times.partition_point(|&time| time <= end);
        let before = if from == 0 {
            0
        } else {
            self.maxima[0][from - 1]
        };
        if from == to {
            return before;
        }
        let step = (to - from).ilog2() as usize;
        let row = &self.maxima[step];
        before.max(row[from]).max(row[to - (1 << step)])
    }
}
