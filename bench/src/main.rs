//! The queue family side by side with its peers; see README.md beside this package.

mod cell;
mod channels;
mod family;
mod heap;
mod item;
mod jobs;
mod machine;
mod processes;
mod report;
mod runner;
mod subject;
mod tasks;
mod threads;

use cell::Place;
use clap::{Args, Parser, Subcommand};
use runner::Care;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use subject::{Role, Sample};

#[global_allocator]
static HEAP: heap::Counted = heap::Counted;

/// Measures the queue family side by side with its peers, in one interleaved run.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Queues between threads.
    Threads(Options),
    /// Queues between tasks, on tokio with two workers and on its current-thread runtime.
    Tasks(Options),
    /// Queues between processes.
    Processes(Options),
    /// All of them.
    All(Options),
    /// Prints the tables (and draws the chart) of a JSON file that an earlier run wrote.
    Show {
        /// The file.
        file: PathBuf,
        /// Draw the chart here.
        #[arg(long)]
        svg: Option<PathBuf>,
    },
    /// Writes the tables and charts of JSON files into a page of documentation, where it has marks
    /// for them.
    Page {
        /// The page.
        page: PathBuf,
        /// The files that runs wrote.
        files: Vec<PathBuf>,
    },
    /// Counts what push and pop cost beside the peers' in instructions, atomic operations and
    /// system calls.
    Cost,
    /// Places our deliveries beside systems that people use for jobs; `--features job-peers` has
    /// those.
    Jobs {
        /// Be the worker of this kind of ours.
        #[arg(long, hide = true)]
        worker: Option<String>,
    },
    /// One sample: what the harness runs in a child of its own.
    #[command(hide = true)]
    Sample { sample: String },
    /// One producer or consumer of a sample between processes.
    #[command(hide = true)]
    Worker { worker: String },
}

#[derive(Args)]
struct Options {
    /// Fewer cells, fewer and shorter runs: under a minute, for orientation only.
    #[arg(long)]
    quick: bool,
    /// Write all samples here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the chart here.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Only cells with these parts of their names, such as `4x4+1024+8B,ping-pong`.
    #[arg(long, value_delimiter = ',')]
    cells: Vec<String>,
    /// Only these peers, such as `kanal,crossfire` (`none` for none at all).
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Only these of our own kinds.
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<String>,
    /// How many producers and consumers, such as `8x8,15x1` [default: 1x1,4x1,1x4,4x4].
    #[arg(long, value_delimiter = ',', value_parser = sides)]
    sides: Vec<(usize, usize)>,
    /// How many rounds [default: 5; with --quick 2, or 1 for all places].
    #[arg(long)]
    rounds: Option<usize>,
    /// How long one run lasts, in milliseconds; a sample has three [default: 60, or 5 with --quick].
    #[arg(long)]
    run_ms: Option<u64>,
    /// How often a disturbed sample is taken again [default: 2, or 0 with --quick].
    #[arg(long)]
    retakes: Option<usize>,
    /// List the cells and subjects instead of measuring them.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(family_cost::CHILD) {
        return finish(cost().map(drop));
    }
    let (places, options) = match Cli::parse().what {
        What::Threads(options) => (vec![Place::Threads], options),
        What::Tasks(options) => (vec![Place::Tasks, Place::Local], options),
        What::Processes(options) => (vec![Place::Processes], options),
        What::All(options) => (
            vec![Place::Threads, Place::Tasks, Place::Local, Place::Processes],
            options,
        ),
        What::Show { file, svg } => return finish(show(&file, svg)),
        What::Page { page, files } => return finish(renew(&page, &files)),
        What::Cost => return finish(cost().map(|table| print!("{}", table.markdown()))),
        What::Jobs { worker } => return finish(jobs::run(worker.as_deref())),
        What::Sample { sample } => return perform(&sample),
        What::Worker { worker } => return processes::work(&worker),
    };
    finish(bench(&places, &options))
}

fn finish(result: Result<(), String>) -> ExitCode {
    result.map_or_else(
        |error| {
            eprintln!("family-bench: {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// In the child: performs the sample, and prints what came of it.
fn perform(sample: &str) -> ExitCode {
    let result = serde_json::from_str::<Sample>(sample)
        .map_err(|error| error.to_string())
        .and_then(|sample| subject::perform(&sample));
    println!("{}", serde_json::to_string(&result).expect("plain data"));
    ExitCode::SUCCESS
}

fn sides(text: &str) -> Result<(usize, usize), String> {
    let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
    let sides = text.split_once('x');
    let sides = sides.and_then(|(producers, consumers)| number(producers).zip(number(consumers)));
    sides.ok_or_else(|| "it looks like 4x1".to_owned())
}

fn bench(places: &[Place], options: &Options) -> Result<(), String> {
    let sides = match options.sides.is_empty() {
        true => &cell::SIDES[..],
        false => &options.sides,
    };
    let cells: Vec<_> = places
        .iter()
        .flat_map(|&place| cell::cells(place, options.quick, sides))
        .filter(|cell| cell.fits(&options.cells))
        .collect();
    if options.list {
        for cell in &cells {
            let names: Vec<_> = subject::subjects(cell.place)
                .iter()
                .filter(|subject| (subject.supports)(cell))
                .map(|subject| subject.name)
                .collect();
            println!("{cell}: {}", names.join(", "));
        }
        return Ok(());
    }
    if cells.is_empty() {
        return Err("no cell fits --cells; --list shows their names".to_owned());
    }
    let named = |names: &[String], name: &str| {
        // A name, or the first word of one: `crossfire` is each of its flavours.
        let first = name.split(' ').next().unwrap_or(name);
        let fits = |wanted: &String| {
            [name, first]
                .iter()
                .any(|name| wanted.eq_ignore_ascii_case(name))
        };
        names.is_empty() || names.iter().any(fits)
    };
    let rounds = match (options.quick, places.len()) {
        (false, _) => 5,
        (true, ..=2) => 2,
        (true, _) => 1,
    };
    let care = Care {
        rounds: options.rounds.unwrap_or(rounds),
        run_ms: options.run_ms.unwrap_or(if options.quick { 5 } else { 60 }),
        runs: if options.quick { 1 } else { 3 },
        retakes: options.retakes.unwrap_or(if options.quick { 0 } else { 2 }),
        hung_ms: if options.quick { 3_000 } else { 15_000 },
    };
    let (rows, quiet) = runner::measure(&cells, &care, |subject| match subject.role {
        Role::Ours => named(&options.kinds, subject.name),
        Role::Peer | Role::Yardstick => named(&options.peers, subject.name),
    });
    let report = report::Report::new(rows, quiet, care);
    print!("{}", report.markdown());
    if let Some(file) = &options.json {
        let mut json = serde_json::to_value(&report).map_err(|error| error.to_string())?;
        round(&mut json);
        let text = json.to_string();
        std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    options
        .svg
        .as_ref()
        .map_or(Ok(()), |file| report.chart(file, |_| true))
}

/// What is done with nobody else there, by whoever can be measured so.
fn cost() -> Result<family_cost::Table, String> {
    let cells = [Place::Threads, Place::Processes]
        .into_iter()
        .flat_map(|place| cell::cells(place, false, &cell::SIDES))
        .filter(|cell| {
            matches!(
                cell.load,
                cell::Load::Alone | cell::Load::Work | cell::Load::Select
            )
        });
    let subjects: Vec<_> = cells
        .flat_map(|cell| {
            let all = subject::subjects(cell.place).into_iter();
            all.filter(move |subject| (subject.supports)(&cell))
                .map(move |subject| family_cost::Subject {
                    what: report::label(&cell),
                    who: subject.name.to_owned(),
                    run: Box::new(move |times| (subject.run)(&cell, times).map(drop)),
                })
        })
        .collect();
    family_cost::table(&subjects)
}

/// Four digits of each number: the machine varies in the second.
fn round(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Array(values) => values.iter_mut().for_each(round),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(round),
        number => {
            if let Some(float) = number.as_f64().filter(|_| number.is_f64()) {
                let short: f64 = format!("{float:.3e}").parse().unwrap_or(float);
                *number = short.into();
            }
        }
    }
}

fn show(file: &Path, svg: Option<PathBuf>) -> Result<(), String> {
    let report = read(file)?;
    print!("{}", report.markdown());
    svg.map_or(Ok(()), |file| report.chart(&file, |_| true))
}

fn renew(page: &Path, files: &[PathBuf]) -> Result<(), String> {
    let reports: Result<Vec<_>, _> = files.iter().map(|file| read(file)).collect();
    report::renew(page, &reports?)
}

fn read(file: &Path) -> Result<report::Report, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}
