//! What a queue between processes must do to be measured.

use crate::cell::Shape;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::process::Command;

/// Whatever goes wrong, in words.
pub type Result<T> = std::result::Result<T, String>;

/// Any error in words, with what caused it.
pub fn words(error: impl std::fmt::Display) -> String {
    format!("{error:#}")
}

/// One queue: where it is found, and what it is to hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Way {
    /// A name that no other queue of this machine has; also that of an environment variable.
    pub name: String,
    /// A directory in memory that is removed after the sample.
    pub directory: PathBuf,
    /// Who uses it, and how many items it holds.
    pub shape: Shape,
    /// Bytes of an item.
    pub size: usize,
}

impl Way {
    /// A file of this queue's.
    pub fn file(&self) -> PathBuf {
        self.directory.join(&self.name)
    }

    /// How many items it holds.
    pub fn capacity(&self) -> usize {
        self.shape.capacity.unwrap_or(1024)
    }

    /// What the coordinator left for the workers.
    pub fn left(&self) -> Result<String> {
        std::env::var(&self.name).map_err(words)
    }
}

/// Which half of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The sending one.
    Tx,
    /// The receiving one.
    Rx,
}

/// The sending half, in a worker.
pub trait Tx {
    /// Waits for a place.
    fn send(&mut self, item: &[u8]) -> Result<()>;

    /// All these numbers as items of eight bytes, in order.
    fn send_many(&mut self, numbers: &[u64]) -> Result<()> {
        numbers.iter().try_for_each(|n| self.send(&n.to_le_bytes()))
    }
}

/// The receiving half, in a worker.
pub trait Rx {
    /// How many items `recv_many` may take at once.
    const GULP: usize = 1;

    /// Waits for an item, and leaves it in `item`, which comes back as it was left.
    fn recv(&mut self, item: &mut Vec<u8>) -> Result<()>;

    /// Waits for one item of eight bytes, and takes up to `max`.
    fn recv_many(&mut self, into: &mut Vec<u64>, max: usize) -> Result<()> {
        let _ = max;
        let mut item = Vec::with_capacity(8);
        self.recv(&mut item)?;
        into.push(number(&item));
        Ok(())
    }
}

/// The number of an item of eight bytes.
pub fn number(item: &[u8]) -> u64 {
    item.try_into().map_or(u64::MAX / 3, u64::from_le_bytes)
}

/// A queue between processes.
pub trait Link: 'static {
    /// Its name in the tables.
    const NAME: &'static str;
    /// What the coordinator holds until all workers have ended.
    type Host;
    /// Its sending half.
    type Tx: Tx;
    /// Its receiving half.
    type Rx: Rx;

    /// Whether it comes in this shape, for items of so many bytes.
    fn supports(shape: &Shape, size: usize) -> bool;

    /// Makes the queue, in the coordinator.
    fn host(way: &Way) -> Result<Self::Host>;

    /// Gives a worker that is about to start what it needs besides the way.
    fn hand(host: &mut Self::Host, way: &Way, half: Half, worker: &mut Command) -> Result<()> {
        let _ = (host, way, half, worker);
        Ok(())
    }

    /// Meets a worker that has just started.
    fn meet(host: &mut Self::Host, half: Half) -> Result<()> {
        let _ = (host, half);
        Ok(())
    }

    /// The sending half, in a worker.
    fn tx(way: &Way) -> Result<Self::Tx>;

    /// The receiving half, in a worker.
    fn rx(way: &Way) -> Result<Self::Rx>;
}

/// Tries until it succeeds, for peers that do not wait by themselves: spins a little,
/// then yields between tries.
pub fn until<R>(mut attempt: impl FnMut() -> Result<Option<R>>) -> Result<R> {
    let mut tries = 0u32;
    loop {
        if let Some(result) = attempt()? {
            return Ok(result);
        }
        tries += 1;
        if tries.is_multiple_of(64) {
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}
