//! [`IpcQueue`]: the portable kind.

mod channel;
mod client;
mod host;
mod inbox;
mod invitation;
mod link;
mod message;
#[allow(unsafe_code)] // It argues for itself.
mod page;
mod queue;
mod rules;
#[cfg(test)]
mod tests;
mod watch;
mod wire;
mod words;

use crate::codec::{Codec, Postcard};
use crate::per_process::generation;
use crate::types::Types;
use client::Client;
use host::Host;
use queue_core::{Capacity, Failure, FailureKind, Side, WithCapacity};
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
/// so far run on Linux alone). On Linux `PipeQueue` and `ShmQueue` are ten to a hundred
/// times as fast, and outlive the process that created them.
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
/// * To a child: [`share_with`](Self::share_with) and [`from_parent`](Self::from_parent).
/// * In a message: a handle can be serialized into a message of `ipc-channel` (and
///   nowhere else), by the host or by any client.
/// * One side of it: its `Producer`s and `Consumer`s by [`Handover`](crate::Handover), and
///   [`half`](Self::half), a handle for pushing or popping alone, in either way.
///
/// It has no name by which others could open it.
///
/// # Promises
///
/// It keeps the family's contract, between processes too. What is its own:
///
/// * **The creator hosts.** When that process ends, in whatever way, the queue is gone: everywhere
///   pushes and pops are `Closed` at once, and who sleeps wakes. On Linux that holds also while a
///   child that it made by `fork` goes on; elsewhere such a child must have dropped its copy.
/// * **A client's death loses nothing but what it had popped.** Items that were sent ahead to it
///   come back to their places; consumers that popped in the few microseconds between got later
///   items before them. Slots that were granted to it are free again.
/// * **Ends.** A process that has a handle counts as a producer and a consumer, until it
///   calls [`into_ends`](queue_core::Queue::into_ends): from then on as what ends it has.
///   A handle on its way in a message counts too. When the last one of a side has gone, the queue
///   closes; on Linux whoever has waited for that process finds it closed.
/// * **A `try_` verb of a client asks the host** unless a slot or an item lies ready, so it takes as
///   long as the system needs to run a thread there, also inside a future. While the host is
///   stopped (`SIGSTOP`, a debugger) verbs without a time limit wait for it; those with one end
///   by it, some half a second later at most.
/// * **A standard stream that is closed** is opened, as `/dev/null`, when the queue is handed
///   over or taken: `ipc-channel` would use its number.
///
/// # Cost
///
/// In the host an operation costs an allocation and a lock. A client's push is one message and no
/// round trip while slots are granted ahead; a consumer that pops alone is sent up to 64 items by
/// one message, and what it has not taken goes to whoever else asks, so that order and capacity
/// are exact. Where `ipc-channel` shares no memory (macOS) each push is a round trip. Items of more
/// than 16 KiB go as memory: each of them takes a descriptor of the host while it is inside. The
/// host runs two (sleeping) threads for all clients; a client runs one once a task of it has waited.
///
/// # Trust
///
/// As with `ipc-channel` itself, whoever was handed the queue is trusted not to attack it:
/// a client that sends nonsense is dropped, and one that claims huge memory may exhaust it.
/// Nobody can take part who was not handed a handle. Opening with another item type, codec, size
/// of a word or version is a `Failure` of kind [`Mismatch`](queue_core::FailureKind::Mismatch);
/// types are told apart by their full name.
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
    Elsewhere(Arc<Client>),
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
            false => Err(client::denied()),
        }
    }

    /// A ticket by which one more process gets a handle like this one.
    fn ticket(&self) -> Result<Ticket, Failure> {
        match self.reach()? {
            Place::Here(host) => host.ticket(self.role),
            Place::Elsewhere(client) => client.ticket(self.role),
        }
    }

    /// The handle that `ticket` is for.
    fn admit(ticket: Ticket) -> Result<Self, Failure> {
        let client = Client::join(ticket, &Types::of::<T, C>())?;
        Ok(Self {
            role: client.role(),
            place: Place::Elsewhere(client),
            generation: generation(),
            types: PhantomData,
        })
    }
}

impl<T: Send, C: Codec<T>> WithCapacity for IpcQueue<T, C> {
    fn try_with_capacity(bound: Capacity) -> Result<Self, Failure> {
        Ok(Self {
            place: Place::Here(Arc::new(Host::new(bound, Types::of::<T, C>()))),
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
                let (len, closed) = host.state();
                shown
                    .field("len", &len)
                    .field("capacity", &host.capacity())
                    .field("closed", &closed)
            }
            Place::Elsewhere(client) => shown
                .field("capacity", &client.capacity())
                .field("gone", &client.is_gone()),
        };
        shown.field("role", &self.role).finish_non_exhaustive()
    }
}
