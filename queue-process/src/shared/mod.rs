//! What the two Linux kinds have in common: everything but where the bytes lie.
//!
//! A queue is a **control page** in shared memory ([`layout`]) and a **storage** (the
//! trait [`Storage`]: the ring of `ShmQueue`, the pipe of `PipeQueue`). The
//! [`engine`] moves items in and out of the storage under two locks ([`lock`]), one for
//! each end, counts them, makes those wait who must, and closes. It has no notion of
//! item types: a [`Handle`] puts codec and verbs on top. Who takes part in a queue, and
//! whether they are alive, is told by the [`registry`].
//!
//! All of it survives the death of any participant at any instruction:
//! * an item is there, or a place free, from the one store on that says so;
//! * a lock whose holder died is inherited, and what the holder left is repaired;
//! * no waiter relies on a wake alone: of the threads of a process that sleep for the same, one
//!   looks again every [`NET`] (see [`sleepers`]).

pub(crate) mod arena;
pub(crate) mod engine;
pub(crate) mod frames;
pub(crate) mod futures;
pub(crate) mod identity;
pub(crate) mod latest;
pub(crate) mod layout;
pub(crate) mod lock;
#[cfg(loom)]
#[path = "../shm/notes.rs"]
mod notes;
#[cfg(loom)]
#[path = "../shm/place.rs"]
mod place;
pub(crate) mod platform;
pub(crate) mod registry;
#[cfg(loom)]
#[path = "../shm/ring.rs"]
pub(crate) mod ring;
pub(crate) mod sleepers;
pub(crate) mod standing;
mod state;
pub(crate) mod storage;
pub(crate) mod word;

#[cfg(not(loom))]
mod batches;
#[cfg(not(loom))]
mod buffer;
#[cfg(not(loom))]
pub(crate) mod claim;
#[cfg(not(loom))]
pub(crate) mod handle;
#[cfg(not(loom))]
pub(crate) mod kind;
#[cfg(not(loom))]
pub(crate) mod linux;
#[cfg(not(loom))]
pub(crate) mod listener;
#[cfg(not(loom))]
pub(crate) mod sentinel;
#[cfg(not(loom))]
pub(crate) mod verbs;

#[cfg(all(test, not(loom)))]
mod full;
#[cfg(all(test, not(loom)))]
mod lies;
#[cfg(all(test, not(loom)))]
mod noticed;
#[cfg(all(test, not(loom)))]
mod onlooker;
#[cfg(all(test, not(loom)))]
mod opened;
#[cfg(all(test, not(loom)))]
mod round;
#[cfg(all(test, not(loom)))]
mod stopped;

use std::time::Duration;

/// How long a sleeper sleeps at most before it looks again: so that a survivor notices a
/// death within a tenth of a second.
pub(crate) const NET: Duration = Duration::from_millis(65);

/// After how long a thread looks again that sleeps while another of its process does so every
/// [`NET`]: for where that one is no more, as in a process forked from this one.
const FOLLOWERS_NET: Duration = Duration::from_secs(5);
