//! [`IpcQueue`]: the portable kind.

mod answer_guest;
mod ask_host;
mod guest;
mod handle_serde;
mod hosted;
#[cfg(target_os = "linux")]
mod inherited;
mod invitation;
mod joining;
mod lending;
#[cfg(any(test, not(target_os = "linux")))]
mod one_shot;
#[allow(unsafe_code)] // It argues for itself.
mod page;
mod queue;
#[allow(unreachable_pub)] // Models use it.
mod shared_rings;
mod state;
mod stdio;
#[cfg(test)]
mod tests;
mod wire;

use crate::codec::{Codec, Postcard};
use crate::deferred::Deferred;
use crate::per_process::generation;
use crate::types::Types;
use answer_guest::open_line;
use guest::Guest;
use hosted::Hosted;
use queue_core::sync::Lock;
use queue_core::{Capacity, EndpointCounts, Failure, FailureKind, Side, WithCapacity};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use wire::{Role, Ticket};

/// A queue between processes that the process which created it hosts, and that all
/// others speak to over [`ipc-channel`](https://docs.rs/ipc-channel): the analogue of
/// Python's `Manager().Queue()`.
///
/// # When to use it
///
/// On a system other than Linux, or where messages of `ipc-channel` go to and fro
/// already. It is there wherever `ipc-channel` is (built for macOS, Windows and FreeBSD, but
/// so far run on Linux alone). On Linux take `ShmQueue` or `PipeQueue`: they outlive the process that
/// created them, and have names.
///
/// ```
/// use queue_process::IpcQueue;
/// use queue_process::Queue;
///
/// let jobs = IpcQueue::<String>::bounded(8);
/// jobs.push("sweep".into())?;
/// assert_eq!(jobs.pop()?, "sweep");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Handing it over
///
/// * To a child: [`share_with`](Self::share_with) and [`from_parent`](Self::from_parent). On
///   Linux the child inherits a socket; elsewhere it gets an invitation.
/// * In a message: a handle can be serialized into a message of `ipc-channel` (and
///   nowhere else), by the host or by any guest.
/// * One side of it: its `Producer`s and `Consumer`s by [`Handover`](crate::Handover), and
///   [`half`](Self::half), a handle for pushing or popping alone, in either way.
///
/// ```no_run
/// use queue_process::{IpcQueue, WorkQueue};
/// use std::process::Command;
///
/// # fn parent() -> Result<(), Box<dyn std::error::Error>> {
/// // The parent:
/// let jobs = IpcQueue::<String>::bounded(8);
/// let mut worker = Command::new("worker");
/// jobs.share_with(&mut worker, "JOBS")?;
/// let worker = worker.spawn()?;
/// # drop(worker);
/// # Ok(())
/// # }
///
/// // Its child, which may do all that the parent may:
/// let jobs = IpcQueue::<String>::from_parent("JOBS")?;
/// for job in jobs.deliveries() {
///     let job = job?;
///     println!("{}", *job);
///     job.ack()?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Promises
///
/// It keeps the family's contract, between processes too. What is its own:
///
/// * **The creator hosts.** When that process ends, in whatever way, the queue is gone with all its
///   items: everywhere pushes are `Closed` at once and hand their item back, pops, receives and
///   joins end, and who sleeps wakes. A delivery can still be read; to settle it fails with `PeerGone`.
/// * **Deliveries outlive their worker** ([`receive`](queue_core::work::WorkQueue::receive)). The host keeps
///   what is in flight. If a guest ends that holds some, they are in front again at once, with the
///   next attempt. Nobody can settle what was given to another since.
/// * **A guest's death loses nothing that it was not given.** A guest that is killed in a `pop` takes
///   one item or batch with it at most. What it had pushed is in the queue.
/// * **Ends.** A process that has a handle counts as a producer and a consumer, until it
///   calls [`into_ends`](queue_core::Queue::into_ends): from then on as what ends it has.
///   A handle on its way in a message counts too, and a child that was given one counts from
///   its `spawn` (elsewhere than on Linux from [`share_with`](Self::share_with) on, for a minute, or
///   until it ends). When the last one of a side has gone, however it went, the queue closes.
/// * **A `try_` verb of a guest may ask the host**: a push if it has no slots left that were granted
///   ahead, a pop if it finds nothing. That takes as long as the host's system needs to run a thread,
///   also inside a future: tens of microseconds. It waits for nobody else.
/// * **While the host is stopped** (`SIGSTOP`, a debugger) verbs of its guests wait for it: `push` and `pop`,
///   `try_` verbs, futures, `len` and its like, [`ack`](queue_core::work::Delivery::ack), and a process that
///   takes the queue over. One with a time limit ends some tenths of a second after it at the latest
///   (half a second, if other threads of the process wait for the host, too), and takes back what it
///   asked for. It waits as well where `ipc-channel` copies memory (macOS), and if the host was stopped
///   while an answer, or an item of more than 128 KiB, was on its way.
/// * **A standard stream that is closed** is opened, as `/dev/null`, when the queue is handed
///   over or taken: `ipc-channel` would use its number.
/// * **Signals disturb nothing**, whatever handlers there are.
///
/// # Cost
///
/// In the host an operation costs an allocation and a lock, some 0.2 µs. Host and guests share memory
/// of `ipc-channel`: a guest that was granted slots writes what it pushes there, and items are put
/// there for all guests that pop. While there is work on both sides, an item costs no message, and
/// some millions pass in a second. A message (and its answer, 16 µs on a busy machine of two
/// processors) is needed when a guest has used up its slots or finds no item, to wake who sleeps, and
/// for each item of more than 16 KiB, each delivery and its settlement. Who waits for an item or a
/// message looks for it for some 50 µs before it sleeps, and for less and less if that is in vain. Where
/// `ipc-channel` copies memory that it sends (macOS), each push and each pop is one exchange of
/// messages. An item may be as large as memory allows. The host runs one (sleeping) thread for each
/// guest, and shares 64 KiB and a descriptor with each, and with all of them; a guest runs one thread in
/// all.
///
/// # Trust
///
/// As with `ipc-channel` itself, whoever was handed the queue is trusted not to attack it:
/// a guest that sends nonsense is dropped, but one that writes to the shared memory can lose or forge
/// items, one that cuts it short ends the others, and one that claims a huge message may exhaust memory.
/// Nobody can take part who was not handed a handle; what a child was given is taken once, and
/// elsewhere than on Linux by any process of the same user. Opening with another item type, codec
/// or version is a `Failure` of kind [`Mismatch`](queue_core::FailureKind::Mismatch); types are
/// told apart by their full name.
#[doc(alias("channel", "multiprocessing", "Manager"))]
pub struct IpcQueue<T, C = Postcard> {
    place: Place,
    role: Role,
    /// The process whose handle it is: a forked child has a copy that is of no use.
    generation: u32,
    types: PhantomData<fn(T, C) -> T>,
}

/// Where the queue is.
#[derive(Clone)]
enum Place {
    Here(Arc<Host>),
    Elsewhere(Arc<Guest>),
}

/// This process hosts the queue, and is present as long as it has handles.
struct Host {
    hosted: Arc<Hosted>,
    ends: EndpointCounts,
    owed: Deferred,
    /// The sides on which this process still stands.
    present: Lock<[bool; 2]>,
    /// This process.
    generation: u32,
}

impl Host {
    fn on_last_endpoint(&self, side: Side) {
        let present = std::mem::take(&mut self.present.lock()[side as usize]);
        if present {
            self.hosted.leave(side);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.generation != generation() {
            // A forked child's copy: the queue is its parent's.
            return;
        }
        self.on_last_endpoint(Side::Producers);
        self.on_last_endpoint(Side::Consumers);
    }
}

/// Hosted by this process, with the codec [`Postcard`]; of another codec is what
/// [`WithCapacity`] makes.
impl<T: Send> IpcQueue<T>
where
    Postcard: Codec<T>,
{
    queue_core::constructors!();
}

impl<T: Send, C: Codec<T>> IpcQueue<T, C> {
    /// A handle of the same queue that does no more than one side: the verbs of the other
    /// fail with `Denied`, here and in any process that it is handed to.
    ///
    /// ```
    /// use queue_process::{FailureKind, IpcQueue, Queue, Side};
    /// let jobs = IpcQueue::<u32>::unbounded();
    /// let pushing = jobs.half(Side::Producers)?;
    /// pushing.push(1)?;
    /// assert_eq!(pushing.pop().unwrap_err().failure().unwrap().kind(), FailureKind::Denied);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `Denied` if this handle is for the other side alone.
    pub fn half(&self, side: Side) -> Result<Self, Failure> {
        self.allow(side)?;
        Ok(Self {
            role: Role::of(side),
            ..self.clone()
        })
    }

    /// Whether this process hosts the queue: it made it, and when it ends the queue does.
    ///
    /// ```
    /// assert!(queue_process::IpcQueue::<u32>::unbounded().is_host());
    /// # Ok::<(), queue_process::Failure>(())
    /// ```
    pub fn is_host(&self) -> bool {
        matches!(self.place, Place::Here(_))
    }

    /// The queue, if it is within reach: neither its host's memory nor a guest's line goes
    /// along with a `fork`, and what other threads did with them in the moment of it stays undone.
    fn reach(&self) -> Result<&Place, Failure> {
        match self.generation == generation() {
            true => Ok(&self.place),
            false => Err(forked()),
        }
    }

    fn allow(&self, side: Side) -> Result<(), Failure> {
        self.reach()?;
        match self.role.allows(side) {
            true => Ok(()),
            false => Err(guest::denied()),
        }
    }

    /// A ticket by which one more process gets a handle like this one.
    fn ticket(&self) -> Result<Ticket, Failure> {
        stdio::fill();
        match self.reach()? {
            Place::Here(host) => open_line(&host.hosted, &Types::of::<T, C>(), self.role),
            Place::Elsewhere(guest) => guest.share(self.role),
        }
    }

    /// Where children say hello that are to get a handle like this one.
    #[cfg(target_os = "linux")]
    fn invite(&self) -> Result<ipc_channel::ipc::IpcSender<wire::Hello>, Failure> {
        stdio::fill();
        match self.reach()? {
            Place::Here(host) => answer_guest::invite(&host.hosted, Types::of::<T, C>(), self.role),
            Place::Elsewhere(guest) => guest.invite(self.role),
        }
    }

    /// The handle that `ticket` is for.
    fn admit(ticket: Ticket) -> Result<Self, Failure> {
        let guest = Guest::join(ticket, &Types::of::<T, C>())?;
        Ok(Self {
            role: guest.role,
            place: Place::Elsewhere(guest),
            generation: generation(),
            types: PhantomData,
        })
    }
}

impl<T: Send, C: Codec<T>> WithCapacity for IpcQueue<T, C> {
    fn try_with_capacity(bound: Capacity) -> Result<Self, Failure> {
        Ok(Self {
            place: Place::Here(Arc::new(Host {
                hosted: Arc::new(Hosted::new(bound)),
                ends: EndpointCounts::new(),
                owed: Deferred::default(),
                present: Lock::new([true; 2]),
                generation: generation(),
            })),
            role: Role::Whole,
            generation: generation(),
            types: PhantomData,
        })
    }
}

impl<T, C> Clone for IpcQueue<T, C> {
    fn clone(&self) -> Self {
        Self {
            place: self.place.clone(),
            role: self.role,
            generation: self.generation,
            types: PhantomData,
        }
    }
}

/// The failure of a verb in a forked child.
#[cold]
fn forked() -> Failure {
    let message = "this handle is of the process that forked this one; an IpcQueue has to be \
                   handed over (`share_with`, or in a message)";
    Failure::new(FailureKind::Unsupported, message)
}

impl<T, C> fmt::Debug for IpcQueue<T, C> {
    /// What is known here: a guest does not ask its host for this.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("IpcQueue");
        if self.generation != generation() {
            return shown.field("forked", &true).finish_non_exhaustive();
        }
        match &self.place {
            Place::Here(host) => {
                let state = host.hosted.state();
                shown
                    .field("len", &state.len)
                    .field("in_flight", &state.in_flight)
                    .field("capacity", &host.hosted.capacity)
                    .field("closed", &state.closed)
            }
            Place::Elsewhere(guest) => shown
                .field("capacity", &guest.capacity)
                .field("gone", &guest.is_gone()),
        };
        shown.field("role", &self.role).finish_non_exhaustive()
    }
}
