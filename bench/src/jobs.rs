//! Our deliveries beside systems that people use for jobs: how many jobs in a second one producer
//! and one worker get done, one at a time, if the work itself is nothing.

#![forbid(unsafe_code)]

#[cfg(feature = "job-peers")]
mod peers;

use crate::report::short;
use queue_core::{Capacity, WithCapacity, WorkQueue};
use queue_process::{Consumer, Handover, IpcQueue, PipeQueue, ShmQueue};
use std::process::Command;
use std::time::Instant;

/// A worker finds its queue under this name.
const QUEUE: &str = "FAMILY_BENCH_JOBS";
/// A run that takes so many seconds has come to speed.
const LONG_ENOUGH: f64 = 1.0;

/// Whatever goes wrong; it is only printed.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Prints the table, or is the worker of one of our kinds.
pub fn run(worker: Option<&str>) -> std::result::Result<(), String> {
    match worker {
        None => {
            table();
            Ok(())
        }
        Some("PipeQueue") => work::<PipeQueue<u64>>(),
        Some("ShmQueue") => work::<ShmQueue<u64>>(),
        Some("IpcQueue") => work::<IpcQueue<u64>>(),
        Some(other) => Err(format!("{other} has no workers").into()),
    }
    .map_err(|error| error.to_string())
}

fn table() {
    println!("| system | jobs/s | jobs are kept | the job of a dead worker is back |");
    println!("|---|--:|---|---|");
    let machine = "in the machine's memory";
    ours::<PipeQueue<u64>>("PipeQueue", machine, "within 100 ms");
    ours::<ShmQueue<u64>>("ShmQueue", machine, "within 100 ms");
    ours::<IpcQueue<u64>>("IpcQueue", "in its host's memory", "at once");
    #[cfg(feature = "job-peers")]
    peers::rows();
    #[cfg(not(feature = "job-peers"))]
    println!("\n`--features job-peers` adds yaque, apalis and Python's persist-queue.");
}

/// Measures and prints one system. A failure is printed in place of the number, so that it does
/// not cost the other rows.
fn row(system: &str, keeps: &str, back: &str, run: impl FnMut(u64) -> Result<f64>) {
    let speed = rate(run).map_or_else(|error| format!("failed: {error}"), short);
    println!("| {system} | {speed} | {keeps} | {back} |");
}

/// Jobs per second. `run` does so many jobs and says how many seconds that took; it gets more of
/// them until it takes long enough.
fn rate(mut run: impl FnMut(u64) -> Result<f64>) -> Result<f64> {
    let mut jobs = 100;
    loop {
        let seconds = run(jobs)?;
        if seconds >= LONG_ENOUGH {
            return Ok(jobs as f64 / seconds);
        }
        jobs = (jobs as f64 * (1.5 * LONG_ENOUGH / seconds).min(10.0)).ceil() as u64;
    }
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

/// A kind of ours, with nobody else there, and with its worker in a process of its own.
fn ours<Q>(kind: &str, keeps: &str, back: &str)
where
    Q: WorkQueue<Item = u64> + WithCapacity,
    Consumer<Q>: Handover,
{
    row(&format!("**{kind}**"), keeps, back, alone::<Q>);
    let system = format!("**{kind}**, worker in another process");
    row(&system, keeps, back, |jobs| apart::<Q>(kind, jobs));
}

fn alone<Q: WorkQueue<Item = u64> + WithCapacity>(jobs: u64) -> Result<f64> {
    let queue = Q::try_with_capacity(Capacity::bounded(1024))?;
    timed(|| {
        for job in 0..jobs {
            queue.push(job)?;
            queue.receive()?.ack()?;
        }
        Ok(())
    })
}

fn apart<Q>(kind: &str, jobs: u64) -> Result<f64>
where
    Q: WorkQueue<Item = u64> + WithCapacity,
    Consumer<Q>: Handover,
{
    let (producer, consumer) = Q::try_with_capacity(Capacity::bounded(1024))?.into_ends();
    let mut worker = Command::new(std::env::current_exe()?);
    worker.args(["jobs", "--worker", kind]);
    consumer.share_with(&mut worker, QUEUE)?;
    timed(|| {
        // The worker's start counts too, but takes some milliseconds only.
        let mut worker = worker.spawn()?;
        drop(consumer); // If the worker dies, the pushes fail.
        (0..jobs).try_for_each(|job| producer.push(job))?;
        producer.close();
        match worker.wait()? {
            status if status.success() => Ok(()),
            status => Err(format!("the worker ended with {status}").into()),
        }
    })
}

/// The worker: it ends when the queue is closed and all jobs are done.
fn work<Q: WorkQueue<Item = u64>>() -> Result<()>
where
    Consumer<Q>: Handover,
{
    for job in Consumer::<Q>::from_parent(QUEUE)?.deliveries() {
        job?.ack()?;
    }
    Ok(())
}
