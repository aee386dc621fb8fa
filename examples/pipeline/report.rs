//! What the user sees: a bar while it runs, a row for each kind, a conclusion.

use crate::run::{Outcome, Plan};
use crate::tally::Tally;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;

/// A progress bar, on a terminal alone.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(name: &str, files: usize) -> Self {
        let style = ProgressStyle::with_template("{prefix:12} {bar:40} {pos}/{len} files")
            .expect("the template is valid");
        Self(
            ProgressBar::new(files as u64)
                .with_style(style)
                .with_prefix(name.to_owned()),
        )
    }

    /// One file more.
    pub(crate) fn show(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

pub(crate) fn heading(root: &Path, plan: &Plan) {
    println!(
        "Counting the words of {} files below {}: {} workers, queues of {} items\n",
        plan.files.len(),
        root.display(),
        plan.workers,
        plan.capacity,
    );
    println!(
        "{:14} {:>9} {:>9} {:>10} {:>11}  result",
        "", "words", "distinct", "time", "items/s"
    );
}

/// One kind's outcome; `expected` is what it must agree with.
pub(crate) fn row(name: &str, outcome: &Outcome, expected: Option<&Outcome>) {
    let seconds = outcome.time.as_secs_f64();
    print!(
        "{name:14} {:>9} {:>9} {:>7.1} ms {:>11.0}  {}",
        outcome.tally.total(),
        outcome.tally.distinct(),
        seconds * 1e3,
        outcome.items as f64 / seconds,
        match expected {
            None => "what the others must agree with",
            Some(expected) if expected.tally == outcome.tally => "the same",
            Some(_) => "DIFFERENT",
        }
    );
    match (outcome.killed, outcome.repeated) {
        (0, _) => println!(),
        (killed, files) => println!("; {killed} workers killed, {files} files came back"),
    }
}

/// A kind that cannot be had here.
pub(crate) fn left_out(name: &str, why: &str) {
    println!("{name:14} {:>54} left out: {why}", "");
}

pub(crate) fn conclusion(tally: &Tally, all_agree: bool) {
    let top: Vec<_> = tally.top(5);
    let top: Vec<_> = top.iter().map(|(word, n)| format!("{word} {n}")).collect();
    println!("\nMost frequent: {}", top.join(", "));
    println!(
        "{} files were text, {} were not, {} could not be read.",
        tally.text, tally.not_text, tally.unreadable
    );
    println!(
        "{}",
        match all_agree {
            true => "All agree, word for word.",
            false => "They do NOT agree.",
        }
    );
}
