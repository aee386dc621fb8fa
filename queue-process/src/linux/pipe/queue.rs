//! [`PipeQueue`]: the default between processes.

use super::storage::Pipe;
use crate::codec::Postcard;
use crate::linux::queue::linux_queue::LinuxQueue;
use crate::linux::queue::options::LinuxOptions;

/// A queue between processes on one Linux machine whose items are in the kernel.
///
/// Each item is a record in a kernel pipe, which takes and gives it whole or not at all. If an item
/// has more than 56 bytes, they lie in a file in memory. A push is one system call, and so is a pop.
/// A larger item takes one more each, and a batch a few in all.
///
/// # When to take it, and when not
///
/// It is the default between processes. Take [`ShmQueue`](crate::ShmQueue) instead if
/// a microsecond for each item is too much. Inside one process the in-process kinds of
/// the family are far faster. On other systems than Linux take [`IpcQueue`](crate::IpcQueue).
///
/// # Death
///
/// Any participant may be killed at any instruction. Its half-written item vanishes, and what it had
/// pushed stays. A lock that it held is taken over within a few milliseconds by the next process that
/// needs it. When the last process of a side dies, the queue closes. Waiters are told within a tenth
/// of a second. A process that does not wait learns of it when it pushes, tries, or calls
/// `is_closed`, if it has not checked for 32 ms; until then a push succeeds. A process that does none of
/// this checks nothing.
///
/// An item that is lent ([`receive`](queue_core::work::WorkQueue::receive)) to a process that dies is in
/// front of the queue again: within a tenth of a second while anybody waits, and otherwise when a
/// process next uses the queue that has not checked for 32 ms. As long as its holder lives, stopped
/// or not, nobody else gets it.
///
/// A process that is stopped (`SIGSTOP`, a debugger) is not dead. If it is stopped in the moment
/// of a push or pop in which it works at one end of the queue, the others wait at that end
/// until it goes on. So do verbs with a time limit, `try_` verbs, and `close`. Futures that
/// wait for this queue are then not woken; those of the process's other queues are.
///
/// # Trust
///
/// The items never lie in memory that another process could change while they are read. But all
/// participants share a page of memory that says how many items there are, who waits, and who holds
/// which lock. A participant that writes nonsense there can make the others' operations
/// fail ([`Corrupt`](queue_core::FailureKind::Corrupt)) or wait, and can lose or forge items. It can
/// neither crash them nor reach any other memory of theirs. All belong to one user.
///
/// # Limits
///
/// * An item has at most [`max_item_bytes`](LinuxOptions::max_item_bytes) bytes, by default
///   16 MiB.
/// * An unbounded queue holds as many items as fit into
///   [`memory_limit`](LinuxOptions::memory_limit), by default 1 GiB; a push beyond fails with
///   [`TooLarge`](queue_core::FailureKind::TooLarge). Memory is taken as it is needed, and
///   given back about a second after the queue was drained, by the process that waits for it then or
///   uses it next. When the system has none, a push fails with
///   [`Io`](queue_core::FailureKind::Io), but a memory cgroup [kills](crate#when-memory-is-short).
/// * 65,536 items can be lent at a time; to receive one more fails with
///   [`TooLarge`](queue_core::FailureKind::TooLarge). Their bytes are beside the limit of memory.
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

/// Options of a new [`PipeQueue`] beside its bound.
pub type PipeOptions<T, C> = LinuxOptions<T, C, Pipe>;
