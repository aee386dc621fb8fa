//! Models of death: a process stops before its step k, for every k, where a step is an
//! access to shared memory or a system call. The survivors must get on, and find every
//! item whose push had returned, whole, once and in order; `len` and capacity exact.
//!
//! Bounds: two preemptions besides the death itself. The victim's own progress needs none:
//! it dies at every step anyway; two let the survivors meet it, and each other, anywhere.
//! For those who sleep, who take many steps, and for pairs of deaths, of which there are
//! hundreds, it is one.
#![cfg(loom)]

use queue_process::loom::death::{
    ALIVE, Victim, advance, are_shared_out, at_every_step, drain, holds, is_sound, start,
};
use queue_process::loom::{Simulation, TryFailure};

/// A pusher dies while one sleeps.
#[test]
fn death_of_a_pusher() {
    at_every_step("death_of_a_pusher", 1, 2, |steps| {
        let simulation = Simulation::new(4, 32, 4, 32);
        let victim = Victim::start(&simulation, 1, steps, |queue, write| {
            for n in [1, 2] {
                queue.push(n).unwrap();
                write(n);
            }
        });
        let sleeper = start(&simulation, 2, ALIVE, |queue| queue.pop().unwrap());
        let queue = simulation.join(0);
        queue.push(9).unwrap();
        let mut got = vec![sleeper.join().unwrap().unwrap()];
        let (died, accepted) = victim.join();
        got.extend(drain(&queue));
        assert_eq!(got.iter().filter(|&&n| n == 9).count(), 1);
        holds(&got, &accepted, &[1, 2]);
        is_sound(&queue, 4);
        died
    });
}

/// A pusher dies as it wraps, and as it leaps over what is live.
#[test]
fn death_of_a_leaping_pusher() {
    at_every_step("death_of_a_leaping_pusher", 8, 2, |steps| {
        let simulation = Simulation::new(4, 32, 4, 32);
        let queue = simulation.join(0);
        advance(&queue, 2);
        queue.try_push(5).unwrap();
        let victim = Victim::start(&simulation, 1, steps, |queue, write| {
            for n in [1, 2, 3] {
                queue.try_push(n).unwrap();
                write(n);
            }
        });
        let mut got = vec![queue.pop().unwrap()];
        let (died, accepted) = victim.join();
        got.extend(drain(&queue));
        assert_eq!(got[0], 5);
        holds(&got, &accepted, &[1, 2, 3]);
        is_sound(&queue, 4);
        died
    });
}

/// A pusher dies as it leaps over what is live, with one item or at the head of a batch; where
/// the tail then still is there is no more room than before.
/// Catches: what it noted of the room behind its leap taken for the room at the tail.
#[test]
fn death_before_a_leap_is_seen() {
    for batch in [false, true] {
        let name = format!("death_before_a_leap_is_seen_{batch}");
        at_every_step(&name, 1, 2, move |steps| {
            let simulation = Simulation::new(6, 48, 4, 48);
            let queue = simulation.join(0);
            advance(&queue, 2);
            queue.try_push(5).unwrap();
            let victim = Victim::start(&simulation, 1, steps, move |queue, write| {
                if batch {
                    assert_eq!(queue.try_push_many(&[1, 2, 3]), Ok(3));
                    (1..=3).for_each(write);
                } else {
                    queue.try_push(1).unwrap();
                    write(1);
                }
            });
            queue.push(8).unwrap();
            let (died, accepted) = victim.join();
            queue.push(9).unwrap();
            let got = drain(&queue);
            assert_eq!((got.first(), got.last()), (Some(&5), Some(&9)), "{got:?}");
            assert_eq!(got.iter().filter(|&&n| n == 8).count(), 1);
            let all: &[u64] = if batch { &[1, 2, 3] } else { &[1] };
            let theirs: Vec<_> = got.iter().copied().filter(|n| *n < 5).collect();
            assert!(theirs == all || theirs.is_empty() && accepted.is_empty());
            is_sound(&queue, 6);
            died
        });
    }
}

/// A pusher dies with a batch, which goes in as one piece, around the end of the window, or
/// over what is live, while another pushes: all of it is in, or none.
#[test]
fn death_of_a_batch_pusher() {
    for before in 0..=3 {
        let name = format!("death_of_a_batch_pusher_after_{before}");
        at_every_step(&name, 1, 2, move |steps| {
            let simulation = Simulation::new(5, 54, 8, 54);
            let queue = simulation.join(0);
            advance(&queue, before);
            queue.try_push(5).unwrap();
            let victim = Victim::start(&simulation, 1, steps, |queue, write| {
                assert_eq!(queue.try_push_many(&[1, 2, 3]), Ok(3));
                (1..=3).for_each(write);
            });
            queue.push(9).unwrap();
            let mut got = queue.try_pop_many(3).unwrap();
            let (died, accepted) = victim.join();
            got.extend(drain(&queue));
            let whole = [[5, 1, 2, 3, 9], [5, 9, 1, 2, 3]]
                .iter()
                .any(|all| got == all);
            assert!(whole || died && got == [5, 9], "{got:?}");
            assert!(whole || accepted.is_empty());
            is_sound(&queue, 5);
            died
        });
    }
}

/// A popper dies with a batch, from either side of a jump, while one waits for a place.
#[test]
fn death_of_a_batch_popper() {
    at_every_step("death_of_a_batch_popper", 1, 2, |steps| {
        let simulation = Simulation::new(3, 32, 8, 32);
        let queue = simulation.join(0);
        advance(&queue, 3);
        assert_eq!(queue.try_push_many(&[1, 2, 3]), Ok(3));
        let victim = Victim::start(&simulation, 1, steps, |queue, write| {
            for n in queue.try_pop_many(2).unwrap() {
                write(n);
            }
        });
        let waiter = start(&simulation, 2, ALIVE, |queue| queue.push(4).unwrap());
        let mut got = queue.try_pop_many(1).unwrap_or_default();
        let (died, theirs) = victim.join();
        got.extend(queue.try_pop_many(2).unwrap_or_default());
        waiter.join().unwrap().unwrap();
        got.extend(drain(&queue));
        assert_eq!(got.last(), Some(&4));
        are_shared_out(&got, &theirs, 4, 2 * usize::from(died));
        is_sound(&queue, 3);
        died
    });
}

/// A popper dies while one waits for a place.
#[test]
fn death_of_a_popper() {
    at_every_step("death_of_a_popper", 1, 2, |steps| {
        let simulation = Simulation::new(2, 24, 4, 24);
        let queue = simulation.join(0);
        queue.try_push(1).unwrap();
        queue.try_push(2).unwrap();
        let victim = Victim::start(&simulation, 1, steps, |queue, write| {
            write(queue.pop().unwrap());
        });
        let waiter = start(&simulation, 2, ALIVE, |queue| queue.push(3).unwrap());
        let mut got = vec![queue.pop().unwrap()];
        waiter.join().unwrap().unwrap();
        let (died, theirs) = victim.join();
        got.extend(drain(&queue));
        are_shared_out(&got, &theirs, 3, usize::from(died));
        is_sound(&queue, 2);
        died
    });
}

/// One who waits dies, also after it was woken: its wake is not lost with it.
#[test]
fn death_of_a_sleeper() {
    at_every_step("death_of_a_sleeper", 1, 1, |steps| {
        let simulation = Simulation::new(2, 24, 8, 24);
        let victim = start(&simulation, 1, steps, |queue| queue.pop());
        let sleeper = start(&simulation, 2, ALIVE, |queue| queue.pop().unwrap());
        let queue = simulation.join(0);
        queue.push(1).unwrap();
        queue.push(2).unwrap();
        assert!(sleeper.join().unwrap().is_some());
        let died = victim.join().unwrap().is_none();
        assert!(drain(&queue).len() <= usize::from(died));
        is_sound(&queue, 2);
        died
    });
}

/// A future's process dies, also between clearing the eventfd and asking to be notified
/// again, while another that it rang for has not yet heard it.
#[test]
fn death_of_a_listener() {
    at_every_step("death_of_a_listener", 1, 1, |steps| {
        let simulation = Simulation::new(3, 24, 8, 24);
        let victim = start(&simulation, 1, steps, |queue| {
            let _ = (queue.pop_by_eventfd(), queue.pop_by_eventfd());
        });
        let pusher = start(&simulation, 2, ALIVE, |queue| {
            (1..=3).for_each(|n| queue.push(n).unwrap());
        });
        let queue = simulation.join(0);
        assert!(queue.pop_by_eventfd().is_ok());
        pusher.join().unwrap().unwrap();
        let died = victim.join().unwrap().is_none();
        assert!(drain(&queue).len() <= 2 * usize::from(died));
        is_sound(&queue, 3);
        died
    });
}

/// A pusher dies while futures wait: no net catches those.
#[test]
fn death_of_a_ringer() {
    at_every_step("death_of_a_ringer", 1, 2, |steps| {
        let simulation = Simulation::new(2, 24, 8, 24);
        let victim = start(&simulation, 1, steps, |queue| queue.push(1).unwrap());
        let listener = start(&simulation, 2, ALIVE, |queue| {
            queue.pop_by_eventfd().unwrap()
        });
        let queue = simulation.join(0);
        queue.push(2).unwrap();
        assert!(listener.join().unwrap().is_some());
        let died = victim.join().unwrap().is_none();
        drain(&queue);
        is_sound(&queue, 2);
        died
    });
}

/// Whoever closes dies: somebody else can, and all wake.
#[test]
fn death_of_a_closer() {
    at_every_step("death_of_a_closer", 1, 2, |steps| {
        let simulation = Simulation::new(1, 24, 8, 24);
        let victim = start(&simulation, 1, steps, |queue| queue.close());
        let sleeper = start(&simulation, 2, ALIVE, |queue| queue.pop());
        let queue = simulation.join(0);
        let ours = queue.close();
        assert_eq!(sleeper.join().unwrap(), Some(Err(TryFailure::Closed)));
        let theirs = victim.join().unwrap();
        assert!(
            theirs.is_none() || theirs == Some(!ours),
            "one of them closed it"
        );
        assert_eq!(
            (queue.try_push(1), queue.try_pop()),
            (Err(TryFailure::Closed), Err(TryFailure::Closed))
        );
        theirs.is_none()
    });
}

/// Whoever gives memory back dies.
#[test]
fn death_of_a_trimmer() {
    at_every_step("death_of_a_trimmer", 8, 2, |steps| {
        let simulation = Simulation::new(4, 40, 4, 1);
        let queue = simulation.join(0);
        queue.try_push(1).unwrap();
        queue.try_push(2).unwrap();
        let victim = Victim::start(&simulation, 1, steps, |queue, write| {
            for _ in 0..2 {
                write(queue.try_pop().unwrap());
            }
        });
        queue.push(3).unwrap();
        let (died, theirs) = victim.join();
        // Two, for the last one alone would be found beside the cursor.
        queue.push(4).unwrap();
        // All that the victim did not take is there, and nothing that it took.
        let got = drain(&queue);
        let lost = 4 - got.len() - theirs.len();
        assert!(lost <= usize::from(died), "{theirs:?} and {got:?}");
        assert_eq!(got, [1, 2, 3, 4][theirs.len() + lost..]);
        is_sound(&queue, 4);
        died
    });
}

/// The new owner dies too, at every step, whenever the first died: repair can be repeated.
#[test]
fn death_of_the_new_owner() {
    for first in 1..24 {
        at_every_step(
            &format!("death_of_the_new_owner_of_{first}"),
            1,
            1,
            move |steps| {
                let simulation = Simulation::new(3, 32, 4, 32);
                // Dead before the others begin.
                let dead = start(&simulation, 1, first, |queue| queue.push(1).unwrap());
                dead.join().unwrap();
                let victim = Victim::start(&simulation, 2, steps, |queue, write| {
                    queue.push(2).unwrap();
                    write(2);
                });
                let queue = simulation.join(0);
                queue.push(3).unwrap();
                let (died, accepted) = victim.join();
                let got = drain(&queue);
                assert!(got.contains(&3));
                assert!(died || got.contains(&2));
                holds(&got, &accepted, &[2]);
                is_sound(&queue, 3);
                died
            },
        );
    }
}
