//! Models of death in the storage of a pipe queue: what ships, over a stand-in for its system
//! calls. The kernel holds what the dead put in or took out and did not publish, so each death
//! needs a repair, and a queue that misses one is short of an item or a place for good.
//!
//! Numbers from [`Simulation::LARGE`] on are large items, which lie in the arena; a window of three
//! such makes the arena turn soon, and a pipe of few records leads into the log.
//!
//! Bounds: as for the other models of death.
#![cfg(loom)]

use queue_process::loom::death::{
    ALIVE, Victim, are_shared_out, at_every_step, drain, holds, is_sound, start,
};
use queue_process::loom::{Process, Simulation, TryFailure};

const LARGE: u64 = Simulation::LARGE;

/// A pusher dies while one sleeps, with small items and with large ones.
#[test]
fn death_of_a_pusher() {
    for (name, numbers) in [("small", [1, 2]), ("large", [LARGE, LARGE + 1])] {
        at_every_step(&format!("death_of_a_pusher_{name}"), 1, 2, move |steps| {
            let simulation = Simulation::pipe(4, 4);
            let victim = Victim::start(&simulation, 1, steps, move |queue, write| {
                for n in numbers {
                    queue.push(n).unwrap();
                    write(n);
                }
            });
            let sleeper = start(&simulation, 2, ALIVE, |queue| queue.pop().unwrap());
            let queue = simulation.join(0);
            queue.push(99).unwrap();
            let mut got = vec![sleeper.join().unwrap().unwrap()];
            let (died, accepted) = victim.join();
            queue.recover();
            got.extend(drain(&queue));
            assert_eq!(got.iter().filter(|&&n| n == 99).count(), 1);
            holds(&got, &accepted, &numbers);
            is_sound(&queue, 4);
            died
        });
    }
}

/// A popper dies while one waits for a place.
#[test]
fn death_of_a_popper() {
    at_every_step("death_of_a_popper", 1, 2, |steps| {
        let simulation = Simulation::pipe(2, 2);
        let queue = simulation.join(0);
        queue.try_push(1).unwrap();
        queue.try_push(LARGE).unwrap();
        let victim = Victim::start(&simulation, 1, steps, |queue, write| {
            write(queue.pop().unwrap());
        });
        let waiter = start(&simulation, 2, ALIVE, |queue| {
            queue.push(LARGE + 1).unwrap()
        });
        let mut got = vec![queue.pop().unwrap()];
        waiter.join().unwrap().unwrap();
        let (died, theirs) = victim.join();
        queue.recover();
        got.extend(drain(&queue));
        are_shared_out(&got, &theirs, 3, usize::from(died));
        is_sound(&queue, 2);
        died
    });
}

/// A pusher dies as the arena turns to its front, or runs up to the head and on where it had
/// turned: the large items that come after it lie over none that is inside.
/// Catches: how the arena lies and how far it is taken written down in the other order, or
/// after the record.
#[test]
fn death_in_a_turn_of_the_arena() {
    // So many have gone, so many are inside, and the next turns (or goes on beyond).
    for (gone, inside) in [(2, 1), (2, 3), (1, 2), (3, 2)] {
        let name = format!("death_in_a_turn_{gone}_{inside}");
        at_every_step(&name, 8, 1, move |steps| {
            let simulation = Simulation::pipe(8, 8);
            let queue = simulation.join(0);
            let first = (LARGE..).take(gone + inside);
            for (n, number) in first.enumerate() {
                queue.try_push(number).unwrap();
                // One stays inside, so that the arena does not begin anew.
                if (1..=gone).contains(&n) {
                    queue.try_pop().unwrap();
                }
            }
            let before = queue.len() as usize;
            let victim = Victim::start(&simulation, 1, steps, |queue, write| {
                queue.try_push(LARGE + 50).unwrap();
                write(LARGE + 50);
            });
            let mut got = vec![queue.try_pop().unwrap()];
            let (died, accepted) = victim.join();
            for n in 60..63 {
                queue.try_push(LARGE + n).unwrap();
            }
            queue.recover();
            got.extend(drain(&queue));
            assert!(got.is_sorted_by(|a, b| a < b), "{got:?}");
            assert_eq!(got.iter().filter(|n| **n < LARGE + 50).count(), before);
            assert!(got.ends_with(&[LARGE + 60, LARGE + 61, LARGE + 62]));
            holds(&got, &accepted, &[LARGE + 50]);
            is_sound(&queue, 8);
            died
        });
    }
}

/// A pusher dies as the pipe gets full and it goes on in the log, or back from there.
#[test]
fn death_on_the_way_to_the_log() {
    at_every_step("death_on_the_way_to_the_log", 12, 2, |steps| {
        let simulation = Simulation::pipe(6, 1);
        let queue = simulation.join(0);
        queue.try_push(1).unwrap();
        let victim = Victim::start(&simulation, 1, steps, |queue, write| {
            for n in [2, 3] {
                queue.try_push(n).unwrap();
                write(n);
            }
        });
        let mut got = vec![queue.try_pop().unwrap()];
        let (died, accepted) = victim.join();
        queue.try_push(9).unwrap();
        queue.recover();
        got.extend(drain(&queue));
        assert_eq!((got.first(), got.last()), (Some(&1), Some(&9)), "{got:?}");
        holds(&got, &accepted, &[2, 3]);
        is_sound(&queue, 6);
        died
    });
}

/// A popper dies among items in the pipe and in the log, and as it gives memory back.
#[test]
fn death_on_the_way_out_of_the_log() {
    at_every_step("death_on_the_way_out_of_the_log", 8, 1, |steps| {
        let simulation = Simulation::pipe(6, 1);
        let queue = simulation.join(0);
        for n in 1..=3 {
            queue.try_push(n).unwrap();
        }
        let victim = Victim::start(&simulation, 1, steps, |queue, write| {
            for _ in 0..3 {
                write(queue.try_pop().unwrap());
            }
        });
        queue.try_push(4).unwrap();
        let (died, theirs) = victim.join();
        queue.try_push(5).unwrap();
        queue.recover();
        let got = drain(&queue);
        are_shared_out(&got, &theirs, 5, usize::from(died));
        assert!(got.ends_with(&[5]));
        is_sound(&queue, 6);
        died
    });
}

/// Batches: a pusher dies with one that fills the pipe and goes on in the log.
#[test]
fn death_of_a_batch_pusher() {
    at_every_step("death_of_a_batch_pusher", 1, 1, |steps| {
        let simulation = Simulation::pipe(6, 3);
        let victim = Victim::start(&simulation, 1, steps, |queue, write| {
            let all = [1, LARGE, 2];
            assert_eq!(queue.try_push_many(&all), Ok(3));
            all.into_iter().for_each(write);
        });
        let queue = simulation.join(0);
        queue.try_push(9).unwrap();
        let mut got = queue.try_pop_many(2).unwrap();
        let (died, accepted) = victim.join();
        queue.recover();
        got.extend(drain(&queue));
        let whole = [[1, LARGE, 2, 9], [9, 1, LARGE, 2]]
            .iter()
            .any(|all| got == all);
        assert!(whole || died && got == [9], "{got:?}");
        assert!(whole || accepted.is_empty());
        is_sound(&queue, 6);
        died
    });
}

/// A popper dies with a batch in its hands.
#[test]
fn death_of_a_batch_popper() {
    at_every_step("death_of_a_batch_popper", 1, 1, |steps| {
        let simulation = Simulation::pipe(4, 3);
        let queue = simulation.join(0);
        assert_eq!(queue.try_push_many(&[1, LARGE, LARGE + 1]), Ok(3));
        let victim = Victim::start(&simulation, 1, steps, |queue, write| {
            for n in queue.try_pop_many(2).unwrap() {
                write(n);
            }
        });
        let mut got = queue.try_pop_many(1).unwrap_or_default();
        let (died, theirs) = victim.join();
        queue.try_push(LARGE + 2).unwrap();
        queue.recover();
        got.extend(drain(&queue));
        assert_eq!(got.last(), Some(&(LARGE + 2)));
        are_shared_out(&got, &theirs, 4, 2 * usize::from(died));
        is_sound(&queue, 4);
        died
    });
}

/// A pusher dies, alone with a future that waits for its item: once it is in the pipe, whatever
/// is said of it, a check of the peers brings the two together. The same for a popper, and its
/// slot.
#[test]
fn what_the_pipe_holds_finds_who_waits() {
    at_every_step("an_unsaid_item", 1, 1, |steps| {
        let simulation = Simulation::pipe(2, 2);
        let victim = start(&simulation, 1, steps, |queue| queue.push(LARGE).unwrap());
        let waiter = start(&simulation, 2, ALIVE, |queue| {
            queue.pop_by_eventfd().unwrap()
        });
        let died = victim.join().unwrap().is_none();
        let queue = simulation.join(0);
        queue.recover();
        if simulation.records() == 0 {
            queue.push(1).unwrap();
        }
        assert!(waiter.join().unwrap().is_some());
        drain(&queue);
        is_sound(&queue, 2);
        died
    });
    at_every_step("an_unsaid_place", 1, 1, |steps| {
        let simulation = Simulation::pipe(1, 2);
        let queue = simulation.join(0);
        queue.try_push(LARGE).unwrap();
        let victim = start(&simulation, 1, steps, |queue| queue.try_pop().unwrap());
        let waiter = start(&simulation, 2, ALIVE, |queue| {
            queue.push_by_eventfd(1).unwrap()
        });
        let died = victim.join().unwrap().is_none();
        queue.recover();
        if simulation.records() == 1 {
            assert!(queue.pop().is_ok());
        }
        assert!(waiter.join().unwrap().is_some());
        drain(&queue);
        is_sound(&queue, 1);
        died
    });
}

/// What a pair of processes do that die one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Push,
    Pop,
    Close,
}

/// Two die, the second as it comes upon what the first left, each at every step; and then one
/// comes who finds all that was accepted.
/// Catches: a lock that is given back before its end is marked as poisoned.
#[test]
fn death_of_the_new_owner() {
    use Verb::{Close, Pop, Push};
    let pairs = [
        (Push, Push),
        (Push, Pop),
        (Push, Close),
        (Pop, Push),
        (Pop, Pop),
        (Close, Push),
    ];
    for (first, second) in pairs {
        for steps in 6..18 {
            let name = format!("heir_{first:?}_{second:?}_{steps}");
            at_every_step(&name, 1, 1, move |heirs| {
                let simulation = Simulation::pipe(8, 8);
                let queue = simulation.join(0);
                for n in [1, 2, LARGE] {
                    queue.try_push(n).unwrap();
                }
                // Dead before the others begin.
                let dead = start(&simulation, 1, steps, move |queue| {
                    live(queue, first, LARGE + 1)
                });
                let dead = dead.join().unwrap().is_none();
                let new_owner = start(&simulation, 2, heirs, move |queue| {
                    live(queue, second, LARGE + 2)
                });
                // At the end at which the new owner works.
                let mut got = Vec::new();
                if second == Pop {
                    got.extend(queue.try_pop());
                }
                let pushed = queue.try_push(LARGE + 3).is_ok();
                let died = new_owner.join().unwrap().is_none();
                queue.recover();
                got.extend(drain(&queue));
                // How many of a verb at least were done, and at most.
                let of = |verb| {
                    let both = [(first, dead), (second, died)];
                    let theirs = both.into_iter().filter(|(its, _)| *its == verb);
                    let done = theirs.clone().filter(|(_, died)| !died).count();
                    done..=theirs.count()
                };
                let old = got.iter().filter(|n| **n <= LARGE).count();
                let new = [LARGE + 1, LARGE + 2].map(|n| got.contains(&n));
                let new = new.into_iter().filter(|came| *came).count();
                assert!(of(Pop).contains(&(3 - old)), "{old} of 3 are left");
                assert!(*of(Push).end() >= new, "{new} came");
                assert_eq!(got.len(), old + new + usize::from(pushed), "{got:?}");
                assert_eq!(got.contains(&(LARGE + 3)), pushed, "{got:?}");
                if queue.is_closed() {
                    assert_eq!(queue.try_push(0), Err(TryFailure::Closed));
                } else {
                    assert!(pushed && *of(Push).start() <= new, "{new} came");
                    is_sound(&queue, 8);
                }
                died
            });
        }
    }
}

/// Does what it can: somebody may have closed the queue.
fn live(queue: &Process, verb: Verb, number: u64) {
    match verb {
        Verb::Push => drop(queue.try_push(number)),
        Verb::Pop => drop(queue.try_pop().unwrap()),
        Verb::Close => drop(queue.close()),
    }
}
