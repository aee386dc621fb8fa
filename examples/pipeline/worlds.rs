//! Who runs a worker: a thread, a task, or another process.

use crate::run::Trouble;
use crate::tally::Part;
use crate::work::work;
use queue_core::{Consumer, Failure, Producer, Queue, WithCapacity};
use queue_process::Handover;
use std::path::PathBuf;
use std::process::{Child, Command};

/// A kind of queue with items of one type.
pub(crate) trait Carries<T: Send>: Queue<Item = T> + WithCapacity + Clone + 'static {}
impl<T: Send, Q: Queue<Item = T> + WithCapacity + Clone + 'static> Carries<T> for Q {}

/// What workers run on: `J` carries paths to them, and `P` what they counted back.
pub(crate) trait World<J: Carries<PathBuf>, P: Carries<Part>>: Sized {
    /// Starts the workers of the kind called `name`; only they hold these ends from then on.
    fn start(
        name: &str,
        workers: usize,
        jobs: Consumer<J>,
        parts: Producer<P>,
    ) -> Result<Self, Trouble>;

    /// Waits until all have ended well.
    fn join(self) -> Result<(), Trouble>;
}

/// Each worker is a thread of this process.
pub(crate) struct Threads(Vec<std::thread::JoinHandle<Result<(), Failure>>>);

impl<J: Carries<PathBuf>, P: Carries<Part>> World<J, P> for Threads {
    fn start(
        _: &str,
        workers: usize,
        jobs: Consumer<J>,
        parts: Producer<P>,
    ) -> Result<Self, Trouble> {
        let start = |_| {
            let (jobs, parts) = (jobs.clone(), parts.clone());
            std::thread::spawn(move || pollster::block_on(work(jobs, parts)))
        };
        Ok(Self((0..workers).map(start).collect()))
    }

    fn join(self) -> Result<(), Trouble> {
        for thread in self.0 {
            thread.join().map_err(|_| "a worker panicked")??;
        }
        Ok(())
    }
}

/// Each worker is a task. Counting keeps a processor busy, so the runtime gets as many
/// threads as there are workers.
pub(crate) struct Tasks {
    runtime: tokio::runtime::Runtime,
    tasks: Vec<tokio::task::JoinHandle<Result<(), Failure>>>,
}

impl<J: Carries<PathBuf>, P: Carries<Part>> World<J, P> for Tasks {
    fn start(
        _: &str,
        workers: usize,
        jobs: Consumer<J>,
        parts: Producer<P>,
    ) -> Result<Self, Trouble> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .build()?;
        let start = |_| runtime.spawn(work(jobs.clone(), parts.clone()));
        let tasks = (0..workers).map(start).collect();
        Ok(Self { runtime, tasks })
    }

    fn join(self) -> Result<(), Trouble> {
        for task in self.tasks {
            self.runtime.block_on(task)??;
        }
        Ok(())
    }
}

/// The first argument of a worker process; the second is the name of its kind.
pub(crate) const WORKER: &str = "--worker-process-of";

/// Each worker is a process: this program, started again.
pub(crate) struct Processes(Vec<Child>);

impl<J: Carries<PathBuf>, P: Carries<Part>> World<J, P> for Processes
where
    Consumer<J>: Handover,
    Producer<P>: Handover,
{
    fn start(
        name: &str,
        workers: usize,
        jobs: Consumer<J>,
        parts: Producer<P>,
    ) -> Result<Self, Trouble> {
        let mut started = Self(Vec::new());
        for _ in 0..workers {
            let mut worker = Command::new(std::env::current_exe()?);
            worker.args([WORKER, name]);
            jobs.share_with(&mut worker, "JOBS")?;
            parts.share_with(&mut worker, "PARTS")?;
            started.0.push(worker.spawn()?);
        }
        Ok(started)
    }

    fn join(mut self) -> Result<(), Trouble> {
        for child in &mut self.0 {
            let status = child.wait()?;
            if !status.success() {
                return Err(format!("a worker process ended with {status}").into());
            }
        }
        Ok(())
    }
}

/// What a worker process does: it takes the ends that its parent handed to it.
pub(crate) fn work_for_parent<J: Queue<Item = PathBuf>, P: Queue<Item = Part>>()
-> Result<(), Failure>
where
    Consumer<J>: Handover,
    Producer<P>: Handover,
{
    let jobs = Consumer::<J>::from_parent("JOBS")?;
    let parts = Producer::<P>::from_parent("PARTS")?;
    pollster::block_on(work(jobs, parts))
}

impl Drop for Processes {
    /// Leaves no process behind where something went wrong.
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
