//! A worker: one producer or consumer, in a process of its own.

use super::link::{Link, Result, Rx, Tx, Way, number, words};
use crate::cell::{Cell, Load};
use crate::item::{Tally, share};
use crate::machine::own_cpu;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::time::Instant;

/// The number of the item that ends a consumer.
pub const STOP: u64 = u64::MAX;
/// Items of a batch.
const BATCH: usize = 32;

/// What one worker is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// The subject's name.
    pub subject: String,
    /// What to do.
    pub part: Part,
    /// The queue, and the one that leads back.
    pub ways: Vec<Way>,
    /// Items of the whole run.
    pub items: u64,
    /// The cell.
    pub cell: Cell,
}

impl Task {
    fn is_batch(&self) -> bool {
        self.cell.load == Load::Batch
    }
}

/// A worker's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// Sends the share of this number.
    Produce(usize),
    /// Receives until it is stopped or, alone, has them all.
    Consume,
    /// Sends one and awaits it, again and again.
    Ping,
    /// Sends back what comes.
    Pong,
}

/// What one worker saw.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Nanoseconds of the machine's clock at its first and after its last item.
    pub span: (u64, u64),
    /// CPU seconds in between.
    pub cpu: f64,
    /// What a consumer noted.
    pub tally: Tally,
    /// The single times of a ping.
    pub times: Vec<u32>,
}

/// The entry point of a worker process.
pub fn work(task: &str) -> ExitCode {
    let result = serde_json::from_str::<Task>(task)
        .map_err(words)
        .and_then(|task| {
            let mut entries = super::entries().into_iter();
            let entry = entries.find(|entry| {
                entry.subject.name == task.subject && (entry.subject.supports)(&task.cell)
            });
            (entry.ok_or("no such subject")?.work)(&task)
        });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("worker: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says it is ready, awaits the start, does its part, reports, and lingers until the
/// coordinator lets go, so that nothing ends with a worker that others still need.
pub fn perform<L: Link>(task: &Task) -> Result<()> {
    let way = &task.ways[0];
    match task.part {
        Part::Produce(which) => {
            let mut tx = L::tx(way)?;
            ready()?;
            report(|| produce(&mut tx, task, which))?;
            if listen()? == "stop" {
                // One for each consumer, or for each of the most that it takes at once.
                let gulp = if task.is_batch() { L::Rx::GULP } else { 1 };
                let mut item = vec![0; way.size];
                mark(&mut item, STOP);
                (0..way.shape.consumers * gulp).try_for_each(|_| tx.send(&item))?;
            }
            listen().map(drop)
        }
        Part::Consume => {
            let mut rx = L::rx(way)?;
            ready()?;
            report(|| consume(&mut rx, task))?;
            listen().map(drop)
        }
        Part::Ping => {
            let (mut tx, mut rx) = (L::tx(way)?, L::rx(&task.ways[1])?);
            ready()?;
            report(|| ping(&mut tx, &mut rx, task))?;
            listen().map(drop)
        }
        Part::Pong => {
            let (mut rx, mut tx) = (L::rx(way)?, L::tx(&task.ways[1])?);
            ready()?;
            report(|| pong(&mut tx, &mut rx, task))?;
            listen().map(drop)
        }
    }
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(words)
}

/// A line from the coordinator; empty when it has gone.
fn listen() -> Result<String> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(words)?;
    Ok(line.trim().to_owned())
}

fn ready() -> Result<()> {
    say("ready")?;
    listen().map(drop)
}

/// Does `part` and reports when, at what cost, and what it saw.
fn report(part: impl FnOnce() -> Result<(Tally, Vec<u32>)>) -> Result<()> {
    let (start, cpu) = (clock(), own_cpu());
    let (tally, times) = part()?;
    let seen = Seen {
        span: (start, clock()),
        cpu: own_cpu() - cpu,
        tally,
        times,
    };
    say(&serde_json::to_string(&seen).map_err(words)?)
}

/// Nanoseconds of the clock that all processes of the machine share.
fn clock() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is what the call fills.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Writes the number at both ends of an item.
fn mark(item: &mut [u8], number: u64) {
    let end = item.len() - 8;
    item[..8].copy_from_slice(&number.to_le_bytes());
    item[end..].copy_from_slice(&number.to_le_bytes());
}

/// The number at both ends, or one that spoils the sum.
fn read(item: &[u8]) -> u64 {
    match item.len().checked_sub(8) {
        Some(end) if item[..8] == item[end..] => number(&item[..8]),
        _ => u64::MAX / 3,
    }
}

fn produce(tx: &mut impl Tx, task: &Task, which: usize) -> Result<(Tally, Vec<u32>)> {
    let way = &task.ways[0];
    let mut numbers = share(task.items, way.shape.producers, which);
    if task.is_batch() {
        let mut batch = Vec::with_capacity(BATCH);
        while !numbers.is_empty() {
            batch.extend(numbers.by_ref().take(BATCH));
            tx.send_many(&batch)?;
            batch.clear();
        }
    } else {
        let mut item = vec![0; way.size];
        for number in numbers {
            mark(&mut item, number);
            tx.send(&item)?;
        }
    }
    Ok(Default::default())
}

fn consume(rx: &mut impl Rx, task: &Task) -> Result<(Tally, Vec<u32>)> {
    let mut tally = Tally::default();
    let alone = task.ways[0].shape.consumers == 1;
    let mut item = Vec::with_capacity(task.ways[0].size);
    let mut batch = Vec::with_capacity(BATCH);
    while !alone || tally.count() < task.items {
        if task.is_batch() {
            batch.clear();
            rx.recv_many(&mut batch, BATCH)?;
        } else {
            rx.recv(&mut item)?;
            batch.clear();
            batch.push(read(&item));
        }
        for number in &batch {
            if *number == STOP {
                return Ok((tally, Vec::new()));
            }
            tally.note(*number);
        }
    }
    Ok((tally, Vec::new()))
}

fn ping(tx: &mut impl Tx, rx: &mut impl Rx, task: &Task) -> Result<(Tally, Vec<u32>)> {
    let mut tally = Tally::default();
    let mut item = vec![0; task.ways[0].size];
    let mut times = Vec::with_capacity(task.items as usize);
    let mut last = Instant::now();
    for number in 0..task.items {
        mark(&mut item, number);
        tx.send(&item)?;
        rx.recv(&mut item)?;
        tally.note(read(&item));
        let now = Instant::now();
        times.push((now - std::mem::replace(&mut last, now)).as_nanos() as u32);
    }
    Ok((tally, times))
}

fn pong(tx: &mut impl Tx, rx: &mut impl Rx, task: &Task) -> Result<(Tally, Vec<u32>)> {
    let mut item = Vec::with_capacity(task.ways[0].size);
    for _ in 0..task.items {
        rx.recv(&mut item)?;
        tx.send(&item)?;
    }
    Ok(Default::default())
}
