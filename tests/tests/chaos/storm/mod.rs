//! The storms, kind by kind.

mod alone;
mod batch;
mod crew;
mod episode;
mod judge;
mod kind;
mod log;
mod noise;
mod steps;
mod watchdog;
mod worker;

use judge::Tally;
use kind::{Item, Kind};
use queue_process::{IpcQueue, PipeQueue, ShmQueue};
use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs};
use worker::Orders;

/// So many kills one queue lives through before it is judged.
const KILLS: u64 = 25;
/// How often an episode is tried again that was late.
const TRIES: usize = 10;

/// What the command line asks for.
struct Arguments {
    kills: u64,
    kind: Option<String>,
    seed: Option<u64>,
}

impl Arguments {
    /// Whether it asks for another kind.
    fn leave_out<K: Kind>(&self) -> bool {
        self.kind.as_deref().is_some_and(|kind| kind != K::NAME)
    }
}

/// A number that differs from run to run.
fn any_seed() -> u64 {
    u64::from(std::process::id()) << 20 ^ log::now()
}

pub(crate) fn main() -> ExitCode {
    if let Some((orders, log)) = Orders::read() {
        match orders.kind.as_str() {
            <ShmQueue<Item> as Kind>::NAME => worker::run::<ShmQueue<Item>>(&orders, &log),
            <PipeQueue<Item> as Kind>::NAME => worker::run::<PipeQueue<Item>>(&orders, &log),
            _ => worker::run::<IpcQueue<Item>>(&orders, &log),
        }
        return ExitCode::SUCCESS;
    }
    if let Some((kind, verb)) = steps::order() {
        match kind.as_str() {
            <ShmQueue<Item> as Kind>::NAME => steps::victim::<ShmQueue<Item>>(&verb),
            <PipeQueue<Item> as Kind>::NAME => steps::victim::<PipeQueue<Item>>(&verb),
            _ => steps::victim::<IpcQueue<Item>>(&verb),
        }
        return ExitCode::SUCCESS;
    }
    let Some(arguments) = arguments() else {
        return ExitCode::SUCCESS;
    };
    let directory = env::temp_dir().join(format!("family-chaos-{}", std::process::id()));
    fs::create_dir(&directory).expect("a directory for the notes");
    watchdog::start(directory.clone());
    let good = storm::<ShmQueue<Item>>(&arguments, &directory)
        & storm::<PipeQueue<Item>>(&arguments, &directory)
        & storm::<IpcQueue<Item>>(&arguments, &directory)
        & step::<ShmQueue<Item>>(&arguments)
        & step::<PipeQueue<Item>>(&arguments)
        & step::<IpcQueue<Item>>(&arguments);
    fs::remove_dir_all(&directory).expect("nobody else is in there");
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Kills until it is enough: whether all was well.
fn storm<K: Kind>(arguments: &Arguments, directory: &Path) -> bool {
    if arguments.leave_out::<K>() {
        return true;
    }
    let start = Instant::now();
    let first = arguments.seed.unwrap_or_else(any_seed);
    let mut total = Tally::default();
    let mut good = true;
    for run in 0.. {
        let seed = first.wrapping_add(run);
        let mut result = episode::run::<K>(seed, KILLS, directory);
        // A busy machine may be late, more than once; a queue that is late will always be.
        for _ in 0..TRIES {
            let Ok(Tally {
                late: Some(why), ..
            }) = &result
            else {
                break;
            };
            println!("chaos {}: {why}; once more", K::NAME);
            result = episode::run::<K>(seed, KILLS, directory);
        }
        let result = result.and_then(|tally| tally.late.clone().map_or(Ok(tally), Err));
        match result {
            Ok(tally) => total.add(&tally),
            Err(why) => {
                good = false;
                total.kills += KILLS;
                println!("chaos {}: {why}", K::NAME);
                println!("  again: -- --kind {} --seed {seed} --kills 1", K::NAME);
            }
        }
        if total.kills >= arguments.kills {
            break;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let verdict = if good { "ok" } else { "FAILED" };
    println!(
        "chaos {} (seeds from {first}): {verdict} in {seconds:.1} s: {total}",
        K::NAME
    );
    good
}

/// From now on all threads and processes that this thread starts run where it does. Who is run one
/// instruction at a time takes turns with its tracer, which is several times as quick on one processor.
fn use_one_processor() {
    let mut here = CpuSet::new();
    here.set(sched_getcpu());
    // If it may not, it takes longer.
    let _ = sched_setaffinity(None, &here);
}

/// Kills at chosen instructions: whether all was well.
fn step<K: Kind>(arguments: &Arguments) -> bool {
    if arguments.leave_out::<K>() {
        return true;
    }
    use_one_processor();
    let start = Instant::now();
    let seed = arguments.seed.unwrap_or_else(any_seed);
    // A short run cuts some verbs after a few of their instructions, others each time.
    let is_short = arguments.kills <= 100;
    let verbs = if is_short { 2 } else { usize::MAX };
    let cuts = if is_short { 2 } else { arguments.kills / 8 };
    let result = steps::run::<K>(seed, verbs, cuts);
    let seconds = start.elapsed().as_secs_f64();
    let name = K::NAME;
    match &result {
        Ok(steps) => {
            println!("chaos {name}, by steps (seed {seed}): ok in {seconds:.1} s: {steps}")
        }
        Err(why) => println!("chaos {name}, by steps (seed {seed}): FAILED: {why}"),
    }
    let alone = alone::run::<K>(seed, verbs, if is_short { 1 } else { arguments.kills / 25 });
    let seconds = start.elapsed().as_secs_f64() - seconds;
    match &alone {
        Ok(deaths) => {
            println!(
                "chaos {name}, nobody else comes (seed {seed}): ok in {seconds:.1} s: {deaths} deaths"
            );
        }
        Err(why) => println!("chaos {name}, nobody else comes (seed {seed}): FAILED: {why}"),
    }
    result.is_ok() && alone.is_ok()
}

/// Understands its own options, and as much of the test harness's as matters.
fn arguments() -> Option<Arguments> {
    let mut arguments = Arguments {
        kills: 100,
        kind: None,
        seed: None,
    };
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse().ok());
        match word.as_str() {
            "--kills" => arguments.kills = number().expect("--kills N"),
            "--seed" => arguments.seed = Some(number().expect("--seed N")),
            "--kind" => arguments.kind = words.next(),
            "--list" => {
                println!("chaos: test");
                return None;
            }
            "--test-threads" | "--format" | "--color" | "--skip" => drop(words.next()),
            option if option.starts_with('-') => {}
            filter if "chaos".contains(filter) => {}
            _ => return None,
        }
    }
    Some(arguments)
}
