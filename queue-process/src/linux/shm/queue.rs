//! [`ShmQueue`]: between processes at memory speed.

use super::arena::Mapped;
use super::storage::Ring;
use crate::codec::Postcard;
use crate::linux::queue::format::Limits;
use crate::linux::queue::linux_queue::LinuxQueue;
use crate::linux::queue::open::Shareable;
use crate::linux::queue::options::LinuxOptions;
use crate::sys::{Mapping, corrupt};
use queue_core::{Capacity, Failure};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A queue between processes on one Linux machine, in memory that they share.
///
/// Items lie in a ring inside a sealed memory file that every process has mapped. An
/// uncontended operation is one atomic exchange and a copy, and no system call.
/// A thread that must wait spins for a moment and then sleeps in the kernel.
///
/// # When to take it, and when not
///
/// Take it for speed between processes that trust each other, because every participant can write
/// anything into the shared memory. A hostile one can make this process's operations fail
/// ([`Corrupt`](queue_core::FailureKind::Corrupt)) or wait, or give it forged items. It can neither
/// crash this process nor reach any other memory of it. For processes that you trust less, and on
/// other systems than Linux, take [`IpcQueue`](crate::IpcQueue), whose host alone has the items.
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
/// # Limits
///
/// * An item has at most [`max_item_bytes`](LinuxOptions::max_item_bytes) bytes, by default
///   1 MiB.
/// * An unbounded queue holds at least [`memory_limit`](LinuxOptions::memory_limit) bytes of
///   items, each of which counts 8 to 15 bytes more than it has, by default 1 GiB; a push beyond
///   fails with [`TooLarge`](queue_core::FailureKind::TooLarge). Memory is taken as it is needed,
///   and given back about a second after the queue was drained, by the process that waits for it
///   then or uses it next. When the system has none, a push fails with
///   [`Io`](queue_core::FailureKind::Io), but a memory cgroup [kills](crate#when-memory-is-short).
/// * 65,536 items can be lent at a time; to receive one more fails with
///   [`TooLarge`](queue_core::FailureKind::TooLarge). Their bytes are beside the limit of memory.
/// * 256 openings at a time, of all processes together. A process has
///   one for each time that it made, took, opened or fetched the queue, or a
///   [`half`](LinuxQueue::half) of it (clones share one), a child from `spawn` on, and a queue in a
///   message until it is fetched. One more is refused with
///   [`Io`](queue_core::FailureKind::Io), or as a child by `spawn` (`EUSERS`).
/// * A child made by `fork` without starting a program becomes a participant of its own when it
///   uses its copy of a handle: see [there](crate#when-a-process-forks).
/// * `/proc` must be there, and in each process that takes part.
///
/// ```
/// use queue_process::{Queue, ShmQueue};
/// let jobs = ShmQueue::<(u32, String)>::bounded(64);
/// jobs.push((7, "seven".into())).unwrap();
/// assert_eq!(jobs.pop().unwrap(), (7, "seven".into()));
/// # Ok::<(), queue_process::Failure>(())
/// ```
#[doc(alias("channel", "shared_memory", "ipc"))]
pub type ShmQueue<T, C = Postcard> = LinuxQueue<T, C, Ring<Mapped>>;

/// Options of a new [`ShmQueue`] beside its bound.
pub type ShmOptions<T, C> = LinuxOptions<T, C, Ring<Mapped>>;

/// How many words a nearly empty queue uses: 64 KiB.
pub(super) const WINDOW: usize = (64 << 10) / 8;

/// How many words an empty queue keeps: 8 MiB.
const RETAINED_WORDS: usize = (8 << 20) / 8;

/// The most words that an arena can have, for positions are 32 bits: 16 GiB.
pub(super) const MAX_WORDS: u64 = 1 << 31;

impl Shareable for Ring<Mapped> {
    const KIND: u32 = 1;
    const NAME: &'static str = "ShmQueue";
    const MAX_ITEM_BYTES: u32 = 1 << 20;
    const DESCRIPTORS: usize = 0;

    fn limits(bound: Capacity, item: u32, memory: u64) -> Limits {
        let records = match bound {
            Capacity::Bounded(n) => n.get() as u64,
            // Every record, however small its item, takes no more than this share.
            Capacity::Unbounded => memory.div_ceil(u64::from(item.max(8))),
        };
        let words = |records| Self::words_for(records, item.min(Limits::MAX_ITEM), WINDOW);
        Limits {
            bound,
            item,
            memory: words(records).min(MAX_WORDS).max(words(1)) * 8,
        }
    }

    fn mapped(limits: &Limits) -> Result<usize, Failure> {
        let words = limits.memory / 8;
        let least = Self::words_for(1, limits.item, WINDOW);
        if words < least || words > MAX_WORDS {
            return Err(corrupt("the memory of the queue makes no sense"));
        }
        Ok(words as usize * 8)
    }

    fn create(mapping: &Arc<Mapping>, limits: &Limits) -> Result<Self, Failure> {
        let words = Self::mapped(limits)? / 8;
        let arena = Mapped::new(Arc::clone(mapping), words);
        Ok(Self::new(arena, limits.item, WINDOW, RETAINED_WORDS))
    }

    fn open(mapping: &Arc<Mapping>, limits: &Limits, _: Vec<OwnedFd>) -> Result<Self, Failure> {
        Self::create(mapping, limits)
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }
}
