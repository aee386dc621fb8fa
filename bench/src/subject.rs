//! What is measured: a kind of ours, or a peer.

use crate::cell::{Cell, Load, Place};
use crate::machine::NEAR;
use serde::{Deserialize, Serialize};

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// A kind of the family.
    Ours,
    /// What we compare with.
    Peer,
    /// What does less than a queue of the family: shown, and a yardstick for the others.
    Yardstick,
}

/// What one child is asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// The subject's name.
    pub subject: String,
    /// The cell.
    pub cell: Cell,
    /// Items (or round trips, or pairs) per run.
    pub items: u64,
    /// How many runs; the outcome is their median.
    pub runs: usize,
}

/// What one child measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// In the unit of the cell's load.
    pub value: f64,
    /// Seconds of one run, by which the number of items is calibrated.
    pub seconds: f64,
    /// CPU seconds per million items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// The 99th percentile, where the value is a median of single times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<f64>,
    /// Nanoseconds of a cache line's round trip beside the sample: the longer one of before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trip: Option<f64>,
}

impl Outcome {
    /// Of a run whose value is items per second.
    pub fn rate(items: u64, seconds: f64, cpu_seconds: f64) -> Self {
        Self {
            value: items as f64 / seconds / 1e6,
            seconds,
            cpu: Some(cpu_seconds / items as f64 * 1e6),
            ..Self::default()
        }
    }

    /// Of a run whose value is nanoseconds per item.
    pub fn each(items: u64, seconds: f64) -> Self {
        Self {
            value: seconds / items as f64 * 1e9,
            seconds,
            ..Self::default()
        }
    }

    /// Of single times in nanoseconds: their median and 99th percentile.
    pub fn times(mut nanos: Vec<u32>, seconds: f64) -> Self {
        nanos.sort_unstable();
        let at = |part: f64| f64::from(nanos[((nanos.len() - 1) as f64 * part) as usize]);
        Self {
            value: at(0.5),
            seconds,
            p99: Some(at(0.99)),
            ..Self::default()
        }
    }

    /// Whether the cores were far apart.
    pub fn is_far(&self) -> bool {
        self.trip.is_some_and(|trip| trip > NEAR)
    }

    /// A value that is no rate and no time.
    pub fn plain(value: f64) -> Self {
        Self {
            value,
            ..Self::default()
        }
    }
}

/// A subject as the harness sees it: its name, what it can do, and how.
pub struct Subject {
    /// Its name in tables and filters.
    pub name: &'static str,
    /// Whose it is.
    pub role: Role,
    /// Whether it can be measured in this cell at all.
    pub supports: fn(&Cell) -> bool,
    /// One run, in the child: what came out, or what went wrong.
    pub run: fn(&Cell, u64) -> Result<Outcome, String>,
}

/// Every subject of a place. A name may stand there several times, with specialised
/// flavours for different shapes.
pub fn subjects(place: Place) -> Vec<Subject> {
    match place {
        Place::Threads => crate::threads::subjects(),
        Place::Tasks | Place::Local => crate::tasks::subjects(),
        Place::Processes => crate::processes::subjects(),
    }
}

/// What a child does: the runs of a sample, one after the other, and the median of them.
pub fn perform(sample: &Sample) -> Result<Outcome, String> {
    let subject = subjects(sample.cell.place)
        .into_iter()
        .find(|subject| subject.name == sample.subject && (subject.supports)(&sample.cell))
        .ok_or_else(|| format!("no subject {} for {}", sample.subject, sample.cell))?;
    // Peers that spin ask for this once per program on machines with few cores.
    crossfire::detect_backoff_cfg();
    let mut outcomes = (0..sample.runs.max(1))
        .map(|_| (subject.run)(&sample.cell, sample.items))
        .collect::<Result<Vec<_>, _>>()?;
    outcomes.sort_by(|a, b| a.value.total_cmp(&b.value));
    Ok(outcomes.swap_remove(outcomes.len() / 2))
}

/// How many items a first, uncalibrated run has.
pub fn first_items(cell: &Cell) -> u64 {
    match cell.load {
        Load::Queued => 100_000,
        Load::Burst => 1_000_000,
        Load::Empty => 1_000,
        Load::Idle => 1,
        Load::PingPong => 500,
        _ if cell.size >= 1 << 20 => 64,
        _ => 4_000.max(cell.shape.producers as u64),
    }
}
