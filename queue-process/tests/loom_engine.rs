//! Models of the engine under both Linux kinds, with the ring of `ShmQueue`: order,
//! sleeping and waking, closing, giving memory back. Nobody dies here.
//!
//! A model deadlocks, which loom reports, when a wake is lost. Bounds: two preemptions
//! where four processes take part, which is where a wake can be lost for good (one is
//! given, one is passed on, two sleep); three for two processes.
#![cfg(loom)]

use queue_core::model::check;
use queue_core::sync::atomic::{AtomicU32, Ordering};
use queue_core::sync::thread;
use queue_process::loom::{Process, Simulation, TryFailure};
use std::sync::Arc;

const ALIVE: usize = usize::MAX;

/// Starts process `me`.
fn start<R: 'static>(
    simulation: &Arc<Simulation>,
    me: usize,
    life: impl FnOnce(&Process) -> R + 'static,
) -> thread::JoinHandle<R> {
    let simulation = simulation.clone();
    thread::spawn(move || simulation.process(me, ALIVE, life).expect("nobody dies"))
}

/// An arena that wraps after two items, and a window that makes it wrap early.
#[test]
fn order_around_the_ring() {
    check("order_around_the_ring", Some(3), || {
        let simulation = Simulation::new(2, 24, 4, 24);
        let producer = start(&simulation, 1, |queue| {
            for n in 1..=4 {
                queue.push(n).unwrap();
            }
        });
        let queue = simulation.join(0);
        for n in 1..=4 {
            assert_eq!(queue.pop(), Ok(n));
        }
        producer.join().unwrap();
        assert_eq!(
            (queue.try_pop(), queue.len()),
            (Err(TryFailure::WouldBlock), 0)
        );
    });
}

/// The backlog outgrows the window while it is wrapped: the tail leaps over what is live.
#[test]
fn order_over_a_leap() {
    check("order_over_a_leap", Some(3), || {
        let simulation = Simulation::new(4, 32, 4, 32);
        let queue = simulation.join(0);
        // Plain up to the window, then wrapped.
        queue.try_push(1).unwrap();
        queue.try_push(2).unwrap();
        assert_eq!(queue.try_pop(), Ok(1));
        assert_eq!(queue.try_pop(), Ok(2));
        queue.try_push(3).unwrap();
        let producer = start(&simulation, 1, |queue| {
            for n in 4..=6 {
                queue.try_push(n).unwrap();
            }
        });
        for n in 3..=6 {
            assert_eq!(queue.pop(), Ok(n));
        }
        producer.join().unwrap();
        assert!(queue.is_empty());
    });
}

/// What stands beside the cursor for the last item is overwritten for the next but one, while
/// it is read: the item, or that there was none.
/// Catches: its Release or Acquire weakened.
#[test]
fn the_last_item_is_no_later_one() {
    overwritten("the_last_item_is_no_later_one", |queue| {
        queue.try_push(1).unwrap()
    });
    overwritten("none_is_no_later_one", |queue| {
        assert_eq!(queue.try_push_many(&[1]), Ok(1))
    });
}

fn overwritten(name: &str, push_first: impl Fn(&Process) + Send + Sync + 'static) {
    check(name, Some(3), move || {
        let simulation = Simulation::new(3, 32, 16, 32);
        let queue = simulation.join(0);
        push_first(&queue);
        let producers = [1, 2].map(|me| {
            start(&simulation, me, move |queue| {
                queue.try_push(me as u64 + 1).unwrap()
            })
        });
        let mut got = vec![queue.try_pop().unwrap()];
        producers
            .into_iter()
            .for_each(|other| other.join().unwrap());
        got.extend(std::iter::from_fn(|| queue.try_pop().ok()));
        assert!(got == [1, 2, 3] || got == [1, 3, 2], "{got:?}");
    });
}

/// A batch that lies in several pieces is written item by item while the item before it is
/// popped: nothing of it stands beside a cursor that does not speak of it.
#[test]
fn a_batch_in_pieces_is_no_earlier_item() {
    check("a_batch_in_pieces_is_no_earlier_item", Some(2), || {
        // Five items of two words have gone and one is inside: two of the batch's fit into
        // what is left of the window, and the third does not.
        let simulation = Simulation::new(4, 48, 16, 48);
        let queue = simulation.join(0);
        for n in 1..=5 {
            queue.try_push(n).unwrap();
            assert_eq!(queue.try_pop(), Ok(n));
        }
        queue.try_push(6).unwrap();
        let producer = start(&simulation, 1, |queue| {
            queue.try_push_many(&[7, 8, 9]).unwrap() as u64
        });
        let mut got = vec![queue.try_pop().unwrap()];
        assert_eq!(producer.join().unwrap(), 3);
        got.extend(std::iter::from_fn(|| queue.try_pop().ok()));
        assert_eq!(got, [6, 7, 8, 9]);
    });
}

/// Two sleepers, two pushes: the second push may find the flag cleared and not wake, and
/// then the first who wakes must pass it on.
#[test]
fn two_by_two() {
    check("two_by_two", Some(2), || {
        let simulation = Simulation::new(2, 24, 8, 24);
        let others = [
            start(&simulation, 1, |queue| queue.pop().unwrap()),
            start(&simulation, 2, |queue| queue.pop().unwrap()),
            start(&simulation, 3, |queue| {
                queue.push(1).unwrap();
                0
            }),
        ];
        let queue = simulation.join(0);
        queue.push(2).unwrap();
        let got: u64 = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert_eq!((got, queue.len()), (3, 0));
    });
}

/// Two who wait for a place, and two pops.
#[test]
fn two_wait_for_places() {
    check("two_wait_for_places", Some(2), || {
        let simulation = Simulation::new(1, 24, 8, 24);
        let queue = simulation.join(0);
        queue.try_push(7).unwrap();
        let others =
            [1, 2].map(|me| start(&simulation, me, move |queue| queue.push(me as u64).unwrap()));
        assert_eq!(queue.pop(), Ok(7));
        assert_eq!(queue.pop().unwrap() + queue.pop().unwrap(), 3);
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// A burst of two under two sleepers.
#[test]
fn a_burst() {
    check("a_burst", Some(2), || {
        let simulation = Simulation::new(2, 24, 8, 24);
        let others = [1, 2].map(|me| start(&simulation, me, |queue| queue.pop().unwrap()));
        let queue = simulation.join(0);
        queue.try_push(1).unwrap();
        queue.try_push(2).unwrap();
        let got: u64 = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert_eq!(got, 3);
    });
}

/// Close against one who waits for an item and one who waits for a place.
#[test]
fn close_wakes_all() {
    check("close_wakes_all", Some(2), || {
        let simulation = Simulation::new(1, 24, 8, 24);
        let others = [1, 2].map(|me| start(&simulation, me, |queue| queue.pop()));
        let queue = simulation.join(0);
        assert!(queue.close());
        assert!(!queue.close());
        for other in others {
            assert_eq!(other.join().unwrap(), Err(TryFailure::Closed));
        }
    });
    check("close_wakes_pushers", Some(2), || {
        let simulation = Simulation::new(1, 24, 8, 24);
        let queue = simulation.join(0);
        queue.try_push(7).unwrap();
        let others = [1, 2].map(|me| start(&simulation, me, |queue| queue.push(8)));
        assert!(queue.close());
        for other in others {
            assert_eq!(other.join().unwrap(), Err(TryFailure::Closed));
        }
        assert_eq!((queue.pop(), queue.pop()), (Ok(7), Err(TryFailure::Closed)));
    });
}

/// A pop that is told `Closed` can rely on it: whatever was accepted came out before.
#[test]
fn closed_comes_last() {
    check("closed_comes_last", Some(3), || {
        let simulation = Simulation::new(2, 24, 8, 24);
        let producer = start(&simulation, 1, |queue| u64::from(queue.push(1).is_ok()));
        let closer = start(&simulation, 2, |queue| queue.close());
        let queue = simulation.join(0);
        let mut got = 0;
        while let Ok(n) = queue.pop() {
            got += n;
        }
        assert_eq!(producer.join().unwrap(), got);
        assert!(closer.join().unwrap());
    });
}

/// Process 1, for several threads: this one listens to the eventfd.
fn shared(simulation: &Arc<Simulation>) -> Arc<Process> {
    Arc::new(simulation.join(1))
}

/// Starts a thread of `process`.
fn thread_of<R: 'static>(
    process: &Arc<Process>,
    life: impl FnOnce(&Process) -> R + 'static,
) -> thread::JoinHandle<R> {
    let process = process.clone();
    thread::spawn(move || life(&process))
}

/// Two futures of one process; its thread wakes one for each item, and looks anew for the
/// other.
/// Catches: nobody woken; the flag of futures not set, or not anew.
#[test]
fn futures_of_one_process() {
    check("futures_of_one_process", Some(2), || {
        let simulation = Simulation::new(2, 24, 8, 24);
        let process = shared(&simulation);
        let futures = [(); 2].map(|()| thread_of(&process, |queue| queue.pop_async().unwrap()));
        let pusher = start(&simulation, 0, |queue| {
            queue.push(1).unwrap();
            queue.push(2).unwrap();
        });
        process.run_waker(2);
        let got: u64 = futures.into_iter().map(|other| other.join().unwrap()).sum();
        pusher.join().unwrap();
        assert_eq!((got, process.len()), (3, 0));
    });
}

/// A batch of two is one move of the end.
/// Catches: one woken for a batch.
#[test]
fn a_batch_for_two_futures() {
    check("a_batch_for_two_futures", Some(2), || {
        let simulation = Simulation::new(2, 24, 8, 24);
        let process = shared(&simulation);
        let futures = [(); 2].map(|()| thread_of(&process, |queue| queue.pop_async().unwrap()));
        let pusher = start(&simulation, 0, |queue| {
            assert_eq!(queue.try_push_many(&[1, 2]), Ok(2));
        });
        process.run_waker(2);
        let got: u64 = futures.into_iter().map(|other| other.join().unwrap()).sum();
        pusher.join().unwrap();
        assert_eq!(got, 3);
    });
}

/// Two futures of one process wait, and the only item that comes may wake the one that is
/// cancelled.
#[test]
fn a_future_is_cancelled() {
    check("a_future_is_cancelled", Some(2), || {
        let simulation = Simulation::new(2, 24, 8, 24);
        let process = shared(&simulation);
        let cancelled = thread_of(&process, |queue| queue.cancelled());
        let future = thread_of(&process, |queue| queue.pop_async().unwrap());
        let pusher = start(&simulation, 0, |queue| queue.push(1).unwrap());
        process.run_waker(2);
        cancelled.join().unwrap();
        assert_eq!(future.join().unwrap(), 1);
        pusher.join().unwrap();
    });
}

/// Another process takes an item before the future that was woken for it, and another item
/// comes.
#[test]
fn a_future_is_overtaken() {
    check("a_future_is_overtaken", Some(2), || {
        let simulation = Simulation::new(2, 24, 8, 24);
        let process = shared(&simulation);
        let future = thread_of(&process, |queue| queue.pop_async().unwrap());
        let pusher = start(&simulation, 0, |queue| {
            queue.push(1).unwrap();
            queue.push(2).unwrap();
        });
        let other = start(&simulation, 2, |queue| queue.try_pop().unwrap_or(0));
        process.run_waker(1);
        let got = other.join().unwrap() + future.join().unwrap();
        pusher.join().unwrap();
        assert_eq!(got + process.try_pop().unwrap_or(0), 3);
    });
}

/// Close wakes all futures of a process.
/// Catches: a future that does not look whether the queue is closed before it waits.
#[test]
fn close_wakes_futures() {
    check("close_wakes_a_future", Some(3), || {
        let simulation = Simulation::new(2, 24, 8, 24);
        let process = shared(&simulation);
        let future = thread_of(&process, |queue| queue.pop_async());
        let closer = start(&simulation, 0, |queue| assert!(queue.close()));
        process.run_waker(1);
        assert_eq!(future.join().unwrap(), Err(TryFailure::Closed));
        closer.join().unwrap();
    });
    check("close_wakes_futures", Some(2), || {
        let simulation = Simulation::new(2, 24, 8, 24);
        let process = shared(&simulation);
        let futures = [(); 2].map(|()| thread_of(&process, |queue| queue.pop_async()));
        let closer = start(&simulation, 0, |queue| assert!(queue.close()));
        process.run_waker(2);
        for future in futures {
            assert_eq!(future.join().unwrap(), Err(TryFailure::Closed));
        }
        closer.join().unwrap();
    });
}

/// Futures of two processes wait, and a thread.
#[test]
fn eventfds() {
    check("eventfds", Some(2), || {
        let simulation = Simulation::new(2, 24, 8, 24);
        let others = [
            start(&simulation, 1, |queue| queue.pop_by_eventfd().unwrap()),
            start(&simulation, 2, |queue| queue.pop_by_eventfd().unwrap()),
            start(&simulation, 3, |queue| {
                queue.push(1).unwrap();
                0
            }),
        ];
        let queue = simulation.join(0);
        queue.push(2).unwrap();
        let got: u64 = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert_eq!(got, 3);
    });
    check("a_future_and_a_sleeper", Some(2), || {
        let simulation = Simulation::new(2, 24, 8, 24);
        let others = [
            start(&simulation, 1, |queue| queue.pop_by_eventfd().unwrap()),
            start(&simulation, 2, |queue| queue.pop().unwrap()),
        ];
        let queue = simulation.join(0);
        queue.push(1).unwrap();
        queue.push(2).unwrap();
        let got: u64 = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert_eq!(got, 3);
    });
}

/// A thread, or a future, waits for items, and one is deferred that is not in the queue, for it came
/// out in a batch of its process whose decoding panicked.
/// Catches: it is not woken, or does not look for that after it got ready to sleep.
#[test]
fn deferred_for_a_waiter() {
    for as_future in [false, true] {
        let name = ["deferred_for_a_sleeper", "deferred_for_a_future"][usize::from(as_future)];
        check(name, Some(3), move || {
            let simulation = Simulation::new(2, 24, 8, 24);
            let process = shared(&simulation);
            let deferred = Arc::new(AtomicU32::new(0));
            let who_waits = deferred.clone();
            let waits = thread_of(&process, move |queue| {
                queue.wait_for_deferred(&who_waits, as_future)
            });
            process.defer_one(&deferred);
            waits.join().unwrap();
            assert_eq!((deferred.load(Ordering::Relaxed), process.len()), (0, 0));
        });
    }
}

/// The queue gives memory back while somebody pushes.
#[test]
fn trim_against_push() {
    check("trim_against_push", Some(3), || {
        // Keeps next to nothing, so every pop that drains it trims.
        let simulation = Simulation::new(3, 32, 4, 1);
        let producer = start(&simulation, 1, |queue| {
            for n in 1..=3 {
                queue.push(n).unwrap();
            }
        });
        let queue = simulation.join(0);
        for n in 1..=3 {
            assert_eq!(queue.pop(), Ok(n));
        }
        producer.join().unwrap();
        assert!(queue.is_empty());
        queue.push(4).unwrap();
        assert_eq!(queue.pop(), Ok(4));
    });
}
