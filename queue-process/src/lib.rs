//! FIFO queues between processes, with the verbs, errors and promises of the queues
//! between threads and tasks: moving a worker into a process changes one line.
//!
//! | kind | runs on | items are | take it |
//! |---|---|---|---|
//! | [`PipeQueue`] | Linux | in a kernel pipe | by default |
//! | [`ShmQueue`] | Linux | in shared memory | when a microsecond for each item is too much |
//! | [`IpcQueue`] | wherever `ipc-channel` runs | in the process that made it | elsewhere than on Linux, or where one process should own all state |
//!
//! A queue has any number of producers and consumers in any number of processes, and items come out
//! in the order in which they went in, over all of them. It is bounded or not. An item must be
//! serializable. `push` serializes it in the calling thread, and hands it back if it does not
//! serialize or is too large. The format is a [`codec`], the second type parameter: [`Postcard`] by
//! default, [`Raw`] for items that are bytes already. (The compiler takes the default
//! where the item's type is named, as in `PipeQueue::<u64>::bounded(8)`, and asks for a codec where
//! everything is left to be inferred.)
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
//! One half alone is shared in the same way ([`Handover`]). A queue can also be part of a message of
//! `ipc-channel` or of an item, and another program can open it by its name (`create_named`,
//! `open_named`; not an [`IpcQueue`]).
//!
//! A program that opens a queue with another item type, codec, size of a word (32 or 64 bits) or
//! version gets the failure [`Mismatch`](FailureKind::Mismatch), whose text names both sides. Types
//! are told apart by their full name ([`std::any::type_name`], with crate and module). So two programs
//! should take a shared type from one library, or give it the same name by a codec of their
//! own ([`Codec::item_name`]). A type that changes but keeps its name is not noticed.
//!
//! # Names between parent and child
//!
//! A child finds what was shared under a name in an environment variable. The variable's name is
//! `QUEUE_PROCESS_` (for an [`IpcQueue`] `QUEUE_IPC_`), followed by the name in the letters `A` to
//! `Z`, the digits and `_`, because some shells drop other variables. `A` to `Z` and the digits
//! stand for themselves, `_` becomes `__`, and any other byte of the UTF-8 becomes `_` and two
//! hexadecimal digits. So `JOBS` goes in `QUEUE_PROCESS_JOBS`, and `to-do` in
//! `QUEUE_PROCESS__74_6F_2D_64_6F`. No two names have the same variable. A shell between parent and
//! child needs to know nothing of this.
//!
//! # Ctrl-C, signals, allocators
//!
//! * **Ctrl-C reaches the workers too.** The terminal sends it to the whole process group, so
//!   children die with the parent, in the middle of their work. A parent that wants to end them in
//!   order (`close`, then wait) starts them in a group of their own:
//!   `std::os::unix::process::CommandExt::process_group(&mut command, 0)`. A parent that is
//!   killed by the signal closes nothing itself. Its death is noticed as that of any process, and
//!   workers that hold the consuming half alone drain what is left and then end.
//! * **Call no verb in a signal handler, or inside an allocator.** A push or pop holds
//!   a lock for some instructions and may allocate. If a handler interrupts just that and pushes to
//!   the same queue, it waits for itself for ever, because the lock's holder is alive. The same holds
//!   for an allocator. Set a flag there, or write to a descriptor, and push elsewhere.
//!
//! # When memory is short
//!
//! A queue takes memory as it needs it, and a push fails with `Io` if the system has none. Under the
//! limit of a memory cgroup (a container, a systemd unit) no push fails: the system kills a process
//! of the group. There, keep `memory_limit`, or the bound and the size of the items, below what the
//! group may use.
//!
//! # When a process dies
//!
//! A process may be killed at any instruction. No other process hangs, no item is damaged or comes
//! twice, and all that was pushed stays, except what the dead process had popped.
//! An item that is received as a [`Delivery`], and not popped, comes back with the death of its holder.
//! When the last process of a side is gone, the queue closes. Each kind's page says what a death
//! means there, and which processes the kind trusts.
//!
//! | | which processes it trusts | what a hostile participant can do |
//! |---|---|---|
//! | [`PipeQueue`] | its participants, who all belong to one user | make operations of others fail or wait, lose or forge items; not crash them, nor read other memory |
//! | [`ShmQueue`] | the same | the same |
//! | [`IpcQueue`] | the same | the same, and crash the others |
//!
//! # When an item's own code panics
//!
//! An item's `Deserialize` runs in the thread that pops, with no lock held. If it panics in the midst
//! of a batch, that item alone is gone. This process keeps those behind it as bytes, counts them in
//! `len`, and returns them from its next pops, whichever thread calls them. Threads and tasks of
//! this process that wait for items are woken. Like all that a process has popped, these items are
//! gone with its last handle.
//!
//! # When a process forks
//!
//! A child made by `fork` that starts no program, as a daemon does, has copies of its parent's
//! handles. If it drops them, or ends, nothing changes for the parent. Queues that the child
//! makes work. What else it can do with the copies:
//!
//! * A copy of a [`Delivery`] is of no use: the item stays its parent's. To settle the copy is `Denied`
//!   (`Unsupported` for an `IpcQueue`), and to drop it changes nothing.
//! * It can use a copy of a [`PipeQueue`] or [`ShmQueue`]. The first verb that pushes, pops, waits
//!   or closes makes the child a participant of its own, on the sides that its parent was on.
//!   That verb fails (`Io`) if the system gives no descriptors for that. From then on either of
//!   the two may leave or be killed without the other.
//! * Until then the child does not count. But if its parent ends without having left, as a daemon's
//!   parent does by `_exit`, the parent's sides stay held for two more seconds. A daemon that has
//!   more to do first should use its queue before (`try_pop`, say).
//! * A queue that the parent created by name is offered by the parent alone, and its name ends
//!   with the parent. So a daemon should create its names after the fork.
//! * Halves that other threads of the parent had are copied too, and the child cannot drop them.
//!   Once the child uses that queue, they count as long as it lives.
//! * A copy of an [`IpcQueue`] is of no use: its verbs fail with `Unsupported`. As long as the child
//!   has one, the other side does not notice the end of the parent.
//! * A child made by a bare `clone` system call is told from its parent in the same way. But until
//!   it uses or drops its copy, no process takes over the locks that its parent held when it was
//!   killed, and the parent's names stay taken.
//!
//! No participant is identified by its process id, because ids come again and
//! processes of one queue may be in different PID namespaces. (A name is seen in its network
//! namespace.)
//!
//! # Features
//!
//! * `tokio`: takes part in tokio's cooperative budget, so that a task that always finds
//!   the queue ready still lets its neighbours run. With and without it futures run on any
//!   executor, and are woken by a thread of this crate that lives while any wait. Leave
//!   it off where you build with `--cfg loom`: tokio gives that a meaning of its own.
//! * `bincode`: the codec `Bincode`, for programs that already use that format.
//!
//! # When not
//!
//! Inside one process `queue-thread` and `queue-async` are faster, and carry items of any
//! type. Between machines, or for items that must outlive all processes, take `queue-nats`, which has
//! the same trait.

#![deny(unsafe_code)]
#![cfg_attr(loom, allow(dead_code, unreachable_pub))] // A model is not all of it.
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
    pub(crate) use queue_codec::{IPC_HANDLE, QUEUE_HANDLE, keep_unread};
}

mod deferred;
#[cfg(not(loom))]
mod handover;
#[cfg(not(loom))] // Its guests' threads are beyond a model.
mod ipc;
#[cfg(loom)]
pub mod ipc {
    //! What of it can be modelled.

    pub mod shared_rings;
}
#[cfg(target_os = "linux")]
#[allow(private_bounds, private_interfaces)] // The two storages are all there are.
mod linux;
#[cfg(loom)]
#[allow(clippy::missing_panics_doc)] // A model fails by panicking.
pub mod loom;
mod per_process;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)] // Here alone.
mod sys;
mod try_error;
mod types;
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
    queue::lending::LinuxLease,
    queue::linux_queue::LinuxQueue,
    queue::options::LinuxOptions,
    share::named::named_queues,
    shm::{ShmOptions, ShmQueue},
    wait::{idle_listener::JoinListener, listener::Listener},
};

pub use queue_core::{
    Activity, Capacity, Consumer, Delivery, Failure, FailureKind, IntoItemSink, IntoItemStream,
    IntoResultStream, ItemSink, ItemStream, Metered, PopError, PopTimeoutError, Producer,
    PushError, PushTimeoutError, Queue, ResultStream, Select, Side, Stats, TryPopError,
    TryPushError, Waits, WithCapacity, WorkQueue, dynamic, iter, pop_any, pop_any_async,
    pop_any_timeout, receive_any, receive_any_async, receive_any_timeout, select,
};
