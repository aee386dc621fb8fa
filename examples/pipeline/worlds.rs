//! Who runs a worker: a thread, a task, or another process.

use crate::places::Places;
use crate::run::Trouble;
use crate::tally::{Job, Part};
use crate::work::work;
use queue_core::{Consumer, Failure, Producer, Queue, WorkQueue};
use queue_process::Handover;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::marker::PhantomData;
use std::process::{Child, Command, Stdio};

/// A kind of queue with items of one type.
pub(crate) trait Carries<T: Send>: WorkQueue<Item = T> + Clone + 'static {}
impl<T: Send, Q: WorkQueue<Item = T> + Clone + 'static> Carries<T> for Q {}

/// What workers run on: `J` carries files to them, and `P` what they counted back.
pub(crate) trait World<J: Carries<Job>, P: Carries<Part>>: Sized {
    /// Starts the workers of the kind called `name`. Where they cannot be killed, only they hold these
    /// ends from then on.
    fn start(
        name: &str,
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

impl<J: Carries<Job>, P: Carries<Part>> World<J, P> for Tasks {
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

/// Processes that run this program again. Those of them that are left are killed in the end, where something
/// went wrong.
#[derive(Default)]
pub(crate) struct Children(VecDeque<Child>);

impl Children {
    /// A worker of the kind called `name`; `prepare` adds what it needs.
    fn start(
        &mut self,
        name: &str,
        prepare: impl FnOnce(&mut Command) -> Result<(), Failure>,
    ) -> Result<(), Trouble> {
        let mut worker = Command::new(std::env::current_exe()?);
        worker.args([WORKER, name]);
        prepare(&mut worker)?;
        self.0.push_back(worker.spawn()?);
        Ok(())
    }

    /// Kills the one that was started first.
    fn kill(&mut self) -> Result<(), Trouble> {
        let mut child = self.0.pop_front().expect("there are workers");
        let killed = child.kill(); // SIGKILL: it can do nothing about it
        child.wait()?;
        Ok(killed?)
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

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Each worker is a process, which comes to its ends by `R`.
pub(crate) struct Processes<J: Carries<Job>, P: Carries<Part>, R> {
    name: String,
    /// For workers that are still to be started.
    ends: Option<(Consumer<J>, Producer<P>)>,
    children: Children,
    reach: PhantomData<R>,
}

/// How a process comes to its ends.
pub(crate) trait Reach<J: Carries<Job>, P: Carries<Part>> {
    /// Starts one of the kind called `name`.
    fn start(
        children: &mut Children,
        name: &str,
        jobs: &Consumer<J>,
        parts: &Producer<P>,
    ) -> Result<(), Trouble>;
}

impl<J: Carries<Job>, P: Carries<Part>, R: Reach<J, P>> Processes<J, P, R> {
    fn start_one(&mut self) -> Result<(), Trouble> {
        let (jobs, parts) = self.ends.as_ref().expect("there are more to come");
        R::start(&mut self.children, &self.name, jobs, parts)
    }
}

impl<J: Carries<Job>, P: Carries<Part>, R: Reach<J, P>> World<J, P> for Processes<J, P, R> {
    fn start(
        name: &str,
        workers: usize,
        jobs: Consumer<J>,
        parts: Producer<P>,
    ) -> Result<Self, Trouble> {
        let mut started = Self {
            name: name.to_owned(),
            ends: Some((jobs, parts)),
            children: Children::default(),
            reach: PhantomData,
        };
        for _ in 0..workers {
            started.start_one()?;
        }
        Ok(started)
    }

    fn kill(&mut self) -> Result<bool, Trouble> {
        self.children.kill()?;
        self.start_one()?;
        Ok(true)
    }

    fn last_kill_was(&mut self) {
        self.ends = None;
    }

    fn join(self) -> Result<(), Trouble> {
        self.children.join()
    }
}

/// Its parent hands them to it.
pub(crate) struct Handed;

impl<J: Carries<Job>, P: Carries<Part>> Reach<J, P> for Handed
where
    Consumer<J>: Handover,
    Producer<P>: Handover,
{
    fn start(
        children: &mut Children,
        name: &str,
        jobs: &Consumer<J>,
        parts: &Producer<P>,
    ) -> Result<(), Trouble> {
        children.start(name, |worker| {
            jobs.share_with(worker, "JOBS")?;
            parts.share_with(worker, "PARTS")
        })
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

/// It opens the queues by their URL, which is its name; it could be on another machine.
pub(crate) struct Opened;

/// What such a worker says once it has its ends: until then nobody else keeps them.
const READY: &str = "ready";

impl<J: Carries<Job>, P: Carries<Part>> Reach<J, P> for Opened {
    fn start(
        children: &mut Children,
        url: &str,
        _: &Consumer<J>,
        _: &Producer<P>,
    ) -> Result<(), Trouble> {
        children.start(url, |worker| {
            worker.stdout(Stdio::piped());
            Ok(())
        })?;
        let worker = children.0.back_mut().and_then(|child| child.stdout.take());
        let mut said = String::new();
        BufReader::new(worker.expect("it is a pipe")).read_line(&mut said)?;
        match said.trim() == READY {
            true => Ok(()),
            false => Err("a worker process did not open its queues".into()),
        }
    }
}

/// What a worker process of these does.
pub(crate) fn work_at(url: &str) -> Result<(), Failure> {
    let (jobs, parts) = Places::of(url).open(Some("open"))?;
    // The halves that are dropped here would keep the queues open.
    let ((_, jobs), (parts, _)) = (jobs.into_ends(), parts.into_ends());
    println!("{READY}");
    pollster::block_on(work(jobs, parts))
}
