//! [`Recorder`]: one party's notes.

use super::{NEVER, OpKind, Operation};
use std::time::Instant;

/// Notes what one thread or task does; the notes of all together are a
/// [`History`](super::History).
///
/// ```
/// use queue_core::contract::history::{History, Recorder, OpKind};
/// let start = std::time::Instant::now();
/// let mut mine = Recorder::new(start);
/// mine.note(|| ((), OpKind::Pushed(1)));
/// let mut history = History::new(Some(4));
/// history.extend(mine);
/// assert!(history.check().is_ok());
/// ```
#[derive(Debug)]
pub struct Recorder {
    epoch: Instant,
    operations: Vec<Operation>,
}

impl Recorder {
    /// Nothing yet. All parties of a history count from the same `epoch`.
    pub fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            operations: Vec::new(),
        }
    }

    /// Nanoseconds since the epoch.
    pub fn now(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// Does `act` and notes it.
    pub fn note<R>(&mut self, act: impl FnOnce() -> (R, OpKind)) -> R {
        let start = self.now();
        let (result, kind) = act();
        let end = self.now();
        self.operations.push(Operation { start, end, kind });
        result
    }

    /// Notes an operation that began at `start` and ends now.
    pub fn ended(&mut self, start: u64, kind: OpKind) {
        let end = self.now();
        self.operations.push(Operation { start, end, kind });
    }

    /// Notes an operation that began at `start` and was cut off for good.
    pub fn cut(&mut self, start: u64, kind: OpKind) {
        self.operations.push(Operation {
            start,
            end: NEVER,
            kind,
        });
    }
}

impl IntoIterator for Recorder {
    type Item = Operation;
    type IntoIter = std::vec::IntoIter<Operation>;

    fn into_iter(self) -> Self::IntoIter {
        self.operations.into_iter()
    }
}
