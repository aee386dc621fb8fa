//! Our kinds between processes: one adapter for all, for they share one trait. Numbers go
//! as `u64` through the default codec, larger items as bytes through `Raw`.

use super::link::{Half, Link, Result, Rx, Tx, Way, number, words};
use super::{Entry, entry};
use crate::cell::{Load, Shape};
use crate::subject::{Role::Ours, Subject};
use queue_core::{Capacity, Queue, WithCapacity, WorkQueue};
use queue_process::codec::Raw;
use queue_process::{Handover, IpcQueue, PipeQueue, ShmQueue};
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::process::Command;

pub fn entries() -> Vec<Entry> {
    vec![
        entry::<Kind<ShmQueue<u64>>>(Ours),
        entry::<Kind<ShmQueue<Vec<u8>, Raw>>>(Ours),
        entry::<Kind<PipeQueue<u64>>>(Ours),
        entry::<Kind<PipeQueue<Vec<u8>, Raw>>>(Ours),
        entry::<Kind<IpcQueue<u64>>>(Ours),
        entry::<Kind<IpcQueue<Vec<u8>, Raw>>>(Ours),
        alone::<ShmQueue<u64>>(),
        alone::<PipeQueue<u64>>(),
        alone::<IpcQueue<u64>>(),
        lends_alone::<ShmQueue<u64>>(),
        lends_alone::<PipeQueue<u64>>(),
        lends_alone::<IpcQueue<u64>>(),
    ]
}

/// A kind in one process, with nobody else there.
fn alone<Q: Named + Queue<Item = u64>>() -> Entry {
    without_workers(Subject {
        name: Q::NAME,
        role: Ours,
        supports: |cell| cell.load == Load::Alone,
        run: crate::family::alone::<Q>,
    })
}

/// The same, lending its items.
fn lends_alone<Q: Named + WorkQueue<Item = u64>>() -> Entry {
    without_workers(Subject {
        name: Q::NAME,
        role: Ours,
        supports: |cell| cell.load == Load::Work,
        run: crate::family::work_alone::<Q>,
    })
}

fn without_workers(subject: Subject) -> Entry {
    Entry {
        subject,
        work: |_| Err("it has no workers".into()),
    }
}

/// A kind of ours with its item, as a link.
pub struct Kind<Q>(PhantomData<Q>);

/// What the bench must know of a kind besides what the family's traits say.
pub trait Named: Queue<Item: Body> + WithCapacity + Handover + 'static {
    /// Its name in the tables.
    const NAME: &'static str;
}

/// What goes through the queues.
pub trait Body: Send + 'static {
    /// Whether it stands for items of so many bytes.
    fn fits(size: usize) -> bool;
    fn pack(item: &[u8]) -> Self;
    fn unpack(self, item: &mut Vec<u8>);
}

impl Body for u64 {
    fn fits(size: usize) -> bool {
        size == 8
    }

    fn pack(item: &[u8]) -> Self {
        number(item)
    }

    fn unpack(self, item: &mut Vec<u8>) {
        item.clear();
        item.extend(self.to_le_bytes());
    }
}

impl Body for Vec<u8> {
    fn fits(size: usize) -> bool {
        size != 8
    }

    fn pack(item: &[u8]) -> Self {
        item.to_vec()
    }

    fn unpack(self, item: &mut Vec<u8>) {
        *item = self;
    }
}

macro_rules! named {
    ($($kind:ident: $name:literal;)+) => {$(
        impl Named for $kind<u64> {
            const NAME: &'static str = $name;
        }

        impl Named for $kind<Vec<u8>, Raw> {
            const NAME: &'static str = $name;
        }
    )+};
}

named! {
    ShmQueue: "ShmQueue";
    PipeQueue: "PipeQueue";
    IpcQueue: "IpcQueue";
}

impl<Q: Named> Link for Kind<Q> {
    const NAME: &'static str = Q::NAME;
    type Host = Q;
    type Tx = OurTx<Q>;
    type Rx = OurRx<Q>;

    fn supports(_: &Shape, size: usize) -> bool {
        Q::Item::fits(size)
    }

    fn host(way: &Way) -> Result<Q> {
        Q::try_with_capacity(Capacity::bounded(way.capacity())).map_err(words)
    }

    fn hand(host: &mut Q, way: &Way, _: Half, worker: &mut Command) -> Result<()> {
        host.share_with(worker, &way.name).map_err(words)
    }

    fn tx(way: &Way) -> Result<OurTx<Q>> {
        Ok(OurTx(
            Q::from_parent(&way.name).map_err(words)?,
            VecDeque::new(),
        ))
    }

    fn rx(way: &Way) -> Result<OurRx<Q>> {
        Ok(OurRx(Q::from_parent(&way.name).map_err(words)?, Vec::new()))
    }
}

/// The queue in a producer, with the batch that it is about to push.
pub struct OurTx<Q: Named>(Q, VecDeque<Q::Item>);

/// The queue in a consumer, with the batch that it has popped.
pub struct OurRx<Q: Named>(Q, Vec<Q::Item>);

impl<Q: Named> Tx for OurTx<Q> {
    fn send(&mut self, item: &[u8]) -> Result<()> {
        self.0.push(Q::Item::pack(item)).map_err(words)
    }

    fn send_many(&mut self, numbers: &[u64]) -> Result<()> {
        self.1
            .extend(numbers.iter().map(|n| Q::Item::pack(&n.to_le_bytes())));
        self.0.push_many(&mut self.1).map_err(words)
    }
}

impl<Q: Named> Rx for OurRx<Q> {
    const GULP: usize = 32;

    fn recv(&mut self, item: &mut Vec<u8>) -> Result<()> {
        self.0.pop().map_err(words)?.unpack(item);
        Ok(())
    }

    fn recv_many(&mut self, into: &mut Vec<u64>, max: usize) -> Result<()> {
        self.0
            .pop_many(&mut self.1, max.min(Self::GULP))
            .map_err(words)?;
        let mut item = Vec::with_capacity(8);
        for popped in self.1.drain(..) {
            popped.unpack(&mut item);
            into.push(number(&item));
        }
        Ok(())
    }
}
