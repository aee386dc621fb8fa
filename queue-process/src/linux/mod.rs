//! The two Linux kinds, in layers that import downwards alone.
//!
//! | layer | what it is |
//! |---|---|
//! | [`pipe`], [`shm`] | a kind each, and where its bytes lie: in a pipe, in a ring |
//! | [`share`] | handing a queue to another process |
//! | [`queue`] | one process's opened queue: its handle, its verbs, what it looks like in memory |
//! | [`wait`] | threads and futures that wait for an end to move |
//! | [`engine`] | items in and out of a storage, under two locks |
//! | [`lease`] | what is lent to workers, and comes back when they die |
//! | [`membership`] | who takes part, and whether they are alive |
//!
//! A queue is a **header** in shared memory (`queue::header`) and a **storage** (the
//! trait [`engine::Storage`]). The [`engine`] moves items in and out of the storage
//! under two locks ([`engine::end_lock`]), one for each end. It counts the items, wakes waiters, and
//! closes the queue. It knows nothing of item types: a handle puts codec and verbs on top.
//!
//! All of it survives the death of any participant at any instruction:
//! * one store makes an item visible, or a slot free;
//! * a lock whose holder died is taken over, and what the holder left is repaired;
//! * no waiter relies on a wake alone: of the threads of a process that wait for the same end, one
//!   looks again every [`wait::RECHECK_INTERVAL`].

pub(crate) mod engine;
pub(crate) mod lease;
pub(crate) mod membership;
pub(crate) mod pipe;
pub(crate) mod queue;
#[cfg(not(loom))]
pub(crate) mod share;
pub(crate) mod shm;
pub(crate) mod wait;
