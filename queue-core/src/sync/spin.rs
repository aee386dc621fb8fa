//! Waiting a moment without sleeping.
//!
//! Waking a sleeper costs tens of microseconds, an item often comes within one. So a
//! waiter looks a few times before it sleeps, and learns from whether that paid: a
//! thread whose looking was in vain looks less the next time. In all it stays far
//! below the millisecond after which a waiter must use no processor time.

use super::{Deadline, thread};
#[cfg(not(loom))]
use std::cell::Cell;

/// Pauses that grow: processor pauses, then yields, then short sleeps.
#[derive(Debug)]
pub(crate) struct Patience(u32);

impl Patience {
    const PAUSES: u32 = 6;
    const YIELDS: u32 = 32;

    pub(crate) fn new() -> Self {
        Self(0)
    }

    #[cfg(not(loom))]
    pub(crate) fn pause(&mut self) {
        if self.0 < Self::PAUSES {
            (0..1 << self.0).for_each(|_| std::hint::spin_loop());
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
/// the moment or the deadline is over and sleeping is better.
#[cfg(not(loom))]
pub fn until(deadline: Deadline, ready: impl Fn() -> bool) -> bool {
    thread_local! {
        /// How often of late this thread's looking was in vain, 0 to `VAIN`.
        static IN_VAIN: Cell<u32> = const { Cell::new(0) };
    }
    const VAIN: u32 = 6;
    let vain = IN_VAIN.get();
    for round in 0..7 {
        for _ in 0..1u32 << round {
            std::hint::spin_loop();
        }
        if ready() {
            return true;
        }
    }
    for _ in 0..48u32 >> vain {
        if deadline.has_passed() {
            return false;
        }
        thread::yield_now();
        if ready() {
            IN_VAIN.set(vain.saturating_sub(1));
            return true;
        }
    }
    IN_VAIN.set((vain + 1).min(VAIN));
    false
}

/// Under loom nobody spins: the model goes straight to sleep.
#[cfg(loom)]
pub fn until(_: Deadline, _: impl Fn() -> bool) -> bool {
    false
}
