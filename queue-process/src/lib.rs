//! FIFO queues between processes, with the verbs, errors and promises of the queues
//! between threads and tasks: moving a worker into a process changes one line.
//!
//! | kind | runs on | items are | take it |
//! |---|---|---|---|
//! | [`PipeQueue`] | Linux | in a kernel pipe | by default |
//! | [`ShmQueue`] | Linux | in shared memory | when a microsecond for each item is too much |
//! | [`IpcQueue`] | wherever `ipc-channel` runs | in the process that made it | elsewhere than on Linux, or where one process should own all state |
//!
//! Any number of producers and consumers in any number of processes, bounded or not;
//! first in, first out, over all of them. An item must be serializable, and `push`
//! serializes it, in the caller: what does not serialize, or is too large, comes back.
//! The format is a [`codec`], the second type parameter: [`Postcard`] unless
//! said otherwise, [`Raw`] for bytes that are bytes already. (The compiler takes this default
//! where the item's type is named, as in `PipeQueue::<u64>::bounded(8)`, and asks for it where
//! all is left to be inferred.)
//!
//! # Handing a queue over
//!
//! ```no_run
//! use queue_process::{PipeQueue, Queue};
//! use std::process::Command;
//!
//! let jobs = PipeQueue::<u64>::bounded(64);
//! let mut worker = Command::new("worker");
//! jobs.share_with(&mut worker, "JOBS")?; // in the worker: PipeQueue::<u64>::from_parent("JOBS")?
//! worker.spawn()?;
//! jobs.push(7)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! One half alone goes the same way ([`Handover`]), a queue also goes inside a message of
//! `ipc-channel`, and by name (`create_named`, `open_named`; not an [`IpcQueue`]).
//!
//! Whoever opens a queue with another item type, codec, size of a word (32 or 64 bits) or version
//! is refused with [`Mismatch`](FailureKind::Mismatch), in words that name both sides. Types are
//! told apart by their full name ([`std::any::type_name`], with crate and module): one that two
//! programs share is to come from one library, or to get the same name in both by a codec of
//! your own ([`Codec::item_name`]). What changes inside a type without its name is not noticed.
//!
//! # Names between parent and child
//!
//! What is shared under a name goes to the child in an environment variable, whose name is
//! `QUEUE_PROCESS_` (of an [`IpcQueue`] `QUEUE_IPC_`) and then the name in `A` to `Z`, `0` to `9`
//! and `_`, for some shells drop what they cannot name themselves: these letters and digits as
//! they are, `_` as `__`, any other byte of the UTF-8 as `_` and two hexadecimal digits. So
//! `JOBS` goes in `QUEUE_PROCESS_JOBS`, and `to-do` in `QUEUE_PROCESS__74_6F_2D_64_6F`; no two
//! names have the same variable. A shell between the two needs to know nothing of this.
//!
//! # Ctrl-C, signals, allocators
//!
//! * **Ctrl-C reaches the workers too.** The terminal sends it to the whole process group, so
//!   children die with the parent, in the middle of their work. If the parent is to end them in
//!   order (`close`, then wait), start them in a group of their own:
//!   `std::os::unix::process::CommandExt::process_group(&mut command, 0)`. A parent that is
//!   killed by the signal closes nothing by itself: it is missed as any dead process is, and
//!   workers that hold the consuming half alone drain what is left and then end.
//! * **No verb may be called in a signal handler, or inside an allocator.** A push or pop holds
//!   a lock for some instructions and may allocate. If the handler interrupts just that, or the
//!   allocator is called from there, and pushes to the same queue, it waits for itself, for ever:
//!   the lock's holder is alive. Set a flag there, or write to a descriptor, and push elsewhere.
//!
//! # When memory is short
//!
//! A queue takes memory as it needs it, and a push fails with `Io` where the system says that
//! there is none. Under a limit of a memory cgroup (a container, a systemd unit) the system does
//! not say so: it kills a process of the group. There, keep `memory_limit`, or the bound and the
//! size of the items, below what the group may use.
//!
//! # When somebody dies
//!
//! A process may be killed at any instruction: nobody hangs, no item is torn or comes
//! twice, and what was pushed stays, but for what a popper had in its hands when it was killed.
//! When the last process of a side is gone, the queue closes. Each kind's page says what
//! its own deaths mean and whom it trusts.
//!
//! | | whom it trusts | what a hostile participant can do |
//! |---|---|---|
//! | [`PipeQueue`] | its participants, who all belong to one user | make operations of others fail or wait, lose or forge items; not crash them, nor read other memory |
//! | [`ShmQueue`] | the same | the same |
//! | [`IpcQueue`] | its host | send the host nonsense, which is refused; take items |
//!
//! # When an item's own code panics
//!
//! Its `Deserialize` runs in the thread that pops, with no lock held. If it panics in the midst
//! of a batch, that item alone is gone: those behind it are kept as bytes, count in this
//! process's `len`, and are what its next pops give, whoever calls them; a thread or a task of
//! it that waits for items is woken. Like all that a process has in its hands they are gone
//! with its last handle.
//!
//! # When a process forks
//!
//! A child made by `fork` that goes on without starting a program, as a daemon does, has copies of
//! its parent's handles. Dropped there, by its end too, they change nothing for the parent, and
//! queues that the child makes work. What else it can do with them:
//!
//! * A copy of a [`PipeQueue`] or [`ShmQueue`] can be used: the first verb that pushes, pops, waits
//!   or closes makes the child a participant of its own, on the sides that its parent was on,
//!   or is a failure (`Io`) if the system gives no descriptors for that. From then on either of
//!   the two may leave or be killed without the other.
//! * Until then the child does not count. But if its parent ends without having left, as a daemon's
//!   does by `_exit`, the parent's sides stay held for two more seconds: a daemon that has more to do
//!   first should use its queue before (`try_pop`, say).
//! * A queue that the parent created by name is offered by the parent alone, and its name ends
//!   with the parent: a daemon creates its names when it is one.
//! * Halves that other threads of the parent had are copied too, and nobody in the child can
//!   drop them: once the child uses that queue they count as long as it lives.
//! * A copy of an [`IpcQueue`] is of no use: its verbs fail with `Unsupported`. As long as the child
//!   has one, the end of its parent is not noticed by the other side.
//! * A child made by a bare `clone` system call is told from its parent in the same way. But until
//!   it uses or drops a copy, nobody inherits what its parent had locked when it was
//!   killed, and the parent's names are taken.
//!
//! Who takes part, and whether it lives, is never told by a process id: ids may come again, and
//! processes of one queue may be in different PID namespaces. (A name is seen in its network
//! namespace.)
//!
//! # Features
//!
//! * `tokio`: takes part in tokio's cooperative budget, so that a task that always finds
//!   the queue ready still lets its neighbours run. With and without it futures run on any
//!   executor, and are woken by a thread of this crate that lives while any wait. Leave
//!   it off where you build with `--cfg loom`: tokio gives that a meaning of its own.
//! * `bincode`: the codec `Bincode`, for who already speaks that format.
//!
//! # When not
//!
//! Inside one process `queue-thread` and `queue-async` are faster, and carry items of any
//! type. Between machines, or for items that must outlive all processes, take a message
//! broker.

#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg), doc(auto_cfg(hide(loom))))]

/// The code of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

/// How items become bytes, and bytes items: what the crate `queue-codec` has.
pub mod codec {
    #[cfg(feature = "bincode")]
    pub use queue_codec::Bincode;
    pub use queue_codec::{Codec, Postcard, Raw};
    #[cfg(not(loom))]
    pub(crate) use queue_codec::{IPC_HANDLE, QUEUE_HANDLE};
}

#[cfg_attr(loom, allow(dead_code))]
mod deferred;
#[cfg(not(loom))]
mod handover;
#[cfg(not(loom))] // Its guests' threads are beyond a model.
mod ipc;
#[cfg(target_os = "linux")]
#[cfg_attr(loom, allow(dead_code, unreachable_pub))] // A model is not all of it.
#[allow(private_bounds, private_interfaces)] // The two storages are all there are.
mod linux;
#[cfg(loom)]
#[allow(clippy::missing_panics_doc)] // A model fails by panicking.
pub mod loom;
mod per_process;
#[cfg(target_os = "linux")]
#[cfg_attr(loom, allow(dead_code))] // A model is not all of it.
#[allow(unsafe_code)] // Here alone.
mod sys;
#[cfg_attr(loom, allow(dead_code))]
mod types;
#[cfg_attr(loom, allow(dead_code))]
mod unwind;

#[cfg(feature = "bincode")]
pub use codec::Bincode;
pub use codec::{Codec, Postcard, Raw};
#[cfg(not(loom))]
pub use handover::Handover;
#[cfg(not(loom))]
pub use ipc::IpcQueue;
#[cfg(all(target_os = "linux", not(loom)))]
pub use linux::{
    pipe::{PipeOptions, PipeQueue},
    queue::lend::LinuxLease,
    queue::linux_queue::LinuxQueue,
    queue::options::LinuxOptions,
    ring::{ShmOptions, ShmQueue},
    share::named::named_queues,
    wait::{join_listener::JoinListener, listener::Listener},
};

pub use queue_core::{
    Capacity, Consumer, Delivery, Failure, FailureKind, IntoItemSink, IntoItemStream,
    IntoResultStream, ItemSink, ItemStream, PopError, PopTimeoutError, Producer, PushError,
    PushTimeoutError, Queue, ResultStream, Select, Side, Stats, TryPopError, TryPushError,
    WithCapacity, WorkQueue, dynamic, iter, pop_any, pop_any_async, pop_any_timeout, select,
};
