//! Handing a queue to a child process.
//!
//! The child inherits the queue's descriptors; an environment variable says which they
//! are. Between fork and exec it enters itself among those who take part in the queue,
//! so that it counts from the moment on in which `spawn` returns, whatever it does
//! later. The `Command` holds descriptors too, but takes no part.

use super::fd_bundle::{BundleHeader, id, malformed};
use crate::codec::Codec;
use crate::handover::variable;
use crate::linux::membership::member::DESCRIPTORS;
use crate::linux::membership::registry::Sides;
use crate::linux::queue::handle::{Handle, Shareable};
use crate::linux::queue::header::Header;
use crate::sys::{self, InheritGuard, PerProcess, Refusal};
use queue_core::{Failure, FailureKind, Side};
use rustix::fd::{BorrowedFd, OwnedFd, RawFd};
use std::collections::BTreeMap;
use std::env;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

/// How the environment variables of this form of handing over begin.
const PREFIX: &str = "QUEUE_PROCESS_";

impl<T, C: Codec<T>, S: Shareable> Handle<T, C, S> {
    /// Has the children that `command` starts find `half` of the queue, or all that
    /// this process has of it, under `name`.
    pub(crate) fn share_with(
        &self,
        half: Option<Side>,
        command: &mut Command,
        name: &str,
    ) -> Result<(), Failure> {
        let variable = variable(PREFIX, name)?;
        let half = self.restrict(half)?;
        let fds = self.fds();
        let header = BundleHeader {
            id: id(fds[0])?,
            half,
        };
        let mapping = Arc::clone(self.mapping());
        let sides = sides(half);
        let membership = move |file: BorrowedFd<'_>, membership: &mut [OwnedFd; DESCRIPTORS]| {
            let registry = &Header::of(&mapping).registry;
            registry.register_for_exec(file, sides, membership)
        };
        let (numbers, left) = sys::leave(command, &fds, membership)
            .map_err(|e| sys::refused("cannot duplicate a queue's descriptors", e))?;
        replace_former(&shared_before(command, &variable), numbers[0], left);
        let numbers: Vec<String> = numbers.iter().map(RawFd::to_string).collect();
        command.env(variable, format!("{header} {}", numbers.join(",")));
        Ok(())
    }

    /// What the parent of this process shared under `name`, if that has `half`.
    pub(crate) fn from_parent(half: Option<Side>, name: &str) -> Result<Self, Failure> {
        let text = match env::var(variable(PREFIX, name)?) {
            Ok(text) => text,
            Err(env::VarError::NotPresent) => return Err(not_shared(name)),
            Err(env::VarError::NotUnicode(_)) => return Err(malformed("it is not text")),
        };
        let (header, numbers) = read(&text)?;
        match (half, header.half) {
            (Some(half), Some(given)) if half != given => return Err(only_half(given)),
            _ => {}
        }
        let adopt = |fds: &[BorrowedFd<'_>]| {
            if id(fds[0])? != header.id {
                return Err(not_inherited(name));
            }
            let Some((fds, membership)) = fds.split_last_chunk::<DESCRIPTORS>() else {
                return Err(malformed("it is not complete"));
            };
            let duplicate = |fd: &BorrowedFd<'_>| fd.try_clone_to_owned();
            let fds = fds.iter().map(duplicate).collect::<Result<_, _>>()?;
            let [life, seat] = membership;
            let membership = [duplicate(life)?, duplicate(seat)?];
            Self::adopt(fds, membership, sides(header.half))
        };
        sys::take(&numbers, adopt).map_err(|refusal| match refusal {
            Refusal::Gone => not_inherited(name),
            Refusal::Taken => taken(name),
            Refusal::Theirs(failure) => failure,
        })
    }

    /// Takes part once more, on one side alone.
    pub(crate) fn half(&self, side: Side) -> Result<Self, Failure> {
        let half = self.restrict(Some(side))?;
        let duplicate = |fd: &BorrowedFd<'_>| fd.try_clone_to_owned();
        let fds = self.fds().iter().map(duplicate).collect::<Result<_, _>>()?;
        Self::open(fds, sides(half))
    }

    /// The half to hand over when `half` was asked for: not more than this process has.
    pub(super) fn restrict(&self, half: Option<Side>) -> Result<Option<Side>, Failure> {
        let own = [Side::Producers, Side::Consumers].map(|side| self.rights().contain(side));
        let own = match own {
            [true, false] => Some(Side::Producers),
            [false, true] => Some(Side::Consumers),
            _ => None,
        };
        match (half, own) {
            (half, None) => Ok(half),
            (None, own) => Ok(own),
            (Some(half), Some(own)) if half == own => Ok(Some(half)),
            (Some(_), Some(own)) => Err(only_half(own)),
        }
    }
}

/// Those who hold that half, or the whole.
pub(super) fn sides(half: Option<Side>) -> Sides {
    half.map_or(Sides::BOTH, Sides::of)
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

/// Sees to it that what is `left` under `number` and so on is left in the place of what the
/// same command left under `former` numbers, and not beside it: who starts many children by
/// one command may share anew before each.
fn replace_former(former: &[RawFd], number: RawFd, left: InheritGuard) {
    /// By the first number of each, which no other has as long as it is there.
    static ALL: PerProcess<Mutex<BTreeMap<RawFd, InheritGuard>>> = PerProcess::new();
    let all = ALL.get_or(Mutex::default);
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(former) = former.first().and_then(|former| all.remove(former)) {
        former.revoke();
    }
    all.insert(number, left);
}

#[cold]
fn not_shared(name: &str) -> Failure {
    let message = format!("no process that started this one shared a queue {name:?} with it");
    Failure::new(FailureKind::PeerGone, message)
}

#[cold]
fn not_inherited(name: &str) -> Failure {
    let message = format!("the queue {name:?} was shared with another process than this one");
    Failure::new(FailureKind::PeerGone, message)
}

#[cold]
fn taken(name: &str) -> Failure {
    let message = format!("this process has taken the queue {name:?} already: clone its handle");
    Failure::new(FailureKind::Denied, message)
}

#[cold]
fn only_half(given: Side) -> Failure {
    let given = match given {
        Side::Producers => "producing",
        Side::Consumers => "consuming",
    };
    let message = format!("this process was given the {given} half alone");
    Failure::new(FailureKind::Denied, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ShmQueue;

    #[test]
    fn a_half_is_handed_over_as_that_half() {
        let whole = ShmQueue::<u8>::bounded(1);
        for half in [None, Some(Side::Producers), Some(Side::Consumers)] {
            assert_eq!(whole.0.restrict(half).unwrap(), half);
        }
        for (side, other) in [
            (Side::Producers, Side::Consumers),
            (Side::Consumers, Side::Producers),
        ] {
            let half = whole.0.half(side).unwrap();
            assert_eq!(half.restrict(None).unwrap(), Some(side));
            assert_eq!(half.restrict(Some(side)).unwrap(), Some(side));
            let denied = half.restrict(Some(other)).unwrap_err();
            assert_eq!(denied.kind(), FailureKind::Denied);
            assert!(half.half(other).is_err());
        }
    }
}
