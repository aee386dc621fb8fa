//! The kinds to choose from.

use crate::places::count_at;
use crate::run::{self, Outcome, Plan, Trouble};
use crate::server::Server;
use crate::tally::{Job, Part};
use crate::worlds::{
    Carries, Handed, Processes, Tasks, Threads, WORKER, World, work_at, work_for_parent,
};
use clap::ValueEnum;
use queue_async::AsyncQueue;
use queue_core::{Failure, WithCapacity};
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
    /// Worker processes over `NatsQueue`, at a server that this program starts
    Nats,
    /// Each of these in turn
    All,
}

/// A kind of queue in its world.
pub(crate) struct Kind {
    choice: Choice,
    name: &'static str,
    /// Nothing comes of it where the kind cannot be had.
    run: fn(&'static str, &Plan) -> Result<Option<Outcome>, Trouble>,
    /// What a worker process of this kind does.
    work: Option<fn() -> Result<(), Failure>>,
}

const KINDS: &[Kind] = &[
    Kind {
        choice: Choice::Thread,
        name: "ThreadQueue",
        run: over::<Threads, ThreadQueue<_>, ThreadQueue<_>>,
        work: None,
    },
    Kind {
        choice: Choice::LockFree,
        name: "LockFreeQueue",
        run: over::<Threads, LockFreeQueue<_>, LockFreeQueue<_>>,
        work: None,
    },
    Kind {
        choice: Choice::Async,
        name: "AsyncQueue",
        run: over::<Tasks, AsyncQueue<_>, AsyncQueue<_>>,
        work: None,
    },
    Kind {
        choice: Choice::Process,
        name: "PipeQueue",
        run: over::<Processes<_, _, Handed>, PipeQueue<_>, PipeQueue<_>>,
        work: Some(work_for_parent::<PipeQueue<_>, PipeQueue<_>>),
    },
    Kind {
        choice: Choice::Shm,
        name: "ShmQueue",
        run: over::<Processes<_, _, Handed>, ShmQueue<_>, ShmQueue<_>>,
        work: Some(work_for_parent::<ShmQueue<_>, ShmQueue<_>>),
    },
    Kind {
        choice: Choice::Ipc,
        name: "IpcQueue",
        run: over::<Processes<_, _, Handed>, IpcQueue<_>, IpcQueue<_>>,
        work: Some(work_for_parent::<IpcQueue<_>, IpcQueue<_>>),
    },
    Kind {
        choice: Choice::Nats,
        name: "NatsQueue",
        run: at_a_server,
        work: None,
    },
];

fn over<W, J, P>(name: &'static str, plan: &Plan) -> Result<Option<Outcome>, Trouble>
where
    W: World<J, P>,
    J: Carries<Job> + WithCapacity,
    P: Carries<Part> + WithCapacity,
{
    run::over::<W, J, P>(name, plan).map(Some)
}

fn at_a_server(_: &'static str, plan: &Plan) -> Result<Option<Outcome>, Trouble> {
    let Some(server) = Server::start()? else {
        return Ok(None);
    };
    // Whoever was killed is waited for so long.
    let parameters = format!("capacity={}&ack_wait=1s", plan.capacity);
    count_at(&format!("{}/words?{parameters}", server.url()?), plan).map(Some)
}

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

    /// Counts over this kind, if it can be had here.
    pub(crate) fn run(&self, plan: &Plan) -> Result<Option<Outcome>, Trouble> {
        (self.run)(self.name, plan)
    }
}

/// If this process was started as a worker: works, and says how it ended.
pub(crate) fn worker_process() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().filter(|argument| argument == WORKER)?;
    let kind = arguments.next().unwrap_or(name);
    let worked = match kind.contains(':') {
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
