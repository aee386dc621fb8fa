//! Numbers out of samples.

use crate::cell::{Cell, Place};
use crate::runner::{Row, Series};
use crate::subject::{Outcome, Role};

/// The middle of `values` and their extent; `None` of none.
pub fn spread(values: impl Iterator<Item = f64>) -> Option<(f64, f64, f64)> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = match values.len() {
        0 => return None,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    };
    Some((middle, values[0], *values.last()?))
}

impl Series {
    /// Median, least and most; `None` if something went wrong.
    pub fn spread(&self) -> Option<(f64, f64, f64)> {
        if self.fault.is_some() {
            return None;
        }
        spread(self.outcomes.iter().map(|outcome| outcome.value))
    }

    /// The median.
    pub fn median(&self) -> Option<f64> {
        self.spread().map(|spread| spread.0)
    }

    /// The median of something else that came with the value.
    pub fn extra(&self, field: fn(&Outcome) -> Option<f64>) -> Option<f64> {
        self.median()?;
        spread(self.outcomes.iter().filter_map(field)).map(|spread| spread.0)
    }
}

impl Row {
    /// The best of a role, with its median.
    pub fn best(&self, role: Role) -> Option<(&Series, f64)> {
        let (_, more_is_better) = self.cell.load.unit();
        self.series
            .iter()
            .filter(|series| series.role == role)
            .filter_map(|series| Some((series, series.median()?)))
            .max_by(|a, b| {
                let order = a.1.total_cmp(&b.1);
                if more_is_better {
                    order
                } else {
                    order.reverse()
                }
            })
    }

    /// The part of what the yardstick does that our best does.
    pub fn share(&self) -> Option<f64> {
        let (ours, most) = (self.best(Role::Ours)?.1, self.best(Role::Yardstick)?.1);
        Some(ratio(&self.cell, ours, most))
    }

    /// How many times better our best is than the best peer.
    pub fn ratio(&self) -> Option<f64> {
        let (ours, theirs) = (self.best(Role::Ours)?.1, self.best(Role::Peer)?.1);
        Some(ratio(&self.cell, ours, theirs))
    }
}

/// Of these rows the samples that were taken with the cores near, or far. What does not go from one
/// core to another counts as near.
pub fn apart(rows: &[Row], far: bool) -> Vec<Row> {
    let mut rows = rows.to_vec();
    for row in &mut rows {
        let crosses = row.cell.crosses_cores();
        for series in &mut row.series {
            (series.outcomes).retain(|outcome| (crosses && outcome.is_far()) == far);
        }
        (row.series).retain(|series| !series.outcomes.is_empty() || series.fault.is_some() && !far);
    }
    rows.retain(|row| row.series.iter().any(|series| !series.outcomes.is_empty()));
    rows
}

/// How many times better `ours` is than `theirs` in this cell.
pub fn ratio(cell: &Cell, ours: f64, theirs: f64) -> f64 {
    let (_, more_is_better) = cell.load.unit();
    let (ours, theirs) = (ours + cell.load.floor(), theirs + cell.load.floor());
    if more_is_better {
        ours / theirs
    } else {
        theirs / ours
    }
}

/// A ratio below this counts as behind: what is printed as 1.00 is not.
pub const LEVEL: f64 = 0.995;

/// A number with about three digits.
pub fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{:.1}M", value / 1e6),
        v if v >= 1e4 => format!("{:.0}k", value / 1e3),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 0.1 || v == 0.0 => format!("{value:.2}"),
        v if v >= 0.01 => format!("{value:.3}"),
        v if v >= 0.001 => format!("{value:.4}"),
        _ => format!("{value:.6}"),
    }
}

/// The places of `rows`, each once, in their order.
pub fn places(rows: &[Row]) -> Vec<Place> {
    let mut places: Vec<Place> = rows.iter().map(|row| row.cell.place).collect();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::{Load, Shape};

    fn row(load: Load, series: &[(Role, &[f64], Option<&str>)]) -> Row {
        let cell = Cell {
            place: Place::Threads,
            load,
            shape: Shape::new(1, 1, None),
            size: 8,
        };
        let series = series
            .iter()
            .map(|(role, values, fault)| Series {
                subject: String::new(),
                role: *role,
                outcomes: values.iter().map(|v| Outcome::plain(*v)).collect(),
                fault: fault.map(str::to_owned),
                items: 0,
            })
            .collect();
        Row { cell, series }
    }

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(spread([3.0, 1.0, 9.0].into_iter()), Some((3.0, 1.0, 9.0)));
        assert_eq!(spread([4.0, 1.0].into_iter()), Some((2.5, 1.0, 4.0)));
        assert_eq!(spread(std::iter::empty()), None);
    }

    #[test]
    fn better_is_above_one_whichever_way_the_unit_goes() {
        let series: [(Role, &[f64], _); 2] =
            [(Role::Ours, &[2.0], None), (Role::Peer, &[1.0], None)];
        assert_eq!(row(Load::Stream, &series).ratio(), Some(2.0));
        assert_eq!(row(Load::Alone, &series).ratio(), Some(0.5));
    }

    #[test]
    fn near_samples_are_told_from_far_ones() {
        let mut row = row(
            Load::Stream,
            &[(Role::Ours, &[2.0, 8.0], None), (Role::Peer, &[4.0], None)],
        );
        row.series[0].outcomes[0].trip = Some(60.0);
        row.series[0].outcomes[1].trip = Some(300.0);
        let rows = [row];
        assert_eq!(apart(&rows, false)[0].ratio(), Some(0.5));
        // Of the peer there is no far sample.
        assert_eq!(apart(&rows, true)[0].ratio(), None);
        assert_eq!(apart(&rows, true)[0].series.len(), 1);
    }

    #[test]
    fn who_hung_or_is_a_yardstick_is_not_the_best_peer() {
        let row = row(
            Load::Stream,
            &[
                (Role::Ours, &[2.0], None),
                (Role::Peer, &[9.0], Some("hung")),
                (Role::Yardstick, &[9.0], None),
                (Role::Peer, &[4.0], None),
            ],
        );
        assert_eq!(row.ratio(), Some(0.5));
    }
}
