//! The system around a modelled process.

use super::bed::{Bed, Queue, newest};
use super::{DEAD, MOURNED, World, step};
use crate::shared::layout::{Control, End};
use crate::shared::platform::Platform;
use crate::shared::word::Word32;
use loom::sync::atomic::Ordering;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

/// The kernel, as process `me` sees it.
#[derive(Debug)]
pub(super) struct System {
    pub(super) world: Arc<World>,
    pub(super) me: usize,
}

impl System {
    fn futex(&self, word: &Word32) -> &Bed {
        let tail = std::ptr::eq(word, &raw const *self.world.control.line(End::Tail).moved);
        &self.world.futexes[usize::from(!tail)]
    }

    fn lock(&self, word: &Word32) -> &Queue {
        let tail = std::ptr::eq(word, &raw const self.world.control.line(End::Tail).lock);
        &self.world.locks[usize::from(!tail)]
    }

    pub(super) fn bell(&self, end: End) -> &Bed {
        &self.world.bells[usize::from(end == End::Head)]
    }
}

impl Platform for System {
    fn control(&self) -> &Control {
        &self.world.control
    }

    fn me(&self) -> u32 {
        self.me as u32 + 1
    }

    fn is_alive(&self, owner: u32) -> bool {
        // Acquire: pairs with the Release in `bury`.
        self.world.alive[owner as usize - 1].load(Ordering::Acquire)
    }

    fn pause(&self, _: u32, word: &Word32, holder: u32) {
        if !step() {
            return;
        }
        self.lock(word)
            .pause(word, holder, |holder| self.is_alive(holder));
    }

    fn given_back(&self, word: &Word32) {
        // The dead tell nobody: that is for the kernel to do.
        if !DEAD.with(Cell::get) {
            self.lock(word).given_back();
        }
    }

    fn now(&self) -> u32 {
        // In models it is time for everything.
        0
    }

    fn sleep(&self, word: &Word32, seen: u32, _: Duration) -> bool {
        if !step() {
            return false;
        }
        let futex = self.futex(word);
        let bed = futex.rung.lock().expect("nobody panics in bed");
        let deaths = self.world.deaths.load(Ordering::Acquire);
        if MOURNED.with(|mourned| mourned.replace(deaths)) != deaths {
            return true;
        }
        // The kernel looks under its lock.
        if newest(word) == seen {
            drop(futex.bell.wait(bed));
        }
        false
    }

    fn wake(&self, word: &Word32, sleepers: u32) {
        if !step() {
            return;
        }
        let futex = self.futex(word);
        let _bed = futex.rung.lock().expect("nobody panics in bed");
        if sleepers == 1 {
            futex.bell.notify_one();
        } else {
            futex.bell.notify_all();
        }
    }

    fn ring(&self, end: End) {
        if step() {
            *self.bell(end).rung.lock().expect("nobody panics in bed") = true;
            self.bell(end).bell.notify_all();
        }
    }

    fn silence(&self, end: End) {
        if step() {
            *self.bell(end).rung.lock().expect("nobody panics in bed") = false;
        }
    }
}
