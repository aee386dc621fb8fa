//! One file per clause.

mod c01_fifo;
mod c02_once;
mod c03_capacity;
mod c04_try;
mod c05_wake;
mod c06_time;
mod c07_close;
mod c08_give_back;
mod c09_cancel;
mod c10_count;
mod c11_drop;
mod c12_ends;
mod c12_loops;
mod c13_mixed;
mod c14_calm;
mod c15_limits;
mod c15_many;

pub use c01_fifo::c1_fifo;
pub use c02_once::c2_once;
pub use c03_capacity::c3_capacity;
pub use c04_try::c4_try;
pub use c05_wake::c5_wake;
pub use c06_time::c6_time;
pub use c07_close::c7_close;
pub use c08_give_back::c8_give_back;
pub use c09_cancel::c9_cancel;
pub use c10_count::c10_count;
pub use c11_drop::{c11_drop, c11_drop_any_item};
pub use c12_ends::c12_ends;
pub use c13_mixed::c13_mixed;
pub use c14_calm::c14_calm;
pub use c15_many::c15_many;

use super::executor::{PolledFuture, block_on, run_tasks};
use super::history::{History, Violation};
use super::item::DropCounter;
use super::stress::StressRun;
use super::subject::{bounded, full, item, unbounded};
use super::verbs::{LONG, Pop, Push, Refusal, send};
use super::watchdog::{Watchdog, answer_time, crowd, run, settle};
use super::{Clause, DropProbe, Item, Subject};
use crate::{PopError, PopTimeoutError, PushError, PushTimeoutError, Queue};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pops everything that is inside.
fn drain<T: Item, Q: Queue<Item = T>>(queue: &Q) -> Vec<u64> {
    std::iter::from_fn(|| queue.try_pop().ok())
        .map(|item| item.number())
        .collect()
}

/// Fails for a violation that `mine` picks. The others belong to other clauses.
fn check(history: &History, mine: impl Fn(&Violation) -> bool) {
    if let Some(violation) = history.violations().into_iter().find(mine) {
        panic!("{violation}");
    }
}
