//! What an operation costs, in numbers that do not depend on the hour: instructions, atomic
//! read-modify-writes and fences, and system calls.
//!
//! A child does it a few times, and again many times, one instruction after the other; the
//! difference is that of the operations alone.

mod steps;

use std::collections::BTreeMap;
use std::env::{args, current_exe};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use steps::Count;

/// What is done before anything is counted, so that buffers are there and code is linked.
const WARM: u64 = 64;
/// How often it is done in the two runs that are compared.
const FEW: u64 = 16;
const MANY: u64 = FEW + 62; // Two blocks of `crossbeam-queue`.

/// By how much a number may grow before [`Table::check`] fails.
const GROWTH: f64 = 1.03;
/// With another compiler than the one that the table is of.
const GROWTH_ELSEWHERE: f64 = 1.25;

/// How the child is told from the program that counts: its first argument.
pub const CHILD: &str = "--stepped";

/// What is counted: an operation, by whom, and a function that does it so many times.
pub struct Subject {
    /// What is done.
    pub what: String,
    /// By whom.
    pub who: String,
    /// Does it so many times.
    pub run: Box<dyn Fn(u64) -> Result<(), String>>,
}

/// What all of them cost.
pub struct Table {
    compiler: String,
    rows: BTreeMap<(String, String), Each>,
}

/// What one operation costs.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Each {
    instructions: f64,
    atomics: f64,
    calls: f64,
}

/// Counts all of `subjects`. A program calls this before anything else, for it starts itself anew
/// for each of them: in that child it does not return.
///
/// # Errors
/// What went wrong: a subject that fails, a system that refuses.
pub fn table(subjects: &[Subject]) -> Result<Table, String> {
    if let [_, child, number] = &*args().collect::<Vec<_>>() {
        if child == CHILD {
            stepped(number.parse().ok().and_then(|n: usize| subjects.get(n)))?;
            std::process::exit(0);
        }
    }
    let mut rows = BTreeMap::new();
    for (number, subject) in subjects.iter().enumerate() {
        let Subject { what, who, .. } = subject;
        let each = measure(number).map_err(|why| format!("{who}, {what}: {why}"))?;
        rows.insert((what.clone(), who.clone()), each);
    }
    let compiler = compiler()?;
    Ok(Table { compiler, rows })
}

fn compiler() -> Result<String, String> {
    let out = Command::new("rustc").arg("--version").output();
    let out = out.map_err(|error| format!("rustc --version: {error}"))?;
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

fn measure(number: usize) -> Result<Each, String> {
    let mut child = Command::new(current_exe().map_err(|error| error.to_string())?);
    child.args([CHILD, &number.to_string()]);
    let [few, many] = steps::count(&mut child).map_err(|error| error.to_string())?;
    let each = |of: fn(&Count) -> u64| (of(&many) as f64 - of(&few) as f64) / (MANY - FEW) as f64;
    Ok(Each {
        instructions: each(|count| count.instructions),
        atomics: each(|count| count.atomics),
        calls: each(|count| count.calls),
    })
}

/// In the child: the operations, between stops.
fn stepped(subject: Option<&Subject>) -> Result<(), String> {
    let run = &subject.ok_or("no such subject")?.run;
    run(WARM)?;
    steps::between(|| run(FEW))?;
    steps::between(|| run(MANY))
}

impl Table {
    /// As markdown, operation by operation, the cheapest first.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = format!("With {}:\n\n", self.compiler);
        out.push_str(
            "| operation | queue | instructions | atomic | system calls |\n|---|---|--:|--:|--:|\n",
        );
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_by(|(a, x), (b, y)| {
            a.0.cmp(&b.0)
                .then(x.instructions.total_cmp(&y.instructions))
        });
        for ((what, who), each) in rows {
            let _ = writeln!(
                out,
                "| {what} | {who} | {:.0} | {:.1} | {:.1} |",
                each.instructions, each.atomics, each.calls
            );
        }
        out
    }

    /// As text that [`check`](Self::check) reads.
    ///
    /// # Errors
    /// If `file` cannot be written.
    pub fn save(&self, file: &Path) -> Result<(), String> {
        let mut out = format!("{}\n", self.compiler);
        for ((what, who), each) in &self.rows {
            let _ = writeln!(
                out,
                "{what}\t{who}\t{:.1}\t{:.2}\t{:.2}",
                each.instructions, each.atomics, each.calls
            );
        }
        std::fs::write(file, out).map_err(|error| format!("{}: {error}", file.display()))
    }

    /// Whether nothing has grown since `file` was written.
    ///
    /// # Errors
    /// What has grown, or is in one of the two alone.
    pub fn check(&self, file: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
        let mut lines = text.lines();
        let same = lines.next() == Some(&*self.compiler);
        let growth = if same { GROWTH } else { GROWTH_ELSEWHERE };
        let mut faults = Vec::new();
        let mut seen = 0;
        for line in lines {
            let fault = || format!("{}: cannot read `{line}`", file.display());
            let fields: Vec<_> = line.split('\t').collect();
            let [what, who, numbers @ ..] = &*fields else {
                return Err(fault());
            };
            let numbers = numbers.iter().map(|n| n.parse::<f64>());
            let numbers = numbers
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| fault())?;
            let Some(now) = self.rows.get(&((*what).to_owned(), (*who).to_owned())) else {
                faults.push(format!("{who}, {what}, is no longer counted"));
                continue;
            };
            seen += 1;
            let kinds = ["instructions", "atomic operations", "system calls"];
            let now = [now.instructions, now.atomics, now.calls];
            for ((kind, was), now) in kinds.iter().zip(numbers).zip(now) {
                if now > was * growth + 0.05 {
                    faults.push(format!(
                        "{who}, {what}: {kind} were {was}, and are {now:.1}"
                    ));
                }
            }
        }
        if self.rows.len() > seen {
            faults.push(format!(
                "{} has {seen} rows of {}",
                file.display(),
                self.rows.len()
            ));
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(faults.join("\n"))
    }
}
