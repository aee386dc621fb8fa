//! The steps of a modelled process, before any of which it can die.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

loom::thread_local! {
    /// How many steps this process has still to live.
    static STEPS: Cell<usize> = Cell::new(usize::MAX);
    static DEAD: Cell<bool> = Cell::new(false);
}

/// What unwinds a process that dies.
struct Death;

/// One access to shared memory, or system call: false if the process is dead.
pub(crate) fn step() -> bool {
    if is_dead() {
        return false;
    }
    let left = STEPS.with(Cell::get);
    if left == 0 {
        DEAD.with(|dead| dead.set(true));
        resume_unwind(Box::new(Death));
    }
    if left != usize::MAX {
        STEPS.with(|steps| steps.set(left - 1));
    }
    true
}

/// Whether this process is dead: its stack unwinds.
pub(crate) fn is_dead() -> bool {
    DEAD.with(Cell::get)
}

/// Runs `life` as a process that dies before its step number `steps`, unless it is done by
/// then: what `life` returns, or `None` if it died.
pub(crate) fn live<R>(steps: usize, life: impl FnOnce() -> R) -> Option<R> {
    STEPS.with(|left| left.set(steps));
    match catch_unwind(AssertUnwindSafe(life)) {
        Ok(result) => {
            STEPS.with(|left| left.set(usize::MAX));
            Some(result)
        }
        Err(cause) if cause.is::<Death>() => None,
        Err(cause) => resume_unwind(cause),
    }
}
