use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// **C10 count**: `len` never exceeds the capacity, and is exact when nobody else acts.
///
/// `len` is checked after every step of one thread, by two observers during a stress run, and after it.
///
/// # Panics
/// If the clause does not hold.
pub fn c10_count<S: Subject>() {
    run(Clause::C10, |watchdog| {
        watchdog.step("alone");
        let queue = bounded::<S>(3);
        counts(&queue, 0);
        for number in 0..3 {
            assert!(queue.try_push(item::<S>(number)).is_ok(), "a slot was left");
            counts(&queue, number as usize + 1);
        }
        assert!(queue.try_push(item::<S>(3)).is_err(), "the queue is full");
        counts(&queue, 3);
        for left in [2, 1, 0] {
            assert!(queue.try_pop().is_ok(), "an item was inside");
            counts(&queue, left);
        }
        assert!(queue.try_pop().is_err(), "the queue is empty");
        counts(&queue, 0);
        for round in 0..50 {
            for push in [Push::Plain, Push::Future, Push::Many] {
                assert!(
                    push.run(&queue, item::<S>(round)).is_ok(),
                    "a slot was left"
                );
            }
            counts(&queue, 3);
            for (left, pop) in [(2, Pop::Plain), (1, Pop::Future), (0, Pop::Many)] {
                assert!(pop.run(&queue).is_ok(), "an item was inside");
                counts(&queue, left);
            }
        }
        watchdog.step("alone, without a bound");
        let queue = unbounded::<S>();
        for number in 0..100 {
            assert!(
                queue.try_push(item::<S>(number)).is_ok(),
                "there is no bound"
            );
            assert_eq!(queue.len(), number as usize + 1, "len()");
        }
        assert!(
            !queue.is_full() && !queue.is_empty(),
            "is_full(), is_empty()"
        );
        watchdog.step("after close");
        queue.close();
        assert_eq!(queue.len(), 100, "len() after close");
        assert!(queue.try_pop().is_ok(), "an item was inside");
        assert_eq!(queue.len(), 99, "len() after close and a pop");
        let _ = queue.close_now();
        assert_eq!(queue.len(), 0, "len() after close_now");
        for capacity in [1, 2, 6] {
            watchdog.step(format!("watched during a stress run, capacity {capacity}"));
            watched::<S>(watchdog, capacity);
        }
    });
}

fn counts<T: Item, Q: Queue<Item = T>>(queue: &Q, n: usize) {
    assert_eq!(queue.len(), n, "len()");
    assert_eq!(queue.is_empty(), n == 0, "is_empty() with {n} items");
    let capacity = queue.capacity().expect("bounded");
    assert_eq!(
        queue.is_full(),
        n == capacity,
        "is_full() with {n} of {capacity}"
    );
}

fn watched<S: Subject>(watchdog: &Watchdog, capacity: usize) {
    let queue = bounded::<S>(capacity);
    let over = Arc::new(AtomicBool::new(false));
    let observers: Vec<_> = (0..2)
        .map(|_| {
            let (queue, over) = (queue.clone(), over.clone());
            watchdog.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    for _ in 0..50 {
                        let len = queue.len();
                        assert!(len <= capacity, "len() is {len} of {capacity}");
                    }
                    std::thread::yield_now();
                }
            })
        })
        .collect();
    let stress = StressRun {
        producers: 3,
        consumers: 2,
        // Few: where a look at `len` is a message, the observers leave little for others.
        each: 150,
        cancel: true,
        ..StressRun::PLAIN
    };
    stress.run_under(watchdog, &queue);
    over.store(true, Ordering::Relaxed);
    observers.into_iter().for_each(|observer| observer.join());
    assert_eq!(queue.len(), 0, "len() of the drained queue");
}
