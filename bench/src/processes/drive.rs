//! The coordinator of a sample: makes the queues, starts the workers, gathers reports.

use super::DIRECTORY;
use super::link::{Half, Link, Result, Way, words};
use super::work::{Part, Seen, Task};
use crate::cell::{Cell, Load};
use crate::item::Tally;
use crate::machine::own_cpu;
use crate::subject::Outcome;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// One run.
pub fn run<L: Link>(cell: &Cell, items: u64) -> Result<Outcome> {
    let parts = match cell.load {
        Load::PingPong => vec![Part::Ping, Part::Pong],
        _ => {
            let producers = (0..cell.shape.producers).map(Part::Produce);
            let consumers = (0..cell.shape.consumers).map(|_| Part::Consume);
            consumers.chain(producers).collect()
        }
    };
    let ways: Vec<Way> = (0..if cell.load == Load::PingPong { 2 } else { 1 })
        .map(|_| way(cell))
        .collect();
    let mut hosts = ways.iter().map(L::host).collect::<Result<Vec<_>>>()?;
    let mut workers = Vec::new();
    for part in parts {
        let task = Task {
            subject: L::NAME.to_owned(),
            part,
            ways: ways.clone(),
            items,
            cell: *cell,
        };
        workers.push(Worker::start::<L>(&task, &mut hosts)?);
    }
    workers
        .iter_mut()
        .try_for_each(|worker| worker.expect_ready())?;
    // What a queue's host does in this process counts as well.
    let cpu = own_cpu();
    workers.iter_mut().try_for_each(|worker| worker.say("go"))?;
    let outcome = gather(cell, items, &mut workers, cpu);
    // Their lines end, and with them the workers, before the queues do.
    for worker in &mut workers {
        worker.end()?;
    }
    drop(hosts);
    outcome
}

/// A queue of a name that was never used.
fn way(cell: &Cell) -> Way {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Way {
        name: format!("FAMILY_BENCH_{}_{number}", std::process::id()),
        directory: std::env::var_os(DIRECTORY).map_or_else(std::env::temp_dir, PathBuf::from),
        shape: cell.shape,
        size: cell.size,
    }
}

fn gather(cell: &Cell, items: u64, workers: &mut [Worker], cpu: f64) -> Result<Outcome> {
    let is_producer = |worker: &&mut Worker| matches!(worker.part, Part::Produce(_));
    let mut seen = Vec::new();
    for worker in workers.iter_mut().filter(is_producer) {
        seen.push(worker.report()?);
    }
    if cell.shape.consumers > 1 {
        let mut producers = workers.iter_mut().filter(is_producer);
        producers.next().expect("a producer").say("stop")?;
    }
    let mut tallies = Vec::new();
    let mut times = Vec::new();
    for worker in workers.iter_mut().filter(|worker| !is_producer(worker)) {
        let mut report = worker.report()?;
        if worker.part != Part::Pong {
            tallies.push(report.tally);
            times.append(&mut report.times);
        }
        seen.push(report);
    }
    Tally::check(&tallies, items, cell.shape.producers)?;
    let start = seen.iter().map(|seen| seen.span.0).min().expect("a worker");
    let end = seen.iter().map(|seen| seen.span.1).max().expect("a worker");
    let seconds = (end - start) as f64 / 1e9;
    let cpu = own_cpu() - cpu + seen.iter().map(|seen| seen.cpu).sum::<f64>();
    Ok(match cell.load {
        Load::PingPong => Outcome::times(times, seconds),
        _ => Outcome::rate(items, seconds, cpu),
    })
}

/// A worker as the coordinator sees it.
struct Worker {
    part: Part,
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Worker {
    fn start<L: Link>(task: &Task, hosts: &mut [L::Host]) -> Result<Self> {
        // Which half of which queue this part uses.
        let halves = match task.part {
            Part::Produce(_) => vec![Half::Tx],
            Part::Consume => vec![Half::Rx],
            Part::Ping => vec![Half::Tx, Half::Rx],
            Part::Pong => vec![Half::Rx, Half::Tx],
        };
        let mut command = Command::new(std::env::current_exe().map_err(words)?);
        command.args(["worker", &serde_json::to_string(task).map_err(words)?]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        for ((host, way), half) in hosts.iter_mut().zip(&task.ways).zip(&halves) {
            L::hand(host, way, *half, &mut command)?;
        }
        let mut child = command.spawn().map_err(words)?;
        for (host, half) in hosts.iter_mut().zip(&halves) {
            L::meet(host, *half)?;
        }
        Ok(Self {
            part: task.part,
            to: child.stdin.take(),
            from: BufReader::new(child.stdout.take().expect("piped")),
            child,
        })
    }

    fn say(&mut self, line: &str) -> Result<()> {
        let to = self.to.as_mut().expect("not ended");
        writeln!(to, "{line}")
            .and_then(|()| to.flush())
            .map_err(words)
    }

    fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.from.read_line(&mut line).map_err(words)? {
            0 => Err(format!("a worker ended early ({:?})", self.part)),
            _ => Ok(line),
        }
    }

    fn expect_ready(&mut self) -> Result<()> {
        self.hear().map(drop)
    }

    fn report(&mut self) -> Result<Seen> {
        serde_json::from_str(&self.hear()?).map_err(words)
    }

    fn end(&mut self) -> Result<()> {
        self.to = None;
        self.child.wait().map_err(words).map(drop)
    }
}
