//! Models of those who wait for a queue to be idle.
#![cfg(loom)]

use loom::future::block_on;
use queue_core::event::Listen;
use queue_core::model::check;
use queue_core::sync::{Arc, Deadline, thread};
use queue_core::work::{Idle, IdleListener};

/// One listens since before an idle moment, and passes that wake on to another, who listens since
/// after it, as the next moment comes.
/// Catches: a listener that was woken for nothing and registers anew only after it looked.
fn woken_for_nothing(wait: fn(IdleListener<'_>)) {
    let idle = Arc::new(Idle::new());
    let first = idle.listen();
    idle.notify();
    let second = idle.listen();
    drop(first);
    let notifier = {
        let idle = idle.clone();
        thread::spawn(move || idle.notify())
    };
    wait(second);
    notifier.join().unwrap();
    assert!(!idle.has_waiting());
}

#[test]
fn a_thread_that_is_woken_for_nothing_misses_no_moment() {
    check("idle_thread", None, || {
        woken_for_nothing(|listener| assert!(listener.wait(Deadline::NEVER)));
    });
}

#[test]
fn a_future_that_is_woken_for_nothing_misses_no_moment() {
    check("idle_future", None, || {
        woken_for_nothing(|listener| block_on(listener))
    });
}
