//! Models of deaths after which nobody else comes: who waits, as a thread or as a future, gets
//! what there is by what the dead did before, in both storages. No net catches a future.
//!
//! The victim dies before its step k, for every k. Whoever looks on from outside touches no
//! lock. It helps only if what is published leaves nothing to wait for; and then the waiter's
//! first look under the lock must be enough. Bounds: as for the other models of death.
#![cfg(loom)]

use queue_process::loom::death::{ALIVE, at_every_step, drain, is_sound, start};
use queue_process::loom::{Process, Simulation, TryFailure};
use std::sync::Arc;

/// A world of each storage, with room for so many, and what its model is called.
fn simulations(
    name: &str,
    capacity: u32,
) -> [(String, impl Fn() -> Arc<Simulation> + Clone + use<>); 2] {
    [false, true].map(|pipe| {
        let storage = if pipe { "pipe" } else { "ring" };
        let new = move || match pipe {
            true => Simulation::pipe(capacity, 4),
            false => Simulation::new(capacity, 24, 8, 24),
        };
        (format!("{name}_{storage}"), new)
    })
}

/// How somebody waits.
type Wait<R> = fn(&Process) -> R;

/// A pusher dies, alone with one who waits for its item.
/// Catches: the end moved before those who wait for it are told.
#[test]
fn an_item_that_is_inside_finds_who_waits() {
    let pops: [(&str, Wait<u64>); 2] = [
        ("eventfd", |queue| queue.pop_by_eventfd().unwrap()),
        ("sleep", |queue| queue.pop().unwrap()),
    ];
    for (how, pop) in pops {
        for (name, simulation) in simulations(&format!("item_{how}"), 2) {
            at_every_step(&name, 1, 1, move |steps| {
                let simulation = simulation();
                let victim = start(&simulation, 1, steps, |queue| queue.push(1).unwrap());
                let waiter = start(&simulation, 2, ALIVE, pop);
                let died = victim.join().unwrap().is_none();
                let queue = simulation.join(0);
                // It is popped, or was not pushed.
                if queue.is_empty() {
                    queue.push(2).unwrap();
                }
                assert!(matches!(waiter.join().unwrap(), Some(1 | 2)));
                drain(&queue);
                is_sound(&queue, 2);
                died
            });
        }
    }
}

/// As above, with a batch and two who wait.
#[test]
fn a_batch_that_is_inside_finds_all_who_wait() {
    for (name, simulation) in simulations("batch", 2) {
        at_every_step(&name, 1, 1, move |steps| {
            let simulation = simulation();
            let victim = start(&simulation, 1, steps, |queue| {
                assert_eq!(queue.try_push_many(&[1, 2]), Ok(2));
            });
            let waiters = [2, 3].map(|me| {
                start(&simulation, me, ALIVE, |queue| {
                    queue.pop_by_eventfd().unwrap()
                })
            });
            let died = victim.join().unwrap().is_none();
            let queue = simulation.join(0);
            if queue.is_empty() {
                for n in [3, 4] {
                    queue.push(n).unwrap();
                }
            }
            for waiter in waiters {
                assert!(waiter.join().unwrap().is_some());
            }
            drain(&queue);
            is_sound(&queue, 2);
            died
        });
    }
}

/// A popper dies, alone with one who waits for its place.
#[test]
fn a_place_that_is_free_finds_who_waits() {
    let pushes: [(&str, Wait<()>); 2] = [
        ("eventfd", |queue| queue.push_by_eventfd(2).unwrap()),
        ("sleep", |queue| queue.push(2).unwrap()),
    ];
    for (how, push) in pushes {
        for (name, simulation) in simulations(&format!("place_{how}"), 1) {
            at_every_step(&name, 1, 1, move |steps| {
                let simulation = simulation();
                let queue = simulation.join(0);
                queue.try_push(1).unwrap();
                let victim = start(&simulation, 1, steps, |queue| queue.try_pop().unwrap());
                let waiter = start(&simulation, 2, ALIVE, push);
                let died = victim.join().unwrap().is_none();
                // The place is taken, or was not made free.
                if queue.len() == 1 {
                    assert!(queue.pop().is_ok());
                }
                assert!(waiter.join().unwrap().is_some());
                drain(&queue);
                is_sound(&queue, 1);
                died
            });
        }
    }
}

/// Whoever closes dies, alone with one who waits for an item and one who waits for a place.
#[test]
fn who_waits_for_a_closed_queue_is_told() {
    type Pair = [Wait<Result<(), TryFailure>>; 2];
    let waits: [(&str, Pair); 2] = [
        (
            "eventfd",
            [
                |queue| queue.pop_by_eventfd().map(drop),
                |queue| queue.push_by_eventfd(2),
            ],
        ),
        (
            "sleep",
            [|queue| queue.pop().map(drop), |queue| queue.push(2)],
        ),
    ];
    for (how, ends) in waits {
        for (full, wait) in [false, true].into_iter().zip(ends) {
            for (name, simulation) in simulations(&format!("close_{how}_{full}"), 1) {
                at_every_step(&name, 1, 1, move |steps| {
                    let simulation = simulation();
                    let queue = simulation.join(0);
                    if full {
                        queue.try_push(1).unwrap();
                    }
                    let victim = start(&simulation, 1, steps, |queue| queue.close());
                    let waiter = start(&simulation, 2, ALIVE, wait);
                    let died = victim.join().unwrap().is_none();
                    if !queue.is_closed() {
                        assert!(queue.close());
                    }
                    assert_eq!(waiter.join().unwrap(), Some(Err(TryFailure::Closed)));
                    died
                });
            }
        }
    }
}
