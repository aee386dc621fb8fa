//! Joining the [`Registry`] of a queue: as a process, or for the program that a process is about
//! to become.

use super::registry::{
    ByteLocks, GENERATIONS, JoinRequest, MAX_MEMBERS, Membership, Registry, Sides,
};
use crate::sys::{self, CloseOnFork};
use queue_core::sync::atomic::Ordering;
use rustix::fs::{Mode, OFlags, SeekFrom};
use rustix::io::{Errno, FdFlags};
use std::ffi::CStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A participant on this system.
pub(crate) type LinuxMembership = Membership<LockFds>;

/// What has the bytes of an entry locked. Both are at a position in the file that is the name of
/// their owner: so an inherited one says which entry is its own.
#[derive(Debug)]
pub(crate) struct LockFds {
    /// A forked child does not get this one; nor the other, if it is of no use to it.
    close_on_fork: [Option<CloseOnFork>; 2],
    pub(super) liveness: OwnedFd,
    inheritable: OwnedFd,
}

/// How many descriptors a membership is.
pub(crate) const DESCRIPTORS: usize = 2;

/// The byte of the inheritable lock of an entry; that of the liveness lock is the number of the slot.
fn inheritable_byte(slot: u32) -> u32 {
    MAX_MEMBERS as u32 + slot
}

impl LockFds {
    /// Those of a process that goes on.
    pub(super) fn new(file: BorrowedFd<'_>) -> io::Result<Self> {
        let (close_on_fork, liveness) = CloseOnFork::open(|| reopen(file))?;
        Ok(Self {
            close_on_fork: [Some(close_on_fork), None],
            liveness,
            inheritable: reopen(file)?,
        })
    }
}

impl ByteLocks for LockFds {
    fn lock(&self, slot: u32) -> io::Result<bool> {
        if !sys::lock_byte(self.inheritable.as_fd(), inheritable_byte(slot))? {
            return Ok(false);
        }
        let locked = sys::lock_byte(self.liveness.as_fd(), slot);
        if !matches!(locked, Ok(true)) {
            sys::unlock_byte(self.inheritable.as_fd(), inheritable_byte(slot));
        }
        locked
    }

    fn is_alive(&self, slot: u32) -> io::Result<bool> {
        sys::is_byte_locked(self.liveness.as_fd(), slot)
    }

    fn is_inherited(&self, slot: u32) -> io::Result<bool> {
        sys::is_byte_locked(self.inheritable.as_fd(), inheritable_byte(slot))
    }
}

impl LinuxMembership {
    /// No child that this process makes by `fork` keeps the inheritable lock: nothing is in the child
    /// that could use it.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn close_inheritable_on_fork(&mut self) -> io::Result<()> {
        let inheritable = CloseOnFork::register(self.bytes.inheritable.as_fd())?;
        self.bytes.close_on_fork[1] = Some(inheritable);
        Ok(())
    }

    /// In a forked child: lets go of what it has of its parent's membership.
    pub(crate) fn release_inherited(&self) {
        sys::detach_fd(&self.bytes.liveness);
        sys::detach_fd(&self.bytes.inheritable);
    }
}

impl Registry {
    /// Takes an entry for this process. `file` is that of the queue's memory.
    ///
    /// # Errors
    /// `EUSERS` if there are too many participants, or what the system says.
    pub(crate) fn register(
        &self,
        file: BorrowedFd<'_>,
        sides: Sides,
    ) -> io::Result<LinuxMembership> {
        let who = JoinRequest {
            process: process(),
            sides: sides.0,
            started: 0,
        };
        self.take_entry(LockFds::new(file)?, who)?
            .ok_or_else(|| Errno::USERS.into())
    }

    /// Takes an entry for the program that this process is about to become by `exec`: it is
    /// counted at once, and calls [`adopt`](Self::adopt). The entry is that program's as long as it
    /// keeps `numbers`, descriptors which this makes those of its membership, to be inherited.
    ///
    /// May be called between fork and exec: it allocates nothing and takes no lock of this
    /// process.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub(crate) fn register_for_exec(
        &self,
        file: BorrowedFd<'_>,
        sides: Sides,
        numbers: &mut [OwnedFd; DESCRIPTORS],
    ) -> io::Result<()> {
        let own = LockFds {
            close_on_fork: [None, None],
            liveness: reopen(file)?,
            inheritable: reopen(file)?,
        };
        let who = JoinRequest {
            process: process(),
            sides: sides.expected(),
            started: sys::started()?,
        };
        let membership = self.take_entry(own, who)?.ok_or(Errno::USERS)?;
        let [liveness, inheritable] = numbers;
        for (from, to) in [
            (&membership.bytes.liveness, liveness),
            (&membership.bytes.inheritable, inheritable),
        ] {
            rustix::fs::seek(from, SeekFrom::Start(membership.owner().into()))?;
            rustix::io::dup2(from, to)?;
            rustix::io::fcntl_setfd(to, FdFlags::empty())?;
        }
        Ok(())
    }

    /// The entry that was taken for this program before it was started, and whose
    /// descriptors are `own`.
    ///
    /// # Errors
    /// `ENOENT` if it was taken for another process, which let this one inherit them;
    /// `EBADF` if they are no such descriptors; or what the system says.
    pub(crate) fn adopt(
        &self,
        file: BorrowedFd<'_>,
        sides: Sides,
        own: [OwnedFd; DESCRIPTORS],
    ) -> io::Result<LinuxMembership> {
        let [liveness, inheritable] = own;
        let control = rustix::fs::fstat(file)?;
        let mut name = None;
        for own in [&liveness, &inheritable] {
            let status = rustix::fs::fstat(own)?;
            let same = (status.st_dev, status.st_ino) == (control.st_dev, control.st_ino);
            let at = u32::try_from(rustix::fs::tell(own)?).ok();
            if !same || at.is_none() || name.is_some_and(|name| Some(name) != at) {
                return Err(Errno::BADF.into());
            }
            name = at;
        }
        let owner = name.ok_or(Errno::BADF)?;
        let (slot, generation) = (owner & 0xff, owner >> 8);
        let entry = self.entries.get(slot as usize).ok_or(Errno::BADF)?;
        // The process that took it, or another that it started (it may be a shell)? By its
        // number alone nobody is known, for that comes again.
        // Relaxed, all: if it is ours, this very process wrote the entry before it became
        // this program.
        let is_ours = entry.generation.load(Ordering::Relaxed) % GENERATIONS == generation
            && entry.process.load(Ordering::Relaxed) == process()
            && entry.started.load(Ordering::Relaxed) == sys::started()?;
        // Exchanged, for two threads may look for the same.
        if !is_ours || !(entry.sides).replace(sides.expected(), sides.0, Ordering::Relaxed) {
            return Err(Errno::NOENT.into());
        }
        let own = LockFds {
            close_on_fork: [Some(CloseOnFork::register(liveness.as_fd())?), None],
            liveness,
            inheritable,
        };
        // The entry may lie: they must have the bytes locked.
        if generation == 0 || !own.lock(slot)? {
            return Err(Errno::BADF.into());
        }
        Ok(Membership {
            slot,
            generation,
            bytes: own,
        })
    }
}

fn process() -> u32 {
    let process = rustix::process::getpid();
    process.as_raw_nonzero().get() as u32
}

/// Another description of the same file.
pub(super) fn reopen(file: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut path = [0; 32];
    (&mut path[..31]).write_fmt(format_args!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::INVAL)?;
    let flags = OFlags::RDWR.union(OFlags::CLOEXEC);
    sys::above_stdio(rustix::fs::open(path, flags, Mode::empty())?)
}
