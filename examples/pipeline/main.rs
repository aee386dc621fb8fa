//! Counts the words of a directory tree with one worker, over every kind of queue.
//!
//! ```sh
//! cargo run --release --example pipeline
//! cargo run --release --example pipeline -- --queue process --workers 4 queue-core
//! cargo run --release --example pipeline -- --kill 3
//! cargo run --release --example pipeline -- --url 'shm://words?capacity=64'
//! ```
//!
//! A feeder pushes the path of each file into one queue, workers receive paths and push what
//! they count into another, and the collector adds it up. Feeder, worker and collector
//! know nothing but the traits `Queue` and `WorkQueue`; what differs between the kinds is who runs
//! a worker, in `worlds.rs`: a thread, a task, or another process. A process may be killed
//! while it works: each word counts once all the same. With `--url` the queues are at an address, which a
//! worker opens by itself: it could be on another machine.

#![forbid(unsafe_code)]

mod kinds;
mod places;
mod report;
mod run;
mod server;
mod tally;
mod tree;
mod work;
mod worlds;

use clap::Parser;
use kinds::Choice;
use std::path::PathBuf;
use std::process::ExitCode;

/// Count the words of a directory tree, over threads, tasks and processes.
///
/// The same feeder, worker and collector run over each chosen kind of queue. Prints what
/// each counted, its time and its rate, and fails unless all of them, and a plain loop
/// without any queue, agree.
#[derive(Parser)]
#[command(name = "pipeline")]
struct Options {
    /// What carries the paths to the workers and their counts back
    #[arg(long, value_enum, default_value = "all")]
    queue: Choice,

    /// Where the queue is instead, such as shm://words or nats://localhost:4222/words
    #[arg(long, value_name = "URL", conflicts_with = "queue")]
    url: Option<String>,

    /// How many workers count [default: one for each processor]
    #[arg(long, value_name = "N")]
    workers: Option<std::num::NonZeroUsize>,

    /// How many items each queue holds
    #[arg(long, value_name = "N", default_value = "64")]
    capacity: std::num::NonZeroUsize,

    /// How many worker processes are killed while they work; others take their places
    #[arg(long, value_name = "N", default_value = "0")]
    kill: usize,

    /// A directory or a file [default: the sources of this program's repository]
    path: Option<PathBuf>,
}

fn main() -> ExitCode {
    if let Some(code) = kinds::worker_process() {
        return code;
    }
    let options = Options::parse();
    match compare(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("pipeline: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs every chosen kind: whether all of them counted the same.
fn compare(options: &Options) -> Result<bool, Box<dyn std::error::Error>> {
    let root = options.path.clone().unwrap_or_else(tree::own_sources);
    let files = tree::files(&root).map_err(|e| format!("{}: {e}", root.display()))?;
    let workers = options.workers.map_or_else(processors, usize::from);
    let plan = run::Plan {
        files,
        workers,
        capacity: options.capacity.get(),
        kills: options.kill,
    };
    report::heading(&root, &plan);
    let expected = run::without_queue(&plan);
    report::row("no queue", &expected, None);
    let mut all_agree = true;
    let mut check = |name: &str, outcome: run::Outcome| {
        all_agree &= outcome.tally == expected.tally;
        report::row(name, &outcome, Some(&expected));
    };
    match &options.url {
        Some(url) => check(
            url,
            places::count_at(url, &plan).map_err(|e| format!("{url}: {e}"))?,
        ),
        None => {
            for kind in options.queue.kinds() {
                let outcome = kind.run(&plan);
                match outcome.map_err(|e| format!("{}: {e}", kind.name()))? {
                    Some(outcome) => check(kind.name(), outcome),
                    None => report::left_out(kind.name(), "no nats-server is installed here"),
                }
            }
        }
    }
    report::conclusion(&expected.tally, all_agree);
    Ok(all_agree)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
