//! [`PipeQueue`]: the default between processes.

use super::storage::Pipe;
use crate::codec::Postcard;
use crate::linux::queue::linux_queue::LinuxQueue;
use crate::linux::queue::options::LinuxOptions;

/// A queue between processes on one Linux machine whose items are in the kernel.
///
/// Each item is a record in a kernel pipe, which takes and gives it whole or not at all;
/// the bytes of an item of more than 56 lie in a file in memory. A push is one system call
/// then, and so is a pop; a larger item takes one more each, a batch a few in all.
///
/// # When to take it, and when not
///
/// It is the default between processes. Take [`ShmQueue`](crate::ShmQueue) instead if
/// a microsecond for each item is too much. Inside one process the in-process kinds of
/// the family are far faster; off Linux there is [`IpcQueue`](crate::IpcQueue).
///
/// # Death
///
/// Any participant may be killed at any instruction. Its half-written item vanishes;
/// a lock it held is taken over by whoever wants it next, within a few milliseconds; what
/// it had pushed stays. When the last process of a side dies, the queue closes: who waits is
/// told within a tenth of a second; who does not, but pushes, tries, or asks `is_closed`, learns
/// of it by that. A process checks that at most every 32 ms, and in a burst of pushes at every
/// sixteenth: until then a push succeeds. While nobody does any of this, nobody checks.
///
/// A process that is stopped (`SIGSTOP`, a debugger) is not dead. If that happens in the moment
/// of a push or pop in which it works at one end of the queue, the others wait at that end
/// until it goes on: also with a time limit, in `try_` verbs, and to close the queue. Futures that
/// wait for this queue are then not woken; those of the process's other queues are.
///
/// # Trust
///
/// The items never lie in memory that another process could change while they are read.
/// Who waits, who holds which end, how many items there are, is in a page of memory that
/// all participants share: one that writes nonsense there can make the others' operations
/// fail ([`Corrupt`](queue_core::FailureKind::Corrupt)) or wait, or lose or forge items, but
/// not crash them, nor reach any other memory of theirs. All belong to one user.
///
/// # Limits
///
/// * An item has at most [`max_item_bytes`](LinuxOptions::max_item_bytes) bytes, by default
///   16 MiB.
/// * An unbounded queue holds as many items as fit into
///   [`memory_limit`](LinuxOptions::memory_limit), by default 1 GiB; a push beyond fails with
///   [`TooLarge`](queue_core::FailureKind::TooLarge). Memory is taken as it is needed, and
///   given back about a second after the queue was drained, by whoever waits for it then or
///   uses it next; when the system has none, a push fails with
///   [`Io`](queue_core::FailureKind::Io), but a memory cgroup [kills](crate#when-memory-is-short).
/// * 256 openings at a time, and seven descriptors for each, of all processes together. A process has
///   one for each time that it made, took, opened or fetched the queue, or a
///   [`half`](LinuxQueue::half) of it (clones share one), a child from `spawn` on, and a queue in a
///   message until it is fetched. One more is refused with
///   [`Io`](queue_core::FailureKind::Io), or as a child by `spawn` (`EUSERS`).
/// * A child made by `fork` without starting a program becomes a participant of its own when it
///   uses its copy of a handle: see [there](crate#when-a-process-forks).
/// * `/proc` must be there, and in each process that takes part.
///
/// ```
/// use queue_process::{PipeQueue, Queue};
/// let jobs = PipeQueue::<(u32, String)>::bounded(64);
/// jobs.push((7, "seven".into())).unwrap();
/// assert_eq!(jobs.pop().unwrap(), (7, "seven".into()));
/// # Ok::<(), queue_process::Failure>(())
/// ```
#[doc(alias("channel", "multiprocessing", "ipc"))]
pub type PipeQueue<T, C = Postcard> = LinuxQueue<T, C, Pipe>;

/// What can be chosen of a [`PipeQueue`] beyond its bound.
pub type PipeOptions<T, C> = LinuxOptions<T, C, Pipe>;
