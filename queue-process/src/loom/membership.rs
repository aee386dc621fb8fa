//! Modelled members of a queue: the registry and the lock that ship, over a stand-in for
//! the kernel's locks on bytes.

use super::wait_list::newest;
use crate::linux::engine::Platform;
use crate::linux::engine::control::{Control, End};
use crate::linux::engine::end_lock::{Acquired, Tries, acquire_lock, release_lock};
use crate::linux::lease::bytes::{LeaseMemory, NoLeases};
use crate::linux::membership::registry::{
    ByteLocks, JoinRequest, MAX_MEMBERS, Membership, Registry, Sides,
};
use crate::sys::Word32;
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use queue_core::Side;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// The kernel: which description has which byte of which entry locked.
type Kernel = Arc<Mutex<[[Option<u32>; MAX_MEMBERS]; 2]>>;

const LIVENESS: usize = 0;
const INHERITABLE: usize = 1;

/// A file description; what it has locked is free when its last owner drops it.
#[derive(Debug)]
struct Description {
    kernel: Kernel,
    byte: usize,
    number: u32,
}

impl Description {
    fn lock(&self, slot: u32) -> bool {
        let mut kernel = self.kernel.lock().expect("nobody panics in the kernel");
        let holder = kernel[self.byte][slot as usize].get_or_insert(self.number);
        *holder == self.number
    }

    fn is_locked(&self, slot: u32) -> bool {
        let kernel = self.kernel.lock().expect("nobody panics in the kernel");
        kernel[self.byte][slot as usize].is_some_and(|holder| holder != self.number)
    }

    fn unlock(&self) {
        if let Ok(mut kernel) = self.kernel.lock() {
            let mine = |byte: &&mut Option<u32>| **byte == Some(self.number);
            kernel[self.byte]
                .iter_mut()
                .filter(mine)
                .for_each(|byte| *byte = None);
        }
    }
}

impl Drop for Description {
    fn drop(&mut self) {
        self.unlock();
    }
}

/// What a process has; closed when dropped, by whoever dies.
#[derive(Debug)]
struct LockFds {
    liveness: Description,
    /// A forked child has it too.
    inheritable: Arc<Description>,
}

impl ByteLocks for LockFds {
    fn lock(&self, slot: u32) -> io::Result<bool> {
        if !self.inheritable.lock(slot) {
            return Ok(false);
        }
        let locked = self.liveness.lock(slot);
        if !locked {
            self.inheritable.unlock();
        }
        Ok(locked)
    }

    fn is_alive(&self, slot: u32) -> io::Result<bool> {
        Ok(self.liveness.is_locked(slot))
    }

    fn is_inherited(&self, slot: u32) -> io::Result<bool> {
        Ok(self.inheritable.is_locked(slot))
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
pub struct MembershipSimulation {
    registry: Registry,
    lock: Word32,
    guarded: AtomicU64,
    kernel: Kernel,
    waiting: Waiting,
    descriptions: std::sync::atomic::AtomicU32,
    control: Control,
}

impl MembershipSimulation {
    /// Nobody yet; there is room for three.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            registry: Registry::new(),
            lock: Word32::default(),
            guarded: AtomicU64::new(0),
            kernel: Arc::new(Mutex::new([[None; MAX_MEMBERS]; 2])),
            waiting: Waiting::default(),
            descriptions: std::sync::atomic::AtomicU32::new(1),
            control: Control::default(),
        })
    }

    /// A new member, on `sides`; there must be room.
    pub fn become_member(self: &Arc<Self>, sides: &[Side]) -> Member {
        let one = std::sync::atomic::Ordering::Relaxed;
        let number = self.descriptions.fetch_add(1, one);
        let description = |byte| Description {
            kernel: self.kernel.clone(),
            byte,
            number,
        };
        let descriptions = LockFds {
            liveness: description(LIVENESS),
            inheritable: Arc::new(description(INHERITABLE)),
        };
        let who = JoinRequest {
            process: number,
            sides: sides.iter().fold(0, |all, side| all | Sides::of(*side).0),
            started: 0,
        };
        let membership = self.registry.take_entry(descriptions, who);
        Member {
            membership: membership
                .expect("the kernel answers")
                .expect("there is room"),
            simulation: self.clone(),
        }
    }
}

/// A forked child that does not take part yet.
#[derive(Debug)]
pub struct Fork {
    inheritable: Arc<Description>,
    simulation: Arc<MembershipSimulation>,
}

impl Fork {
    /// Takes part on `sides` from now on, as a member of its own.
    pub fn become_member(self, sides: &[Side]) -> Member {
        let member = self.simulation.become_member(sides);
        drop(self.inheritable);
        member
    }
}

/// A member; dies when dropped, without a word.
#[derive(Debug)]
pub struct Member {
    membership: Membership<LockFds>,
    simulation: Arc<MembershipSimulation>,
}

impl Member {
    /// Dies, and those who wait for the lock look again.
    pub fn die(self) {
        let Self {
            membership,
            simulation,
        } = self;
        drop(membership);
        simulation.waiting.look_again(1);
    }
}

impl Member {
    /// Makes a child, which is no member.
    pub fn fork(&self) -> Fork {
        Fork {
            inheritable: self.membership.bytes.inheritable.clone(),
            simulation: self.simulation.clone(),
        }
    }

    /// Comes to a side.
    pub fn join(&self, side: Side) {
        self.simulation.registry.join(&self.membership, side);
    }

    /// Leaves a side.
    pub fn leave(&self, side: Side) {
        self.simulation.registry.leave(&self.membership, side);
    }

    /// Leaves in order.
    pub fn give_back(self) {
        self.simulation.registry.release_entry(&self.membership);
    }

    /// Whether anybody stands on `side`.
    pub fn is_held(&self, side: Side) -> bool {
        self.simulation.registry.is_held(&self.membership, side, 1)
    }

    /// Takes the lock: whether from one who died holding it, and what it guards.
    pub fn take(&self) -> (bool, u64) {
        let taken = acquire_lock(&self.simulation.lock, self, Tries::Endless);
        // Relaxed: what orders it is on trial.
        let guarded = self.simulation.guarded.load(Ordering::Relaxed);
        (taken == Acquired::FromDead, guarded)
    }

    /// Changes what the lock guards.
    pub fn set(&self, guarded: u64) {
        self.simulation.guarded.store(guarded, Ordering::Relaxed);
    }

    /// Gives the lock back.
    pub fn give(&self) {
        release_lock(&self.simulation.lock, self);
    }
}

/// Only what a lock needs.
impl Platform for Member {
    fn control(&self) -> &Control {
        &self.simulation.control
    }

    fn leases(&self) -> &dyn LeaseMemory {
        &NoLeases
    }
    fn owner(&self) -> u32 {
        self.membership.owner()
    }

    fn is_alive(&self, owner: u32) -> bool {
        self.simulation.registry.is_alive(&self.membership, owner)
    }

    fn pause(&self, _: u32, word: &Word32, holder: u32) {
        (self.simulation.waiting).pause(word, holder, || self.is_alive(holder));
    }

    fn on_unlock(&self, _: &Word32) {
        self.simulation.waiting.look_again(0);
    }

    fn sleep(&self, _: &Word32, _: u32, _: Duration) -> bool {
        unreachable!("nobody sleeps on a lock")
    }

    fn sleep_as_follower(&self, _: &Word32, _: u32, _: &AtomicU32, _: Duration) -> bool {
        unreachable!("nobody sleeps on a lock")
    }

    fn wake_follower(&self, _: &AtomicU32) {}

    fn now(&self) -> u32 {
        0
    }

    fn wake(&self, _: &Word32, _: u32) {}

    fn notify_futures(&self, _: End) {}
}
