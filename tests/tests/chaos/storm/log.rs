//! [`Log`]: what a process did, in memory that outlives it.
//!
//! A file that the worker and the parent both map: what the worker has stored is there
//! for the parent whatever happens to the worker next, and noting an operation costs no
//! system call, so that a random moment is most likely one inside the queue.

use queue_core::contract::history::{NEVER, OpKind, Operation};
use rustix::fs::{Mode, OFlags, ftruncate, open};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::time::{ClockId, clock_gettime};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// As many operations as a log holds: a worker whose log is full ends.
pub(crate) const ENTRIES: usize = 1 << 16;

/// Nanoseconds on the clock that all processes share.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What a worker was about to do, or what that came to: a code and an item.
const PUSH: u64 = 1;
const POP: u64 = 2;
const OK: u64 = 3;
const FULL: u64 = 4;
const EMPTY: u64 = 5;
const CLOSED: u64 = 6;
const FAILED: u64 = 7;
const NOTHING: u64 = 8;

/// What an operation came to, as the worker saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Pushed,
    Popped(u64),
    Full,
    Empty,
    Closed,
    Failed,
    /// Part of a batch that was larger than what came of it: as if it had not been tried.
    Nothing,
}

/// One operation, as it was noted: `began`, `ended` and `came_to` are zero until then.
#[repr(C)]
struct Entry {
    intent: AtomicU64,
    item: AtomicU64,
    patience: AtomicU64,
    began: AtomicU64,
    came_to: AtomicU64,
    came: AtomicU64,
    ended: AtomicU64,
    _spare: AtomicU64,
}

impl Entry {
    fn come_to(&self, outcome: Outcome, ended: u64) {
        let (code, item) = match outcome {
            Outcome::Pushed => (OK, 0),
            Outcome::Popped(item) => (OK, item),
            Outcome::Full => (FULL, 0),
            Outcome::Empty => (EMPTY, 0),
            Outcome::Closed => (CLOSED, 0),
            Outcome::Failed => (FAILED, 0),
            Outcome::Nothing => (NOTHING, 0),
        };
        self.came.store(item, Ordering::Release);
        self.came_to.store(code, Ordering::Release);
        self.ended.store(ended, Ordering::Release);
    }
}

#[repr(C)]
struct Layout {
    stop: AtomicU64,
    _spare: [AtomicU64; 7],
    entries: [Entry; ENTRIES],
}

/// A mapped log.
pub(crate) struct Log(NonNull<Layout>);

impl Log {
    /// Maps the log at `path`, empty if there is none.
    pub(crate) fn open(path: &Path) -> Self {
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = open(path, flags, Mode::RUSR | Mode::WUSR).expect("a log file");
        let size = size_of::<Layout>();
        ftruncate(&file, size as u64).expect("room for a log");
        // SAFETY: a fresh mapping, at an address of the system's choice, of a file that
        // nobody truncates: parent and worker give it the same size.
        let at = unsafe {
            let (prot, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
            mmap(std::ptr::null_mut(), size, prot, flags, &file, 0)
        };
        let at = at.expect("a mapping of a log");
        Self(NonNull::new(at.cast()).expect("no mapping is at zero"))
    }

    fn layout(&self) -> &Layout {
        // SAFETY: the mapping is as large as the layout, aligned to a page, lives as long
        // as `self`, and holds nothing but atomics, for which any bytes are a value.
        unsafe { self.0.as_ref() }
    }

    /// Tells the worker to end.
    pub(crate) fn stop(&self) {
        self.layout().stop.store(1, Ordering::Release);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.layout().stop.load(Ordering::Acquire) != 0
    }

    /// Whether the worker has come as far as its first operation.
    pub(crate) fn has_begun(&self) -> bool {
        self.layout().entries[0].began.load(Ordering::Acquire) != 0
    }

    /// Whether the worker ends because it has no room for more notes.
    pub(crate) fn is_full(&self) -> bool {
        self.layout().entries[ENTRIES - 1]
            .ended
            .load(Ordering::Acquire)
            != 0
    }

    /// Notes, does, and notes operation number `at`: a push of `item`, or a pop. `patience`
    /// is how many nanoseconds it may wait of its own will, zero for ever.
    ///
    /// Each store is Release, so that the worker's own order is that in which the
    /// memory changes: a kill comes between two of them.
    pub(crate) fn note(
        &self,
        at: usize,
        push: Option<u64>,
        patience: u64,
        act: impl FnOnce() -> Outcome,
    ) -> Outcome {
        self.note_many(at, &[push], patience, || vec![act()])[0]
    }

    /// [`note`](Self::note) of a batch, from operation number `at` on: as many operations at
    /// once, each with an outcome.
    pub(crate) fn note_many(
        &self,
        at: usize,
        pushes: &[Option<u64>],
        patience: u64,
        act: impl FnOnce() -> Vec<Outcome>,
    ) -> Vec<Outcome> {
        let entries = &self.layout().entries[at..at + pushes.len()];
        for (entry, push) in entries.iter().zip(pushes) {
            let intent = if push.is_some() { PUSH } else { POP };
            entry.intent.store(intent, Ordering::Release);
            entry.item.store(push.unwrap_or(0), Ordering::Release);
            entry.patience.store(patience, Ordering::Release);
        }
        let began = now();
        for entry in entries {
            entry.began.store(began, Ordering::Release);
        }
        let outcomes = act();
        assert_eq!(outcomes.len(), entries.len());
        // What was stored last may still be on its way to the other processors, and who
        // told anybody that this is over would tell it by a later store. So the clock is
        // looked at when such a store could be seen.
        fence(Ordering::SeqCst);
        let ended = now();
        for (entry, outcome) in entries.iter().zip(&outcomes) {
            entry.come_to(*outcome, ended);
        }
        outcomes
    }

    /// All that was noted.
    pub(crate) fn read(&self) -> Vec<Noted> {
        let word = |word: &AtomicU64| word.load(Ordering::Acquire);
        let entries = self.layout().entries.iter();
        let begun = entries.take_while(|entry| word(&entry.began) != 0);
        begun
            .filter(|entry| word(&entry.came_to) != NOTHING)
            .map(|entry| {
                let push = word(&entry.intent) == PUSH;
                let item = word(&entry.item);
                let came_to = word(&entry.came_to);
                let kind = match (came_to, push) {
                    // Its end may not have been noted, but what it came to was.
                    (OK, true) => OpKind::Pushed(item),
                    (OK, false) => OpKind::Popped(word(&entry.came)),
                    (FULL, _) => OpKind::Full(item),
                    (EMPTY, _) => OpKind::Empty,
                    (CLOSED, true) => OpKind::PushClosed(item),
                    (CLOSED, false) => OpKind::Drained,
                    (_, true) => OpKind::PushCut(item),
                    (_, false) => OpKind::PopCut,
                };
                Noted {
                    operation: Operation {
                        start: word(&entry.began),
                        end: Some(word(&entry.ended))
                            .filter(|&end| end != 0)
                            .unwrap_or(NEVER),
                        kind,
                    },
                    patience: word(&entry.patience),
                    failed: came_to == FAILED,
                }
            })
            .collect()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and nobody borrows from it any more.
        let unmapped = unsafe { munmap(self.0.as_ptr().cast(), size_of::<Layout>()) };
        unmapped.expect("a mapping can be unmapped");
    }
}

/// One operation, read back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noted {
    pub(crate) operation: Operation,
    /// How long it might wait of its own will, in nanoseconds; zero for ever.
    pub(crate) patience: u64,
    /// The queue said `Failed`, or handed out a damaged item.
    pub(crate) failed: bool,
}
