//! What an event owes those who wait when somebody else's code misbehaves.

#![cfg(not(loom))]

use queue_core::event::{Event, Listener};
use queue_core::work::Idle;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

/// Remembers that it was woken, and may panic then.
struct WakeCounter {
    rung: AtomicBool,
    panics: bool,
}

impl Wake for WakeCounter {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Relaxed);
        assert!(!self.panics, "a waker panics");
    }
}

/// A task that listens and sleeps.
fn sleeper(event: &Event, panics: bool) -> (Listener<'_>, Arc<WakeCounter>) {
    let bell = Arc::new(WakeCounter {
        rung: AtomicBool::new(false),
        panics,
    });
    let mut listener = event.listen();
    let waker = Waker::from(bell.clone());
    let polled = Pin::new(&mut listener).poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    (listener, bell)
}

#[test]
fn wakers_that_panic_keep_nobody_asleep() {
    let event = Event::new();
    let sleepers = [false, true, true, false].map(|panics| sleeper(&event, panics));
    let woken = catch_unwind(AssertUnwindSafe(|| event.notify_all()));
    assert!(woken.is_err(), "the panic was swallowed");
    for (_, bell) in &sleepers {
        assert!(bell.rung.load(Ordering::Relaxed), "somebody sleeps on");
    }
    assert!(
        !event.has_waiting(),
        "notifiers look for those who were woken"
    );
}

#[test]
fn who_has_waited_longest_is_woken_first() {
    let event = Event::new();
    let sleepers = [false; 3].map(|panics| sleeper(&event, panics));
    for notified in 1..=3 {
        event.notify();
        let rung = sleepers
            .each_ref()
            .map(|(_, bell)| bell.rung.load(Ordering::Relaxed));
        assert_eq!(rung, [0, 1, 2].map(|sleeper| sleeper < notified));
    }
}

#[test]
fn who_has_left_is_not_waited_for() {
    let event = Event::new();
    let (first, second) = (event.listen(), event.listen());
    drop(first);
    assert!(event.has_waiting());
    drop(second);
    assert!(
        !event.has_waiting(),
        "notifiers look for those who have left"
    );
}

#[test]
fn a_burst_wakes_as_many_tasks_as_there_are() {
    for tasks in 1..4 {
        let event = Event::new();
        let sleepers: Vec<_> = (0..tasks).map(|_| sleeper(&event, false)).collect();
        event.notify_under_lock_unless_pending(tasks);
        for (_, bell) in &sleepers {
            assert!(
                bell.rung.load(Ordering::Relaxed),
                "one of {tasks} sleeps on"
            );
        }
    }
}

#[test]
fn every_task_is_woken_for_a_change_of_its_own() {
    let event = Event::new();
    let sleepers = [false; 6].map(|panics| sleeper(&event, panics));
    let rung = || {
        let rung = sleepers.iter().map(|(_, bell)| &bell.rung);
        rung.filter(|rung| rung.load(Ordering::Relaxed)).count()
    };
    event.notify_unless_pending();
    assert_eq!(rung(), 1);
    event.notify_unless_pending();
    assert_eq!(rung(), 2, "the first may never be polled again");
    event.notify_after_rmw_unless_pending();
    assert_eq!(rung(), 3);
    event.notify_under_lock_unless_pending(2);
    assert_eq!(rung(), 5);
    event.notify_under_lock_unless_pending(2);
    assert_eq!(rung(), 6);
    assert!(!event.has_waiting());
}

#[test]
fn an_idle_moment_of_before_is_none_for_who_listens_since() {
    let idle = Idle::new();
    let bell = Arc::new(WakeCounter {
        rung: AtomicBool::new(false),
        panics: false,
    });
    let was_rung = || bell.rung.swap(false, Ordering::Relaxed);
    let waker = Waker::from(bell.clone());
    let mut cx = Context::from_waker(&waker);
    let mut old = idle.listen();
    let mut new = idle.listen().since(1);
    assert!(Pin::new(&mut old).poll(&mut cx).is_pending());
    // It is told of late.
    idle.reached(1);
    assert!(was_rung());
    assert!(Pin::new(&mut old).poll(&mut cx).is_ready());
    assert!(Pin::new(&mut new).poll(&mut cx).is_pending());
    drop(old);
    assert!(idle.has_waiting());
    assert!(was_rung(), "its wake is passed on, for nothing");
    assert!(Pin::new(&mut new).poll(&mut cx).is_pending());
    idle.reached(1);
    assert!(!was_rung(), "that moment is known");
    idle.reached(2);
    assert!(was_rung());
    idle.reached(1);
    assert!(!was_rung(), "that moment has passed");
    assert!(Pin::new(&mut new).poll(&mut cx).is_ready());
    drop(new);
    assert!(!idle.has_waiting());
}
