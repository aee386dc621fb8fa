//! Waiting a moment without sleeping.
//!
//! Waking a sleeper costs tens of microseconds, an item often comes within one. So a
//! waiter looks a few times before it sleeps, and learns from whether that paid: a
//! thread whose looking was in vain looks less the next time. In all it stays far
//! below the millisecond after which a waiter must use no processor time.

use super::{Deadline, thread};
#[cfg(not(loom))]
use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// Pauses that grow: processor pauses, then yields, then short sleeps.
///
/// Even the first is as long as dozens of uncontended operations: whoever has the lock
/// in its cache gets a run of them done, which is less work for all than to take turns
/// at every one.
#[derive(Debug)]
pub(crate) struct Patience(u32);

impl Patience {
    const PAUSES: u32 = 4;
    const YIELDS: u32 = 32;

    pub(crate) fn new() -> Self {
        Self(0)
    }

    #[cfg(not(loom))]
    pub(crate) fn pause(&mut self) {
        if self.0 < Self::PAUSES {
            pause(32 << self.0);
        } else if self.0 < Self::YIELDS {
            thread::yield_now();
        } else {
            let slice = 50 << (self.0 - Self::YIELDS).min(4);
            thread::sleep(std::time::Duration::from_micros(slice));
        }
        self.0 = self.0.saturating_add(1);
    }

    #[cfg(loom)]
    pub(crate) fn pause(&mut self) {
        let _ = (Self::PAUSES, Self::YIELDS, self.0);
        thread::yield_now();
    }
}

/// Looks at `ready` again and again for a moment: true as soon as it is, false when
/// the moment or the deadline is over and sleeping is better; at once, without a look, for a
/// deadline [at once](Deadline::AT_ONCE).
pub fn until(deadline: Deadline, ready: impl Fn() -> bool) -> bool {
    until_some(deadline, 1, || usize::from(ready()))
}

/// How many items, or slots, of a queue of `capacity` are [worth waiting for](until_some).
#[must_use]
pub fn burst(capacity: Option<usize>) -> usize {
    capacity.map_or(256, |capacity| (capacity / 4).clamp(64, 256))
}

/// As [`until`], for whoever can tell how much there is: true when `look` says that
/// there is something, perhaps a little later, when there is more of it, up to `enough`. Two
/// threads that pass each other single items at full speed spend their time on passing; a
/// burst costs them no more than an item.
#[cfg(not(loom))]
pub fn until_some(deadline: Deadline, enough: usize, look: impl Fn() -> usize) -> bool {
    if deadline == Deadline::AT_ONCE {
        return false;
    }
    thread_local! {
        static HABIT: Cell<Habit> = const { Cell::new(Habit { in_vain: 0, skip: 0, crowded: 0 }) };
    }
    let mut habit = HABIT.get();
    let found = habit.spin(deadline, enough, &look);
    HABIT.set(habit);
    found
}

/// Under loom nobody spins: the model goes straight to sleep.
#[cfg(loom)]
pub fn until_some(_: Deadline, _: usize, _: impl Fn() -> usize) -> bool {
    false
}

/// What a thread has learnt from its latest waits.
#[cfg(not(loom))]
#[derive(Clone, Copy)]
struct Habit {
    /// How many waits in a row ended in sleep.
    in_vain: u32,
    /// How many times not to linger, because lingering brought nothing.
    skip: u32,
    /// How often of late a pause brought nothing and making room for others did: they
    /// share this thread's core, and every pause only keeps them from their work.
    crowded: u32,
}

#[cfg(not(loom))]
impl Habit {
    /// About what falling asleep and being woken costs: to look around for longer
    /// would never pay, to look around for as long costs at most twice the best.
    const WORTH: Duration = Duration::from_micros(50);
    /// A turn of looking counts for at most this: what took longer was another
    /// thread's work, that this one made room for.
    const TURN: Duration = Duration::from_micros(1);
    /// And in all not longer than this, however the time was spent.
    const LONGEST: Duration = Duration::from_micros(400);

    fn spin(&mut self, deadline: Deadline, enough: usize, look: &impl Fn() -> usize) -> bool {
        let mut pauses: u32 = if self.crowded < 4 { 64 } else { 4 };
        let mut next = 1;
        while pauses > 0 {
            pause(next);
            pauses = pauses.saturating_sub(next);
            // No longer at once: what comes is to be seen soon.
            next = (2 * next).min(4);
            let found = look();
            if found != 0 {
                self.in_vain = 0;
                self.crowded /= 2;
                self.linger(found, enough, look);
                return true;
            }
        }
        // Who has slept again and again is idle, and looks around for less and less.
        let worth = Self::WORTH / (1 << (self.in_vain / 4).min(5));
        let mut spent = Duration::ZERO;
        let begun = Instant::now();
        let mut now = begun;
        while spent < worth
            && now - begun < Self::LONGEST
            && deadline.instant().is_none_or(|at| now < at)
        {
            thread::yield_now();
            if look() != 0 {
                self.in_vain = 0;
                self.crowded = (self.crowded + 1) % 32;
                return true;
            }
            let turn = Instant::now() - now;
            spent += turn.min(Self::TURN);
            now += turn;
        }
        self.in_vain = self.in_vain.saturating_add(1);
        false
    }

    /// Waits for more as long as more keeps coming.
    fn linger(&mut self, mut found: usize, enough: usize, look: &impl Fn() -> usize) {
        if found >= enough {
            return;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        // The first pause is long enough for an item to come even while this thread's
        // looking slows the others down: a look takes a cache line from them, which costs
        // them up to half a microsecond where cores lie far apart.
        const FIRST: u32 = 5;
        // Each is twice as long as the one before. The long ones are for bursts alone: where
        // not even so many would come, what is there should not wait for them.
        const LONG: u32 = FIRST + 3;
        const END: u32 = LONG + 2;
        const BURST: usize = 64;
        for round in FIRST..END {
            pause(1 << round);
            let more = look();
            if more >= enough {
                return;
            }
            let gained = more.saturating_sub(found);
            if gained == 0 {
                self.skip = if round == FIRST { 31 } else { 0 };
                return;
            }
            let to_come = gained * ((1 << (END - round)) - 2);
            if round + 1 >= LONG && more + to_come < BURST {
                return;
            }
            found = more;
        }
    }
}

#[cfg(not(loom))]
fn pause(times: u32) {
    (0..times).for_each(|_| std::hint::spin_loop());
}
