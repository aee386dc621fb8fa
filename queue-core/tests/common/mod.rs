//! A correct queue, the same queue broken in many ways, and an item that can fail.

#![allow(dead_code, unused_imports)] // Each test file uses what it needs.

mod fails;
mod faults;
mod simple;
mod waiter;

pub(crate) use fails::*;
pub(crate) use faults::*;
pub(crate) use simple::*;
pub(crate) use waiter::*;

use queue_core::contract::Item;

/// An item whose serialization can fail, or panic.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    number: u64,
    bad: bool,
    panicking: bool,
}

impl Job {
    pub(crate) fn bad() -> Self {
        Self {
            bad: true,
            ..Self::new(99)
        }
    }

    pub(crate) fn panicking() -> Self {
        Self {
            panicking: true,
            ..Self::new(98)
        }
    }
}

impl Item for Job {
    fn new(number: u64) -> Self {
        Self {
            number,
            bad: false,
            panicking: false,
        }
    }
    fn number(&self) -> u64 {
        self.number
    }
}

impl Sample for Job {
    fn touch(&self) {
        if self.panicking {
            std::panic::resume_unwind(Box::new("an item panicked as it was pushed"));
        }
    }
    fn is_bad(&self) -> bool {
        self.bad
    }
}
