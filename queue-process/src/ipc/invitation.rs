//! Handing a queue to a child.
//!
//! On Linux a child inherits a socket, and says hello by another before it executes its program:
//! so it counts from then on, until it ends or drops what it took, and the command itself does
//! not. There are no names, and nobody else can answer. Elsewhere the child finds the name of a
//! one-shot server in its environment.

use super::IpcQueue;
use super::channel;
use super::wire::{Ticket, VERSION};
use crate::Handover;
use crate::codec::Codec;
use crate::handover::variable;
use queue_core::sync::Deadline;
use queue_core::{Consumer, Failure, FailureKind, Kind, Producer, Side};
use std::env;
use std::process::Command;
use std::time::Duration;

/// How the environment variables of this kind begin.
const PREFIX: &str = "QUEUE_IPC_";

/// How long a child waits for its ticket.
const PATIENCE: Duration = Duration::from_secs(10);

impl<T: Send, C: Codec<T>> IpcQueue<T, C> {
    /// Lets the children that `command` is about to start take this queue by
    /// [`from_parent`](Self::from_parent) with the same `name`. Several queues can be shared with
    /// one child under different names; what the command shared before under that name it no
    /// longer shares. Of a [`Producer`](queue_core::Producer) or
    /// [`Consumer`](queue_core::Consumer) the half alone is shared by [`Handover`], which these
    /// implement too.
    ///
    /// On Linux a child takes part from the moment on in which `spawn` returns, and until it ends
    /// or drops what it took; `command` itself takes no part. Elsewhere it is one invitation, for
    /// one child: as long as it is valid, for a minute, it takes part.
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
        let text = system::share(self, command, &variable)?;
        command.env(variable, format!("{VERSION} {} {text}", usize::BITS));
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn invite(&self) -> Result<super::wire::Invited, Failure> {
        match self.reach()? {
            super::Place::Here(host) => host.invite(self.role),
            super::Place::Elsewhere(client) => client.invite(self.role),
        }
    }

    /// The queue that the parent of this process [shared](Self::share_with) under `name`,
    /// as much of it as it shared: if that is one half, the verbs of the other are
    /// `Denied`. Works once for each name; clone the handle for more.
    ///
    /// # Errors
    /// `PeerGone` if nothing was shared with this process under that name, or the parent is gone;
    /// `Denied` if it was taken already; `Mismatch` if it is of another item type, codec, version
    /// or size of a word; `Io` if the system refuses a channel or a thread.
    pub fn from_parent(name: &str) -> Result<Self, Failure> {
        Self::take(name, None)
    }

    fn take(name: &str, side: Option<Side>) -> Result<Self, Failure> {
        let text = match env::var(variable(PREFIX, name)?) {
            Ok(text) => text,
            Err(env::VarError::NotPresent) => {
                let message =
                    format!("no process that started this one shared a queue {name:?} with it");
                return Err(Failure::new(FailureKind::PeerGone, message));
            }
            Err(env::VarError::NotUnicode(_)) => return Err(illegible()),
        };
        let text = understood(&text)?;
        let queue = Self::admit(system::take(text, name)?)?;
        let Some(side) = side else { return Ok(queue) };
        let half = queue.half(side)?;
        // This process takes no part in the other.
        match side {
            Side::Producers => queue.on_last_endpoint(Side::Consumers),
            Side::Consumers => queue.on_last_endpoint(Side::Producers),
        }
        Ok(half)
    }

    /// The producing half of what the parent of this process shared under `name`.
    ///
    /// # Errors
    /// As [`from_parent`](Self::from_parent), and `Denied` if it is the consuming half.
    pub fn producer_from_parent(name: &str) -> Result<Producer<Self>, Failure> {
        Self::take(name, Some(Side::Producers)).map(Producer::new)
    }

    /// The consuming half of what the parent of this process shared under `name`.
    ///
    /// # Errors
    /// As [`from_parent`](Self::from_parent), and `Denied` if it is the producing half.
    pub fn consumer_from_parent(name: &str) -> Result<Consumer<Self>, Failure> {
        Self::take(name, Some(Side::Consumers)).map(Consumer::new)
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

/// What stands in the variable beside version and size of a word: nothing is received from a
/// program of another, whose messages have another form.
///
/// # Errors
/// `Mismatch`, or `Corrupt`.
fn understood(text: &str) -> Result<&str, Failure> {
    let mut parts = text.splitn(3, ' ');
    let (version, word) = (parts.next(), parts.next());
    let (Some(version), Some(word), Some(rest)) = (version, word, parts.next()) else {
        return Err(illegible());
    };
    if version == VERSION.to_string() && word == usize::BITS.to_string() {
        return Ok(rest);
    }
    let message = format!(
        "the queue is of a program with words of {word} bits, by version {version} of the \
         messages between processes; this one has words of {} bits and version {VERSION}: build \
         both programs for the same word size and with the same version of queue-process",
        usize::BITS
    );
    Err(Failure::new(FailureKind::Mismatch, message))
}

#[cold]
fn illegible() -> Failure {
    let message = "what the environment says of a shared queue was changed on its way";
    Failure::new(FailureKind::Corrupt, message)
}

#[cold]
fn taken(name: &str) -> Failure {
    let message = format!("this process has taken the queue {name:?} already: clone its handle");
    Failure::new(FailureKind::Denied, message)
}

#[cold]
fn gone(name: &str, why: impl std::fmt::Display) -> Failure {
    let message = format!("cannot take the queue {name:?} from the parent process: {why}");
    Failure::new(FailureKind::PeerGone, message)
}

/// The ticket that comes by `from`.
fn ticket(from: &ipc_channel::ipc::IpcReceiver<Ticket>, name: &str) -> Result<Ticket, Failure> {
    match channel::receive(from, Deadline::after(PATIENCE)) {
        channel::Received::Message(ticket) => Ok(ticket),
        channel::Received::Nothing => Err(gone(name, "it did not answer in time")),
        channel::Received::Garbage => {
            let message = "the queue did not arrive whole: this process had no descriptor to \
                           spare (ulimit -n), or is of another version";
            Err(Failure::new(FailureKind::Io, message))
        }
        channel::Received::Gone => Err(gone(name, "the queue, or its host, is gone")),
    }
}

#[cfg(target_os = "linux")]
mod system {
    use super::super::wire::Hello;
    use super::*;
    use crate::sys::relay::{self, NotLeft};

    pub(super) fn share<T: Send, C: Codec<T>>(
        queue: &IpcQueue<T, C>,
        command: &mut Command,
        variable: &str,
    ) -> Result<String, Failure> {
        let invited = queue.invite()?;
        // What `ipc-channel` makes of a hello, but for the socket that goes along.
        let (sends, receives) = channel::open::<Hello>()?;
        let (answers, _) = channel::open::<Ticket>()?;
        let unsaid = |_| Failure::new(FailureKind::Io, "cannot speak to a child process");
        channel::send(&sends, Hello(answers)).map_err(unsaid)?;
        let hello = relay::bytes_in(&receives)?;
        let speaks = relay::duplicate(&invited)?;
        let number = relay::leave_socket(command, speaks, hello, former(command, variable))?;
        Ok(number.to_string())
    }

    /// The number under which `command` shares a queue by `variable` so far.
    fn former(command: &Command, variable: &str) -> Option<i32> {
        let (_, text) = command.get_envs().find(|(name, _)| *name == variable)?;
        understood(text?.to_str()?).ok()?.parse().ok()
    }

    pub(super) fn take(text: &str, name: &str) -> Result<Ticket, Failure> {
        let number = text.parse().map_err(|_| illegible())?;
        let socket = relay::take_socket(number).map_err(|why| match why {
            NotLeft::Taken => taken(name),
            NotLeft::Gone => gone(name, "it was shared with another process than this one"),
        })?;
        let (sends, receives) = channel::open::<Ticket>()?;
        let passed = relay::pass_on(&socket, &relay::duplicate(&sends)?, PATIENCE);
        drop(sends);
        passed.map_err(|why| gone(name, why))?;
        ticket(&receives, name)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::super::host::spawn;
    use super::super::wire::Hello;
    use super::*;
    use crate::foreign::guarded;
    use ipc_channel::ipc::{IpcOneShotServer, IpcSender};
    use serde::{Deserialize, Serialize};
    use std::sync::{Mutex, PoisonError, mpsc};

    /// How long a child has to take up its invitation.
    const VALID: Duration = Duration::from_secs(60);

    /// What arrives at the one-shot server.
    #[derive(Serialize, Deserialize)]
    enum Knock {
        Child(Hello),
        /// Nobody came in time.
        TooLate,
    }

    pub(super) fn share<T: Send, C: Codec<T>>(
        queue: &IpcQueue<T, C>,
        _: &mut Command,
        _: &str,
    ) -> Result<String, Failure> {
        let ticket = queue.ticket()?;
        let server = guarded(IpcOneShotServer::<Knock>::new);
        let (server, address) = server.and_then(Result::ok).ok_or_else(|| {
            let message = "cannot wait for a child process: that takes a folder for temporary \
                           files of a short name in UTF-8 (TMPDIR), and a descriptor";
            Failure::new(FailureKind::Io, message)
        })?;
        let (came, too_late) = mpsc::channel::<()>();
        let porter = address.clone();
        // The server cannot be waited on for a time, so somebody knocks when it is over.
        spawn("queue-invite", move || {
            if too_late.recv_timeout(VALID) == Err(mpsc::RecvTimeoutError::Timeout) {
                if let Ok(server) = IpcSender::connect(porter) {
                    // Fails if the child came at the last moment.
                    let _ = channel::send(&server, Knock::TooLate);
                }
            }
        })?;
        spawn("queue-invite", move || {
            if let Some(Ok((_, Knock::Child(child)))) = guarded(|| server.accept()) {
                // If that fails the child is gone, and the ticket is void.
                let _ = channel::send(&child.0, ticket);
            }
            drop(came);
        })?;
        Ok(address)
    }

    pub(super) fn take(address: &str, name: &str) -> Result<Ticket, Failure> {
        static TAKEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let mut all = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        if all.iter().any(|one| one == address) {
            return Err(taken(name));
        }
        let (sends, receives) = channel::open::<Ticket>()?;
        let server = IpcSender::connect(address.to_owned()).map_err(|why| gone(name, why))?;
        let knock = Knock::Child(Hello(sends));
        channel::send(&server, knock).map_err(|_| gone(name, "it was taken, or is void"))?;
        let ticket = ticket(&receives, name)?;
        all.push(address.to_owned());
        Ok(ticket)
    }
}
