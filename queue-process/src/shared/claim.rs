//! Coming to the [`Registry`] of a queue: as a process, or for the program that a process
//! is about to become.

use super::registry::{Bytes, Claim, GENERATIONS, Newcomer, Registry, Sides};
use crate::sys;
use queue_core::sync::atomic::Ordering;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A participant on this system: its bytes are locked through a file description.
pub(crate) type Place = Claim<OwnedFd>;

impl Bytes for OwnedFd {
    fn lock(&self, byte: u32) -> io::Result<bool> {
        sys::lock_byte(self.as_fd(), byte)
    }

    fn is_locked(&self, byte: u32) -> io::Result<bool> {
        sys::is_byte_locked(self.as_fd(), byte)
    }
}

impl Registry {
    /// Takes an entry for this process. `file` is the control page's.
    ///
    /// May be called between fork and exec, as [`enter`](Self::enter).
    ///
    /// # Errors
    /// `EUSERS` if there are too many participants, or what the system says.
    pub(crate) fn claim(&self, file: BorrowedFd<'_>, sides: Sides) -> io::Result<Place> {
        let who = Newcomer {
            process: process(),
            sides: sides.0,
            descriptor: 0,
        };
        self.enter(reopen(file)?, who)?
            .ok_or_else(|| Errno::USERS.into())
    }

    /// Takes an entry for the program that this process is about to become by `exec`:
    /// it is counted at once, and calls [`adopt`](Self::adopt). What is returned is that
    /// program's from then on; if `exec` fails and this process goes on, it must be dropped.
    ///
    /// May be called between fork and exec, as [`enter`](Self::enter).
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    pub(crate) fn claim_for_exec(&self, file: BorrowedFd<'_>, sides: Sides) -> io::Result<Place> {
        let own = reopen(file)?;
        rustix::io::fcntl_setfd(&own, rustix::io::FdFlags::empty())?;
        let who = Newcomer {
            process: process(),
            sides: sides.expected(),
            descriptor: own.as_raw_fd() as u32,
        };
        self.enter(own, who)?.ok_or_else(|| Errno::USERS.into())
    }

    /// The entry that was claimed for this program before it was started.
    ///
    /// # Errors
    /// `ENOENT` if there is none (any more), or what the system says.
    pub(crate) fn adopt(&self, file: BorrowedFd<'_>, sides: Sides) -> io::Result<Place> {
        let process = process();
        let control = rustix::fs::fstat(file)?;
        for (slot, entry) in (0..).zip(&self.entries) {
            // Exchanged, for two threads may look for the same. Relaxed, all: this very
            // process wrote the entry, before it became this program.
            if entry.process.load(Ordering::Relaxed) != process
                || !entry
                    .sides
                    .replace(sides.expected(), sides.0, Ordering::Relaxed)
            {
                continue;
            }
            let descriptor = entry.descriptor.load(Ordering::Relaxed) as i32;
            let own = sys::inherit(descriptor)?;
            // The entry may lie: it must be the same file, and have the byte locked.
            let status = rustix::fs::fstat(&own)?;
            let same = (status.st_dev, status.st_ino) == (control.st_dev, control.st_ino);
            if !same || !own.lock(slot)? {
                return Err(Errno::BADF.into());
            }
            let generation = entry.generation.load(Ordering::Relaxed) % GENERATIONS;
            return Ok(Claim {
                slot,
                generation: generation.max(1),
                bytes: own,
            });
        }
        Err(Errno::NOENT.into())
    }
}

fn process() -> u32 {
    let process = rustix::process::getpid();
    process.as_raw_nonzero().get() as u32
}

/// Another description of the same file.
fn reopen(file: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut path = [0; 32];
    (&mut path[..31]).write_fmt(format_args!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::INVAL)?;
    let flags = OFlags::RDWR.union(OFlags::CLOEXEC);
    sys::above_stdio(rustix::fs::open(path, flags, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::linux::Page;
    use crate::sys::Mapping;
    use rustix::io::FdFlags;
    use std::time::{Duration, Instant};

    /// A queue's page, and the entry in it that this process took for the program that it
    /// is about to become: which it never does, so all of that is here, to be forged.
    fn expecting(sides: Sides) -> Mapping {
        let mapping = Mapping::create("claim", Page::END, Page::END).unwrap();
        let registry = &Page::of(&mapping).registry;
        let place = registry.claim_for_exec(mapping.file(), sides);
        // That program's, which does not know of this object.
        std::mem::forget(place.unwrap());
        mapping
    }

    fn adopt(mapping: &Mapping, sides: Sides) -> Result<Place, Option<i32>> {
        let registry = &Page::of(mapping).registry;
        let adopted = registry.adopt(mapping.file(), sides);
        adopted.map_err(|error| error.raw_os_error())
    }

    /// What a child would inherit: not close-on-exec.
    fn left(fd: OwnedFd) -> u32 {
        rustix::io::fcntl_setfd(&fd, FdFlags::empty()).unwrap();
        std::os::fd::IntoRawFd::into_raw_fd(fd) as u32
    }

    const NONE: Option<i32> = Some(Errno::NOENT.raw_os_error());
    const FORGED: Option<i32> = Some(Errno::BADF.raw_os_error());

    #[test]
    fn what_was_claimed_for_a_program_is_adopted_once() {
        let mapping = expecting(Sides::CONSUMERS);
        let registry = &Page::of(&mapping).registry;
        let stranger = registry.claim(mapping.file(), Sides::BOTH).unwrap();
        let process = registry.entries[0].process.load(Ordering::Relaxed);
        assert_eq!(process, std::process::id());
        assert_eq!(adopt(&mapping, Sides::PRODUCERS).unwrap_err(), NONE);
        let adopted = adopt(&mapping, Sides::CONSUMERS).unwrap();
        assert_eq!(adopt(&mapping, Sides::CONSUMERS).unwrap_err(), NONE);
        assert_eq!((adopted.slot, adopted.owner()), (0, 0x100));
        assert!(registry.is_alive(&stranger, 0x100));
        drop(adopted);
        // Its only description, but for the children of other tests that just start.
        let late = Instant::now() + Duration::from_secs(20);
        while registry.is_alive(&stranger, 0x100) {
            assert!(Instant::now() < late, "it lives on");
        }
    }

    #[test]
    fn what_was_claimed_for_another_process_is_not_adopted() {
        let mapping = expecting(Sides::BOTH);
        let entry = &Page::of(&mapping).registry.entries[0];
        entry.process.store(1, Ordering::Relaxed);
        assert_eq!(adopt(&mapping, Sides::BOTH).unwrap_err(), NONE);
    }

    #[test]
    fn a_forged_entry_is_not_adopted() {
        let mapping = expecting(Sides::BOTH);
        let entry = &Page::of(&mapping).registry.entries[0];
        let another = Mapping::create("another", Page::END, Page::END).unwrap();
        let forged = [
            left(another.file().try_clone_to_owned().unwrap()),
            // The same file, but a description that has nothing locked.
            left(reopen(mapping.file()).unwrap()),
        ];
        for descriptor in forged {
            entry.descriptor.store(descriptor, Ordering::Relaxed);
            entry.sides.store(Sides::BOTH.expected(), Ordering::Relaxed);
            assert_eq!(adopt(&mapping, Sides::BOTH).unwrap_err(), FORGED);
        }
    }

    #[test]
    fn a_forged_generation_makes_a_name_all_the_same() {
        for (forged, generation) in [(GENERATIONS + 5, 5), (GENERATIONS, 1), (0, 1)] {
            let mapping = expecting(Sides::BOTH);
            let entry = &Page::of(&mapping).registry.entries[0];
            entry.generation.store(forged, Ordering::Relaxed);
            assert_eq!(adopt(&mapping, Sides::BOTH).unwrap().generation, generation);
        }
    }
}
