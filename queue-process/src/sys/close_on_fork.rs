//! Descriptors that a forked child must not keep.
//!
//! A child of `fork` has copies of all descriptors. What they stand for, a lock that says that
//! its owner lives, a socket that has a name, would outlive its owner with them. So a
//! child of `fork` lets go of those that are registered here before `fork` returns: under
//! their numbers it has something else then, which whoever owns the number may close.
//!
//! What makes a child without `fork` (a bare `clone`) is not noticed here.

use super::above_stdio;
use super::generation::{generation, generation_word};
use std::io;
use std::iter;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// No descriptor.
const NONE: RawFd = -1;

/// One that is registered, or a place for one.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) number: AtomicI32,
    /// Of what the number means. Who closes all descriptors that he finds, as daemons do, closes
    /// registered ones too, and what comes to have their numbers is to be left alone.
    inode: AtomicU64,
}

/// A part of the table. None is ever given back.
struct TablePart {
    entries: [Entry; 32],
    /// Null, or one that is leaked: it is set once.
    next: AtomicPtr<TablePart>,
}

static TABLE: TablePart = TablePart::new();

impl TablePart {
    const fn new() -> Self {
        Self {
            entries: [const {
                Entry {
                    number: AtomicI32::new(NONE),
                    inode: AtomicU64::new(0),
                }
            }; 32],
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    fn next(&self) -> Option<&'static Self> {
        // SAFETY: null, or leaked. Acquire: pairs with the Release in `grow`.
        unsafe { self.next.load(Ordering::Acquire).as_ref() }
    }

    /// Has one follow, unless another thread was faster.
    fn grow(&self) {
        let more = Box::into_raw(Box::new(Self::new()));
        let (new, old) = (Ordering::Release, Ordering::Relaxed);
        let grown = (self.next).compare_exchange(ptr::null_mut(), more, new, old);
        if grown.is_err() {
            // SAFETY: made above, and shown to nobody.
            drop(unsafe { Box::from_raw(more) });
        }
    }
}

/// All there are.
pub(super) fn entries() -> impl Iterator<Item = &'static Entry> {
    iter::successors(Some(&TABLE), |part| part.next()).flat_map(|part| &part.entries)
}

/// Whether `before`, `in_parent` and `in_child` are called by `fork`.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// A descriptor of something that means nothing to anybody, once there is one. All that is asked
/// of it is its number, and the system knows that everywhere: Relaxed will do.
static DUMMY: AtomicI32 = AtomicI32::new(NONE);

/// How many forks this process has begun and ended.
static FORKS_BEGUN: AtomicU32 = AtomicU32::new(0);
static FORKS_ENDED: AtomicU32 = AtomicU32::new(0);

extern "C" fn before() {
    FORKS_BEGUN.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn in_parent() {
    FORKS_ENDED.fetch_add(1, Ordering::SeqCst);
}

/// Runs in the child, where other threads of the parent may have left any lock locked: it
/// makes system calls and accesses atomics, and no more.
extern "C" fn in_child() {
    FORKS_ENDED.store(FORKS_BEGUN.load(Ordering::SeqCst), Ordering::SeqCst);
    // Where the kernel does not.
    generation_word().store(0, Ordering::Relaxed);
    for entry in entries() {
        // Their owners are of another process: see `CloseOnFork::drop`.
        let number = entry.number.swap(NONE, Ordering::Relaxed);
        detach(number, entry.inode.load(Ordering::Relaxed));
    }
}

/// Has the descriptor `number`, if it is one and means `inode`, mean nothing.
pub(super) fn detach(number: RawFd, inode: u64) {
    let nothing = DUMMY.load(Ordering::Relaxed);
    if number == NONE || nothing == NONE {
        return;
    }
    // SAFETY: it is not -1, and is only asked what it means.
    let status = rustix::fs::fstat(unsafe { BorrowedFd::borrow_raw(number) });
    if status.is_ok_and(|status| status.st_ino == inode) {
        // SAFETY: a system call. The number is registered by its owner, who closes it after
        // it is no longer; and who owns it counts on no more than that it is open.
        unsafe { libc::dup3(nothing, number, libc::O_CLOEXEC) };
    }
}

/// Sees to it that `fork` calls the above.
fn install() -> io::Result<()> {
    if INSTALLED.load(Ordering::Acquire) {
        return Ok(());
    }
    if DUMMY.load(Ordering::Relaxed) == NONE {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let nothing = above_stdio(rustix::fs::memfd_create("nothing", flags)?)?;
        // If two threads come here that of the second is closed again.
        let (new, old) = (Ordering::Relaxed, Ordering::Relaxed);
        if let Ok(NONE) = DUMMY.compare_exchange(NONE, nothing.as_raw_fd(), new, old) {
            let _open_for_good = nothing.into_raw_fd();
        }
    }
    generation_word();
    // SAFETY: the functions stay, and do what may be done in a forked child. To be called
    // twice, if two threads come here, does them no harm.
    match unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) } {
        0 => INSTALLED.store(true, Ordering::Release),
        error => return Err(io::Error::from_raw_os_error(error)),
    }
    Ok(())
}

/// A descriptor that is registered until this is dropped: before it is closed.
#[derive(Debug)]
pub(crate) struct CloseOnFork {
    pub(super) entry: &'static Entry,
    number: RawFd,
    inode: u64,
    /// The process that registered it.
    generation: u32,
}

impl CloseOnFork {
    /// A child does not keep `fd` from now on.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn register(fd: BorrowedFd<'_>) -> io::Result<Self> {
        install()?;
        let number = fd.as_raw_fd();
        let inode = rustix::fs::fstat(fd)?.st_ino;
        let mut part = &TABLE;
        loop {
            let (new, old) = (Ordering::Relaxed, Ordering::Relaxed);
            // A child that comes between the two stores keeps it, as one that came before.
            let takes = |entry: &&Entry| {
                // Of one that is taken the line stays where it is.
                entry.number.load(Ordering::Relaxed) == NONE
                    && (entry.number.compare_exchange(NONE, number, new, old)).is_ok()
            };
            if let Some(entry) = part.entries.iter().find(takes) {
                entry.inode.store(inode, Ordering::Relaxed);
                return Ok(Self {
                    entry,
                    number,
                    inode,
                    generation: generation(),
                });
            }
            match part.next() {
                Some(next) => part = next,
                None => part.grow(),
            }
        }
    }

    /// What `open` opens, registered before any child gets a copy.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn open(open: impl Fn() -> io::Result<OwnedFd>) -> io::Result<(Self, OwnedFd)> {
        /// A process that forks all the time is not waited for: at worst a child keeps something.
        const MAX_ROUNDS: u32 = 1000;
        install()?;
        for round in 0.. {
            let begun = FORKS_BEGUN.load(Ordering::SeqCst);
            if FORKS_ENDED.load(Ordering::SeqCst) == begun || round == MAX_ROUNDS {
                let fd = open()?;
                let registered = Self::register(fd.as_fd())?;
                if FORKS_BEGUN.load(Ordering::SeqCst) == begun || round == MAX_ROUNDS {
                    return Ok((registered, fd));
                }
            }
            // Another thread forks: that child may have it, and not know.
            match round {
                0..50 => thread::yield_now(),
                _ => thread::sleep(Duration::from_micros(100)),
            }
        }
        unreachable!("it does not count further than `MAX_ROUNDS`")
    }

    /// Lets go of it, in a child that was made by something else than `fork`.
    pub(crate) fn detach(&self) {
        detach(self.number, self.inode);
    }
}

impl Drop for CloseOnFork {
    fn drop(&mut self) {
        // In a forked child the entry was free from the first, and may be another's.
        if self.generation == generation() {
            self.entry.number.store(NONE, Ordering::Relaxed);
        }
    }
}

/// Lets go of what `fd` stands for: its number means nothing from now on.
pub(crate) fn detach_fd(fd: &OwnedFd) {
    if let (Ok(()), Ok(status)) = (install(), rustix::fs::fstat(fd)) {
        detach(fd.as_raw_fd(), status.st_ino);
    }
}
