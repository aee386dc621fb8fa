//! Tests of [`platform`](crate::linux::queue::platform).

use crate::linux::engine::Platform;
use crate::linux::engine::control::End;
use crate::linux::lease::mapped::LeaseLayout;
use crate::linux::membership::registry::Sides;
use crate::linux::queue::header::Header;
use crate::linux::queue::platform::*;
use crate::linux::wait::eventfd::eventfd;
use crate::linux::wait::eventfd::eventfds;
use crate::sys::Mapping;
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

fn linux() -> Linux {
    let mapping = Arc::new(Mapping::create("linux", Header::END, Header::END, 0).unwrap());
    let registry = &Header::of(&mapping).registry;
    let membership = registry.register(mapping.file(), Sides::BOTH).unwrap();
    let leases = LeaseLayout::new(Header::END, 0, 0);
    Linux::new(
        mapping,
        membership,
        Sides::BOTH,
        eventfds().unwrap(),
        leases,
    )
}

/// How often it was notified.
fn notifications(linux: &Linux, end: End) -> u64 {
    let mut count = [0; 8];
    let _ = rustix::io::read(eventfd(linux.eventfds(), end), &mut count);
    u64::from_ne_bytes(count)
}

#[test]
fn each_has_a_name_until_it_dies_or_gives_it_back() {
    let linux = linux();
    let memory = linux.mapping().clone();
    let register = || {
        Header::of(&memory)
            .registry
            .register(memory.file(), Sides::BOTH)
    };
    assert_eq!(linux.owner(), 0x100);
    let other = register().unwrap();
    assert!(linux.is_alive(0x100) && linux.is_alive(other.owner()));
    let dead = other.owner();
    drop(other);
    linux.unregister();
    // Children of other tests that just start may hold what is closed here.
    let late = Instant::now() + Duration::from_secs(20);
    while linux.is_alive(dead) {
        assert!(Instant::now() < late, "it lives on");
    }
    drop(linux);
    loop {
        let next = register().unwrap();
        if next.owner() == 0x200 {
            break;
        }
        Header::of(&memory).registry.release_entry(&next);
        assert!(Instant::now() < late, "{:x}", next.owner());
    }
}

#[test]
fn each_end_has_an_eventfd() {
    let linux = linux();
    for (end, other) in [(End::Tail, End::Head), (End::Head, End::Tail)] {
        linux.notify_futures(end);
        linux.notify_futures(end);
        assert_eq!(
            (notifications(&linux, end), notifications(&linux, other)),
            (2, 0)
        );
        // As often as it can.
        let full = u64::MAX - 1;
        rustix::io::write(eventfd(linux.eventfds(), end), &full.to_ne_bytes()).unwrap();
        linux.notify_futures(end);
        assert_eq!(notifications(&linux, end), 1, "it is notified anew");
    }
}

#[test]
fn a_sleeper_is_woken_or_its_time_runs_out() {
    let linux = linux();
    let word = &linux.control().tail.wake_seq;
    assert!(linux.sleep(word, 0, Duration::from_millis(1)));
    let long = Duration::from_secs(60);
    assert!(!linux.sleep(word, 1, long), "it is not what was seen");
    let woken = std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| linux.sleep(word, 0, long));
        while !sleeper.is_finished() {
            linux.wake(word, 1);
            std::thread::sleep(Duration::from_millis(1));
        }
        !sleeper.join().unwrap()
    });
    assert!(woken);
}

#[test]
fn a_pause_grows() {
    let linux = linux();
    let word = &linux.control().tail.lock;
    let least = |round| {
        let pauses = (0..20).map(|_| {
            let begun = Instant::now();
            linux.pause(round, word, 0);
            begun.elapsed()
        });
        pauses.min().unwrap()
    };
    (0..10).for_each(|round| linux.pause(round, word, 0));
    for (round, micros) in [(10, 50), (11, 100), (14, 800), (99, 800)] {
        let (least, wanted) = (least(round), Duration::from_micros(micros));
        assert!(wanted <= least, "round {round}: {least:?}");
    }
    // On a busy machine only some of them are as short as they can be.
    let shorter = (0..100).any(|_| least(10) < Duration::from_micros(800));
    assert!(shorter, "not all the same");
}

#[test]
fn the_clock_counts_milliseconds() {
    let linux = linux();
    let exact = || {
        let now = clock_gettime(ClockId::Monotonic);
        Duration::try_from(now).unwrap().as_millis() as u32
    };
    for _ in 0..50 {
        let (before, now, after) = (exact(), linux.now(), exact());
        // A coarse one is late by a tick.
        assert!(now.wrapping_sub(before.wrapping_sub(20)) <= after.wrapping_sub(before) + 20);
        std::thread::sleep(Duration::from_millis(1));
    }
}
