//! A page of documentation whose tables are those of the runs.

use super::Report;
use super::stats::{apart, short};
use super::table::label;
use crate::cell::Place;
use std::fmt::Write;
use std::path::Path;

/// From so many milliseconds on a run is a long one.
const LONG: u64 = 200;
const END: &str = "<!-- end -->";

/// Writes the tables of `reports` into a page: between a line `<!-- bench threads lto -->` (a place, a
/// profile) and the next `<!-- end -->`, and `<!-- bench long lto -->` for what long runs say of
/// the same cells. Draws the charts of the places, of the first report that has one, beside it.
pub fn renew(page: &Path, reports: &[Report]) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", page.display());
    let text = std::fs::read_to_string(page).map_err(failed)?;
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once("<!-- bench ") {
        let (head, behind) = behind
            .split_once(" -->")
            .ok_or("a mark of the page has no end")?;
        let (_, behind) = behind
            .split_once(END)
            .ok_or_else(|| format!("there is no {END} behind the mark `{head}`"))?;
        let (what, profile) = head
            .split_once(' ')
            .ok_or_else(|| format!("`{head}` names no profile"))?;
        let _ = write!(out, "{before}<!-- bench {head} -->\n\n");
        match what {
            "long" => agreement(&mut out, reports, profile),
            place => tables(&mut out, reports, place, profile)?,
        }
        out.push_str(END);
        rest = behind;
    }
    out.push_str(rest);
    std::fs::write(page, out).map_err(failed)?;
    for place in [Place::Threads, Place::Tasks, Place::Processes] {
        if let Some(report) = reports.iter().find(|report| report.has(place)) {
            let file = page.with_file_name(format!("{}.svg", place.name()));
            report.chart(&file, |other| {
                other == place || (place, other) == (Place::Tasks, Place::Local)
            })?;
        }
    }
    Ok(())
}

impl Report {
    fn is_long(&self) -> bool {
        self.care.run_ms >= LONG
    }

    fn has(&self, place: Place) -> bool {
        !self.is_long() && self.rows.iter().any(|row| row.cell.place == place)
    }
}

fn tables(out: &mut String, reports: &[Report], place: &str, profile: &str) -> Result<(), String> {
    let places = [Place::Threads, Place::Tasks, Place::Local, Place::Processes];
    let known = places.into_iter().find(|known| known.name() == place);
    let place = known.ok_or_else(|| format!("`{place}` is no place"))?;
    let of_it = |report: &&Report| report.profile == profile && report.has(place);
    // What no report has stays as it is said: missing.
    match reports.iter().find(of_it) {
        Some(report) => {
            report.tables(out, place);
            report.circumstances(out);
            out.push('\n');
        }
        None => out.push_str("Not measured.\n\n"),
    }
    Ok(())
}

/// What short and long runs say of the same cells, with the cores near, and far.
fn agreement(out: &mut String, reports: &[Report], profile: &str) {
    let of_it = |is_long: bool| {
        let reports = reports
            .iter()
            .filter(move |report| report.profile == profile);
        reports.filter(move |report| report.is_long() == is_long)
    };
    out.push_str("| cell | cores | short runs | long runs | |\n|---|---|---|---|---|\n");
    for far in [false, true] {
        for row in of_it(true).flat_map(|report| apart(&report.rows, far)) {
            let short_runs = of_it(false).flat_map(|report| apart(&report.rows, far));
            let same = short_runs.into_iter().find(|other| other.cell == row.cell);
            let Some((a, b)) = same.and_then(|same| same.ratio()).zip(row.ratio()) else {
                continue;
            };
            let differ = a.max(b) > 1.25 * a.min(b);
            let _ = writeln!(
                out,
                "| {}, {} | {} | {} | {} | {} |",
                row.cell.place.name(),
                label(&row.cell),
                if far { "far" } else { "near" },
                short(a),
                short(b),
                if differ { "they differ" } else { "" }
            );
        }
    }
    out.push('\n');
}
