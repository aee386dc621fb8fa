//! `cargo mutate`: weakens the sources one place at a time, and reports who noticed.

#![forbid(unsafe_code)]

use family_mutate::judge::Bench;
use family_mutate::list::List;
use family_mutate::mutant::Mutant;
use family_mutate::operators;
use family_mutate::options::{HELP, Options};
use family_mutate::results::{Fate, Results, Row};
use family_mutate::table;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
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

/// Does what was asked for: whether somebody noticed each mutant, or it is argued for.
fn run(options: &Options) -> std::io::Result<bool> {
    if options.list_operators {
        for operator in operators::ALL {
            println!("{:14} {}", operator.name, operator.what);
        }
        return Ok(true);
    }
    let root = family_tests::root();
    let (all, list) = family_mutate::all(&root)?;
    let chosen = options.choose(&all);
    if options.list {
        chosen
            .iter()
            .for_each(|mutant| println!("{}  {}", mutant.key(), mutant.id()));
        print_strata(&chosen, &all);
        return Ok(true);
    }
    let home = root.join("target/mutate");
    let mut results = Results::open(&home.join(options.results()))?;
    if options.table {
        let text = table::write(&all, &chosen, &list, &results, options);
        std::fs::write(root.join("docs/mutations.md"), text)?;
        return Ok(true);
    }
    print_strata(&chosen, &all);
    let mut bench = Bench::new(&root, &home)?;
    let argued = |mutant: &Mutant| list.argument(&mutant.id()).is_some();
    let mut left = if options.again {
        chosen.clone()
    } else {
        results.missing(&chosen, bench.sources())
    };
    // What is most likely news comes first, and nobody waits long for it.
    left.sort_by_key(|mutant| argued(mutant));
    println!(
        "{} chosen, {} of them known",
        chosen.len(),
        chosen.len() - left.len()
    );
    if !options.unchecked && !left.is_empty() {
        bench.weave(&left)?;
        bench.learn(&left, options.jobs)?;
    }
    let (started, done) = (Instant::now(), AtomicUsize::new(0));
    bench.try_all(&left, options.jobs, &mut results, &argued, &|row| {
        let n = done.fetch_add(1, Ordering::Relaxed) + 1;
        println!(
            "{n:>4}/{} {:>4} s  {}  {}",
            left.len(),
            row.seconds,
            words(row, &list),
            row.id
        );
    })?;
    if let Some(each) = started.elapsed().as_secs().checked_div(left.len() as u64) {
        println!("{each} s for each, {} at a time", options.jobs);
    }
    Ok(summary(&chosen, &results, &list))
}

/// What became of one, in words.
fn words(row: &Row, list: &List) -> String {
    match &row.fate {
        Fate::Noticed(by, test) => format!("{by} {test}"),
        Fate::Hung(by) => format!("{by} (did not end)"),
        Fate::NotBuilt(error) => format!("no program: {error}"),
        Fate::Survived => match list.argument(&row.id) {
            Some(argument) => format!("argued, {}", argument.reason),
            None => "NOBODY".to_string(),
        },
    }
}

/// How many there are of each operator.
fn print_strata(chosen: &[&Mutant], all: &[Mutant]) {
    let mut strata: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for mutant in all {
        strata.entry(mutant.operator).or_default().1 += 1;
    }
    for mutant in chosen {
        strata.entry(mutant.operator).or_default().0 += 1;
    }
    for (operator, (some, all)) in strata {
        println!("{some:>5} of {all:>5}  {operator}");
    }
    println!("{:>5} of {:>5}  in all", chosen.len(), all.len());
}

/// Prints what became of all that were chosen: whether none is open.
fn summary(chosen: &[&Mutant], results: &Results, list: &List) -> bool {
    let (mut noticed, mut argued, mut not_built, mut open) = (0, 0, 0, Vec::new());
    for row in chosen.iter().filter_map(|mutant| results.get(&mutant.id())) {
        match row.fate {
            Fate::Noticed(..) | Fate::Hung(_) => noticed += 1,
            Fate::NotBuilt(_) => not_built += 1,
            Fate::Survived if list.argument(&row.id).is_some() => argued += 1,
            Fate::Survived => open.push(&row.id),
        }
    }
    for id in &open {
        println!("NOBODY  {id}");
    }
    let tried = noticed + argued + open.len();
    println!(
        "{tried} tried: {noticed} noticed, {argued} argued, {} open; {not_built} more are no program",
        open.len()
    );
    open.is_empty()
}
