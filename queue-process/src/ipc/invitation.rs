//! Handing a queue to a child: an invitation that waits for it at a one-shot server,
//! whose name the child finds in its environment.

use super::IpcQueue;
use super::streams;
use super::wire::{self, Ticket};
use crate::Handover;
use crate::codec::Codec;
use crate::handover::variable;
use crate::unwind::catch_panic;
use ipc_channel::ipc::{self, IpcOneShotServer, IpcSender};
use queue_core::{Capacity, Consumer, Failure, FailureKind, Kind, Producer, Side};
use serde::{Deserialize, Serialize};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, io, thread};

/// How the environment variables of this kind begin.
const PREFIX: &str = "QUEUE_IPC_";

/// How long a child has to take up its invitation.
const VALID: Duration = Duration::from_secs(60);

/// How long a child waits for the answer to its knock.
const PATIENCE: Duration = Duration::from_secs(10);

/// What arrives at the one-shot server.
#[derive(Serialize, Deserialize)]
enum Knock {
    /// A child: its ticket goes there.
    Child(IpcSender<Ticket>),
    /// Nobody came in time.
    TooLate,
}

impl<T: Send, C: Codec<T>> IpcQueue<T, C> {
    /// Lets the child that `command` is about to start take this queue by
    /// [`from_parent`](Self::from_parent) with the same `name`. Several queues can be
    /// shared with one child under different names. Of a
    /// [`Producer`](queue_core::Producer) or [`Consumer`](queue_core::Consumer) the half
    /// alone is shared by [`Handover`], which these implement too.
    ///
    /// It is one invitation, for one child, and valid for a minute: share again before
    /// each `spawn`. As long as it is valid, the child counts as taking part.
    ///
    /// ```no_run
    /// use queue_process::{IpcQueue, Queue};
    /// use std::process::Command;
    ///
    /// let jobs = IpcQueue::<String>::bounded(8);
    /// let mut worker = Command::new("worker");
    /// jobs.share_with(&mut worker, "JOBS")?;
    /// let mut worker = worker.spawn()?;
    /// jobs.push("sweep".into())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `Unsupported` if `name` is empty or contains `=` or a zero byte, `Io` if the
    /// system refuses a channel or a thread, `PeerGone` if the queue's host is gone.
    pub fn share_with(&self, command: &mut Command, name: &str) -> Result<(), Failure> {
        let variable = variable(PREFIX, name)?;
        let doing = "cannot invite a child process";
        let ticket = self.ticket()?;
        let (server, address) =
            IpcOneShotServer::<Knock>::new().map_err(|error| wire::failure(error, doing))?;
        let (came, too_late) = mpsc::channel::<()>();
        let porter = address.clone();
        // The server cannot be waited on for a time, so somebody knocks when it is over.
        spawn(move || {
            if too_late.recv_timeout(VALID) == Err(mpsc::RecvTimeoutError::Timeout) {
                if let Ok(server) = IpcSender::connect(porter) {
                    // Fails if the child came at the last moment.
                    let _ = server.send(Knock::TooLate);
                }
            }
        })?;
        spawn(move || {
            if let Ok((_, Knock::Child(child))) = server.accept() {
                // If that fails the child is gone, and the ticket is void.
                let _ = child.send(ticket);
            }
            drop(came);
        })?;
        command.env(variable, address);
        Ok(())
    }

    /// The queue that the parent of this process [shared](Self::share_with) under `name`,
    /// as much of it as it shared: if that is one half, the verbs of the other are
    /// `Denied`. Works once for each name; clone the handle for more.
    ///
    /// # Errors
    /// `PeerGone` if nothing was shared with this process under that name, or it was
    /// taken already, or the parent is gone; `Mismatch` if it is of another item type,
    /// codec or version; `Io` if the system refuses a channel or a thread.
    pub fn from_parent(name: &str) -> Result<Self, Failure> {
        let doing = format!("cannot take the queue {name:?} from the parent process");
        let gone = |error: &dyn std::fmt::Display| {
            Failure::new(FailureKind::PeerGone, format!("{doing}: {error}"))
        };
        let address = env::var(variable(PREFIX, name)?).map_err(|error| gone(&error))?;
        streams::fill();
        let ticket = catch_panic(|| {
            let server = IpcSender::connect(address).map_err(|error| gone(&error))?;
            let failed = |error: io::Error| wire::failure(error, &doing);
            let (sender, receiver) = ipc::channel().map_err(failed)?;
            let knock = Knock::Child(sender);
            server.send(knock).map_err(|error| gone(&error))?;
            let late = Instant::now() + PATIENCE;
            let ticket = wire::undisturbed(|| {
                receiver.try_recv_timeout(late.saturating_duration_since(Instant::now()))
            });
            ticket.map_err(|error| wire::failure(error, &doing))
        });
        Self::admit(ticket.ok_or_else(|| wire::cut_short(&doing))??)
    }

    /// Not in this kind: `ipc-channel` has names for one meeting only, none that last.
    /// Share the queue with a child or send it in a message; or take
    /// `PipeQueue` or `ShmQueue`, which have names.
    ///
    /// # Errors
    /// Always `Unsupported`.
    pub fn create_named(name: &str, bound: Capacity) -> Result<Self, Failure> {
        let _ = bound;
        Err(nameless(name))
    }

    /// Not in this kind; see [`create_named`](Self::create_named).
    ///
    /// # Errors
    /// Always `Unsupported`.
    pub fn open_named(name: &str) -> Result<Self, Failure> {
        Err(nameless(name))
    }

    /// The producing half of what the parent of this process shared under `name`.
    ///
    /// # Errors
    /// As [`from_parent`](Self::from_parent), and `Denied` if it is the consuming half.
    pub fn producer_from_parent(name: &str) -> Result<Producer<Self>, Failure> {
        Self::half_from_parent(name, Side::Producers).map(Producer::new)
    }

    /// The consuming half of what the parent of this process shared under `name`.
    ///
    /// # Errors
    /// As [`from_parent`](Self::from_parent), and `Denied` if it is the producing half.
    pub fn consumer_from_parent(name: &str) -> Result<Consumer<Self>, Failure> {
        Self::half_from_parent(name, Side::Consumers).map(Consumer::new)
    }

    /// One half of what the parent shared, and this process takes no part in the other.
    fn half_from_parent(name: &str, side: Side) -> Result<Self, Failure> {
        let queue = Self::from_parent(name)?;
        let half = queue.half(side)?;
        match side {
            Side::Producers => queue.on_last_endpoint(Side::Consumers),
            Side::Consumers => queue.on_last_endpoint(Side::Producers),
        }
        Ok(half)
    }
}

impl<T: Send, C: Codec<T>> Handover for IpcQueue<T, C> {
    fn share_with(&self, command: &mut Command, name: &str) -> Result<(), Failure> {
        self.share_with(command, name)
    }

    fn from_parent(name: &str) -> Result<Self, Failure> {
        Self::from_parent(name)
    }
}

impl<T: Send, C: Codec<T>> Handover for Producer<IpcQueue<T, C>> {
    fn share_with(&self, command: &mut Command, name: &str) -> Result<(), Failure> {
        let half = self.queue().half(Side::Producers)?;
        half.share_with(command, name)
    }

    fn from_parent(name: &str) -> Result<Self, Failure> {
        IpcQueue::producer_from_parent(name)
    }
}

impl<T: Send, C: Codec<T>> Handover for Consumer<IpcQueue<T, C>> {
    fn share_with(&self, command: &mut Command, name: &str) -> Result<(), Failure> {
        let half = self.queue().half(Side::Consumers)?;
        half.share_with(command, name)
    }

    fn from_parent(name: &str) -> Result<Self, Failure> {
        IpcQueue::consumer_from_parent(name)
    }
}

/// The failure of a queue that was to have a name.
#[cold]
fn nameless(name: &str) -> Failure {
    let message = format!("a queue over ipc-channel cannot have a name such as {name:?}");
    Failure::new(FailureKind::Unsupported, message)
}

fn spawn(body: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = thread::Builder::new().name("queue-invite".into());
    thread.spawn(body)?;
    Ok(())
}
