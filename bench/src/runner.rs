//! The parent: one child per sample, interleaved, watched, retaken.

use crate::cell::Cell;
use crate::machine::{self, Foreign};
use crate::processes;
use crate::subject::{Outcome, Role, Sample, Subject, first_items, subjects};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How thoroughly to measure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Care {
    /// How many rounds, each with one sample of every subject.
    pub rounds: usize,
    /// How long one run should take, in milliseconds.
    pub run_ms: u64,
    /// How many runs a sample has.
    pub runs: usize,
    /// How often a disturbed sample is taken again.
    pub retakes: usize,
    /// After how many milliseconds a child counts as hung.
    pub hung_ms: u64,
}

/// All samples of one subject in one cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Series {
    /// The subject's name.
    pub subject: String,
    /// Whose it is.
    pub role: Role,
    /// What was measured, in the order of the rounds.
    pub outcomes: Vec<Outcome>,
    /// What went wrong, if anything: then it is not measured any further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Items of a run, once calibrated.
    #[serde(skip)]
    pub items: u64,
}

/// A cell with all that was measured in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The cell.
    pub cell: Cell,
    /// One series per subject that can do this at all.
    pub series: Vec<Series>,
}

/// How quiet the machine was.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Quiet {
    /// Samples taken, retakes included.
    pub samples: usize,
    /// Of those, taken again because somebody else was using the CPU.
    pub foreign: usize,
    /// Of those, taken again because the cores were far apart.
    pub far: usize,
    /// Kept although one of the two still held after the last retake: if it was that the cores were
    /// far, in tables of their own.
    pub kept_disturbed: usize,
    /// Nanoseconds of a cache line's round trip, least and most.
    pub round_trip: Option<(f64, f64)>,
}

impl Quiet {
    fn note_trip(&mut self, trip: f64) {
        let (least, most) = self.round_trip.unwrap_or((trip, trip));
        self.round_trip = Some((least.min(trip), most.max(trip)));
    }
}

/// How much of the machine others may use before a sample is taken again.
const FOREIGN: f64 = 0.08;

/// Measures `cells`, every subject whose name `wanted` accepts.
pub fn measure(
    cells: &[Cell],
    care: &Care,
    wanted: impl Fn(&Subject) -> bool,
) -> (Vec<Row>, Quiet) {
    let mut rows: Vec<Row> = cells
        .iter()
        .map(|&cell| Row {
            cell,
            series: subjects(cell.place)
                .into_iter()
                .filter(|subject| (subject.supports)(&cell) && wanted(subject))
                .map(|subject| Series {
                    subject: subject.name.to_owned(),
                    role: subject.role,
                    outcomes: Vec::new(),
                    fault: None,
                    items: 0,
                })
                .collect(),
        })
        .collect();
    let mut quiet = Quiet::default();
    let all: usize = rows.iter().map(|row| row.series.len()).sum();
    let bar = ProgressBar::new((all * (care.rounds + 1)) as u64).with_style(
        ProgressStyle::with_template("{elapsed_precise} [{bar:30}] {pos}/{len} {eta} left  {msg}")
            .expect("a valid template"),
    );
    for round in 0..=care.rounds {
        for row in &mut rows {
            for series in row
                .series
                .iter_mut()
                .filter(|series| series.fault.is_none())
            {
                bar.set_message(format!("{} {}", row.cell, series.subject));
                let result = if round == 0 {
                    calibrate(&row.cell, &series.subject, care).map(|items| series.items = items)
                } else {
                    let sample = Sample {
                        subject: series.subject.clone(),
                        cell: row.cell,
                        items: series.items,
                        runs: if row.cell.load.is_timed() {
                            care.runs
                        } else {
                            1
                        },
                    };
                    take(&sample, care, &mut quiet).map(|outcome| series.outcomes.push(outcome))
                };
                series.fault = result.err();
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    (rows, quiet)
}

/// How many items make a run of the wanted length.
fn calibrate(cell: &Cell, subject: &str, care: &Care) -> Result<u64, String> {
    let mut items = first_items(cell);
    if !cell.load.is_timed() {
        return Ok(items);
    }
    // Large items go through new memory first, and that costs more than they do: until all of
    // it has been used a few times, it is the system's memory that is measured.
    let warm = match cell.size {
        ..4096 => 1.0,
        4096..65_536 => 4.0,
        _ => 8.0,
    };
    let wanted = warm * care.run_ms as f64 / 1e3;
    loop {
        let sample = Sample {
            subject: subject.to_owned(),
            cell: *cell,
            items,
            runs: 1,
        };
        let seconds = child(&sample, care)?.seconds.max(1e-6);
        let factor = wanted / seconds;
        items = (items as f64 * factor.clamp(0.01, 30.0)) as u64;
        items = items.max(16).max(2 * cell.shape.producers.min(100) as u64);
        if factor < 4.0 {
            return Ok(items);
        }
    }
}

/// Takes a sample, and takes it again while the machine is disturbed; of several
/// disturbed ones the least disturbed stays.
fn take(sample: &Sample, care: &Care, quiet: &mut Quiet) -> Result<Outcome, String> {
    let mut best: Option<(bool, f64, Outcome)> = None;
    for _ in 0..=care.retakes {
        let before = machine::round_trip();
        let watch = Foreign::watch();
        let mut outcome = child(sample, care)?;
        let foreign = watch.share();
        let after = machine::round_trip();
        quiet.samples += 1;
        let trips = [before, after].into_iter().flatten();
        trips.clone().for_each(|trip| quiet.note_trip(trip));
        outcome.trip = trips.max_by(f64::total_cmp);
        let far = outcome.is_far() && sample.cell.crosses_cores();
        quiet.far += usize::from(far);
        quiet.foreign += usize::from(!far && foreign > FOREIGN);
        if best
            .as_ref()
            .is_none_or(|(f, s, _)| (far, foreign) < (*f, *s))
        {
            best = Some((far, foreign, outcome));
        }
        if !far && foreign <= FOREIGN {
            break;
        }
    }
    let (far, foreign, outcome) = best.expect("at least one try");
    quiet.kept_disturbed += usize::from(far || foreign > FOREIGN);
    Ok(outcome)
}

/// Runs one child to its end, or to the end of our patience.
fn child(sample: &Sample, care: &Care) -> Result<Outcome, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let text = serde_json::to_string(sample).map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["sample", &text]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    own_group(&mut command);
    let files = Files::new()?;
    command.env(processes::DIRECTORY, &files.0);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let patience = Duration::from_millis(care.hung_ms);
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        if start.elapsed() > patience {
            // SAFETY: plain system call; the group is the child's own, made at its start,
            // and the child has not been waited for, so its number is still taken.
            unsafe { libc::kill(-(child.id() as libc::pid_t), libc::SIGKILL) };
            let _ = child.wait();
            return Err(format!("hung (no end within {patience:?})"));
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let read = |from: Option<&mut dyn Read>| {
        let mut text = String::new();
        let _ = from.map(|from| from.read_to_string(&mut text));
        text
    };
    let out = read(child.stdout.as_mut().map(|out| out as _));
    let err = read(child.stderr.as_mut().map(|err| err as _));
    let result: Option<Result<Outcome, String>> = out
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok());
    result.unwrap_or_else(|| {
        let line = err.lines().rfind(|line| !line.trim().is_empty());
        Err(format!("failed ({status}): {}", line.unwrap_or("no word")))
    })
}

/// The child leads a process group of its own, so that what it starts ends with it.
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

/// A directory in memory for what a child's queues leave, whatever becomes of the child.
struct Files(PathBuf);

impl Files {
    fn new() -> Result<Self, String> {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let path = parent.join(format!("family-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| error.to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
