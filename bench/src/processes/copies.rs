//! What plain copying in and out costs: a yardstick for whatever passes items on in memory
//! that two processes share.

use super::link::{Link, Result, Rx, Tx, Way, until, words};
use super::{Entry, entry};
use crate::cell::Shape;
use crate::subject::Role::Yardstick;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

pub fn entries() -> Vec<Entry> {
    vec![entry::<Copies>(Yardstick)]
}

/// One process copies each item to its place, the other copies it out. A counter on either
/// side says how far it is, and who must wait spins. It is no queue: it has room for two
/// parties and one size, and outlives nobody.
pub struct Copies;

/// One party.
pub struct Party {
    memory: NonNull<u8>,
    size: usize,
    places: u64,
    /// How many items it has copied.
    done: u64,
    /// How many the other had when this one last looked.
    seen: u64,
}

/// Where the places begin, behind the counters.
const PLACES: usize = 4096;

impl Party {
    fn new(way: &Way) -> Result<Self> {
        let file = File::options().read(true).write(true).open(way.file());
        let file = file.map_err(words)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice, of a file that is as long.
        // It stays for as long as the process.
        let memory = unsafe {
            let (start, fd) = (std::ptr::null_mut(), file.as_raw_fd());
            libc::mmap(start, len(way), access, libc::MAP_SHARED, fd, 0)
        };
        if memory == libc::MAP_FAILED {
            return Err(words(std::io::Error::last_os_error()));
        }
        Ok(Self {
            memory: NonNull::new(memory.cast()).expect("not at zero"),
            size: way.size,
            places: way.capacity() as u64,
            done: 0,
            seen: 0,
        })
    }

    /// The counter of the one who copies in (0) or out (1).
    fn counter(&self, which: usize) -> &AtomicU64 {
        // SAFETY: inside the mapping, aligned, and used as an atomic integer alone.
        unsafe { self.memory.add(which * 256).cast().as_ref() }
    }

    /// Where the next item belongs.
    fn place(&self) -> *mut u8 {
        let number = (self.done % self.places) as usize;
        // SAFETY: there are so many places behind the counters.
        unsafe { self.memory.add(PLACES + number * self.size).as_ptr() }
    }

    /// Waits until the other has copied `least` items.
    fn wait(&mut self, other: usize, least: u64) -> Result<()> {
        if self.seen >= least {
            return Ok(());
        }
        // Acquire: pairs with the Release in `next`.
        let look = || Some(self.counter(other).load(Ordering::Acquire));
        self.seen = until(|| Ok(look().filter(|seen| *seen >= least)))?;
        Ok(())
    }

    /// Says that the item is copied.
    fn next(&mut self, own: usize) {
        self.done += 1;
        // Release: pairs with the Acquire in `wait`.
        self.counter(own).store(self.done, Ordering::Release);
    }
}

/// How many bytes the file has.
fn len(way: &Way) -> usize {
    PLACES + way.capacity() * way.size
}

impl Link for Copies {
    const NAME: &'static str = "plain copies (spin)";
    type Host = ();
    type Tx = Party;
    type Rx = Party;

    fn supports(shape: &Shape, _: usize) -> bool {
        (shape.producers, shape.consumers) == (1, 1)
    }

    fn host(way: &Way) -> Result<()> {
        let file = File::create_new(way.file()).map_err(words)?;
        file.set_len(len(way) as u64).map_err(words)
    }

    fn tx(way: &Way) -> Result<Party> {
        Party::new(way)
    }

    fn rx(way: &Way) -> Result<Party> {
        Party::new(way)
    }
}

impl Tx for Party {
    fn send(&mut self, item: &[u8]) -> Result<()> {
        assert_eq!(item.len(), self.size);
        self.wait(1, (self.done + 1).saturating_sub(self.places))?;
        // SAFETY: both are so long; the place is nobody else's until `next`, and not the
        // item's.
        unsafe { std::ptr::copy_nonoverlapping(item.as_ptr(), self.place(), self.size) };
        self.next(0);
        Ok(())
    }
}

impl Rx for Party {
    fn recv(&mut self, item: &mut Vec<u8>) -> Result<()> {
        self.wait(0, self.done + 1)?;
        item.clear();
        item.reserve(self.size);
        // SAFETY: as above; there is room, and bytes need no more than to be copied.
        unsafe {
            std::ptr::copy_nonoverlapping(self.place(), item.as_mut_ptr(), self.size);
            item.set_len(self.size);
        }
        self.next(1);
        Ok(())
    }
}
