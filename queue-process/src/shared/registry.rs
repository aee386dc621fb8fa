//! [`Registry`]: who takes part in a queue, on which sides, and whether they are alive.
//!
//! A participant is one opened queue in one process. It owns an entry, and has byte *n*
//! of the control page's file locked, *n* the number of the entry, through a file
//! description that is its own. The kernel frees that lock when the participant dies, so
//! *whether the byte is locked* is the one truth about life; all else in the entry means
//! something only while it is.
//!
//! There are as many as [`SLOTS`]; who comes when all are taken is refused.

use super::word::Word32;
use crate::sys;
use queue_core::Side;
use queue_core::sync::atomic::Ordering;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// How many participants a queue can have at one time.
pub(crate) const SLOTS: usize = 256;

/// A set of sides: those that a participant is counted on, or may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sides(u32);

impl Sides {
    pub(crate) const PRODUCERS: Self = Self(1);
    pub(crate) const CONSUMERS: Self = Self(2);
    pub(crate) const BOTH: Self = Self(3);
    /// Claimed on behalf of a program that `exec` will start, and that has not yet come.
    const EXPECTED: u32 = 4;

    #[inline]
    pub(crate) fn of(side: Side) -> Self {
        match side {
            Side::Producers => Self::PRODUCERS,
            Side::Consumers => Self::CONSUMERS,
        }
    }

    #[inline(always)]
    pub(crate) fn contain(self, side: Side) -> bool {
        self.0 & Self::of(side).0 != 0
    }
}

/// One participant. Only its owner writes it, while it has the byte locked.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Entry {
    /// Counts the owners, so that the names of dead ones are not used again.
    generation: Word32,
    /// [`Sides`], and `EXPECTED`.
    sides: Word32,
    /// The process, or 0 for an entry given back in order.
    process: Word32,
    /// If `EXPECTED`, the descriptor that has the byte locked.
    descriptor: Word32,
}

/// All participants.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Registry {
    entries: [Entry; SLOTS],
}

/// An entry of the registry that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    slot: u32,
    generation: u32,
    /// The description that has the byte locked. Nobody else may ever get it: it would
    /// keep us alive.
    file: OwnedFd,
}

/// Generations that fit into an owner word beside the slot.
const GENERATIONS: u32 = 1 << 24;

impl Claim {
    /// Our name in a lock word: never zero, and only ours.
    #[inline]
    pub(crate) fn owner(&self) -> u32 {
        self.generation << 8 | self.slot
    }
}

impl Registry {
    /// Takes an entry for this process. `file` is the control page's.
    ///
    /// May be called between fork and exec: it allocates nothing and takes no lock
    /// of this process.
    ///
    /// # Errors
    /// `EUSERS` if there are too many participants, or what the system says.
    pub(crate) fn claim(&self, file: BorrowedFd<'_>, sides: Sides) -> io::Result<Claim> {
        let own = reopen(file)?;
        // First the entries that were given back, then those of the dead.
        for given_back in [true, false] {
            for (slot, entry) in (0..).zip(&self.entries) {
                // Relaxed: a hint; the lock of the byte decides, and the kernel orders
                // what its last owner wrote before what we read.
                if given_back && entry.process.load(Ordering::Relaxed) != 0 {
                    continue;
                }
                if !sys::lock_byte(own.as_fd(), slot)? {
                    continue;
                }
                // The last owner's sides are not ours.
                entry.sides.store(0, Ordering::Release);
                let generation = entry.generation.load(Ordering::Relaxed) % (GENERATIONS - 1) + 1;
                // Release, all: pair with the Acquire loads in `is_alive` and `is_held`.
                entry.generation.store(generation, Ordering::Release);
                let process = rustix::process::getpid()
                    .as_raw_nonzero()
                    .get()
                    .cast_unsigned();
                entry.process.store(process, Ordering::Release);
                entry.sides.store(sides.0, Ordering::Release);
                return Ok(Claim {
                    slot,
                    generation,
                    file: own,
                });
            }
        }
        Err(Errno::USERS.into())
    }

    /// Takes an entry for the program that this process is about to become by `exec`:
    /// it is counted at once, and calls [`adopt`](Self::adopt).
    ///
    /// May be called between fork and exec, as [`claim`](Self::claim).
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    pub(crate) fn claim_for_exec(&self, file: BorrowedFd<'_>, sides: Sides) -> io::Result<()> {
        let claim = self.claim(file, sides)?;
        rustix::io::fcntl_setfd(&claim.file, rustix::io::FdFlags::empty())?;
        let entry = &self.entries[claim.slot as usize];
        let descriptor = claim.file.as_raw_fd().cast_unsigned();
        entry.descriptor.store(descriptor, Ordering::Release);
        entry
            .sides
            .store(sides.0 | Sides::EXPECTED, Ordering::Release);
        // The program that comes owns both; if `exec` fails, this process ends.
        std::mem::forget(claim);
        Ok(())
    }

    /// The entry that was claimed for this program before it was started.
    ///
    /// # Errors
    /// `ENOENT` if there is none (any more), or what the system says.
    pub(crate) fn adopt(&self, file: BorrowedFd<'_>, sides: Sides) -> io::Result<Claim> {
        let process = rustix::process::getpid()
            .as_raw_nonzero()
            .get()
            .cast_unsigned();
        let control = rustix::fs::fstat(file)?;
        for (slot, entry) in (0..).zip(&self.entries) {
            let expected = sides.0 | Sides::EXPECTED;
            // Exchanged, for two threads may look for the same. Acquire: pairs with the
            // Release in `claim_for_exec`.
            if entry.process.load(Ordering::Relaxed) != process
                || !entry.sides.replace(expected, sides.0, Ordering::Acquire)
            {
                continue;
            }
            let descriptor = entry.descriptor.load(Ordering::Relaxed).cast_signed();
            let own = sys::inherit(descriptor)?;
            // The entry may lie: it must be the same file, and have the byte locked.
            let status = rustix::fs::fstat(&own)?;
            let same = (status.st_dev, status.st_ino) == (control.st_dev, control.st_ino);
            if !same || !sys::lock_byte(own.as_fd(), slot)? {
                return Err(Errno::BADF.into());
            }
            let generation = entry.generation.load(Ordering::Relaxed) % GENERATIONS;
            return Ok(Claim {
                slot,
                generation: generation.max(1),
                file: own,
            });
        }
        Err(Errno::NOENT.into())
    }

    /// Gives up `claim`'s place on one side.
    pub(crate) fn leave(&self, claim: &Claim, side: Side) {
        let sides = &self.entries[claim.slot as usize].sides;
        // Only we write it. Release: pairs with the Acquire in `is_held`.
        sides.store(
            sides.load(Ordering::Relaxed) & !Sides::of(side).0,
            Ordering::Release,
        );
    }

    /// Takes `claim`'s place on one side (again).
    pub(crate) fn join(&self, claim: &Claim, side: Side) {
        let sides = &self.entries[claim.slot as usize].sides;
        // As above.
        sides.store(
            sides.load(Ordering::Relaxed) | Sides::of(side).0,
            Ordering::Release,
        );
    }

    /// Gives the entry back. Its byte is free when `claim` is dropped after this.
    pub(crate) fn give_back(&self, claim: &Claim) {
        let entry = &self.entries[claim.slot as usize];
        entry.sides.store(0, Ordering::Release);
        entry.process.store(0, Ordering::Release);
    }

    /// Whether somebody alive is counted on `side`. Somebody is if the system does not
    /// tell.
    pub(crate) fn is_held(&self, mine: &Claim, side: Side) -> bool {
        (0..).zip(&self.entries).any(|(slot, entry)| {
            // Acquire: pairs with the Release stores above.
            let counted = entry.sides.load(Ordering::Acquire) & Sides::of(side).0 != 0;
            counted && self.is_slot_alive(mine, slot)
        })
    }

    /// Whether the participant of that name may be alive.
    pub(crate) fn is_alive(&self, mine: &Claim, owner: u32) -> bool {
        let (slot, generation) = (owner & 0xff, owner >> 8);
        // Acquire: pairs with the Release in `claim`. A newer owner of the entry proves
        // the older one dead.
        let now = self.entries[slot as usize]
            .generation
            .load(Ordering::Acquire);
        now == generation && self.is_slot_alive(mine, slot)
    }

    fn is_slot_alive(&self, mine: &Claim, slot: u32) -> bool {
        slot == mine.slot || sys::is_byte_locked(mine.file.as_fd(), slot).unwrap_or(true)
    }
}

/// Another description of the same file.
fn reopen(file: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut path = [0; 32];
    (&mut path[..31]).write_fmt(format_args!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::INVAL)?;
    Ok(rustix::fs::open(
        path,
        OFlags::RDWR | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}
