//! Handing a queue to a child process.
//!
//! The child inherits the queue's descriptors; an environment variable says which they
//! are. Between fork and exec it takes an entry in the queue's registry,
//! so that it counts as soon as `spawn` returns, whatever it does
//! later. The `Command` holds descriptors too, but is no member.

use super::fd_bundle::{BundleHeader, duplicates, id, malformed};
use crate::codec::Codec;
use crate::handover::{Handover, from_environment, taken, variable};
use crate::linux::membership::member::DESCRIPTORS;
use crate::linux::membership::registry::Sides;
use crate::linux::queue::header::Header;
use crate::linux::queue::linux_queue::{LinuxQueue, only_half};
use crate::linux::queue::open::Shareable;
use crate::sys::{self, TakeError};
use queue_core::{Consumer, Failure, FailureKind, Producer, Side};
use rustix::fd::{BorrowedFd, OwnedFd, RawFd};
use std::process::Command;
use std::sync::Arc;

/// How the environment variables of this form of handing over begin.
const PREFIX: &str = "QUEUE_PROCESS_";

impl<T: Send, C: Codec<T>, S: Shareable> LinuxQueue<T, C, S> {
    /// Lets the children that `command` starts from now on take this queue by
    /// [`from_parent`](Self::from_parent) with the same `name`. Several queues
    /// can be shared with one child under different names, and one command can
    /// start several children. What the command shared before under that name, it no longer
    /// shares.
    ///
    /// A command is known by its environment. One that was given the variables of another
    /// (`envs(other.get_envs())`) is taken for that other, which then no longer shares `name` either.
    ///
    /// A child takes part as soon as `spawn` returns, until it ends or drops the queue that it
    /// took. `command` itself takes no part. A [`Producer`](queue_core::Producer) or a
    /// [`Consumer`](queue_core::Consumer) is shared, as that half alone, by
    /// [`Handover`](crate::Handover).
    ///
    /// `command` may be a program that starts the one you mean (a shell, `timeout`). Then
    /// that program takes part too, with as much as was shared, until it and all that it
    /// started have ended, whatever they dropped. Share the half alone then.
    ///
    /// ```no_run
    /// use queue_process::{PipeQueue, Queue};
    /// use std::process::Command;
    ///
    /// let jobs = PipeQueue::<String>::bounded(8);
    /// let mut worker = Command::new("worker");
    /// jobs.share_with(&mut worker, "JOBS")?;
    /// let mut worker = worker.spawn()?;
    /// jobs.push("sweep".into())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `Unsupported` if `name` is empty or contains `=` or a zero byte, `Io` if
    /// the system refuses.
    pub fn share_with(&self, command: &mut Command, name: &str) -> Result<(), Failure> {
        self.share_half_with(None, command, name)
    }

    /// Takes the queue that the parent of this process
    /// [shared](Self::share_with) under `name`. If the parent shared one half, the verbs of the other
    /// are `Denied`.
    ///
    /// It works once for each name; clone the handle for more. It is best called
    /// early, because until then the children of this process inherit what was shared, too.
    ///
    /// ```no_run
    /// use queue_process::{PipeQueue, Queue};
    ///
    /// let jobs = PipeQueue::<String>::from_parent("JOBS")?;
    /// for job in jobs.results() {
    ///     println!("{}", job?);
    /// }
    /// # Ok::<(), queue_process::Failure>(())
    /// ```
    ///
    /// # Errors
    /// `PeerGone` if nothing was shared with this process under that name;
    /// `Mismatch` if it is of another item type, codec or version; `Denied` if it
    /// was taken already; `Io` if the system refuses.
    pub fn from_parent(name: &str) -> Result<Self, Failure> {
        Self::half_from_parent(None, name)
    }

    /// The producing half of what the parent of this process shared under `name`.
    ///
    /// # Errors
    /// As [`from_parent`](Self::from_parent), and `Denied` if it is the
    /// consuming half.
    pub fn producer_from_parent(name: &str) -> Result<Producer<Self>, Failure> {
        let half = Producer::new(Self::half_from_parent(Some(Side::Producers), name)?);
        half.queue().shared.on_last_endpoint(Side::Consumers);
        Ok(half)
    }

    /// The consuming half of what the parent of this process shared under `name`.
    ///
    /// # Errors
    /// As [`from_parent`](Self::from_parent), and `Denied` if it is the
    /// producing half.
    pub fn consumer_from_parent(name: &str) -> Result<Consumer<Self>, Failure> {
        let half = Consumer::new(Self::half_from_parent(Some(Side::Consumers), name)?);
        half.queue().shared.on_last_endpoint(Side::Producers);
        Ok(half)
    }

    /// A handle of one side alone, for a message, say. It counts on that side only, and the verbs of
    /// the other side are `Denied`.
    ///
    /// This handle goes on to count on both. So that the queue closes when the half has gone, keep
    /// only the other half here: [`into_ends`](queue_core::Queue::into_ends), and
    /// `producer.queue().half(Side::Producers)`.
    ///
    /// ```
    /// use queue_process::{FailureKind, PipeQueue, Queue, Side};
    ///
    /// let jobs = PipeQueue::<String>::bounded(8);
    /// let worker = jobs.half(Side::Consumers)?;
    /// jobs.push("sweep".into())?;
    /// assert_eq!(worker.pop()?, "sweep");
    /// let denied = worker.push("cook".into()).unwrap_err();
    /// assert_eq!(denied.failure().unwrap().kind(), FailureKind::Denied);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `Denied` if this handle is the other half itself; `Io` if the system
    /// refuses.
    pub fn half(&self, side: Side) -> Result<Self, Failure> {
        let half = self.restrict(Some(side))?;
        Self::open(duplicates(&self.fds())?, half)
    }
}

impl<T, C: Codec<T>, S: Shareable> LinuxQueue<T, C, S> {
    /// Has the children that `command` starts find `half` of the queue, or all that
    /// this process has of it, under `name`.
    pub(crate) fn share_half_with(
        &self,
        half: Option<Side>,
        command: &mut Command,
        name: &str,
    ) -> Result<(), Failure> {
        let variable = variable(PREFIX, name)?;
        let half = self.restrict(half)?;
        let fds = self.fds();
        let id = id(fds[0])?;
        let header = BundleHeader { id, half };
        let mapping = Arc::clone(self.mapping());
        let sides = Sides::of_half(half);
        let membership = move |file: BorrowedFd<'_>, membership: &mut [OwnedFd; DESCRIPTORS]| {
            let registry = &Header::of(&mapping).registry;
            registry.register_for_exec(file, sides, membership)
        };
        let (numbers, left) = sys::leave(command, &fds, membership)
            .map_err(|e| sys::refused("cannot duplicate a queue's descriptors", e))?;
        let former = shared_before(command, &variable).first().copied();
        left.replace(former, numbers[0]);
        let numbers: Vec<String> = numbers.iter().map(RawFd::to_string).collect();
        command.env(variable, format!("{header} {}", numbers.join(",")));
        Ok(())
    }

    /// What the parent of this process shared under `name`, if that has `half`.
    fn half_from_parent(half: Option<Side>, name: &str) -> Result<Self, Failure> {
        let text = from_environment(PREFIX, name, || malformed("it is not text"))?;
        let (header, numbers) = read(&text)?;
        restrict(half, header.half)?;
        let adopt = |fds: &[BorrowedFd<'_>]| {
            if id(fds[0])? != header.id {
                return Err(not_inherited(name));
            }
            let Some((fds, membership)) = fds.split_last_chunk::<DESCRIPTORS>() else {
                return Err(malformed("it is not complete"));
            };
            let [liveness, inheritable] = membership;
            let membership = [
                liveness.try_clone_to_owned()?,
                inheritable.try_clone_to_owned()?,
            ];
            Self::adopt(duplicates(fds)?, membership, header.half)
        };
        sys::take(&numbers, adopt).map_err(|error| match error {
            TakeError::NotInherited => not_inherited(name),
            TakeError::AlreadyTaken => taken(name),
            TakeError::Callback(failure) => failure,
        })
    }

    /// The half to hand over when `half` was asked for: not more than this process has.
    pub(super) fn restrict(&self, half: Option<Side>) -> Result<Option<Side>, Failure> {
        restrict(half, self.shared.half)
    }
}

impl<T: Send, C: Codec<T>, S: Shareable> Handover for LinuxQueue<T, C, S> {
    fn share_with(&self, command: &mut Command, name: &str) -> Result<(), Failure> {
        self.share_half_with(None, command, name)
    }

    fn from_parent(name: &str) -> Result<Self, Failure> {
        Self::half_from_parent(None, name)
    }
}

impl<T: Send, C: Codec<T>, S: Shareable> Handover for Producer<LinuxQueue<T, C, S>> {
    fn share_with(&self, command: &mut Command, name: &str) -> Result<(), Failure> {
        (self.queue()).share_half_with(Some(Side::Producers), command, name)
    }

    fn from_parent(name: &str) -> Result<Self, Failure> {
        LinuxQueue::producer_from_parent(name)
    }
}

impl<T: Send, C: Codec<T>, S: Shareable> Handover for Consumer<LinuxQueue<T, C, S>> {
    fn share_with(&self, command: &mut Command, name: &str) -> Result<(), Failure> {
        (self.queue()).share_half_with(Some(Side::Consumers), command, name)
    }

    fn from_parent(name: &str) -> Result<Self, Failure> {
        LinuxQueue::consumer_from_parent(name)
    }
}

/// The half that is meant when `half` was asked for of what is `own`.
fn restrict(half: Option<Side>, own: Option<Side>) -> Result<Option<Side>, Failure> {
    match (half, own) {
        (Some(half), Some(own)) if half != own => Err(only_half(own)),
        (half, own) => Ok(half.or(own)),
    }
}

/// What `text` says that was shared: which queue, under which numbers.
fn read(text: &str) -> Result<(BundleHeader, Vec<RawFd>), Failure> {
    let Some((header, numbers)) = text.rsplit_once(' ') else {
        return Err(malformed("it is not complete"));
    };
    let numbers: Result<_, _> = numbers.split(',').map(str::parse).collect();
    let numbers = numbers.map_err(|_| malformed("it has no descriptors"))?;
    Ok((header.parse()?, numbers))
}

/// The numbers under which `command` shares a queue by `variable` so far.
fn shared_before(command: &Command, variable: &str) -> Vec<RawFd> {
    let text = (command.get_envs())
        .find(|(name, _)| *name == variable)
        .and_then(|(_, text)| read(text?.to_str()?).ok());
    text.map_or(Vec::new(), |(_, numbers)| numbers)
}

#[cold]
fn not_inherited(name: &str) -> Failure {
    let message = format!("the queue {name:?} was shared with another process than this one");
    Failure::new(FailureKind::PeerGone, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ShmQueue;

    #[test]
    fn a_half_is_handed_over_as_that_half() {
        let whole = ShmQueue::<u8>::bounded(1);
        for half in [None, Some(Side::Producers), Some(Side::Consumers)] {
            assert_eq!(whole.restrict(half).unwrap(), half);
        }
        for (side, other) in [
            (Side::Producers, Side::Consumers),
            (Side::Consumers, Side::Producers),
        ] {
            let half = whole.half(side).unwrap();
            assert_eq!(half.restrict(None).unwrap(), Some(side));
            assert_eq!(half.restrict(Some(side)).unwrap(), Some(side));
            let denied = half.restrict(Some(other)).unwrap_err();
            assert_eq!(denied.kind(), FailureKind::Denied);
            assert!(half.half(other).is_err());
        }
    }
}
