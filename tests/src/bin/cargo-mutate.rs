//! `cargo mutate`: weakens the sources one place at a time, and reports who noticed.

#![forbid(unsafe_code)]

use family_tests::mutation;
use family_tests::mutation::run::{Bench, Fate};
use family_tests::mutation::table::{self, Fates};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const HELP: &str = "\
Weakens the sources one place at a time and asks the models and tests who notices. Takes
hours for everything; works in target/mutate, and writes MUTATIONS.md after each change, so
it can be ended at any time.

Usage: cargo mutate [--list] [--new] [--unchecked] [--limit SECONDS] [FILTER..]

  --list           only name the places
  --new            only those of which MUTATIONS.md does not say who noticed
  --unchecked      without first running all suites over the unchanged sources
  --limit SECONDS  how long one file of models may take, and four of tests [default: 240]
  FILTER           only places whose name contains one of these, e.g. queue-thread/ or fence

Fails if a change that is not argued for in tests/mutations.txt was noticed by nobody.";

struct Options {
    only_list: bool,
    only_new: bool,
    unchecked: bool,
    limit: Duration,
    filters: Vec<String>,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("cargo mutate: {wrong}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo mutate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Option<Options>, String> {
    let mut options = Options {
        only_list: false,
        only_new: false,
        unchecked: false,
        limit: Duration::from_secs(240),
        filters: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-h" | "--help" => return Ok(None),
            "--list" => options.only_list = true,
            "--new" => options.only_new = true,
            "--unchecked" => options.unchecked = true,
            "--limit" => {
                let seconds = arguments.next().and_then(|s| s.parse().ok());
                options.limit = Duration::from_secs(seconds.ok_or("--limit takes seconds")?);
            }
            _ if argument.starts_with('-') => {
                return Err(format!("unexpected argument {argument:?}"));
            }
            _ => options.filters.push(argument),
        }
    }
    Ok(Some(options))
}

/// Tries the mutations: whether somebody noticed each, or it is argued for.
fn run(options: &Options) -> Result<bool, Box<dyn std::error::Error>> {
    let root = family_tests::root();
    let (all, list) = mutation::all(&root)?;
    let report = root.join("MUTATIONS.md");
    let known = table::read(&std::fs::read_to_string(&report).unwrap_or_default());
    let filters = &options.filters;
    let argued = |id: &str| list.argued.iter().any(|(argued, _)| argued == id);
    let is_new = |m: &mutation::Mutation| match known.get(&m.id) {
        None => true,
        Some(fate) => *fate == Fate::Survived && !argued(&m.id),
    };
    let chosen: Vec<_> = all
        .iter()
        .filter(|m| filters.is_empty() || filters.iter().any(|filter| m.id.contains(filter)))
        .filter(|m| !options.only_new || is_new(m))
        .collect();
    if options.only_list {
        chosen
            .iter()
            .for_each(|mutation| println!("{}", mutation.id));
        println!("{} places", chosen.len());
        return Ok(true);
    }

    let bench = Bench::new(&root, options.limit)?;
    let mut passed = Vec::new();
    for mutation in &chosen {
        let mut suites = bench.suites(mutation)?;
        suites.retain(|suite| !options.unchecked && !passed.contains(suite));
        bench.check_baseline(&suites)?;
        passed.extend(suites);
    }
    // What is argued for and not tried now keeps its place in the table.
    let kept = list.argued.iter();
    let kept = kept.map(|(id, _)| (id.clone(), Fate::Survived));
    let mut fates: Fates = kept.chain(known.clone()).collect();
    let mut open = 0;
    for (n, mutation) in chosen.iter().enumerate() {
        let started = Instant::now();
        let hint = match known.get(&mutation.id) {
            Some(Fate::Caught(suite, test)) => Some((suite.clone(), test.clone())),
            _ => None,
        };
        let fate = bench.try_out(mutation, &bench.suites(mutation)?, hint.as_ref())?;
        open += usize::from(match fate {
            Fate::Caught(..) | Fate::Hung(_) => false,
            Fate::Survived => !argued(&mutation.id),
            Fate::NotBuilt => true,
        });
        println!(
            "{:>4}/{} {:>4} s  {}: {fate:?}",
            n + 1,
            chosen.len(),
            started.elapsed().as_secs(),
            mutation.id
        );
        fates.insert(mutation.id.clone(), fate);
        std::fs::write(&report, table::write(&all, &list, &fates))?;
    }
    println!("{} tried, {open} open", chosen.len());
    Ok(open == 0)
}
