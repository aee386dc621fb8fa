//! `cargo loom`: runs every loom model of the workspace, in a build of its own.
//!
//! Passes only if every model completed: a run that loom cut short is a failure.

#![forbid(unsafe_code)]

use family_tests::models::{self, Depth, ModelFile};
use std::io::{BufRead, BufReader};
use std::process::{ExitCode, Stdio};
use std::time::Instant;

const HELP: &str = "\
Runs every loom model of the workspace and requires each to have completed.

Usage: cargo loom [--long | --all] [FILTER]

  --long   with one preemption more than each model states: an hour or so
  --all    without preemption bounds; not every model comes to its end
  FILTER   only files of models whose path contains this, e.g. queue-thread or loom_event";

fn main() -> ExitCode {
    let mut depth = Depth::Bounded;
    let mut filter = String::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--long" => depth = Depth::Long,
            "--all" => depth = Depth::All,
            "-h" | "--help" => {
                println!("{HELP}");
                return ExitCode::SUCCESS;
            }
            _ if argument.starts_with('-') || !filter.is_empty() => {
                eprintln!("cargo loom: unexpected argument {argument:?}\n\n{HELP}");
                return ExitCode::from(2);
            }
            _ => filter = argument,
        }
    }
    match run(depth, &filter) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo loom: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the models: whether all completed.
fn run(depth: Depth, filter: &str) -> std::io::Result<bool> {
    let mut files = models::find(&family_tests::root())?;
    files.retain(|file| file.to_string().contains(filter));
    if files.is_empty() {
        eprintln!("cargo loom: no model matches {filter:?}");
        return Ok(false);
    }
    let started = Instant::now();
    let (mut completed, mut faults) = (Vec::new(), Vec::new());
    for file in &files {
        println!("\n== {file}");
        let (output, succeeded) = run_file(file, depth)?;
        let verdict = models::judge(&output);
        if !succeeded && verdict.faults.is_empty() {
            faults.push(format!("{file}: the test run failed"));
        }
        faults.extend(
            verdict
                .faults
                .iter()
                .map(|fault| format!("{file}: {fault}")),
        );
        completed.extend(verdict.completed);
    }
    println!("\n== all models");
    for (name, interleavings) in &completed {
        println!("{interleavings:>10}  {name}");
    }
    for fault in &faults {
        println!("NOT PASSED  {fault}");
    }
    println!(
        "{} models completed, {} faults, {} s",
        completed.len(),
        faults.len(),
        started.elapsed().as_secs()
    );
    Ok(faults.is_empty())
}

/// Runs one file of models, showing its output as it comes: that output, and whether
/// the run succeeded.
fn run_file(file: &ModelFile, depth: Depth) -> std::io::Result<(String, bool)> {
    let root = family_tests::root();
    let mut child = models::cargo_test(&root, &root.join("target/loom"), depth)
        .args(["-p", &file.package, "--test", &file.target])
        .args(["--", "--show-output"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut output = String::new();
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        let line = line?;
        println!("{line}");
        output.push_str(&line);
        output.push('\n');
    }
    Ok((output, child.wait()?.success()))
}
