//! Modelled members of a queue: the registry and the lock that ship, over a stand-in for
//! the kernel's locks on bytes.

use super::bed::newest;
use crate::shared::layout::{Control, End};
use crate::shared::lock::{self, Taken};
use crate::shared::platform::Platform;
use crate::shared::registry::{Bytes, Claim, Newcomer, Registry, SLOTS, Sides};
use crate::shared::word::Word32;
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use queue_core::Side;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// The kernel: who has which byte locked.
type Kernel = Arc<Mutex<[Option<u32>; SLOTS]>>;

/// One file description; closed when dropped, by whoever dies.
#[derive(Debug)]
struct Description {
    kernel: Kernel,
    number: u32,
}

impl Bytes for Description {
    fn lock(&self, byte: u32) -> io::Result<bool> {
        let mut bytes = self.kernel.lock().expect("nobody panics in the kernel");
        let holder = bytes[byte as usize].get_or_insert(self.number);
        Ok(*holder == self.number)
    }

    fn is_locked(&self, byte: u32) -> io::Result<bool> {
        let bytes = self.kernel.lock().expect("nobody panics in the kernel");
        Ok(bytes[byte as usize].is_some_and(|holder| holder != self.number))
    }
}

impl Drop for Description {
    fn drop(&mut self) {
        if let Ok(mut bytes) = self.kernel.lock() {
            for byte in bytes.iter_mut().filter(|byte| **byte == Some(self.number)) {
                *byte = None;
            }
        }
    }
}

/// Who waits for the lock. Not in the memory of the model, or those who wait would see what
/// others did who waited before: that the registry and the lock have to show them.
#[derive(Debug, Default)]
struct Waiting(std::sync::Mutex<Room>);

#[derive(Debug, Default)]
struct Room {
    threads: Vec<loom::thread::Thread>,
    deaths: usize,
}

impl Waiting {
    fn room(&self) -> std::sync::MutexGuard<'_, Room> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until `holder` does not have the lock any more, or somebody died.
    fn pause(&self, word: &Word32, holder: u32, is_alive: impl Fn() -> bool) {
        loop {
            let deaths = self.room().deaths;
            if holder == 0 || !is_alive() {
                return;
            }
            self.room().threads.push(loom::thread::current());
            // Nothing blocks from here on, for a thread of loom's that does forgets that it
            // was to be woken.
            if newest(word) != holder || self.room().deaths != deaths {
                return;
            }
            loom::thread::park();
        }
    }

    fn look_again(&self, deaths: usize) {
        let mut room = self.room();
        room.deaths += deaths;
        let threads = std::mem::take(&mut room.threads);
        drop(room);
        threads.iter().for_each(loom::thread::Thread::unpark);
    }
}

/// The shared memory of a queue, as far as its members matter: their registry, one lock,
/// and what the lock guards.
#[derive(Debug)]
pub struct Society {
    registry: Registry,
    lock: Word32,
    guarded: AtomicU64,
    kernel: Kernel,
    waiting: Waiting,
    descriptions: std::sync::atomic::AtomicU32,
    control: Control,
}

impl Society {
    /// Nobody yet; there is room for three.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            registry: Registry::new(),
            lock: Word32::default(),
            guarded: AtomicU64::new(0),
            kernel: Arc::new(Mutex::new([None; SLOTS])),
            waiting: Waiting::default(),
            descriptions: std::sync::atomic::AtomicU32::new(1),
            control: Control::default(),
        })
    }

    /// A new member, on `sides`; there must be room.
    pub fn enter(self: &Arc<Self>, sides: &[Side]) -> Member {
        let one = std::sync::atomic::Ordering::Relaxed;
        let number = self.descriptions.fetch_add(1, one);
        let description = Description {
            kernel: self.kernel.clone(),
            number,
        };
        let who = Newcomer {
            process: number,
            sides: sides.iter().fold(0, |all, side| all | Sides::of(*side).0),
            descriptor: 0,
        };
        let claim = self.registry.enter(description, who);
        Member {
            claim: claim.expect("the kernel answers").expect("there is room"),
            society: self.clone(),
        }
    }
}

/// A member; dies when dropped, without a word.
#[derive(Debug)]
pub struct Member {
    claim: Claim<Description>,
    society: Arc<Society>,
}

impl Member {
    /// Dies, and those who wait for the lock look again.
    pub fn die(self) {
        let Self { claim, society } = self;
        drop(claim);
        society.waiting.look_again(1);
    }
}

impl Member {
    /// Comes to a side.
    pub fn join(&self, side: Side) {
        self.society.registry.join(&self.claim, side);
    }

    /// Leaves a side.
    pub fn leave(&self, side: Side) {
        self.society.registry.leave(&self.claim, side);
    }

    /// Leaves in order.
    pub fn give_back(self) {
        self.society.registry.give_back(&self.claim);
    }

    /// Whether anybody stands on `side`.
    pub fn is_held(&self, side: Side) -> bool {
        self.society.registry.is_held(&self.claim, side)
    }

    /// Takes the lock: whether from one who died holding it, and what it guards.
    pub fn take(&self) -> (bool, u64) {
        let taken = lock::take(&self.society.lock, self);
        // Relaxed: what orders it is on trial.
        let guarded = self.society.guarded.load(Ordering::Relaxed);
        (taken == Taken::FromDead, guarded)
    }

    /// Changes what the lock guards.
    pub fn set(&self, guarded: u64) {
        self.society.guarded.store(guarded, Ordering::Relaxed);
    }

    /// Gives the lock back.
    pub fn give(&self) {
        lock::give_back(&self.society.lock, self);
    }
}

/// Only what a lock needs.
impl Platform for Member {
    fn control(&self) -> &Control {
        &self.society.control
    }

    fn me(&self) -> u32 {
        self.claim.owner()
    }

    fn is_alive(&self, owner: u32) -> bool {
        self.society.registry.is_alive(&self.claim, owner)
    }

    fn pause(&self, _: u32, word: &Word32, holder: u32) {
        (self.society.waiting).pause(word, holder, || self.is_alive(holder));
    }

    fn given_back(&self, _: &Word32) {
        self.society.waiting.look_again(0);
    }

    fn sleep(&self, _: &Word32, _: u32, _: Duration) -> bool {
        unreachable!("nobody sleeps on a lock")
    }

    fn follow(&self, _: &Word32, _: u32, _: &AtomicU32, _: Duration) -> bool {
        unreachable!("nobody sleeps on a lock")
    }

    fn call(&self, _: &AtomicU32) {}

    fn now(&self) -> u32 {
        0
    }

    fn wake(&self, _: &Word32, _: u32) {}

    fn ring(&self, _: End) {}
}
