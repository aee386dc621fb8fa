//! Models of threads of one process that sleep for the same: one looks again after each death,
//! and the others rely on it.
//!
//! Bounds: one preemption besides the death. In models a wake goes to who looks again by
//! itself, where it can: the other one is then the one to get on.
#![cfg(loom)]

use queue_core::model::check;
use queue_core::sync::thread;
use queue_process::loom::Simulation;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Who pushes twice dies at every step, also between moving the end and waking who sleeps. Both
/// items are popped all the same, by two threads of one process.
/// Catches: a leader that leaves and calls nobody, either fence gone.
#[test]
fn death_of_a_pusher_to_two_threads() {
    for steps in 1.. {
        let died = Arc::new(AtomicBool::new(false));
        let flag = died.clone();
        check(
            &format!("death_of_a_pusher_to_two_threads_{steps}"),
            Some(1),
            move || {
                let simulation = Simulation::new(4, 32, 8, 32);
                let process = Arc::new(simulation.join(2));
                let sleepers = [(); 2].map(|()| {
                    let process = process.clone();
                    thread::spawn(move || process.pop().unwrap())
                });
                let theirs = simulation.clone();
                let victim = thread::spawn(move || {
                    theirs.process(1, steps, |queue| {
                        (1..=2).for_each(|n| queue.push(n).unwrap())
                    })
                });
                if victim.join().unwrap().is_none() {
                    flag.store(true, Ordering::Relaxed);
                }
                // As many as it did not push: whoever was to get a wake from it gets none of ours.
                let queue = simulation.join(0);
                for n in queue.pushed()..2 {
                    queue.push(u64::from(n) + 1).unwrap();
                }
                let got: u64 = sleepers
                    .into_iter()
                    .map(|sleeper| sleeper.join().unwrap())
                    .sum();
                assert_eq!((got, queue.len()), (3, 0));
            },
        );
        if !died.load(Ordering::Relaxed) {
            assert!(steps > 10, "nothing was tried");
            return;
        }
    }
}
