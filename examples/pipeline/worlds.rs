//! Who runs a worker: a thread, a task, or another process.

use crate::run::Trouble;
use crate::tally::{Job, Part};
use crate::work::work;
use queue_core::{Consumer, Failure, Producer, Queue, WithCapacity, WorkQueue};
use queue_process::Handover;
use std::collections::VecDeque;
use std::process::{Child, Command};

/// A kind of queue with items of one type.
pub(crate) trait Carries<T: Send>:
    WorkQueue<Item = T> + WithCapacity + Clone + 'static
{
}
impl<T: Send, Q: WorkQueue<Item = T> + WithCapacity + Clone + 'static> Carries<T> for Q {}

/// What workers run on: `J` carries files to them, and `P` what they counted back.
pub(crate) trait World<J: Carries<Job>, P: Carries<Part>>: Sized {
    /// Starts the workers of the kind called `name`. Where they cannot be killed, only they hold these
    /// ends from then on.
    fn start(
        name: &'static str,
        workers: usize,
        jobs: Consumer<J>,
        parts: Producer<P>,
    ) -> Result<Self, Trouble>;

    /// Kills a worker and starts another one in its place: whether that can be done.
    fn kill(&mut self) -> Result<bool, Trouble> {
        Ok(false)
    }

    /// None is started any more: from now on only the workers hold the ends.
    fn last_kill_was(&mut self) {}

    /// Waits until all have ended well.
    fn join(self) -> Result<(), Trouble>;
}

/// Each worker is a thread of this process.
pub(crate) struct Threads(Vec<std::thread::JoinHandle<Result<(), Failure>>>);

impl<J: Carries<Job>, P: Carries<Part>> World<J, P> for Threads {
    fn start(
        _: &'static str,
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

impl<J: Carries<Job>, P: Carries<Part>> World<J, P> for Tasks {
    fn start(
        _: &'static str,
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
pub(crate) struct Processes<J: Carries<Job>, P: Carries<Part>> {
    name: &'static str,
    /// For workers that are still to be started.
    ends: Option<(Consumer<J>, Producer<P>)>,
    /// The one that is killed next comes first.
    children: VecDeque<Child>,
}

impl<J: Carries<Job>, P: Carries<Part>> Processes<J, P>
where
    Consumer<J>: Handover,
    Producer<P>: Handover,
{
    fn start_one(&mut self) -> Result<(), Trouble> {
        let mut worker = Command::new(std::env::current_exe()?);
        worker.args([WORKER, self.name]);
        let (jobs, parts) = self.ends.as_ref().expect("there are more to come");
        jobs.share_with(&mut worker, "JOBS")?;
        parts.share_with(&mut worker, "PARTS")?;
        self.children.push_back(worker.spawn()?);
        Ok(())
    }
}

impl<J: Carries<Job>, P: Carries<Part>> World<J, P> for Processes<J, P>
where
    Consumer<J>: Handover,
    Producer<P>: Handover,
{
    fn start(
        name: &'static str,
        workers: usize,
        jobs: Consumer<J>,
        parts: Producer<P>,
    ) -> Result<Self, Trouble> {
        let (ends, children) = (Some((jobs, parts)), VecDeque::new());
        let mut started = Self {
            name,
            ends,
            children,
        };
        for _ in 0..workers {
            started.start_one()?;
        }
        Ok(started)
    }

    fn kill(&mut self) -> Result<bool, Trouble> {
        let mut child = self.children.pop_front().expect("there are workers");
        let killed = child.kill(); // SIGKILL: it can do nothing about it
        child.wait()?;
        killed?;
        self.start_one()?;
        Ok(true)
    }

    fn last_kill_was(&mut self) {
        self.ends = None;
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

/// What a worker process does: it takes the ends that its parent handed to it.
pub(crate) fn work_for_parent<J: WorkQueue<Item = Job>, P: Queue<Item = Part>>()
-> Result<(), Failure>
where
    Consumer<J>: Handover,
    Producer<P>: Handover,
{
    let jobs = Consumer::<J>::from_parent("JOBS")?;
    let parts = Producer::<P>::from_parent("PARTS")?;
    pollster::block_on(work(jobs, parts))
}

impl<J: Carries<Job>, P: Carries<Part>> Drop for Processes<J, P> {
    /// Leaves no process behind where something went wrong.
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
