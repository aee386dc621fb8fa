//! Markdown tables.

use super::Report;
use super::stats::{LEVEL, apart, places, ratio, short};
use crate::cell::{Cell, Load, Place};
use crate::runner::{Row, Series};
use crate::subject::Role;
use std::fmt::Write;

impl Report {
    /// The whole report as markdown.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for place in places(&self.rows) {
            let _ = writeln!(out, "## {}\n", place.title());
            self.tables(&mut out, place);
        }
        self.circumstances(&mut out);
        out
    }

    /// The tables of a place: those of the samples with the cores near, and those with them far.
    pub fn tables(&self, out: &mut String, place: Place) {
        let rows: Vec<Row> = (self
            .rows
            .iter()
            .filter(|row| row.cell.place == place)
            .cloned())
        .collect();
        for far in [false, true] {
            let mut rows = apart(&rows, far);
            if far {
                rows.retain(|row| row.ratio().is_some());
                if rows.is_empty() {
                    continue;
                }
                out.push_str(
                    "With the cores far apart (samples in which they happened to be):\n\n",
                );
            }
            summary(out, &rows);
            score(out, &rows);
            everything(out, &rows);
            if place == Place::Processes {
                processor_time(out, &rows);
            }
        }
        faults(out, &rows);
    }

    /// On what, how, and beside whom.
    pub fn circumstances(&self, out: &mut String) {
        let quiet = &self.quiet;
        let trip = quiet.round_trip.map_or(String::new(), |(least, most)| {
            format!("; a cache line's round trip took {least:.0} to {most:.0} ns")
        });
        let _ = writeln!(
            out,
            "{}. Profile `{}`; {} rounds, each run about {} ms; {} samples, of which {} were disturbed \
             by somebody else's use of the CPU and {} had the cores far apart; {} of these were kept after \
             the last try{trip}. Peers: {}.",
            self.machine,
            self.profile,
            self.care.rounds,
            self.care.run_ms,
            quiet.samples,
            quiet.foreign,
            quiet.far,
            quiet.kept_disturbed,
            self.versions.join(", ")
        );
    }
}

/// How many cells are won and which are lost.
fn score(out: &mut String, rows: &[Row]) {
    let ratios = rows.iter().filter_map(|row| Some((row.cell, row.ratio()?)));
    let ratios: Vec<_> = ratios.collect();
    if ratios.is_empty() {
        return;
    }
    let behind = lowest(ratios.iter().copied());
    let _ = write!(
        out,
        "Our best kind is at or ahead of the best peer in {} of {} cells",
        ratios.len() - behind.len(),
        ratios.len()
    );
    match behind.is_empty() {
        true => out.push('.'),
        false => {
            let _ = write!(out, "; behind, the furthest first: {}.", behind.join(", "));
        }
    }
    let mut furthest = lowest(rows.iter().filter_map(|row| Some((row.cell, row.share()?))));
    furthest.truncate(3);
    if !furthest.is_empty() {
        let _ = write!(
            out,
            " Furthest below the yardstick: {}.",
            furthest.join(", ")
        );
    }
    out.push_str("\n\n");
}

/// The cells whose value is below [`LEVEL`], with it, the lowest first.
fn lowest(values: impl Iterator<Item = (Cell, f64)>) -> Vec<String> {
    let mut low: Vec<_> = values.filter(|(_, value)| *value < LEVEL).collect();
    low.sort_by(|a, b| a.1.total_cmp(&b.1));
    let text = |(cell, value): &(Cell, f64)| format!("{cell} {}", short(*value));
    low.iter().map(text).collect()
}

/// Ours against the best peer, cell by cell.
fn summary(out: &mut String, rows: &[Row]) {
    let ours = names(rows, |role| role == Role::Ours);
    if ours.is_empty() {
        return;
    }
    let head = format!(
        "| cell | {} | best peer | ratio | yardstick | share |",
        ours.join(" | ")
    );
    head_line(out, &head, ours.len() + 5);
    for row in rows {
        let mut line = format!("| {} |", label(&row.cell));
        for name in &ours {
            let series = row.series.iter().find(|series| series.subject == *name);
            let _ = write!(line, " {} |", series.map_or("".into(), value));
        }
        match row.best(Role::Peer) {
            Some((peer, median)) => {
                let _ = write!(line, " {} {} |", peer.subject, short(median));
            }
            None => line.push_str(" none |"),
        }
        let _ = match row.ratio() {
            Some(ratio) if ratio < LEVEL => write!(line, " **{} behind** |", short(ratio)),
            Some(ratio) => write!(line, " {} |", short(ratio)),
            None => write!(line, " |"),
        };
        match row.best(Role::Yardstick).zip(row.share()) {
            Some(((_, most), share)) => {
                let _ = write!(line, " {} | {} |", short(most), short(share));
            }
            None => line.push_str(" | |"),
        }
        let _ = writeln!(out, "{line}");
    }
    out.push('\n');
}

/// Every subject in every cell: median and spread, and the ratio of ours to each peer.
fn everything(out: &mut String, rows: &[Row]) {
    let all = names(rows, |_| true);
    let _ = writeln!(
        out,
        "<details><summary>All subjects: median (least to most); bold: ahead of our best</summary>\n"
    );
    head_line(
        out,
        &format!("| cell | {} |", all.join(" | ")),
        all.len() + 1,
    );
    for row in rows {
        let mut line = format!("| {} |", label(&row.cell));
        for name in &all {
            let series = row.series.iter().find(|series| series.subject == *name);
            let text = series.map_or(String::new(), |series| match series.spread() {
                Some((_, least, most)) => {
                    let bold = if is_ahead(row, series) { "**" } else { "" };
                    let (least, most) = (short(least), short(most));
                    format!("{bold}{}{bold} ({least} to {most})", value(series))
                }
                None => value(series),
            });
            let _ = write!(line, " {text} |");
        }
        let _ = writeln!(out, "{line}");
    }
    out.push_str("\n</details>\n\n");
}

/// Whether this is a peer that is ahead of our best.
fn is_ahead(row: &Row, series: &Series) -> bool {
    let ours = row.best(Role::Ours).map(|(_, median)| median);
    let ratio = ours
        .zip(series.median())
        .map(|(ours, theirs)| ratio(&row.cell, ours, theirs));
    series.role == Role::Peer && ratio.is_some_and(|ratio| ratio < LEVEL)
}

/// CPU seconds per million items, and megabytes per second.
fn processor_time(out: &mut String, rows: &[Row]) {
    let all = names(rows, |_| true);
    let _ = writeln!(out, "CPU seconds per million items; MB/s:\n");
    head_line(
        out,
        &format!("| cell | {} |", all.join(" | ")),
        all.len() + 1,
    );
    for row in rows.iter().filter(|row| row.cell.load == Load::Stream) {
        let mut line = format!("| {} |", label(&row.cell));
        for name in &all {
            let series = row.series.iter().find(|series| series.subject == *name);
            let text = series.and_then(|series| {
                let cpu = series.extra(|outcome| outcome.cpu)?;
                let megabytes = series.median()? * row.cell.size as f64;
                Some(format!("{}; {}", short(cpu), short(megabytes)))
            });
            let _ = write!(line, " {} |", text.unwrap_or_default());
        }
        let _ = writeln!(out, "{line}");
    }
    out.push('\n');
}

fn faults(out: &mut String, rows: &[Row]) {
    let mut any = false;
    for row in rows {
        for series in &row.series {
            if let Some(fault) = &series.fault {
                let _ = writeln!(out, "- {} in {}: {fault}", series.subject, row.cell);
                any = true;
            }
        }
    }
    if any {
        out.push('\n');
    }
}

fn head_line(out: &mut String, head: &str, columns: usize) {
    let _ = writeln!(out, "{head}\n|{}", "---|".repeat(columns));
}

/// The names of the subjects in these rows, in their order.
fn names(rows: &[Row], role: impl Fn(Role) -> bool) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for series in rows.iter().flat_map(|row| &row.series) {
        if role(series.role) && !names.contains(&series.subject) {
            names.push(series.subject.clone());
        }
    }
    names
}

/// A cell for people.
pub(crate) fn label(cell: &Cell) -> String {
    let shape = cell.shape;
    let sides = format!("{}x{}", shape.producers, shape.consumers);
    let capacity = match shape.capacity {
        Some(capacity) => format!("cap {capacity}"),
        None => "unbounded".to_owned(),
    };
    let size = match cell.size {
        8 => "u64".to_owned(),
        size if size >= 1 << 20 => format!("{} MiB", size >> 20),
        size if size >= 1 << 10 => format!("{} KiB", size >> 10),
        size => format!("{size} B"),
    };
    let unit = cell.load.unit().0;
    match cell.load {
        Load::Stream => format!("{sides}, {capacity}, {size} ({unit})"),
        Load::Batch => format!("{sides}, {capacity}, {size}, batches of 32 ({unit})"),
        Load::PingPong => "ping-pong round trip, median / p99 (ns)".to_owned(),
        Load::Alone => format!("push + pop alone, {capacity} (ns)"),
        Load::Work => format!("push + receive + ack alone, {capacity} (ns)"),
        Load::Select => format!("push + pop from any of two, alone, {capacity} (ns)"),
        Load::Idle => format!("{} idle waiters, 1 s (CPU ms)", shape.consumers),
        Load::Empty => format!("empty queue, {capacity} (bytes)"),
        Load::Queued => "each queued u64 (bytes)".to_owned(),
        Load::Burst => "left after 1 M items came and went (bytes)".to_owned(),
    }
}

/// What a series comes to.
fn value(series: &Series) -> String {
    match (&series.fault, series.median()) {
        (Some(fault), _) if fault.starts_with("hung") => "hung".to_owned(),
        (Some(fault), _) if fault.starts_with("lost") => "lost items".to_owned(),
        (Some(_), _) => "failed".to_owned(),
        (None, Some(median)) => match series.extra(|outcome| outcome.p99) {
            Some(p99) => format!("{} / {}", short(median), short(p99)),
            None => short(median),
        },
        (None, None) => String::new(),
    }
}
