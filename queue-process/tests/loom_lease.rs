//! Models of leases: items that are lent to processes that die at every step, in both storages.
//! Whatever the dead was doing, each item is in the queue again, or was settled, and never both;
//! in order, and delivered as often as it says; and the queue has all its slots.
//!
//! The victim dies before its step k, for every k. Bounds: where nobody else is there meanwhile there
//! is one interleaving for each step; elsewhere one preemption besides the death.
#![cfg(loom)]

use queue_core::model::check;
use queue_process::loom::death::{ALIVE, Victim, at_every_step, drain, is_sound, start};
use queue_process::loom::{Lent, Process, Simulation, TryFailure};
use std::collections::BTreeMap;
use std::sync::Arc;

const LARGE: u64 = Simulation::LARGE;

/// How many items each queue takes.
const CAPACITY: u64 = 3;

/// What a sort of queue is called, how one is made, and two items for it.
type Sort = (&'static str, fn() -> Arc<Simulation>, [u64; 2]);

/// In a ring, in a pipe with small items and with large ones, and in a pipe that holds one, with the
/// others in the log.
fn queues() -> Vec<Sort> {
    let ring = || Simulation::new(CAPACITY as u32, 32, 8, 32);
    let pipe = || Simulation::pipe(CAPACITY as u32, 4);
    let log = || Simulation::pipe(CAPACITY as u32, 1);
    vec![
        ("ring", ring, [1, 2]),
        ("pipe", pipe, [1, 2]),
        ("large", pipe, [LARGE, LARGE + 1]),
        ("log", log, [1, LARGE]),
    ]
}

// What a victim writes down of an item, added to its number.
const RECEIVED: u64 = 1000;
const RELEASED: u64 = 2000;
const DONE: u64 = 3000;
/// From here on it pops, and does not write down what before it has it.
const POPS: u64 = 4000;

/// So many steps a victim lives at least that [meets](meet) another.
const MET: usize = 3;

/// Looks at what another process changes who pushes: who dies before it meets anybody makes no model.
fn meet(queue: &Process) {
    queue.len();
}

/// What is left, oldest first: each item, and how often it was delivered with this time.
/// Also after it was received and given back once more: what the dead said of the list of what
/// came back misleads nobody.
fn receive_all(queue: &Process) -> Vec<(u64, u32)> {
    let receive = || std::iter::from_fn(|| queue.try_receive().ok()).collect();
    let first: Vec<Lent> = receive();
    (first.iter()).for_each(|lent| assert!(queue.release(lent), "ours"));
    let lent: Vec<Lent> = receive();
    let numbers = |lent: &[Lent]| lent.iter().map(|lent| lent.number).collect::<Vec<_>>();
    assert_eq!(numbers(&lent), numbers(&first), "in another order");
    lent.iter()
        .for_each(|lent| assert!(queue.ack(lent), "ours"));
    lent.iter()
        .map(|lent| (lent.number, lent.attempt()))
        .collect()
}

/// What must be true of what is left of `numbers` after the death of one who wrote that `diary`.
fn judge(queue: &Process, numbers: &[u64], died: bool, diary: &[u64], others: &[u64]) {
    assert_eq!(queue.in_flight(), 0, "a lease is left: {diary:?}");
    let left = receive_all(queue);
    assert!(left.is_sorted(), "{left:?}");
    let left: BTreeMap<_, _> = left.into_iter().collect();
    let wrote = |what: u64, number: u64| diary.iter().filter(|n| **n == what + number).count();
    // The last that it wrote down was not the last that it did.
    let mut unsaid = usize::from(died);
    for &number in numbers {
        let done = wrote(DONE, number) != 0 || others.contains(&number);
        let Some(&attempt) = left.get(&number) else {
            if !done {
                // It had it, or took it out for good: what was never received is never settled.
                let had = wrote(RECEIVED, number) != 0 || diary.contains(&POPS);
                assert!(unsaid > 0 && had, "{number} is lost: {diary:?}");
                unsaid -= 1;
            }
            continue;
        };
        assert!(!done, "{number} was settled, and came out: {diary:?}");
        let counted = (wrote(RECEIVED, number) - wrote(RELEASED, number)) as u32;
        let likely = counted + 1..=counted + 1 + u32::from(died);
        // A release that it could not write down.
        let likely = likely.contains(&attempt) || died && attempt == counted;
        assert!(likely, "{number} for the {attempt}th time: {diary:?}");
    }
    is_sound(queue, CAPACITY);
}

/// What a victim does with items on loan.
type Life = fn(&Process, &dyn Fn(u64));

/// Receives what there is: `None` if another has it.
fn receive(queue: &Process, write: &dyn Fn(u64)) -> Option<Lent> {
    let lent = queue.try_receive().ok()?;
    write(RECEIVED + lent.number);
    Some(lent)
}

const LIVES: [(&str, Life); 5] = [
    ("acks", |queue, write| {
        while let Some(lent) = receive(queue, write) {
            assert!(queue.ack(&lent), "ours");
            write(DONE + lent.number);
        }
    }),
    ("acks_the_younger_first", |queue, write| {
        let both = [receive(queue, write), receive(queue, write)];
        for lent in both.into_iter().flatten().rev() {
            assert!(queue.ack(&lent), "ours");
            write(DONE + lent.number);
        }
    }),
    ("nacks_and_receives_again", |queue, write| {
        let both = [receive(queue, write), receive(queue, write)];
        both.iter()
            .flatten()
            .for_each(|lent| assert!(queue.nack(lent), "ours"));
        if let Some(lent) = receive(queue, write) {
            assert!(queue.ack(&lent), "ours");
            write(DONE + lent.number);
        }
    }),
    // The first of three is put in front of the third, and the second between them.
    ("releases_into_the_middle", |queue, write| {
        let lent: Vec<_> = (0..3).filter_map(|_| receive(queue, write)).collect();
        for n in [2, 0, 1] {
            if let Some(lent) = lent.get(n) {
                assert!(queue.release(lent), "ours");
                write(RELEASED + lent.number);
            }
        }
    }),
    ("releases_and_pops", |queue, write| {
        let both = [receive(queue, write), receive(queue, write)];
        for lent in both.into_iter().flatten().rev() {
            assert!(queue.release(&lent), "ours");
            write(RELEASED + lent.number);
        }
        write(POPS);
        while let Ok(number) = queue.try_pop() {
            write(DONE + number);
        }
    }),
];

/// A victim dies with what it has on loan, beside one who pushes; then somebody comes.
/// Catches: a slot that is held before the item is kept, or taken after the head has moved; the
/// freed slot counted before the slot is free; what a repair of a pipe does not take out of the
/// lease.
#[test]
fn death_with_a_loan() {
    for (kind, new, numbers) in queues() {
        for (does, life) in LIVES {
            at_every_step(&format!("{kind}_{does}"), MET, 1, move |steps| {
                let simulation = new();
                let queue = simulation.join(0);
                numbers.iter().for_each(|n| queue.try_push(*n).unwrap());
                let victim = Victim::start(&simulation, 1, steps, move |queue, write| {
                    meet(queue);
                    life(queue, write);
                });
                let third = numbers[1] + 1;
                queue.try_push(third).unwrap();
                let (died, diary) = victim.join();
                queue.recover();
                queue.put_back_of_dead();
                let numbers = [numbers[0], numbers[1], third];
                judge(&queue, &numbers, died, &diary, &[]);
                died
            });
        }
    }
}

/// The same while another works at the queue, and without a look at the locks: who comes to them
/// finds what is left.
#[test]
fn death_with_a_loan_beside_others() {
    for (kind, new, numbers) in queues() {
        let (does, life) = LIVES[0];
        at_every_step(&format!("{kind}_{does}_beside"), 1, 1, move |steps| {
            let simulation = new();
            let queue = simulation.join(0);
            numbers.iter().for_each(|n| queue.try_push(*n).unwrap());
            let victim = Victim::start(&simulation, 1, steps, life);
            let mut others = Vec::new();
            if let Ok(lent) = queue.try_receive() {
                assert!(queue.ack(&lent), "ours");
                others.push(lent.number);
            }
            let (died, diary) = victim.join();
            queue.put_back_of_dead();
            judge(&queue, &numbers, died, &diary, &others);
            died
        });
    }
}

/// A member holds both items and dies; one who puts them back dies too, and so does one who repairs
/// that: each item comes back once, and that was one attempt.
/// Catches: an attempt that is counted in a step of its own.
#[test]
fn death_of_who_puts_back() {
    for (kind, new, numbers) in queues() {
        at_every_step(&format!("{kind}_puts_back"), MET, 1, move |steps| {
            let simulation = new();
            let queue = simulation.join(0);
            numbers.iter().for_each(|n| queue.try_push(*n).unwrap());
            let holder = simulation.join(1);
            let held = [(); 2].map(|()| holder.try_receive().unwrap());
            simulation.on_death(1);
            let victim = start(&simulation, 2, steps, |queue| {
                meet(queue);
                queue.put_back_of_dead();
            });
            let third = numbers[1] + 1;
            queue.try_push(third).unwrap();
            let died = victim.join().unwrap().is_none();
            queue.recover();
            queue.put_back_of_dead();
            // Too late: a name that is dead settles nothing.
            assert!(held.iter().all(|lent| !holder.ack(lent)), "a stale holder");
            let left = [(numbers[0], 2), (numbers[1], 2), (third, 1)];
            assert_eq!(receive_all(&queue), left);
            is_sound(&queue, CAPACITY);
            died
        });
    }
}

/// Two die one after the other, the second as it comes upon what the first left.
#[test]
fn death_of_the_new_owner() {
    for (kind, new, numbers) in [queues()[0], queues()[2]] {
        for first in (5..40).step_by(6) {
            at_every_step(&format!("{kind}_heir_{first}"), MET, 1, move |steps| {
                let simulation = new();
                let queue = simulation.join(0);
                numbers.iter().for_each(|n| queue.try_push(*n).unwrap());
                let dead = Victim::start(&simulation, 1, first, LIVES[2].1);
                let (_, mut diary) = dead.join();
                let heir = Victim::start(&simulation, 2, steps, |queue, write| {
                    meet(queue);
                    queue.put_back_of_dead();
                    LIVES[0].1(queue, write);
                    LIVES[0].1(queue, write);
                });
                let third = numbers[1] + 1;
                queue.try_push(third).unwrap();
                let (died, theirs) = heir.join();
                queue.recover();
                queue.put_back_of_dead();
                assert_eq!(queue.in_flight(), 0, "a lease is left");
                diary.extend(theirs);
                let left = receive_all(&queue);
                let done = [numbers[0], numbers[1], third].map(|number| {
                    let done = diary.contains(&(DONE + number));
                    let left = left.iter().filter(|(n, _)| *n == number).count();
                    assert!(left + usize::from(done) <= 1, "{number} came twice");
                    left + usize::from(done)
                });
                // What was settled and not written down: by each of the two one at most.
                assert!(done.iter().sum::<usize>() + 2 >= done.len(), "{done:?}");
                is_sound(&queue, CAPACITY);
                died
            });
        }
    }
}

/// A holder dies, alone with one who waits for what it has: what it held is received, once.
/// Catches: nobody puts back what the dead held; who sleeps does not look for that.
#[test]
fn what_the_dead_held_comes_to_who_waits() {
    for (kind, new, numbers) in [queues()[0], queues()[2]] {
        at_every_step(&format!("{kind}_waits"), 1, 1, move |steps| {
            let simulation = new();
            let queue = simulation.join(0);
            queue.try_push(numbers[0]).unwrap();
            let victim = Victim::start(&simulation, 1, steps, |queue, write| {
                if let Ok(lent) = queue.try_receive() {
                    assert!(queue.ack(&lent), "ours");
                    write(DONE + lent.number);
                }
            });
            let waiter = start(&simulation, 2, ALIVE, |queue| {
                let lent = queue.receive().unwrap();
                assert!(queue.ack(&lent), "ours");
                lent.number
            });
            let (died, diary) = victim.join();
            // It acked it, or the waiter has it already.
            if queue.is_idle() {
                queue.push(numbers[1]).unwrap();
            }
            let got = waiter.join().unwrap().unwrap();
            assert!(got == numbers[1] || diary.is_empty(), "{got} came twice");
            drain(&queue);
            is_sound(&queue, CAPACITY);
            died
        });
    }
}

/// What is nacked comes to a thread that sleeps, or to a future.
/// Catches: the tail's people not woken; counted before it can be seen; its count read after.
#[test]
fn a_nack_wakes() {
    for as_future in [false, true] {
        for (kind, new, numbers) in [queues()[0], queues()[1]] {
            let name = format!("{kind}_a_nack_wakes_{as_future}");
            check(&name, Some(2), move || {
                let simulation = new();
                let queue = simulation.join(0);
                queue.try_push(numbers[0]).unwrap();
                let lent = queue.try_receive().unwrap();
                let waiter = start(&simulation, 1, ALIVE, move |queue| {
                    let lent = match as_future {
                        true => queue.receive_by_eventfd().unwrap(),
                        false => queue.receive().unwrap(),
                    };
                    (lent.number, lent.attempt())
                });
                assert!(queue.nack(&lent), "ours");
                assert_eq!(waiter.join().unwrap(), Some((numbers[0], 2)));
            });
        }
    }
}

/// A nack that a death cuts short comes to a future all the same, once what that left is repaired.
/// Catches: what a repair brings back not counted.
#[test]
fn a_nack_of_the_dead_wakes_a_future() {
    let (_, new, numbers) = queues()[0];
    at_every_step("a_dead_nack", 1, 1, move |steps| {
        let simulation = new();
        let queue = simulation.join(0);
        queue.try_push(numbers[0]).unwrap();
        let lent = simulation.join(1).try_receive().unwrap();
        let waiter = start(&simulation, 2, ALIVE, |queue| {
            queue.receive_by_eventfd().unwrap().number
        });
        let victim = start(&simulation, 1, steps, move |queue| queue.nack(&lent));
        let died = victim.join().unwrap().is_none();
        queue.recover();
        queue.put_back_of_dead();
        queue.have_futures_look();
        assert_eq!(waiter.join().unwrap(), Some(numbers[0]));
        died
    });
}

/// A slot is free for a push that waits once the item is acked, or taken out by a pop; not before.
/// Catches: nobody woken; a slot given free by the receive.
#[test]
fn an_ack_wakes_who_pushes() {
    for as_future in [false, true] {
        for pop in [false, true] {
            check(
                &format!("an_ack_wakes_{as_future}_{pop}"),
                Some(2),
                move || {
                    let simulation = Simulation::new(1, 24, 8, 24);
                    let queue = simulation.join(0);
                    queue.try_push(1).unwrap();
                    let waiter = start(&simulation, 1, ALIVE, move |queue| match as_future {
                        true => queue.push_by_eventfd(2).unwrap(),
                        false => queue.push(2).unwrap(),
                    });
                    let lent = queue.try_receive().unwrap();
                    assert_eq!(lent.number, 1);
                    assert_eq!(queue.try_push(3), Err(TryFailure::WouldBlock), "it is lent");
                    if pop {
                        assert!(queue.release(&lent), "ours");
                        assert_eq!(queue.try_push(3), Err(TryFailure::WouldBlock), "it is back");
                        assert_eq!(queue.try_pop(), Ok(1));
                    } else {
                        assert!(queue.ack(&lent), "ours");
                    }
                    assert!(waiter.join().unwrap().is_some());
                    assert_eq!(queue.try_pop(), Ok(2));
                },
            );
        }
    }
}

/// A closed queue whose last item is lent: two wait, as threads or as futures. Who gets it back
/// settles it, and the others learn of the end.
/// Catches: `Closed` while an item is lent; nobody woken by the last settlement.
#[test]
fn the_end_comes_with_the_last_settlement() {
    for as_future in [false, true] {
        for back in [false, true] {
            check(&format!("the_end_{as_future}_{back}"), Some(2), move || {
                let simulation = Simulation::new(1, 24, 8, 24);
                let queue = simulation.join(0);
                queue.try_push(1).unwrap();
                let lent = queue.try_receive().unwrap();
                assert!(queue.close());
                assert_eq!(queue.try_pop(), Err(TryFailure::WouldBlock), "it is lent");
                let waiters = [1, 2].map(|me| {
                    start(&simulation, me, ALIVE, move |queue| {
                        let received = match as_future {
                            true => queue.receive_by_eventfd(),
                            false => queue.receive(),
                        };
                        received.map(|lent| assert!(queue.ack(&lent), "ours"))
                    })
                });
                match back {
                    true => assert!(queue.nack(&lent), "ours"),
                    false => assert!(queue.ack(&lent), "ours"),
                }
                let got = waiters.map(|waiter| waiter.join().unwrap().unwrap());
                let came = got.iter().filter(|got| got.is_ok()).count();
                assert_eq!(came, usize::from(back), "{got:?}");
                assert_eq!(queue.try_pop(), Err(TryFailure::Closed));
            });
        }
    }
}

/// Who joins sleeps until the last item is acked, or popped; and a death of who has it delays that
/// until another has done it.
/// Catches: nobody looks for those who join; they do not look again.
#[test]
fn who_joins_is_woken() {
    for pop in [false, true] {
        check(&format!("who_joins_is_woken_{pop}"), Some(2), move || {
            let simulation = Simulation::new(2, 24, 8, 24);
            let queue = simulation.join(0);
            queue.try_push(1).unwrap();
            queue.try_push(2).unwrap();
            let joiner = start(&simulation, 1, ALIVE, |queue| {
                queue.join();
                (queue.len(), queue.in_flight())
            });
            let lent = queue.try_receive().unwrap();
            match pop {
                true => assert_eq!(queue.try_pop(), Ok(2)),
                false => {
                    let other = queue.try_receive().unwrap();
                    assert!(queue.ack(&other), "ours");
                }
            }
            assert!(queue.ack(&lent), "ours");
            assert_eq!(joiner.join().unwrap(), Some((0, 0)));
        });
    }
}

/// Two receive at once: each gets one, and the older comes back first.
#[test]
fn each_item_is_lent_once() {
    for (kind, new, numbers) in queues() {
        check(&format!("{kind}_each_once"), Some(2), move || {
            let simulation = new();
            let queue = simulation.join(0);
            numbers.iter().for_each(|n| queue.try_push(*n).unwrap());
            let other = start(&simulation, 1, ALIVE, |queue| {
                let lent = queue.try_receive().unwrap();
                assert!(queue.nack(&lent), "ours");
                lent.number
            });
            let lent = queue.try_receive().unwrap();
            assert!(queue.nack(&lent), "ours");
            other.join().unwrap().unwrap();
            let left = receive_all(&queue);
            assert!(
                left.iter().map(|(number, _)| *number).eq(numbers),
                "{left:?}"
            );
            is_sound(&queue, CAPACITY);
        });
    }
}

/// One item is nacked while another process has that of the dead come back.
/// Catches: what comes back counted without the lock, so that a future is told of less.
#[test]
fn all_that_comes_back_is_counted() {
    for (kind, new, numbers) in [queues()[0], queues()[1]] {
        at_every_step(&format!("{kind}_counted"), MET, 1, move |steps| {
            let simulation = new();
            let queue = simulation.join(0);
            numbers.iter().for_each(|n| queue.try_push(*n).unwrap());
            let victim = Victim::start(&simulation, 1, steps, |queue, _| {
                meet(queue);
                let _ = queue.try_receive();
                meet(queue);
            });
            let (died, _) = victim.join();
            queue.recover();
            let lent = queue.try_receive().unwrap();
            let (held, before) = (queue.in_flight(), queue.returns());
            let other = start(&simulation, 2, ALIVE, Process::put_back_of_dead);
            assert!(queue.nack(&lent), "ours");
            other.join().unwrap().unwrap();
            queue.put_back_of_dead();
            assert!(!died || queue.returns() == before + held);
            died
        });
    }
}
