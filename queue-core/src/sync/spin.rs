//! Waiting for a moment without sleeping.
//!
//! To wake a sleeper costs tens of microseconds, and an item often comes within one. So a waiter
//! checks a few times before it sleeps. It learns from whether that paid: a thread that spun in
//! vain spins for less the next time. In all it stays far below the millisecond after which a
//! waiter must use no processor time.

use super::{Deadline, thread};
use crate::Side;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Pauses that grow: processor pauses, then yields, then short sleeps.
///
/// Even the first pause is as long as dozens of uncontended operations. So the thread that has the
/// lock in its cache completes several of them, which is less work for all than to take turns at
/// each one.
#[derive(Debug)]
pub(crate) struct Backoff(u32);

impl Backoff {
    const PAUSES: u32 = 4;
    const YIELDS: u32 = 32;

    pub(crate) fn new() -> Self {
        Self(0)
    }

    pub(crate) fn pause(&mut self) {
        if self.0 < Self::PAUSES && !cfg!(loom) {
            pause(32 << self.0);
        } else if self.0 < Self::YIELDS || cfg!(loom) {
            thread::yield_now();
        } else {
            let slice = 50 << (self.0 - Self::YIELDS).min(4);
            std::thread::sleep(Duration::from_micros(slice));
        }
        self.0 = self.0.saturating_add(1);
    }
}

/// Checks `ready` again and again for a moment. Returns true as soon as it is true, and false when
/// the moment or the deadline is over and sleeping is better. With a deadline
/// [at once](Deadline::AT_ONCE) it returns false without a check.
pub fn until(deadline: Deadline, ready: impl Fn() -> bool) -> bool {
    until_some(deadline, 1, || usize::from(ready()))
}

/// How many items, or slots, of a queue of `capacity` are worth waiting for: the target of
/// [`until_some`]. At most half of them, so that the other side goes on meanwhile.
#[must_use]
pub fn batch_target(capacity: Option<usize>) -> usize {
    capacity.map_or(256, |capacity| {
        (capacity / 4).clamp(64, 256).min((capacity / 2).max(1))
    })
}

/// As [`until`], for a caller that can tell how much there is. Returns true when `hint` is not
/// zero, perhaps a little later if more keeps coming, up to `target`.
///
/// Two threads that pass each other single items at full speed spend their time on the passing. A
/// batch costs them no more than an item.
///
/// Under loom no thread spins: the model goes straight to sleep.
pub fn until_some(deadline: Deadline, target: usize, hint: impl Fn() -> usize) -> bool {
    if cfg!(loom) || deadline == Deadline::AT_ONCE {
        return false;
    }
    let mut spin = SPIN.get();
    let found = spin.spin(deadline, target, &hint);
    SPIN.set(spin);
    found
}

/// As [`until_some`], for a task, which must not keep its thread from other tasks: for a few microseconds,
/// some tens if more keeps coming, and seldom where that brings nothing.
pub fn briefly_until_some(target: usize, hint: impl Fn() -> usize) -> bool {
    // A task that this thread has woken may need this very thread to run. And where single items change
    // hands, to wait costs a task less than to take the queue's memory from the other side.
    if cfg!(loom) || WOKE.replace(false) || target == 1 {
        return false;
    }
    let mut spin = TASK_SPIN.get();
    let found = spin.spin(target, &hint);
    TASK_SPIN.set(spin);
    found
}

/// Says that this thread is about to wake somebody, who may be a task.
pub(crate) fn note_wake() {
    // A thread that is ending looks for nothing.
    let _ = WOKE.try_with(|woke| woke.set(true));
}

std::thread_local! {
    static SPIN: Cell<ThreadSpin> = const { Cell::new(ThreadSpin::NEW) };
    static TASK_SPIN: Cell<TaskSpin> = const { Cell::new(TaskSpin::NEW) };
    /// Whether this thread has woken somebody since a task on it looked.
    static WOKE: Cell<bool> = const { Cell::new(false) };
    /// Whether the latest push of this thread had to wait for a single slot, and got it without sleep.
    static PUSH_WAITED: Cell<bool> = const { Cell::new(false) };
    /// The same of its latest pop.
    static POP_WAITED: Cell<bool> = const { Cell::new(false) };
}

#[inline(always)]
fn waited(side: Side) -> &'static std::thread::LocalKey<Cell<bool>> {
    match side {
        Side::Producers => &PUSH_WAITED,
        Side::Consumers => &POP_WAITED,
    }
}

/// Whether this thread had to wait for a single item, or slot, the last time, and got it without sleep:
/// then it will have to wait for the next one, too. A model tries first.
#[inline(always)]
pub(crate) fn has_waited(side: Side) -> bool {
    !cfg!(loom) && waited(side).get()
}

pub(crate) fn set_waited(side: Side, has_waited: bool) {
    waited(side).set(has_waited);
}

/// What a thread has learned from its latest waits.
#[derive(Clone, Copy)]
struct ThreadSpin {
    /// How many waits in a row ended in sleep.
    misses: u32,
    /// How often of late a pause brought nothing and a yield did. Then other threads share this
    /// thread's core, and every pause only keeps them from their work.
    contended: u32,
    batches: Batches,
}

impl ThreadSpin {
    /// About what falling asleep and being woken costs. Spinning for longer never pays; spinning
    /// for as long costs at most twice the best.
    const WORTH: Duration = Duration::from_micros(50);
    /// One check counts for at most this. What took longer was the work of another thread, to which
    /// this one yielded.
    const TURN: Duration = Duration::from_micros(1);
    /// It spins for no longer than this in all, however the time was spent.
    const LONGEST: Duration = Duration::from_micros(400);
    /// So many contended waits, and it sleeps: a thread that wakes is given a core that is idle, and one
    /// that yields never is.
    const MOVE: u32 = 32;

    const NEW: Self = Self {
        misses: 0,
        contended: 0,
        batches: Batches::NEW,
    };

    fn spin(&mut self, deadline: Deadline, target: usize, hint: &impl Fn() -> usize) -> bool {
        if self.contended == Self::MOVE {
            self.contended = 0;
            return false;
        }
        let pauses = if self.contended < 4 { 64 } else { 4 };
        if self.batches.pause_until_some(pauses, target, hint) {
            self.misses = 0;
            self.contended /= 2;
            return true;
        }
        // A thread that slept several times in a row is idle, and spins for less and less.
        let worth = Self::WORTH / (1 << (self.misses / 4).min(5));
        let mut spent = Duration::ZERO;
        let begun = Instant::now();
        let mut now = begun;
        while spent < worth
            && now - begun < Self::LONGEST
            && deadline.instant().is_none_or(|at| now < at)
        {
            thread::yield_now();
            if hint() != 0 {
                self.misses = 0;
                self.contended += 1;
                return true;
            }
            let turn = Instant::now() - now;
            spent += turn.min(Self::TURN);
            now += turn;
        }
        self.misses = self.misses.saturating_add(1);
        false
    }
}

/// What the tasks on a thread have learned from their latest waits.
#[derive(Clone, Copy)]
struct TaskSpin {
    /// How many looks in a row brought nothing.
    misses: u32,
    /// How many times to wait without a look, because several in a row brought nothing.
    rests: u32,
    batches: Batches,
}

impl TaskSpin {
    /// So many pauses: some three microseconds.
    const PAUSES: u32 = 128;

    const NEW: Self = Self {
        misses: 0,
        rests: 0,
        batches: Batches::NEW,
    };

    fn spin(&mut self, target: usize, hint: &impl Fn() -> usize) -> bool {
        if self.rests > 0 {
            self.rests -= 1;
            return false;
        }
        if self.batches.pause_until_some(Self::PAUSES, target, hint) {
            self.misses = 0;
            return true;
        }
        self.misses = self.misses.saturating_add(1);
        if self.misses >= 4 {
            self.rests = 32;
        }
        false
    }
}

/// How to wait for a batch.
#[derive(Clone, Copy)]
struct Batches {
    /// How many times not to wait for one, because waiting for one brought nothing.
    skips: u32,
}

impl Batches {
    const NEW: Self = Self { skips: 0 };

    /// Waits for so many pauses until there is something, and then for more. Returns false if there is
    /// nothing.
    fn pause_until_some(
        &mut self,
        mut pauses: u32,
        target: usize,
        hint: &impl Fn() -> usize,
    ) -> bool {
        let mut next = 1;
        while pauses > 0 {
            pause(next);
            pauses = pauses.saturating_sub(next);
            // Short pauses, so that an item is seen soon.
            next = (2 * next).min(4);
            let found = hint();
            if found != 0 {
                self.await_batch(found, target, hint);
                return true;
            }
        }
        false
    }

    /// Waits for more as long as more keeps coming, until there are `target`.
    fn await_batch(&mut self, mut found: usize, target: usize, hint: &impl Fn() -> usize) {
        if found >= target {
            return;
        }
        if self.skips > 0 {
            self.skips -= 1;
            return;
        }
        // The first pause is long enough for an item to come, although each check slows the other
        // side down: it takes a cache line from it, which costs up to half a microsecond where
        // cores are far apart.
        const FIRST: u32 = 5;
        // Each pause is twice as long as the one before. The long ones are for large batches alone:
        // if fewer items would come, those that are there should not wait for them.
        const LONG: u32 = FIRST + 3;
        const END: u32 = LONG + 2;
        const BATCH: usize = 64;
        for round in FIRST..END {
            pause(1 << round);
            let more = hint();
            if more >= target {
                return;
            }
            let gained = more.saturating_sub(found);
            if gained == 0 {
                self.skips = if round == FIRST { 31 } else { 0 };
                return;
            }
            // If each pause that is left gains as much for its length as this one did.
            let to_come = gained * ((1 << (END - round)) - 2);
            if round + 1 >= LONG && more + to_come < BATCH {
                return;
            }
            found = more;
        }
    }
}

fn pause(times: u32) {
    (0..times).for_each(|_| std::hint::spin_loop());
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_batch_leaves_half_of_the_queue_to_the_other_side() {
        let targets = [1, 2, 64, 1024, 1 << 20].map(|capacity| batch_target(Some(capacity)));
        assert_eq!(targets, [1, 1, 32, 256, 256]);
        assert_eq!(batch_target(None), 256);
    }

    /// For it may share its core with whom it waits for, while another is idle.
    #[test]
    fn a_thread_that_finds_things_by_yielding_alone_sleeps_now_and_then() {
        // What only the first yield finds: so many looks come before it.
        let yielded = |looks: u32| {
            let left = Cell::new(looks);
            move || match left.get() {
                0 => 1,
                n => {
                    left.set(n - 1);
                    0
                }
            }
        };
        let mut spin = ThreadSpin::NEW;
        for _ in 0..2 {
            for wait in 0..32 {
                let looks = if wait < 4 { 18 } else { 3 };
                assert!(spin.spin(Deadline::NEVER, 1, &yielded(looks)), "{wait}");
            }
            assert!(!spin.spin(Deadline::NEVER, 1, &|| 1), "it sleeps");
        }
        assert!(spin.spin(Deadline::NEVER, 1, &|| 1));
    }

    #[test]
    fn that_a_pop_had_to_wait_says_nothing_of_the_next_push() {
        set_waited(Side::Consumers, true);
        let both = || [Side::Producers, Side::Consumers].map(has_waited);
        assert_eq!(both(), [false, true]);
        set_waited(Side::Consumers, false);
        assert_eq!(both(), [false, false]);
    }

    #[test]
    fn a_task_looks_seldom_in_vain_and_not_at_all_where_it_has_woken_another() {
        let looks = Cell::new(0);
        let looks_of = |target, there_is| {
            let before = looks.get();
            let found = briefly_until_some(target, || {
                looks.set(looks.get() + 1);
                there_is
            });
            assert!(!found || there_is != 0);
            looks.get() - before
        };
        let tries: Vec<_> = (0..40).map(|_| looks_of(2, 0) != 0).collect();
        let expected = |number| matches!(number, 0..4 | 36);
        assert_eq!(tries, (0..40).map(expected).collect::<Vec<_>>());
        while looks_of(2, 2) == 0 {}
        assert!(
            (0..4).all(|_| looks_of(2, 0) != 0),
            "it has found something"
        );
        while looks_of(2, 2) == 0 {}
        note_wake();
        assert_eq!([looks_of(2, 2), looks_of(2, 2), looks_of(1, 1)], [0, 1, 0]);
    }

    #[test]
    fn who_waits_for_a_batch_that_never_comes_goes_on_with_one() {
        assert!(until_some(Deadline::NEVER, 256, || 1));
        assert!(!until_some(Deadline::AT_ONCE, 1, || 1));
    }
}
