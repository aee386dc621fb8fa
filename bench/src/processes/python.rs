//! Python's queues, by a script that does a whole run by itself.

use super::Entry;
use crate::cell::{Cell, Load};
use crate::subject::{Outcome, Role, Subject};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const SCRIPT: &str = include_str!("python.py");

pub fn entries() -> Vec<Entry> {
    let all = [
        (
            "Python multiprocessing.Queue",
            run as fn(&Cell, u64) -> _,
            single as fn(&Cell) -> bool,
        ),
        ("Python SimpleQueue (unbounded)", run_simple, single),
        ("Python faster-fifo", run_fifo, fifo),
    ];
    all.map(|(name, run, supports)| Entry {
        subject: Subject {
            name,
            role: Role::Peer,
            supports,
            run,
        },
        work: |_| Err("Python starts its own workers".to_owned()),
    })
    .into()
}

fn run(cell: &Cell, items: u64) -> Result<Outcome, String> {
    script("Queue", cell, items)
}

fn run_simple(cell: &Cell, items: u64) -> Result<Outcome, String> {
    script("SimpleQueue", cell, items)
}

fn run_fifo(cell: &Cell, items: u64) -> Result<Outcome, String> {
    script("faster_fifo", cell, items)
}

/// Python's own queues have no batches.
fn single(cell: &Cell) -> bool {
    matches!(cell.load, Load::Stream | Load::PingPong) && has("multiprocessing")
}

fn fifo(cell: &Cell) -> bool {
    matches!(cell.load, Load::Stream | Load::Batch | Load::PingPong) && has("faster_fifo")
}

/// Whether Python is there and has this module.
fn has(module: &'static str) -> bool {
    static FOUND: OnceLock<[bool; 2]> = OnceLock::new();
    let try_import = |module: &str| {
        let mut python = Command::new("python3");
        python.args(["-c", &format!("import {module}")]);
        python.stdout(Stdio::null()).stderr(Stdio::null());
        python.status().is_ok_and(|status| status.success())
    };
    let found = FOUND.get_or_init(|| [try_import("multiprocessing"), try_import("faster_fifo")]);
    found[usize::from(module == "faster_fifo")]
}

fn script(what: &str, cell: &Cell, items: u64) -> Result<Outcome, String> {
    let load = match cell.load {
        Load::PingPong => "ping",
        Load::Batch => "batch",
        _ => "stream",
    };
    let shape = cell.shape;
    let numbers = [
        shape.producers,
        shape.consumers,
        shape.capacity.unwrap_or(0),
        cell.size,
    ];
    let output = Command::new("python3")
        .args(["-c", SCRIPT, what, load])
        .args(numbers.map(|number| number.to_string()))
        .arg(items.to_string())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| error.to_string())?;
    let line = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(line.trim())
        .unwrap_or_else(|error| Err(format!("python3 ({}): {error}", output.status)))
}
