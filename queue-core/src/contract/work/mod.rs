//! The clauses of [`WorkQueue`]: W1 to W6.

mod macros;
mod w1_settled_once;
mod w2_comes_back;
mod w3_keeps_its_slot;
mod w4_attempts;
mod w5_close;
mod w6_join;

pub use w1_settled_once::w1_settled_once;
pub use w2_comes_back::w2_comes_back;
pub use w3_keeps_its_slot::{w3_keeps_its_slot, w3_keeps_its_slot_unordered};
pub use w4_attempts::w4_attempts;
pub use w5_close::w5_close;
pub use w6_join::w6_join;

use super::executor::{PolledFuture, block_on};
use super::subject::{bounded, full, item, unbounded};
use super::verbs::LONG;
use super::watchdog::{Watchdog, run, settle};
use super::{Item, Subject};
use crate::work::{Delivery, Lend, WorkQueue};
use crate::{Failure, Queue, TryPopError, TryPushError};
use std::time::{Duration, Instant};

super::clause_names! {
    /// The name of a clause about deliveries.
    WorkClause:
    W1 "settled once", W2 "comes back", W3 "keeps its slot", W4 "attempts", W5 "close", W6 "join",
}

/// The verbs that receive.
#[derive(Clone, Copy, Debug)]
enum Receive {
    Try,
    TryMany,
    Plain,
    Timeout,
    Deadline,
    Many,
    Future,
    ManyFuture,
}

impl Receive {
    const ALL: &[Self] = &[
        Self::Try,
        Self::TryMany,
        Self::Plain,
        Self::Timeout,
        Self::Deadline,
        Self::Many,
        Self::Future,
        Self::ManyFuture,
    ];

    /// Those that wait.
    fn waiting() -> impl Iterator<Item = Self> {
        let all = Self::ALL.iter().copied();
        all.filter(|receive| !matches!(receive, Self::Try | Self::TryMany))
    }

    /// Receives one; a failure says which error it came to.
    fn run<Q: WorkQueue>(self, queue: &Q) -> Result<Delivery<Q>, String> {
        let mut some = Vec::new();
        match self {
            Self::Try => queue.try_receive().map_err(|e| e.to_string()),
            Self::Plain => queue.receive().map_err(|e| e.to_string()),
            Self::Timeout => queue.receive_timeout(LONG).map_err(|e| e.to_string()),
            Self::Deadline => {
                let received = queue.receive_deadline(Instant::now() + LONG);
                received.map_err(|e| e.to_string())
            }
            Self::Future => block_on(queue.receive_async()).map_err(|e| e.to_string()),
            Self::TryMany => {
                let count = queue.try_receive_many(&mut some, 1);
                only(count.map_err(|e| e.to_string()), some)
            }
            Self::Many => {
                let count = queue.receive_many(&mut some, 1);
                only(count.map_err(|e| e.to_string()), some)
            }
            Self::ManyFuture => {
                let count = block_on(queue.receive_many_async(&mut some, 1));
                only(count.map_err(|e| e.to_string()), some)
            }
        }
    }
}

fn only<D>(count: Result<usize, String>, mut some: Vec<D>) -> Result<D, String> {
    assert_eq!(count?, some.len(), "a batch says how many it received");
    some.pop().ok_or_else(|| "an empty batch".to_string())
}

/// The ways of giving an item back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Back {
    Nack,
    Release,
    Drop,
    Unwind,
}

impl Back {
    const ALL: [Self; 4] = [Self::Nack, Self::Release, Self::Drop, Self::Unwind];

    fn run<Q: WorkQueue>(self, delivery: Delivery<Q>) {
        match self {
            Self::Nack => settled(delivery.nack()),
            Self::Release => settled(delivery.release()),
            Self::Drop => drop(delivery),
            Self::Unwind => {
                let work = std::panic::AssertUnwindSafe(|| {
                    let _job = delivery;
                    std::panic::resume_unwind(Box::new("a worker failed"));
                });
                let worker: Result<(), _> = std::panic::catch_unwind(work);
                assert!(worker.is_err(), "a panic goes on");
            }
        }
    }
}

fn settled(result: Result<(), Failure>) {
    result.unwrap_or_else(|failure| panic!("not settled: {failure:#}"));
}

/// Receives by `try_receive`, and fails unless it is item `number`.
#[track_caller]
fn expect<Q: WorkQueue<Item: Item>>(queue: &Q, number: u64) -> Delivery<Q> {
    match queue.try_receive() {
        Ok(delivery) => {
            assert_eq!(delivery.number(), number, "another item was received");
            delivery
        }
        Err(error) => panic!("item {number} was not received: {error}"),
    }
}

/// Pushes items 0 to `n`.
fn push_all<S: Subject>(queue: &S::Queue, n: u64) {
    for number in 0..n {
        assert!(queue.try_push(item::<S>(number)).is_ok(), "a slot was left");
    }
}
