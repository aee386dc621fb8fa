//! The contract: what every kind of queue promises, as tests that any kind can run.
//!
//! There are fifteen clauses, C1 to C15. Each is a function that panics with the clause's name if the
//! promise is broken. The macro [`contract!`](crate::contract!) makes a `#[test]` of each of them, so
//! that none is forgotten.
//!
//! | clause | promise |
//! |---|---|
//! | [C1 fifo](c1_fifo) | if one push returned before another began, its item is popped first |
//! | [C2 once](c2_once) | an accepted item comes out exactly once |
//! | [C3 capacity](c3_capacity) | `bounded(n)` takes exactly n items; unbounded is never `Full` |
//! | [C4 try](c4_try) | a `try_` verb never waits for another party to act |
//! | [C5 wake](c5_wake) | no lost wake-ups, even if the woken waiter is cancelled, times out or is not polled |
//! | [C6 time](c6_time) | never `Timeout` early; one try before the clock; huge timeouts work |
//! | [C7 close](c7_close) | pushes are `Closed`, pops drain, then `Closed`; all waiters wake |
//! | [C8 give back](c8_give_back) | every failed push returns the item and changes nothing |
//! | [C9 cancel](c9_cancel) | a dropped pop loses no item, a dropped push has not pushed |
//! | [C10 count](c10_count) | `len` is never above the capacity, and exact when nobody else acts |
//! | [C11 drop](c11_drop) | what is left is dropped once; a panic in `T`'s code does no harm |
//! | [C12 ends](c12_ends) | the last producer or consumer to go closes the queue |
//! | [C13 mixed](c13_mixed) | threads and futures wait on the same queue together |
//! | [C14 calm](c14_calm) | a waiter uses no CPU after a millisecond |
//! | [C15 many](c15_many) | batches keep all of this, item by item; a batch that does not wait takes no more than was inside |
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
//! `cargo test my_queue` then runs all clauses. A clause takes 0.02 to 0.5 seconds for an in-process
//! queue, and all of them about 1.3 on two processors (some three times that for a queue that crosses
//! a process). A queue that loses a wake-up makes its clause hang, which counts as failure after
//! [two minutes](set_step_timeout).
//!
//! There are options for a kind that is special:
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
//! A `panicking: item;` is one whose own code panics as it is pushed (in its
//! serialization), for C11. Items are what implements [`Item`].
//!
//! # Who keeps it
//!
//! Every kind of the family keeps every clause. Two channels were wrapped and tried as well (in the
//! workspace's `tests/tests/peers`). async-channel 2.5 keeps all clauses; it has no timeouts, so the
//! wrapper made them. crossbeam-channel 0.5.17 keeps all but C7, C8 and part of C2: a waiting push
//! does not end when it is closed, because a thread that is blocked in `send` holds a sender. (It has
//! no futures, so the wrapper made them.) And the workspace breaks a queue in some sixty ways, each
//! of which its clause finds.
//!
//! # What it does not see
//!
//! It runs in one process. Whether a handle works in another process, and what a killed process leaves
//! behind, is for the process kind's own tests, which can record what happens and check it by
//! [`history`]. And a test samples interleavings; only a model checker goes through all of them.

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
mod work;

pub use clauses::*;
pub use item::{DropProbe, Item};
pub use run_clause::run_clause;
pub use stress::StressRun;
pub use subject::{Of, Subject};
pub use watchdog::{answer_time, set_answer_time, set_step_timeout, step_timeout};
pub use work::*;

/// Writes the names of clauses.
macro_rules! clause_names {
    ($(#[$doc:meta])* $all:ident: $($clause:ident $name:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)] // Said at each clause's function.
        pub enum $all {
            $($clause,)*
        }

        impl $all {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$clause,)*];

            /// Its word.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$clause => $name,)*
                }
            }
        }

        impl std::fmt::Display for $all {
            /// As failures say it: `C5 wake`.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self:?} {}", self.name())
            }
        }
    };
}
use clause_names;

clause_names! {
    /// The name of a clause.
    Clause:
    C1 "fifo", C2 "once", C3 "capacity", C4 "try", C5 "wake", C6 "time", C7 "close",
    C8 "give back", C9 "cancel", C10 "count", C11 "drop", C12 "ends", C13 "mixed",
    C14 "calm", C15 "many",
}
