//! The contract: what every kind of queue promises, as tests that any kind can run.
//!
//! Fifteen clauses, C1 to C15, each a function that panics with the clause's name where
//! the promise is broken, and one macro, [`contract!`](crate::contract!), that makes a
//! `#[test]` of every one of them, so that none can be left out by hand.
//!
//! | clause | promise |
//! |---|---|
//! | [C1 fifo](c1_fifo) | if one push returned before another began, its item is popped first |
//! | [C2 once](c2_once) | an accepted item comes out exactly once |
//! | [C3 capacity](c3_capacity) | `bounded(n)` takes exactly n items; unbounded is never `Full` |
//! | [C4 try](c4_try) | a `try_` verb never waits for another party to act |
//! | [C5 wake](c5_wake) | no lost wake-up, also when who was woken is cancelled, times out or is not polled |
//! | [C6 time](c6_time) | never `Timeout` early; one try before the clock; huge timeouts work |
//! | [C7 close](c7_close) | pushes are `Closed`, pops drain, then `Closed`; all waiters wake |
//! | [C8 give back](c8_give_back) | every failed push returns the item and changes nothing |
//! | [C9 cancel](c9_cancel) | a dropped pop loses no item, a dropped push has not pushed |
//! | [C10 count](c10_count) | `len` is never above the capacity, and exact when nobody else acts |
//! | [C11 drop](c11_drop) | what is left is dropped once; a panic in `T`'s code does no harm |
//! | [C12 ends](c12_ends) | the last producer or consumer to go closes the queue |
//! | [C13 mixed](c13_mixed) | threads and futures wait on the same queue together |
//! | [C14 calm](c14_calm) | who has waited a millisecond uses no CPU |
//! | [C15 many](c15_many) | batches keep all of this, item by item; one that does not wait takes no more than was inside |
//!
//! # For the author of a queue
//!
//! Implement [`Queue`](crate::Queue) and [`WithCapacity`](crate::WithCapacity), make the queue
//! `Clone`, add `queue-core` with the feature `contract` to the `dev-dependencies`, and
//! write in `tests/contract.rs`:
//!
//! ```
//! queue_core::contract! {
//!     mod my_queue;
//!     kind: MyQueue;
//! }
//! ```
//!
//! `cargo test my_queue` then runs all clauses. A clause takes 0.02 to 0.5
//! seconds for an in-process queue, and all of them about 1.3 on two processors (some
//! three times that for a queue that crosses a process); a queue that loses a
//! wake-up makes its clause hang, which counts as failure after
//! [two minutes](set_step_timeout).
//!
//! A kind of its own sort says more:
//!
//! ```
//! queue_core::contract! {
//!     mod my_queue_of_bytes;
//!     // A path to the kind, without its item type. It may be an alias of yours.
//!     kind: MyQueue;
//!     // The one item type to try, where the kind does not carry any type at all.
//!     items: Vec<u8>;
//!     // How a queue is made, where it is not by `WithCapacity`.
//!     create: |bound| my_queue::Builder::new().bound(bound).build();
//!     // An item that is refused as `Failed`, if there is one: tried in C8.
//!     refused: vec![0; 100_000_000];
//!     // Left out, and seen to be: `cargo test` lists it as ignored, with the reason.
//!     except C14: "waits by polling, for its system has nothing else";
//! }
//! ```
//!
//! An `panicking: item;` is one whose own code panics as it is pushed (in its
//! serialization), for C11. Items are what implements [`Item`].
//!
//! # Who keeps it
//!
//! Every kind of the family keeps every clause. Of two channels that were wrapped to be
//! tried as well (in the workspace's `tests/tests/peers`), async-channel 2.5 keeps all
//! (timeouts, which it does not have, were the wrapper's), and crossbeam-channel 0.5.17
//! all but C7, C8 and part of C2: closing it does not end a push that waits, since who is
//! blocked in `send` holds a sender (futures, which it does not have, were the
//! wrapper's). And the workspace breaks a queue in some fifty ways, each caught by its
//! clause.
//!
//! # What it does not see
//!
//! One process alone: that a handle works in another process, and what a killed process
//! leaves behind, is for the process kind's own tests, which can record what happens
//! and judge it by [`history`]. And a test samples interleavings; only a model checker
//! goes through all of them.

mod clauses;
mod cpu;
mod executor;
pub mod history;
mod item;
mod macros;
mod run_clause;
mod stress;
mod subject;
mod verbs;
mod watchdog;

pub use clauses::*;
pub use item::{DropProbe, Item};
pub use run_clause::run_clause;
pub use stress::StressRun;
pub use subject::{Of, Subject};
pub use watchdog::{set_step_timeout, step_timeout};

/// Writes [`Clause`] and its names.
macro_rules! clauses {
    ($($clause:ident $name:literal,)*) => {
        /// The name of a clause.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)] // Said at each clause's function.
        pub enum Clause {
            $($clause,)*
        }

        impl Clause {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$clause,)*];

            /// Its word.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$clause => $name,)*
                }
            }
        }
    };
}

clauses! {
    C1 "fifo", C2 "once", C3 "capacity", C4 "try", C5 "wake", C6 "time", C7 "close",
    C8 "give back", C9 "cancel", C10 "count", C11 "drop", C12 "ends", C13 "mixed",
    C14 "calm", C15 "many",
}

impl std::fmt::Display for Clause {
    /// As failures say it: `C5 wake`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?} {}", self.name())
    }
}
