//! Handing a queue to a child.
//!
//! On Linux a child inherits a socket, by which it says hello before it executes its program: so it
//! counts from then on, until it ends or drops what it took. There are no names, and nobody else
//! can answer. Elsewhere the child finds the name of a one-shot server in its environment.

use super::IpcQueue;
use super::stdio;
use super::wire::VERSION;
use crate::Handover;
use crate::codec::Codec;
use crate::handover::{from_environment, variable};
use queue_core::{Capacity, Consumer, Failure, FailureKind, Kind, Producer, Side};
use std::process::Command;
use std::time::Duration;

#[cfg(target_os = "linux")]
use super::inherited as system;
#[cfg(not(target_os = "linux"))]
use super::one_shot as system;

/// How the environment variables of this kind begin.
const PREFIX: &str = "QUEUE_IPC_";

/// How long a child waits for its ticket.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

impl<T: Send, C: Codec<T>> IpcQueue<T, C> {
    /// Lets the children that `command` starts from now on take this queue by
    /// [`from_parent`](Self::from_parent) with the same `name`. Several queues can be shared with
    /// one child under different names; what the command shared before under that name it no
    /// longer shares. Of a [`Producer`](queue_core::Producer) or
    /// [`Consumer`](queue_core::Consumer) the half alone is shared by [`Handover`], which these
    /// implement too.
    ///
    /// On Linux a child takes part from the moment on in which `spawn` returns, and until it ends
    /// or drops what it took; `command` itself takes no part. (One that never takes it takes part
    /// until it and all that it started have ended. While the queue's host is stopped, `spawn` takes
    /// two seconds more.) On other systems this is one
    /// invitation, for one child, which takes part as long as it is valid: for a minute, or until
    /// the child ends that took it. Share again before each `spawn` there.
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
    /// `Unsupported` if `name` is empty or contains `=` or a zero byte; `PeerGone` if the queue's
    /// host is gone; `Io` if the system refuses a channel or a thread, or (on FreeBSD and its like)
    /// a socket in the folder for temporary files.
    pub fn share_with(&self, command: &mut Command, name: &str) -> Result<(), Failure> {
        let variable = variable(PREFIX, name)?;
        let former = command.get_envs().find(|(name, _)| *name == &*variable);
        let former = former.and_then(|(_, text)| understood(text?.to_str()?).ok());
        let text = system::share(self, command, former.map(str::to_owned).as_deref())?;
        command.env(variable, format!("{VERSION} {} {text}", usize::BITS));
        Ok(())
    }

    /// The queue that the parent of this process [shared](Self::share_with) under `name`,
    /// as much of it as it shared: if that is one half, the verbs of the other are
    /// `Denied`. Works once for each name; clone the handle for more.
    ///
    /// # Errors
    /// `PeerGone` if nothing was shared with this process under that name, or the queue is gone;
    /// `Denied` if it was taken already; `Mismatch` if it is of another item type, codec, version
    /// or size of a word; `Io` if the system refuses a channel or a thread.
    pub fn from_parent(name: &str) -> Result<Self, Failure> {
        let text = from_environment(PREFIX, name, malformed)?;
        let text = understood(&text)?;
        stdio::fill();
        Self::admit(system::take(text, name)?)
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

/// What stands in the variable beside version and size of a word: nothing is received from a
/// program of another, whose messages have another form.
///
/// # Errors
/// `Mismatch`, or `Corrupt`.
fn understood(text: &str) -> Result<&str, Failure> {
    let mut parts = text.splitn(3, ' ');
    let (version, word) = (parts.next(), parts.next());
    let (Some(version), Some(word), Some(rest)) = (version, word, parts.next()) else {
        return Err(malformed());
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
pub(super) fn malformed() -> Failure {
    let message = "what the environment says of a shared queue was changed on its way";
    Failure::new(FailureKind::Corrupt, message)
}

#[cold]
pub(super) fn gone(name: &str, why: impl std::fmt::Display) -> Failure {
    let message = format!("cannot take the queue {name:?} from the parent process: {why}");
    Failure::new(FailureKind::PeerGone, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_another_version_or_word_size_is_refused() {
        let own = format!("{VERSION} {} some words", usize::BITS);
        assert_eq!(understood(&own).unwrap(), "some words");
        for (text, kind) in [
            (format!("{VERSION} 16 some words"), FailureKind::Mismatch),
            (
                format!("0 {} some words", usize::BITS),
                FailureKind::Mismatch,
            ),
            (format!("{VERSION}"), FailureKind::Corrupt),
            (String::new(), FailureKind::Corrupt),
        ] {
            assert_eq!(understood(&text).unwrap_err().kind(), kind, "{text}");
        }
    }
}
