//! Recorded histories, and the check that a FIFO queue could have produced them.
//!
//! Threads, tasks or processes note for every operation when it began, when it ended
//! and what it came to. The history is *linearizable* if each operation can be given
//! one moment between its beginning and its end such that, in the order of those
//! moments, the operations are what one FIFO queue with that capacity would have
//! answered. Deciding that for any history is hard; for a queue whose items are all
//! different it comes down to a few forbidden patterns, each found by sorting (after
//! Henzinger, Sezgin and Vafeiadis, "Aspect-oriented linearizability proofs", and
//! arXiv 2410.04581): a million operations take about a second.
//!
//! # What it decides
//!
//! For an unbounded queue that is not closed the patterns ([`Violation::Fresh`],
//! [`Repeated`](Violation::Repeated), [`Order`](Violation::Order),
//! [`Empty`](Violation::Empty)) are exact: a history with none of them is
//! linearizable. What `Full`, capacity and close add is checked by conditions
//! that every good history meets: a violation is always real, but their absence is no
//! proof.
//!
//! ```
//! use queue_core::contract::history::{History, Violation, OpKind};
//! let mut history = History::new(None);
//! history.add(0, 1, OpKind::Pushed(7));
//! history.add(2, 3, OpKind::Pushed(8));
//! history.add(4, 5, OpKind::Popped(8));
//! assert!(matches!(history.check(), Err(Violation::Order { first: 7, second: 8 })));
//! ```

mod check;
mod interval_set;
mod len_bounds;
mod recorder;

pub use check::Violation;
pub use recorder::Recorder;

/// What an operation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpKind {
    /// The item was accepted.
    Pushed(u64),
    /// The item was refused for want of a slot, at once or after a timeout.
    Full(u64),
    /// The item was refused because the queue was closed.
    PushClosed(u64),
    /// The push was cut off, by a dropped future or a killed process: the item is
    /// inside, or it never was. An operation cut off by a kill ends at [`NEVER`].
    PushCut(u64),
    /// The item was popped.
    Popped(u64),
    /// There was no item, at once or until a timeout.
    Empty,
    /// The queue was closed and drained.
    Drained,
    /// The popper was killed on the way: it may have taken one item with it.
    PopCut,
    /// The queue was closed; true for the call that said it was the first.
    Closed(bool),
}

/// The end of an operation that did not end.
pub const NEVER: u64 = u64::MAX;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    /// When it began, in any unit that all parties share.
    pub start: u64,
    /// When it ended.
    pub end: u64,
    /// What it came to.
    pub kind: OpKind,
}

/// What everybody did to one queue.
#[derive(Clone, Debug, Default)]
pub struct History {
    capacity: Option<usize>,
    operations: Vec<Operation>,
}

impl History {
    /// Nothing yet, of a queue with this capacity that was open and empty at first.
    pub fn new(capacity: Option<usize>) -> Self {
        Self {
            capacity,
            operations: Vec::new(),
        }
    }

    /// Adds an operation, in any order.
    pub fn add(&mut self, start: u64, end: u64, kind: OpKind) {
        self.operations.push(Operation { start, end, kind });
    }

    /// The operations, as they were added.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Whether a FIFO queue could have done this.
    ///
    /// # Errors
    /// The first pattern found that none could.
    pub fn check(&self) -> Result<(), Violation> {
        match self.violations().into_iter().next() {
            None => Ok(()),
            Some(violation) => Err(violation),
        }
    }

    /// Every kind of forbidden pattern that the history shows, one example of each.
    pub fn violations(&self) -> Vec<Violation> {
        check::violations(self.capacity, &self.operations)
    }
}

impl Extend<Operation> for History {
    fn extend<I: IntoIterator<Item = Operation>>(&mut self, operations: I) {
        self.operations.extend(operations);
    }
}
