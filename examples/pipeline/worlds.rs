//! Who runs a worker: a thread, a task, or another process.

use crate::run::Trouble;
use crate::tally::Part;
use crate::work::work;
use queue_core::{Consumer, Create, Failure, Producer, Queue};
use queue_process::Handover;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::process::{Child, Command};

/// A kind of queue together with what its workers run on.
pub(crate) trait World: Sized {
    /// Carries the paths to the workers.
    type Jobs: Queue<PathBuf> + Create + Clone + 'static;
    /// Carries what they counted back.
    type Parts: Queue<Part> + Create + Clone + 'static;

    /// Starts the workers of the kind called `name`; only they hold these ends from then on.
    fn start(
        name: &str,
        workers: usize,
        jobs: Consumer<PathBuf, Self::Jobs>,
        parts: Producer<Part, Self::Parts>,
    ) -> Result<Self, Trouble>;

    /// Waits until all have ended well.
    fn join(self) -> Result<(), Trouble>;
}

/// Each worker is a thread of this process.
pub(crate) struct Threads<J, P> {
    threads: Vec<std::thread::JoinHandle<Result<(), Failure>>>,
    queues: PhantomData<(J, P)>,
}

impl<J, P> World for Threads<J, P>
where
    J: Queue<PathBuf> + Create + Clone + 'static,
    P: Queue<Part> + Create + Clone + 'static,
{
    type Jobs = J;
    type Parts = P;

    fn start(
        _: &str,
        workers: usize,
        jobs: Consumer<PathBuf, J>,
        parts: Producer<Part, P>,
    ) -> Result<Self, Trouble> {
        let start = |_| {
            let (jobs, parts) = (jobs.clone(), parts.clone());
            std::thread::spawn(move || pollster::block_on(work(jobs, parts)))
        };
        Ok(Self {
            threads: (0..workers).map(start).collect(),
            queues: PhantomData,
        })
    }

    fn join(self) -> Result<(), Trouble> {
        for thread in self.threads {
            thread.join().map_err(|_| "a worker panicked")??;
        }
        Ok(())
    }
}

/// Each worker is a task. Counting keeps a processor busy, so the runtime gets as many
/// threads as there are workers.
pub(crate) struct Tasks<J, P> {
    runtime: tokio::runtime::Runtime,
    tasks: Vec<tokio::task::JoinHandle<Result<(), Failure>>>,
    queues: PhantomData<(J, P)>,
}

impl<J, P> World for Tasks<J, P>
where
    J: Queue<PathBuf> + Create + Clone + 'static,
    P: Queue<Part> + Create + Clone + 'static,
{
    type Jobs = J;
    type Parts = P;

    fn start(
        _: &str,
        workers: usize,
        jobs: Consumer<PathBuf, J>,
        parts: Producer<Part, P>,
    ) -> Result<Self, Trouble> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .build()?;
        let start = |_| runtime.spawn(work(jobs.clone(), parts.clone()));
        Ok(Self {
            tasks: (0..workers).map(start).collect(),
            runtime,
            queues: PhantomData,
        })
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
pub(crate) struct Processes<J, P> {
    children: Vec<Child>,
    queues: PhantomData<(J, P)>,
}

impl<J, P> Processes<J, P>
where
    J: Queue<PathBuf>,
    P: Queue<Part>,
    Consumer<PathBuf, J>: Handover,
    Producer<Part, P>: Handover,
{
    /// What a worker process does: it takes the ends that its parent handed to it.
    pub(crate) fn work() -> Result<(), Failure> {
        let jobs = Consumer::<PathBuf, J>::from_parent("JOBS")?;
        let parts = Producer::<Part, P>::from_parent("PARTS")?;
        pollster::block_on(work(jobs, parts))
    }
}

impl<J, P> World for Processes<J, P>
where
    J: Queue<PathBuf> + Create + Clone + 'static,
    P: Queue<Part> + Create + Clone + 'static,
    Consumer<PathBuf, J>: Handover,
    Producer<Part, P>: Handover,
{
    type Jobs = J;
    type Parts = P;

    fn start(
        name: &str,
        workers: usize,
        jobs: Consumer<PathBuf, J>,
        parts: Producer<Part, P>,
    ) -> Result<Self, Trouble> {
        let mut started = Self {
            children: Vec::new(),
            queues: PhantomData,
        };
        for _ in 0..workers {
            let mut worker = Command::new(std::env::current_exe()?);
            worker.args([WORKER, name]);
            jobs.share_with(&mut worker, "JOBS")?;
            parts.share_with(&mut worker, "PARTS")?;
            started.children.push(worker.spawn()?);
        }
        Ok(started)
    }

    fn join(mut self) -> Result<(), Trouble> {
        for child in &mut self.children {
            let status = child.wait()?;
            if !status.success() {
                return Err(format!("a worker process ended with {status}").into());
            }
        }
        Ok(())
    }
}

impl<J, P> Drop for Processes<J, P> {
    /// Leaves no process behind where something went wrong.
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
