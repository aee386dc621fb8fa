//! The kinds to choose from.

use crate::run::{self, Outcome, Plan, Trouble};
use crate::tally::Part;
use crate::worlds::{Tasks, Threads};
use clap::ValueEnum;
use queue_async::AsyncQueue;
use queue_thread::{LockFreeQueue, ThreadQueue};
use std::path::PathBuf;

/// What `--queue` takes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// Worker threads over `ThreadQueue`
    Thread,
    /// Worker threads over `LockFreeQueue`
    LockFree,
    /// Worker tasks over `AsyncQueue`
    Async,
    /// Each of these in turn
    All,
}

/// A kind of queue in its world.
pub(crate) struct Kind {
    choice: Choice,
    name: &'static str,
    run: fn(&'static str, &Plan) -> Result<Outcome, Trouble>,
}

const KINDS: &[Kind] = &[
    Kind {
        choice: Choice::Thread,
        name: "ThreadQueue",
        run: run::over::<Threads<ThreadQueue<PathBuf>, ThreadQueue<Part>>>,
    },
    Kind {
        choice: Choice::LockFree,
        name: "LockFreeQueue",
        run: run::over::<Threads<LockFreeQueue<PathBuf>, LockFreeQueue<Part>>>,
    },
    Kind {
        choice: Choice::Async,
        name: "AsyncQueue",
        run: run::over::<Tasks<AsyncQueue<PathBuf>, AsyncQueue<Part>>>,
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
