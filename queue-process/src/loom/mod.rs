//! Modelled processes, for the models of this crate. Under `--cfg loom` alone.
//!
//! A [`Simulation`] is a queue's shared memory and the kernel around it; each thread of a
//! model that runs [`Simulation::process`] stands for a process. The engine, the lock and the
//! storage in it are what ships; the memory is loom's, and these stand in for the system:
//!
//! * the pipe and the file of a pipe queue: whole records, and pieces of the file;
//! * the futex: a mutex and condition variables; that a sleeper looks again after a while
//!   is modelled where it matters: the one of each process that does, does so once after each
//!   death, and its followers never;
//! * the eventfd: a count of its notifications, a mutex and a condition variable; no death
//!   wakes who listens;
//! * death: a process with `steps` steps to live stops before its next access to shared
//!   memory, or system call. What it would do then, also while its stack unwinds, does not
//!   happen. The kernel knows of the death after that.

pub mod death;
mod lease;
pub mod membership;
mod memory;
mod process;
mod store;
mod system;
mod wait_list;

pub use process::{Lent, Process, TryFailure};

use crate::linux::engine::Engine;
use crate::linux::engine::control::Control;
use crate::sys::modelled::OwnedFd;
use crate::sys::{Word64, steps};
use lease::Leases;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use memory::Committed;
use std::cell::Cell;
use std::sync::Arc;
use store::{Kind, Store};
use system::System;
use wait_list::{Done, Eventfd, Futex, LockQueue};

loom::thread_local! {
    /// Of how many deaths this process knows.
    static DEATHS_SEEN: Cell<usize> = Cell::new(0);
}

/// How many processes a simulation can have: as many as loom has threads.
const PROCESSES: usize = 5;

/// A queue's shared memory, and the kernel.
#[derive(Debug)]
pub struct Simulation {
    control: Control,
    cells: Vec<Word64>,
    taken: Committed,
    locks: [LockQueue; 2],
    futexes: [Futex; 2],
    eventfds: [Eventfd; 2],
    leases: Leases,
    /// Where those sleep who join the queue.
    joining: Futex,
    alive: [AtomicBool; PROCESSES],
    deaths: AtomicUsize,
    capacity: u32,
    kind: Kind,
}

impl Simulation {
    /// A queue of `capacity` numbers in an arena of `words` words, where a number takes
    /// two, with a small window of `window` words, and keeping `retained`.
    pub fn new(capacity: u32, words: usize, window: usize, retained: usize) -> Arc<Self> {
        Self::with(capacity, words, Kind::Ring { window, retained })
    }

    /// A queue of `capacity` numbers in a pipe that holds `records` of them. A number from
    /// [`LARGE`](Self::LARGE) on is a large item, which takes one granule of the arena.
    pub fn pipe(capacity: u32, records: usize) -> Arc<Self> {
        Self::with(capacity, 0, Kind::Pipe(OwnedFd::new(records)))
    }

    /// The first number that is a large item of a pipe.
    pub const LARGE: u64 = 100;

    fn with(capacity: u32, words: usize, kind: Kind) -> Arc<Self> {
        Arc::new(Self {
            leases: Leases::new(&kind),
            joining: Futex::new(),
            control: Control::default(),
            cells: (0..words).map(|_| Word64::default()).collect(),
            taken: Committed::default(),
            locks: [LockQueue::new(), LockQueue::new()],
            futexes: [Futex::new(), Futex::new()],
            eventfds: [Eventfd::new(), Eventfd::new()],
            alive: std::array::from_fn(|_| AtomicBool::new(true)),
            deaths: AtomicUsize::new(0),
            capacity,
            kind,
        })
    }

    /// Process number `me` of this simulation.
    pub fn join(self: &Arc<Self>, me: usize) -> Process {
        let platform = System {
            simulation: self.clone(),
            me,
        };
        Process {
            engine: Engine::new(Store::open(self), platform, self.capacity),
            waiting: Default::default(),
            sleepers: Default::default(),
            done: Done::default(),
        }
    }

    /// Runs `body` as process `me`, which dies before its step number `steps`, unless it is
    /// done by then: what `body` returns, or `None` if it died.
    pub fn process<R>(
        self: &Arc<Self>,
        me: usize,
        steps: usize,
        body: impl FnOnce(&Process) -> R,
    ) -> Option<R> {
        let process = self.join(me);
        let lived = steps::live(steps, || body(&process));
        if lived.is_none() {
            self.on_death(me);
        }
        lived
    }

    /// How many items lie in the pipe, whatever is said of it.
    ///
    /// # Panics
    /// If it is no pipe.
    pub fn records(&self) -> usize {
        match &self.kind {
            Kind::Pipe(kernel) => kernel.records(),
            Kind::Ring { .. } => panic!("a ring holds what its ends say"),
        }
    }

    /// Process `me`, which is [joined](Self::join) and does nothing more, dies: the kernel learns of it,
    /// and all who sleep look again.
    pub fn on_death(&self, me: usize) {
        // Release: who sees it sees all that the dead did.
        self.alive[me].store(false, Ordering::Release);
        self.deaths.fetch_add(1, Ordering::Release);
        self.futexes.iter().for_each(Futex::on_death);
        self.joining.on_death();
        self.locks.iter().for_each(LockQueue::on_death);
    }
}
