//! Where the items of a [`Simulation`](super::Simulation) lie: in a ring, or in a pipe.

use super::Simulation;
use super::memory::Memory;
use crate::linux::engine::batch::Batch;
use crate::linux::engine::control::{Control, Cursor, Item};
use crate::linux::engine::{PeerCursor, Storage};
use crate::linux::lease::bytes::Lease;
use crate::linux::pipe::storage::Pipe;
use crate::linux::queue::format::Limits;
use crate::linux::shm::storage::Ring;
use crate::sys::modelled::OwnedFd;
use queue_core::{Capacity, Failure};
use std::sync::Arc;

/// What a simulation's storage is made of.
#[derive(Debug)]
pub(super) enum Kind {
    /// A ring with a small window of so many words, that keeps so many.
    Ring { window: usize, retained: usize },
    /// A pipe.
    Pipe(OwnedFd),
}

/// The storage that ships, as one process of a simulation opens it.
#[derive(Debug)]
pub(super) enum Store {
    Ring(Ring<Memory>),
    Pipe(Pipe),
}

/// The most bytes that a model's item has: what makes it a large one.
pub(super) const LARGE: usize = 64;

impl Store {
    pub(super) fn open(simulation: &Arc<Simulation>) -> Self {
        match &simulation.kind {
            &Kind::Ring { window, retained } => {
                Self::Ring(Ring::new(Memory(simulation.clone()), 8, window, retained))
            }
            Kind::Pipe(kernel) => Self::Pipe(Pipe {
                pipe: kernel.clone(),
                file: kernel.clone(),
                limits: Limits {
                    bound: Capacity::bounded(simulation.capacity as usize),
                    item: LARGE as u32,
                    memory: 1 << 20,
                },
            }),
        }
    }
}

/// Asks whichever it is.
macro_rules! ask {
    ($store:expr, $verb:ident($($argument:expr),*)) => {
        match $store {
            Store::Ring(ring) => ring.$verb($($argument),*),
            Store::Pipe(pipe) => pipe.$verb($($argument),*),
        }
    };
}

impl Storage for Store {
    fn write(
        &self,
        control: &Control,
        tail: Cursor,
        head: &mut PeerCursor<'_>,
        item: Item<'_>,
    ) -> Result<Option<u32>, Failure> {
        ask!(self, write(control, tail, head, item))
    }

    fn read(&self, control: &Control, head: Cursor, into: &mut Vec<u8>) -> Result<u32, Failure> {
        ask!(self, read(control, head, into))
    }

    fn read_inline(&self, control: &Control, tail: Cursor, into: &mut Vec<u8>) -> bool {
        ask!(self, read_inline(control, tail, into))
    }

    fn write_many(
        &self,
        control: &Control,
        tail: Cursor,
        head: &mut PeerCursor<'_>,
        batch: &Batch,
        most: u32,
    ) -> Result<(u32, u32), Failure> {
        ask!(self, write_many(control, tail, head, batch, most))
    }

    fn read_many(
        &self,
        control: &Control,
        head: Cursor,
        max: u32,
        into: &mut Batch,
    ) -> Result<(u32, u32), Failure> {
        ask!(self, read_many(control, head, max, into))
    }

    fn lend(
        &self,
        control: &Control,
        ends: (Cursor, Cursor, bool),
        lease: &Lease<'_>,
        into: &mut Vec<u8>,
    ) -> Result<u32, Failure> {
        ask!(self, lend(control, ends, lease, into))
    }

    fn was_lent(&self, control: &Control, lease: &Lease<'_>) -> Result<bool, Failure> {
        ask!(self, was_lent(control, lease))
    }

    fn repair(&self, control: &Control) -> Result<(), Failure> {
        ask!(self, repair(control))
    }

    fn trim(&self, control: &Control) {
        ask!(self, trim(control))
    }
}
