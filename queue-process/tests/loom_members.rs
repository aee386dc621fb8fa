//! Models of who takes part in a queue: nobody who is there is taken for gone, and a
//! living holder of a lock never for dead, in whatever order the memory shows things.
//!
//! Bounds: three preemptions where two processes act, two where three do.
#![cfg(loom)]

use queue_core::Side::{Consumers, Producers};
use queue_core::model::check;
use queue_core::sync::thread;
use queue_process::loom::membership::{Member, MembershipSimulation};
use std::sync::Arc;

/// There is a producer all the time, if never the same for long: whoever looks finds one.
/// `change` is how the part passes on from the member in the last of the three entries;
/// the looker has the first, and the one between is free.
fn there_is_always_one(
    name: &str,
    change: impl Fn(&Arc<MembershipSimulation>, Member) -> Vec<Member> + Send + Sync + 'static,
) {
    let change = Arc::new(change);
    check(name, Some(3), move || {
        let simulation = MembershipSimulation::new();
        let looker = simulation.become_member(&[Consumers]);
        let free = simulation.become_member(&[Consumers]);
        let first = simulation.become_member(&[Producers]);
        free.give_back();
        let (theirs, change) = (simulation.clone(), change.clone());
        let changing = thread::spawn(move || change(&theirs, first));
        assert!(looker.is_held(Producers), "somebody is there");
        drop(changing.join().unwrap());
    });
}

/// One comes to an entry that was looked at, and the other leaves the one that is looked
/// at next. Catches: no second look; any ordering of leaving, or of being counted.
#[test]
fn a_part_is_handed_on() {
    there_is_always_one("handed_on", |simulation, first| {
        let second = simulation.become_member(&[Producers]);
        first.leave(Producers);
        vec![first, second]
    });
    there_is_always_one("handed_on_and_back", |simulation, first| {
        let second = simulation.become_member(&[Consumers]);
        second.join(Producers);
        first.leave(Producers);
        first.join(Producers);
        second.leave(Producers);
        vec![first, second]
    });
    there_is_always_one("handed_on_by_one_who_gives_back", |simulation, first| {
        let second = simulation.become_member(&[Producers]);
        first.give_back();
        vec![second]
    });
}

/// The entry of one who has left, or is dead, becomes somebody's who is no producer:
/// what is seen of the new owner tells of the leave as well.
#[test]
fn an_entry_changes_hands() {
    there_is_always_one("died_and_followed", |simulation, first| {
        let second = simulation.become_member(&[Producers]);
        drop(first);
        let third = simulation.become_member(&[Consumers]);
        vec![second, third]
    });
    there_is_always_one("left_and_joined", |simulation, first| {
        let second = simulation.become_member(&[Producers]);
        first.leave(Producers);
        first.join(Consumers);
        vec![first, second]
    });
}

/// A process forks and ends, and its child goes on: as a member of its own, from when it uses
/// the queue. Catches: a child that drops its parent's inheritable lock before it has its own; nobody
/// who looks for the inheritable lock of one that is dead.
#[test]
fn a_child_takes_the_place_of_its_parent() {
    there_is_always_one("ended_and_followed_by_a_child", |_, first| {
        let child = first.fork();
        drop(first);
        vec![child.become_member(&[Producers])]
    });
    there_is_always_one("followed_by_a_child_of_a_child", |_, first| {
        let child = first.fork().become_member(&[Producers]);
        drop(first);
        let second = child.fork();
        drop(child);
        vec![second.become_member(&[Producers])]
    });
}

/// When the last has gone, whoever looks later knows.
#[test]
fn nobody_is_nobody() {
    check("nobody_is_nobody", Some(3), || {
        let simulation = MembershipSimulation::new();
        let looker = simulation.become_member(&[Consumers]);
        let theirs = simulation.clone();
        let other = thread::spawn(move || {
            let member = theirs.become_member(&[Producers]);
            member.leave(Producers);
            drop(theirs.become_member(&[Producers]));
        });
        let _ = looker.is_held(Producers);
        other.join().unwrap();
        assert!(!looker.is_held(Producers));
        assert!(looker.is_held(Consumers));
    });
}

/// Takes the lock in a process that has just come, and finds it orderly.
fn come_and_count(simulation: &Arc<MembershipSimulation>) -> Member {
    let member = simulation.become_member(&[Producers]);
    let (from_dead, count) = member.take();
    assert!(!from_dead, "the holder was alive");
    member.set(count + 1);
    member.give();
    member
}

/// Who has just come holds the lock, and nobody takes it for dead because its entry still
/// looks like that of somebody before. Catches: the exchange that takes the lock without
/// Release, the look at its holder without Acquire.
#[test]
fn the_living_keep_their_lock() {
    check("the_living_keep_their_lock", Some(3), || {
        let simulation = MembershipSimulation::new();
        let theirs = simulation.clone();
        let other = thread::spawn(move || come_and_count(&theirs));
        let me = come_and_count(&simulation);
        let other = other.join().unwrap();
        assert_eq!(me.take(), (false, 2));
        me.give();
        drop(other);
    });
    check("also_one_who_had_to_wait", Some(3), || {
        let simulation = MembershipSimulation::new();
        let me = simulation.become_member(&[Producers]);
        assert_eq!(me.take(), (false, 0));
        let others = [(); 2].map(|()| {
            let theirs = simulation.clone();
            thread::spawn(move || come_and_count(&theirs))
        });
        me.set(1);
        me.give();
        let others = others.map(|other| other.join().unwrap());
        assert_eq!(me.take(), (false, 3));
        me.give();
        drop(others);
    });
}

/// Who holds the lock dies. One of two inherits it and sees what the dead did, also if the
/// dead one's entry is the other's by then, which tells of the death without the kernel;
/// and the other does not take the new owner for dead.
#[test]
fn the_dead_leave_their_lock() {
    check("the_dead_leave_their_lock", Some(3), || {
        let simulation = MembershipSimulation::new();
        let theirs = simulation.clone();
        let dead = thread::spawn(move || {
            let member = theirs.become_member(&[Producers]);
            let (_, count) = member.take();
            member.set(count + 1);
            member.die();
        });
        let others = [(); 2].map(|()| {
            let theirs = simulation.clone();
            thread::spawn(move || {
                let member = theirs.become_member(&[Producers]);
                let (from_dead, count) = member.take();
                member.set(count + 1);
                member.give();
                (member, from_dead)
            })
        });
        dead.join().unwrap();
        let others = others.map(|other| other.join().unwrap());
        let heirs = others.iter().filter(|(_, from_dead)| *from_dead).count();
        let (from_dead, count) = others[0].0.take();
        assert_eq!(heirs + usize::from(from_dead), 1, "one inherits");
        assert_eq!(count, 3, "and sees what the dead did");
        others[0].0.give();
    });
}
