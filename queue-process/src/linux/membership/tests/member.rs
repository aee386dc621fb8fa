//! Tests of [`member`](crate::linux::membership::member).

use crate::linux::membership::member::*;
use crate::linux::membership::registry::{ByteLocks, Sides};
use crate::linux::queue::header::Header;
use crate::sys::{self, Mapping};
use queue_core::sync::atomic::Ordering;
use rustix::fs::SeekFrom;
use rustix::io::{Errno, FdFlags};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// The memory of a queue, and the descriptors of the membership that this process took for the
/// program that it is about to become: which it never does, so all is here, to be forged.
fn expecting(sides: Sides) -> (Mapping, [OwnedFd; 2]) {
    let mapping = Mapping::create("membership", Header::END, Header::END, 0).unwrap();
    let own = expect(&mapping, sides);
    (mapping, own)
}

fn expect(mapping: &Mapping, sides: Sides) -> [OwnedFd; 2] {
    let registry = &Header::of(mapping).registry;
    let duplicate = || mapping.file().try_clone_to_owned().unwrap();
    let mut own = [duplicate(), duplicate()];
    let registered = registry.register_for_exec(mapping.file(), sides, &mut own);
    registered.unwrap();
    own
}

fn duplicates(own: &[OwnedFd; 2]) -> [OwnedFd; 2] {
    own.each_ref().map(|fd| fd.try_clone().unwrap())
}

fn adopt(
    mapping: &Mapping,
    sides: Sides,
    own: [OwnedFd; 2],
) -> Result<LinuxMembership, Option<i32>> {
    let registry = &Header::of(mapping).registry;
    let adopted = registry.adopt(mapping.file(), sides, own);
    adopted.map_err(|error| error.raw_os_error())
}

const NONE: Option<i32> = Some(Errno::NOENT.raw_os_error());
const FORGED: Option<i32> = Some(Errno::BADF.raw_os_error());

#[test]
fn what_was_claimed_for_a_program_is_adopted_once() {
    let (mapping, own) = expecting(Sides::CONSUMERS);
    let registry = &Header::of(&mapping).registry;
    let stranger = registry.register(mapping.file(), Sides::BOTH).unwrap();
    let process = registry.entries[0].process.load(Ordering::Relaxed);
    assert_eq!(process, std::process::id());
    for fd in &own {
        let flags = rustix::io::fcntl_getfd(fd).unwrap();
        assert!(!flags.contains(FdFlags::CLOEXEC), "to be inherited");
    }
    let again = duplicates(&own);
    let wrong = adopt(&mapping, Sides::PRODUCERS, duplicates(&own));
    assert_eq!(wrong.unwrap_err(), NONE);
    let adopted = adopt(&mapping, Sides::CONSUMERS, own).unwrap();
    let twice = adopt(&mapping, Sides::CONSUMERS, again);
    assert_eq!(twice.unwrap_err(), NONE);
    assert_eq!((adopted.slot, adopted.owner()), (0, 0x100));
    assert!(registry.is_alive(&stranger, 0x100));
    drop(adopted);
    // Its only descriptions, but for the children of other tests that just start.
    let late = Instant::now() + Duration::from_secs(20);
    while registry.is_alive(&stranger, 0x100) {
        assert!(Instant::now() < late, "it lives on");
    }
}

#[test]
fn of_two_with_one_number_each_gets_its_own() {
    let (mapping, dead) = expecting(Sides::BOTH);
    // It ended before it came, and its number came again.
    drop(dead);
    let second = expect(&mapping, Sides::BOTH);
    // Or there are two, in two namespaces.
    let third = expect(&mapping, Sides::BOTH);
    let owner = |own| adopt(&mapping, Sides::BOTH, own).unwrap().owner();
    assert_eq!([third, second].map(owner), [0x102, 0x101]);
}

#[test]
fn what_was_claimed_for_another_process_is_not_adopted() {
    let (mapping, own) = expecting(Sides::BOTH);
    let entry = &Header::of(&mapping).registry.entries[0];
    for word in [&entry.process, &entry.started] {
        let ours = word.load(Ordering::Relaxed);
        word.store(1, Ordering::Relaxed);
        let adopted = adopt(&mapping, Sides::BOTH, duplicates(&own));
        assert_eq!(adopted.unwrap_err(), NONE);
        word.store(ours, Ordering::Relaxed);
    }
    // Another has the entry by now.
    entry.generation.store(2, Ordering::Relaxed);
    let adopted = adopt(&mapping, Sides::BOTH, duplicates(&own));
    assert_eq!(adopted.unwrap_err(), NONE);
    entry.generation.store(1, Ordering::Relaxed);
    adopt(&mapping, Sides::BOTH, own).unwrap();
}

#[test]
fn forged_descriptors_are_not_adopted() {
    let (mapping, own) = expecting(Sides::BOTH);
    let another = Mapping::create("another", Header::END, Header::END, 0).unwrap();
    let at = |file: &Mapping, owner: u64| {
        let fd = reopen(file.file()).unwrap();
        rustix::fs::seek(&fd, SeekFrom::Start(owner)).unwrap();
        fd
    };
    let [liveness, inheritable] = duplicates(&own);
    let forged = [
        [at(&another, 0x100), at(&another, 0x100)],
        [liveness, at(&mapping, 0x101)],
        [at(&mapping, 0x200), inheritable],
        [at(&mapping, u64::from(u32::MAX) + 1), at(&mapping, 0x100)],
        // The same file, but descriptions that have nothing locked.
        [at(&mapping, 0x100), at(&mapping, 0x100)],
    ];
    for own in forged {
        let entry = &Header::of(&mapping).registry.entries[0];
        entry.sides.store(Sides::BOTH.expected(), Ordering::Relaxed);
        assert_eq!(adopt(&mapping, Sides::BOTH, own).unwrap_err(), FORGED);
    }
}

#[test]
fn an_entry_that_cannot_be_taken_is_left_as_it_was() {
    let mapping = Mapping::create("members", Header::END, Header::END, 0).unwrap();
    let [one, other] = [(); 2].map(|()| LockFds::new(mapping.file()).unwrap());
    // One whose liveness lock is just being released.
    assert!(sys::lock_byte(one.liveness.as_fd(), 3).unwrap());
    assert!(!other.lock(3).unwrap());
    assert!(!one.is_inherited(3).unwrap() && other.is_alive(3).unwrap());
    assert!(one.lock(3).unwrap());
    assert!(other.is_inherited(3).unwrap() && !other.lock(3).unwrap());
}
