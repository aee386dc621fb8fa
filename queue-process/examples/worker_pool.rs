//! A pool of worker processes: the program starts itself again, and each copy takes jobs until
//! there are no more.
//!
//! `cargo run -p queue-process --example worker_pool`

use queue_process::{Consumer, Handover, PipeQueue, Producer, Queue};
use std::{env, error::Error, process, process::Command};

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).as_deref() == Some("worker") {
        return work();
    }
    let (jobs, todo) = PipeQueue::<u64>::bounded(8).into_ends();
    let (done, results) = PipeQueue::<(u32, u64)>::unbounded().into_ends();
    let mut command = Command::new(env::current_exe()?);
    todo.share_with(command.arg("worker"), "JOBS")?;
    done.share_with(&mut command, "RESULTS")?;
    let workers = [command.spawn()?, command.spawn()?, command.spawn()?];
    drop((todo, done)); // if all workers die, pushes and pops here say `Closed`
    for n in 1..=12 {
        jobs.push(n)?; // waits while the queue is full
    }
    drop(jobs); // the last producer: the workers take what is left, and end
    for result in results.results() {
        let (worker, square) = result?;
        println!("process {worker}: {square}");
    }
    for mut worker in workers {
        assert!(worker.wait()?.success());
    }
    Ok(())
}

fn work() -> Result<(), Box<dyn Error>> {
    let jobs = Consumer::<PipeQueue<u64>>::from_parent("JOBS")?;
    let results = Producer::<PipeQueue<(u32, u64)>>::from_parent("RESULTS")?;
    for n in jobs.results() {
        results.push((process::id(), n?.pow(2)))?;
    }
    Ok(())
}
