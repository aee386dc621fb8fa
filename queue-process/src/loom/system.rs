//! The system around a modelled process.

use super::wait_list::{Eventfd, Futex, LockQueue, newest, newest_of};
use super::{DEATHS_SEEN, Simulation};
use crate::linux::engine::Platform;
use crate::linux::engine::control::{Control, End};
use crate::linux::lease::bytes::LeaseMemory;
use crate::sys::Word32;
use crate::sys::steps::{is_dead, step};
use loom::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::time::Duration;

/// The kernel, as process `me` sees it.
#[derive(Debug)]
pub(super) struct System {
    pub(super) simulation: Arc<Simulation>,
    pub(super) me: usize,
}

impl System {
    fn futex(&self, word: &Word32) -> &Futex {
        let control = &self.simulation.control;
        if std::ptr::eq(word, &raw const *control.leases.idle_seq) {
            return &self.simulation.joining;
        }
        let tail = std::ptr::eq(
            word,
            &raw const *self.simulation.control.end(End::Tail).wake_seq,
        );
        &self.simulation.futexes[usize::from(!tail)]
    }

    fn lock(&self, word: &Word32) -> &LockQueue {
        let tail = std::ptr::eq(word, &raw const self.simulation.control.end(End::Tail).lock);
        &self.simulation.locks[usize::from(!tail)]
    }

    pub(super) fn eventfd(&self, end: End) -> &Eventfd {
        &self.simulation.eventfds[usize::from(end == End::Head)]
    }
}

impl Platform for System {
    fn control(&self) -> &Control {
        &self.simulation.control
    }

    fn leases(&self) -> &dyn LeaseMemory {
        &self.simulation.leases
    }

    fn owner(&self) -> u32 {
        self.me as u32 + 1
    }

    fn is_alive(&self, owner: u32) -> bool {
        // Acquire: pairs with the Release in `on_death`.
        self.simulation.alive[owner as usize - 1].load(Ordering::Acquire)
    }

    fn pause(&self, _: u32, word: &Word32, holder: u32) {
        if !step() {
            return;
        }
        self.lock(word)
            .pause(word, holder, |holder| self.is_alive(holder));
    }

    fn on_unlock(&self, word: &Word32) {
        // The dead tell nobody: that is for the kernel to do.
        if !is_dead() {
            self.lock(word).on_unlock();
        }
    }

    fn now(&self) -> u32 {
        // In models it is time for everything.
        0
    }

    fn sleep(&self, word: &Word32, expected: u32, _: Duration) -> bool {
        if !step() {
            return false;
        }
        let deaths = self.simulation.deaths.load(Ordering::Acquire);
        if DEATHS_SEEN.with(|deaths_seen| deaths_seen.replace(deaths)) != deaths {
            return true;
        }
        // The kernel looks under its lock, also whether it is time.
        self.futex(word).sleep(|| {
            newest(word) == expected && self.simulation.deaths.load(Ordering::Acquire) == deaths
        });
        false
    }

    fn sleep_as_follower(
        &self,
        word: &Word32,
        expected: u32,
        led: &AtomicU32,
        _: Duration,
    ) -> bool {
        if step() {
            let futex = self.futex(word);
            futex.sleep_as_follower(|| newest(word) == expected && newest_of(led) == 1);
        }
        false
    }

    fn wake_follower(&self, _: &AtomicU32) {
        if step() {
            // Those of all ends: a follower that is called in vain sleeps again.
            self.simulation
                .futexes
                .iter()
                .for_each(Futex::wake_follower);
        }
    }

    fn wake(&self, word: &Word32, sleepers: u32) {
        if !step() {
            return;
        }
        match sleepers {
            1 => self.futex(word).wake_one(),
            _ => self.futex(word).wake_all(),
        }
    }

    fn notify_futures(&self, end: End) {
        if step() {
            self.eventfd(end).notify();
        }
    }
}
