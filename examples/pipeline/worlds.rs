//! Who runs a worker: a thread, a task, or another process.

use crate::run::Trouble;
use crate::tally::Part;
use crate::work::work;
use queue_core::{Consumer, Create, Failure, Producer, Queue};
use std::marker::PhantomData;
use std::path::PathBuf;

/// A kind of queue together with what its workers run on.
pub(crate) trait World: Sized {
    /// Carries the paths to the workers.
    type Jobs: Queue<PathBuf> + Create + Clone + 'static;
    /// Carries what they counted back.
    type Parts: Queue<Part> + Create + Clone + 'static;

    /// Starts the workers; only they hold these ends from then on.
    fn start(
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
