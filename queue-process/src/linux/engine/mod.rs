//! [`Engine`]: pushing, popping and waking, over any [`Storage`]. Waiting is in
//! [`standing`](crate::linux::wait::prepare), closing in [`state`](state).
//!
//! # Who does what under which lock
//!
//! | lock | its holder |
//! |---|---|
//! | tail | writes items; lets those go to sleep who wait for items; wakes them |
//! | head | reads items; lets those go to sleep who wait for places; wakes them |
//! | both, tail first | closes; repairs; gives memory back |
//!
//! So whoever waits says so under the lock of those who will wake it, having looked once
//! more under that lock: no wake can be missed, and looking for waiters costs a plain
//! load, without a fence.
//!
//! # Waking
//!
//! `waiting` is a flag, not a count, for a count would be wrong after a death. Who moves
//! the end and sees it clears it and wakes *one* sleeper; until that one is back, others
//! who move the end see no flag and save the wake. Back, it wakes the next at once if
//! there is more than one thing to take, or sets the flag again: a chain that serves
//! all who sleep, one wake at a time. If a wake is lost with whoever got it or was to
//! give it, of the sleepers of each process one looks again by itself within
//! [`NET`](crate::linux::wait::NET): see [`sleepers`](crate::linux::wait::sleepers).
//!
//! Futures wait in a list of their process, whose waker thread listens to a bell: see
//! [`futures`](crate::linux::wait::futures). The bell rings *before* the end moves, so no death can lose
//! that.

pub(crate) mod batch;
pub(crate) mod inline_item;
pub(crate) mod layout;
pub(crate) mod lock;
pub(crate) mod platform;
mod state;
pub(crate) mod storage;

#[cfg(all(test, not(loom)))]
mod tests;

use batch::Frames;
use inline_item::Item;
use layout::{Control, End, Line, Mark, bulky};
use lock::{Taken, Tries};
use platform::Platform;
use queue_core::sync::atomic::Ordering;
use queue_core::{Failure, FailureKind};
use storage::{Opposite, Storage};

/// Why nothing was pushed or popped.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// No place, or no item: it is worth waiting.
    NotNow,
    /// The queue is closed (and drained).
    Closed,
    /// It failed.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// One process's working half of a queue.
#[derive(Debug)]
pub(crate) struct Engine<S, P> {
    storage: S,
    platform: P,
    /// How many items it takes, no more than [`MOST`].
    capacity: u32,
}

/// The most items a queue can hold: counts are modulo 2^32.
pub(crate) const MOST: u32 = 1 << 31;

/// The most items popped in one go: counts in shared memory may lie.
const MOST_AT_ONCE: u32 = 1 << 16;

/// Why a lock is there.
const ENDLESS: &str = "tried until it was taken";

/// Holds the locks of the tail and of the head.
pub(crate) type Both<'a, P> = (Held<'a, P>, Held<'a, P>);

/// Holds the lock of one end.
pub(crate) struct Held<'a, P: Platform> {
    pub(crate) line: &'a Line,
    platform: &'a P,
}

impl<P: Platform> Drop for Held<'_, P> {
    #[inline(always)]
    fn drop(&mut self) {
        lock::give_back(&self.line.lock, self.platform);
    }
}

impl<S: Storage, P: Platform> Engine<S, P> {
    /// The queue of `capacity` items whose words `platform` shares.
    pub(crate) fn new(storage: S, platform: P, capacity: u32) -> Self {
        Self {
            storage,
            platform,
            capacity,
        }
    }

    /// What it works with.
    pub(crate) fn platform(&self) -> &P {
        &self.platform
    }

    /// Where its bytes lie.
    pub(crate) fn storage(&self) -> &S {
        &self.storage
    }

    /// How many items it takes.
    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    #[inline(always)]
    pub(crate) fn control(&self) -> &Control {
        self.platform.control()
    }

    // Locks.

    #[inline(always)]
    pub(crate) fn lock(&self, end: End) -> Result<Held<'_, P>, Failure> {
        let held = self.lock_within(end, Tries::Endless)?;
        Ok(held.expect(ENDLESS))
    }

    /// [`lock`](Self::lock), with so many tries: `None` if they were too few.
    #[inline(always)]
    pub(crate) fn lock_within(
        &self,
        end: End,
        tries: Tries,
    ) -> Result<Option<Held<'_, P>>, Failure> {
        let line = self.control().line(end);
        let taken = lock::take(&line.lock, &self.platform, tries);
        // Relaxed: written under this lock, or the other end's and this one.
        if taken == Taken::Free && line.torn.load(Ordering::Relaxed) == 0 {
            return Ok(Some(Held {
                line,
                platform: &self.platform,
            }));
        }
        self.lock_torn(line, end, taken, tries)
    }

    #[cold]
    fn lock_torn(
        &self,
        line: &Line,
        end: End,
        taken: Taken,
        tries: Tries,
    ) -> Result<Option<Held<'_, P>>, Failure> {
        match taken {
            Taken::Busy => return Ok(None),
            Taken::Refused => {
                // Says why; or it can by now.
                self.platform.enter()?;
                return self.lock_within(end, tries);
            }
            Taken::Free | Taken::FromDead => {}
        }
        if taken == Taken::FromDead {
            line.torn.store(1, Ordering::Relaxed);
        }
        lock::give_back(&line.lock, &self.platform);
        let both = self.lock_both_within(tries)?;
        Ok(both.map(|(tail, head)| match end {
            End::Tail => tail,
            End::Head => head,
        }))
    }

    /// Both locks, and nothing torn, with so many tries for each: `None` if they were too few.
    pub(crate) fn lock_both_within(&self, tries: Tries) -> Result<Option<Both<'_, P>>, Failure> {
        self.platform.enter()?;
        let take = |end| {
            let line = self.control().line(end);
            match lock::take(&line.lock, &self.platform, tries) {
                Taken::Busy => return None,
                Taken::FromDead => line.torn.store(1, Ordering::Relaxed),
                Taken::Free | Taken::Refused => {}
            }
            Some(Held {
                line,
                platform: &self.platform,
            })
        };
        let Some(tail) = take(End::Tail) else {
            return Ok(None);
        };
        let Some(head) = take(End::Head) else {
            // Whether the tail is torn is remembered there.
            return Ok(None);
        };
        let torn = |held: &Held<'_, P>| held.line.torn.load(Ordering::Relaxed) != 0;
        if torn(&tail) || torn(&head) {
            self.storage.repair(self.control())?;
            // The dead may have owed somebody a wake.
            for (end, held) in [(End::Tail, &tail), (End::Head, &head)] {
                self.prepare_wake(end, held.line, true);
                self.platform.wake(&held.line.moved, u32::MAX);
                held.line.torn.store(0, Ordering::Relaxed);
            }
        }
        Ok(Some((tail, head)))
    }

    /// Repairs what somebody left who died with a lock in its hands: for those who wait, and
    /// would not be told if nobody else came to that lock, and for who counts. With so many tries
    /// for the locks.
    pub(crate) fn recover(&self, tries: Tries) {
        let is_left = |end| {
            let line = self.control().line(end);
            // Acquire: pairs with the Release of the exchange that wrote the name. Relaxed: who is
            // about to repair it has the locks, for which the repair waits.
            let holder = line.lock.load(Ordering::Acquire);
            line.torn.load(Ordering::Relaxed) != 0 || holder != 0 && !self.platform.is_alive(holder)
        };
        if is_left(End::Tail) || is_left(End::Head) {
            // A failure: whoever tries meets it.
            let _ = self.lock_both_within(tries);
        }
    }

    // Moving the ends.

    /// Pushes `bytes`.
    ///
    /// # Errors
    /// [`Refusal`].
    // Once for all types of items, and the verbs around it are then small enough to be
    // made one.
    #[inline(never)]
    pub(crate) fn push(&self, bytes: &[u8]) -> Result<(), Refusal> {
        let item = Item::new(bytes);
        let held = self.lock(End::Tail)?;
        let (tail, mut head) = self.before_push(&held, 1)?;
        match self.storage.write(self.control(), tail, &mut head, item)? {
            Some(position) => self.move_end(End::Tail, held, tail.advanced(1, position)),
            None => return Err(no_room()),
        }
        Ok(())
    }

    /// Pushes as many of `frames`, from the first, as there are places: how many.
    ///
    /// # Errors
    /// [`Refusal`], if there was no place for the first.
    pub(crate) fn push_many(&self, frames: &Frames) -> Result<usize, Refusal> {
        let held = self.lock(End::Tail)?;
        let wanted = u32::try_from(frames.len()).unwrap_or(MOST);
        let (tail, mut head) = self.before_push(&held, wanted)?;
        let most = self.places(tail, head.mark).min(wanted);
        match self
            .storage
            .write_many(self.control(), tail, &mut head, frames, most)?
        {
            (0, _) => Err(no_room()),
            (items, position) => {
                self.move_end(End::Tail, held, tail.advanced(items, position));
                Ok(items as usize)
            }
        }
    }

    /// About for how many of `wanted` items there are places: for one, if for none.
    #[inline]
    pub(crate) fn places_for(&self, wanted: usize) -> usize {
        // Relaxed, all: a number, no more; who pushes looks again, under the lock. What was
        // seen of the head the last time does if it is enough.
        let line = self.control().line(End::Tail);
        let seen = Mark::from_word(line.seen.load(Ordering::Relaxed));
        let places = self.places(line.mark(Ordering::Relaxed), seen) as usize;
        if places >= wanted {
            return wanted;
        }
        self.capacity.saturating_sub(self.len()).max(1) as usize
    }

    /// Where the ends are, if there is a place; looks at the head itself if the last
    /// look would not do for `wanted`.
    #[inline(always)]
    fn before_push<'a>(
        &'a self,
        held: &Held<'a, P>,
        wanted: u32,
    ) -> Result<(Mark, Opposite<'a>), Refusal> {
        // Relaxed: set under this lock.
        if self.control().closed.load(Ordering::Relaxed) != 0 {
            return Err(Refusal::Closed);
        }
        let (tail, mut head) = self.ends(End::Tail, held);
        if self.places(tail, head.mark) < wanted {
            head.look();
            if self.places(tail, head.mark) == 0 {
                return Err(Refusal::NotNow);
            }
        }
        Ok((tail, head))
    }

    pub(crate) fn places(&self, tail: Mark, head: Mark) -> u32 {
        self.capacity.saturating_sub(head.items_until(tail))
    }

    /// The end whose lock is held, and the other one as of the last look.
    #[inline(always)]
    fn ends<'a>(&'a self, end: End, held: &Held<'a, P>) -> (Mark, Opposite<'a>) {
        // Relaxed, both: written under this lock.
        let seen = Mark::from_word(held.line.seen.load(Ordering::Relaxed));
        let other = self.control().line(end.other());
        let opposite = Opposite {
            mark: seen,
            fresh: false,
            line: held.line,
            other,
        };
        (held.line.mark(Ordering::Relaxed), opposite)
    }

    /// Appends the bytes of the oldest item to `into`, and pops it.
    ///
    /// # Errors
    /// [`Refusal`].
    #[inline(never)] // As `push`.
    pub(crate) fn pop(&self, into: &mut Vec<u8>) -> Result<(), Refusal> {
        let held = self.lock(End::Head)?;
        let (head, tail) = self.before_pop(&held, 1)?;
        let is_last = tail.fresh && head.items_until(tail.mark) == 1;
        let tail = tail.mark;
        let position = if is_last && self.storage.read_latest(self.control(), tail, into) {
            tail.position
        } else {
            self.storage.read(self.control(), head, tail, into)?
        };
        let head = head.advanced(1, position);
        self.move_end(End::Head, held, head);
        self.after_pop(head, tail);
        Ok(())
    }

    /// Pops up to `max` of the oldest items, at least one.
    ///
    /// # Errors
    /// [`Refusal`], if there was none.
    pub(crate) fn pop_many(&self, max: u32, into: &mut Frames) -> Result<(), Refusal> {
        let held = self.lock(End::Head)?;
        let (head, tail) = self.before_pop(&held, max)?;
        let tail = tail.mark;
        let max = max.min(head.items_until(tail)).min(MOST_AT_ONCE);
        let (items, position) = self
            .storage
            .read_many(self.control(), head, tail, max, into)?;
        let head = head.advanced(items, position);
        self.move_end(End::Head, held, head);
        self.after_pop(head, tail);
        Ok(())
    }

    /// Where the ends are, if there is an item; looks at the tail itself if the
    /// last look would not do for `wanted`.
    #[inline(always)]
    fn before_pop<'a>(
        &'a self,
        held: &Held<'a, P>,
        wanted: u32,
    ) -> Result<(Mark, Opposite<'a>), Refusal> {
        let (head, mut tail) = self.ends(End::Head, held);
        if head.items_until(tail.mark) < wanted {
            tail.look();
            if head.count == tail.mark.count {
                // Relaxed: set under both locks. If it is seen under this one, then all
                // pushes had ended, and the look at the tail was the last one needed.
                return Err(match self.control().closed.load(Ordering::Relaxed) {
                    0 => Refusal::NotNow,
                    _ => Refusal::Closed,
                });
            }
        }
        Ok((head, tail))
    }

    /// Publishes where `end` now is, gives its lock back, and wakes who waits for it.
    #[inline(always)]
    fn move_end(&self, end: End, held: Held<'_, P>, mark: Mark) {
        let line = held.line;
        let wake = self.prepare_wake(end, line, false);
        // Release: pairs with the Acquire in `Opposite::look`.
        line.shown.mark.store(mark.word(), Ordering::Release);
        drop(held);
        if wake {
            // After the lock is given back, so that the woken finds it free. If we die
            // just before, their net catches them.
            self.platform.wake(&line.moved, 1);
        }
    }

    /// Under the lock of `end`: rings if futures listen, and says whether a sleeper is
    /// to be woken. All is in place for that before the end moves.
    #[inline(always)]
    pub(crate) fn prepare_wake(&self, end: End, line: &Line, always: bool) -> bool {
        // Relaxed, all four words: under this lock only. The kernel orders `moved` for
        // those who go to sleep.
        if line.armed.load(Ordering::Relaxed) != 0 {
            self.platform.ring(end);
            line.armed.store(0, Ordering::Relaxed);
        }
        let wake = always || line.waiting.load(Ordering::Relaxed) != 0;
        if wake {
            line.waiting.store(0, Ordering::Relaxed);
            let moved = line.moved.load(Ordering::Relaxed);
            line.moved.store(moved.wrapping_add(1), Ordering::Relaxed);
        }
        wake
    }

    #[inline(always)]
    fn after_pop(&self, head: Mark, tail: Mark) {
        // Relaxed: a hint.
        if head.count == tail.count && self.control().bulky.load(Ordering::Relaxed) != 0 {
            self.tidy(Tries::Endless);
        }
    }

    /// Gives memory back if that is due. To be called when the queue looks empty, and now
    /// and then while it stays so. With so many tries for the locks.
    #[cold]
    #[allow(clippy::absurd_extreme_comparisons)] // In models it is always due.
    pub(crate) fn tidy(&self, tries: Tries) {
        let (bulky, now) = (&self.control().bulky, self.platform.now());
        // Relaxed, both: hints. At worst memory is given back earlier or later.
        match bulky.load(Ordering::Relaxed) {
            bulky::AT_ONCE => self.trim(tries),
            bulky::LATER if bulky::CALM > 0 => bulky.store(now.max(3), Ordering::Relaxed),
            since if since != 0 && now.wrapping_sub(since) >= bulky::CALM => self.trim(tries),
            _ => {}
        }
    }

    fn trim(&self, tries: Tries) {
        if let Ok(Some((tail, head))) = self.lock_both_within(tries) {
            let count = |held: &Held<'_, P>| held.line.mark(Ordering::Relaxed).count;
            if count(&tail) == count(&head) {
                self.storage.trim(self.control());
            }
        }
    }
}

/// There is no room in the storage even though there are places.
#[cold]
fn no_room() -> Refusal {
    let message = "the items inside take all the memory that this queue may use";
    Failure::new(FailureKind::TooLarge, message).into()
}
