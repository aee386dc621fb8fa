//! The kinds to choose from.

use crate::run::{self, Outcome, Plan, Trouble};
use crate::worlds::{Processes, Tasks, Threads, WORKER, work_at, work_for_parent};
use clap::ValueEnum;
use queue_async::AsyncQueue;
use queue_core::Failure;
use queue_process::{IpcQueue, PipeQueue, ShmQueue};
use queue_thread::{LockFreeQueue, ThreadQueue};
use std::process::ExitCode;

/// What `--queue` takes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// Worker threads over `ThreadQueue`
    Thread,
    /// Worker threads over `LockFreeQueue`
    LockFree,
    /// Worker tasks over `AsyncQueue`
    Async,
    /// Worker processes over `PipeQueue`
    Process,
    /// Worker processes over `ShmQueue`
    Shm,
    /// Worker processes over `IpcQueue`
    Ipc,
    /// Each of these in turn
    All,
}

/// A kind of queue in its world.
pub(crate) struct Kind {
    choice: Choice,
    name: &'static str,
    run: fn(&'static str, &Plan) -> Result<Outcome, Trouble>,
    /// What a worker process of this kind does.
    work: Option<fn() -> Result<(), Failure>>,
}

const KINDS: &[Kind] = &[
    Kind {
        choice: Choice::Thread,
        name: "ThreadQueue",
        run: run::over::<Threads, ThreadQueue<_>, ThreadQueue<_>>,
        work: None,
    },
    Kind {
        choice: Choice::LockFree,
        name: "LockFreeQueue",
        run: run::over::<Threads, LockFreeQueue<_>, LockFreeQueue<_>>,
        work: None,
    },
    Kind {
        choice: Choice::Async,
        name: "AsyncQueue",
        run: run::over::<Tasks, AsyncQueue<_>, AsyncQueue<_>>,
        work: None,
    },
    Kind {
        choice: Choice::Process,
        name: "PipeQueue",
        run: run::over::<Processes<_, _>, PipeQueue<_>, PipeQueue<_>>,
        work: Some(work_for_parent::<PipeQueue<_>, PipeQueue<_>>),
    },
    Kind {
        choice: Choice::Shm,
        name: "ShmQueue",
        run: run::over::<Processes<_, _>, ShmQueue<_>, ShmQueue<_>>,
        work: Some(work_for_parent::<ShmQueue<_>, ShmQueue<_>>),
    },
    Kind {
        choice: Choice::Ipc,
        name: "IpcQueue",
        run: run::over::<Processes<_, _>, IpcQueue<_>, IpcQueue<_>>,
        work: Some(work_for_parent::<IpcQueue<_>, IpcQueue<_>>),
    },
];

impl Choice {
    /// The kinds that this choice stands for.
    pub(crate) fn kinds(self) -> impl Iterator<Item = &'static Kind> {
        KINDS
            .iter()
            .filter(move |kind| self == Self::All || self == kind.choice)
    }
}

impl Kind {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Counts over this kind.
    pub(crate) fn run(&self, plan: &Plan) -> Result<Outcome, Trouble> {
        (self.run)(self.name, plan)
    }
}

/// If this process was started as a worker: works, and says how it ended.
pub(crate) fn worker_process() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().filter(|argument| argument == WORKER)?;
    let kind = arguments.next().unwrap_or(name);
    let worked = match kind.contains("://") {
        true => work_at(&kind),
        false => KINDS.iter().find(|known| known.name == kind)?.work?(),
    };
    Some(match worked {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("worker process: {failure:#}");
            ExitCode::FAILURE
        }
    })
}
