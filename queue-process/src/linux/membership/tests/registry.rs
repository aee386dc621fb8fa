//! Tests of [`registry`](crate::linux::membership::registry).

use crate::linux::membership::registry::*;
use crate::sys::Word32;
use queue_core::Side;
use queue_core::sync::atomic::Ordering;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

/// A process, and the kernel's locks: who has which byte.
#[derive(Debug)]
struct Process {
    number: u32,
    locks: Rc<RefCell<HashMap<u32, u32>>>,
}

/// The byte of an inheritable lock.
fn inheritable_byte(slot: u32) -> u32 {
    slot + 1000
}

impl Process {
    fn is_locked(&self, byte: u32) -> bool {
        let locks = self.locks.borrow();
        locks.get(&byte).is_some_and(|&has| has != self.number)
    }
}

impl ByteLocks for Process {
    fn lock(&self, slot: u32) -> io::Result<bool> {
        let bytes = [inheritable_byte(slot), slot];
        let free = !bytes.iter().any(|byte| self.is_locked(*byte));
        if free {
            let mine = bytes.map(|byte| (byte, self.number));
            self.locks.borrow_mut().extend(mine);
        }
        Ok(free)
    }

    fn is_alive(&self, slot: u32) -> io::Result<bool> {
        Ok(self.is_locked(slot))
    }

    fn is_inherited(&self, slot: u32) -> io::Result<bool> {
        Ok(self.is_locked(inheritable_byte(slot)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.locks.borrow_mut().retain(|_, has| *has != self.number);
    }
}

struct Simulation {
    registry: Registry,
    locks: Rc<RefCell<HashMap<u32, u32>>>,
    number: u32,
}

impl Simulation {
    fn new() -> Self {
        Self {
            registry: Registry {
                entries: std::array::from_fn(|_| Entry::default()),
                join_count: Word32::default(),
            },
            locks: Rc::default(),
            number: 0,
        }
    }

    fn come(&mut self, sides: Sides) -> Option<Membership<Process>> {
        self.number += 1;
        let bytes = Process {
            number: self.number,
            locks: self.locks.clone(),
        };
        let who = JoinRequest {
            process: self.number,
            sides: sides.0,
            started: 0,
        };
        self.registry.take_entry(bytes, who).unwrap()
    }
}

#[test]
fn a_name_is_not_used_again() {
    let mut simulation = Simulation::new();
    let [first, second] = [(); 2].map(|()| simulation.come(Sides::BOTH).unwrap());
    assert_eq!([first.owner(), second.owner()], [0x100, 0x101]);
    assert!(simulation.registry.is_alive(&second, 0x100));
    drop(first);
    assert!(!simulation.registry.is_alive(&second, 0x100), "it died");
    assert_eq!(simulation.come(Sides::BOTH).unwrap().owner(), 0x102);
    simulation.registry.release_entry(&second);
    drop(second);
    let third = simulation.come(Sides::BOTH).unwrap();
    assert_eq!(third.owner(), 0x201, "the entry that was given back");
    assert!(
        !simulation.registry.is_alive(&third, 0x101),
        "another's by now"
    );
    for (before, after) in [(GENERATIONS - 2, GENERATIONS - 1), (GENERATIONS - 1, 1)] {
        let entry = &simulation.registry.entries[3];
        entry.generation.store(before, Ordering::Relaxed);
        entry.process.store(0, Ordering::Relaxed);
        simulation.registry.entries[0]
            .process
            .store(9, Ordering::Relaxed);
        assert_eq!(simulation.come(Sides::BOTH).unwrap().generation, after);
    }
    let all: Vec<_> = std::iter::from_fn(|| simulation.come(Sides::BOTH)).collect();
    assert_eq!(all.len(), MAX_MEMBERS - 1, "those of the dead too");
}

#[test]
fn a_side_is_held_by_those_who_stand_there() {
    let mut simulation = Simulation::new();
    let one = simulation.come(Sides::BOTH).unwrap();
    let other = simulation.come(Sides::CONSUMERS).unwrap();
    let registry = &simulation.registry;
    let sides = [Side::Producers, Side::Consumers];
    let held = |by: &Membership<Process>| sides.map(|side| registry.is_held(by, side, 0));
    let members = |by: &Membership<Process>| sides.map(|side| registry.members(by, side));
    assert_eq!((held(&one), held(&other)), ([true; 2], [true; 2]));
    assert_eq!((members(&one), members(&other)), ([1, 2], [1, 2]));
    registry.leave(&one, Side::Producers);
    assert_eq!((held(&other), members(&other)), ([false, true], [0, 2]));
    registry.leave(&other, Side::Consumers);
    assert_eq!(held(&other), [false, true], "the one is still there");
    assert_eq!(members(&other), [0, 1]);
    registry.join(&one, Side::Producers);
    assert_eq!(held(&other), [true, true]);
    registry.join(&one, Side::Producers);
    assert_eq!(held(&other), [true, true], "there already");
    registry.release_entry(&one);
    assert_eq!(held(&other), [false, false]);
    registry.join(&other, Side::Producers);
    assert_eq!(held(&one), [true, false]);
    assert_eq!(members(&one), [1, 0]);
    drop(other);
    assert_eq!(held(&one), [false, false], "it died");
    assert_eq!(members(&one), [0, 0]);
    assert_eq!(Sides::of_half(Some(Side::Producers)), Sides::PRODUCERS);
    assert_eq!(Sides::of_half(None), Sides::BOTH);
}

#[test]
fn a_forked_child_keeps_the_sides_of_one_that_ended_for_a_while() {
    let mut simulation = Simulation::new();
    let one = simulation.come(Sides::BOTH).unwrap();
    let other = simulation.come(Sides::CONSUMERS).unwrap();
    let (owner, byte) = (one.owner(), inheritable_byte(one.slot));
    drop(one);
    // Of nobody here: of a child.
    simulation.locks.borrow_mut().insert(byte, 99);
    let registry = &simulation.registry;
    assert!(!registry.is_alive(&other, owner), "its locks are free");
    let held = |now| registry.is_held(&other, Side::Producers, now);
    let begin = u32::MAX - 10;
    assert!(held(begin) && held(begin.wrapping_add(RETAINED_MS - 1)));
    assert!(!held(begin.wrapping_add(RETAINED_MS)), "the child is idle");
    assert!(held(begin), "by the clock alone");
    simulation.locks.borrow_mut().remove(&byte);
    assert!(!simulation.registry.is_held(&other, Side::Producers, begin));

    // Who comes there next has all of that time again.
    let entry = &simulation.registry.entries[0];
    entry.process.store(0, Ordering::Relaxed);
    let next = simulation.come(Sides::BOTH).unwrap();
    assert_eq!(next.owner(), 0x200);
    drop(next);
    simulation.locks.borrow_mut().insert(byte, 99);
    let held = |now| simulation.registry.is_held(&other, Side::Producers, now);
    assert!(held(9) && held(9 + RETAINED_MS - 1) && !held(9 + RETAINED_MS));
}
