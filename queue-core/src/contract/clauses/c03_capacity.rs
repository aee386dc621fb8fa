use super::*;

/// **C3 capacity**: `bounded(n)` takes exactly n items with no consumer; the next
/// `try_push` is `Full(item)`; an unbounded queue is never `Full`.
///
/// Capacities are tried that are, and are not, powers of two; with every verb, again after items
/// went through, and by four producers at once.
///
/// # Panics
/// If the clause does not hold.
pub fn c3_capacity<S: Subject>() {
    run(Clause::C3, |watchdog| {
        let largest = crowd(1000) as usize;
        for capacity in [1, 2, 3, 4, 5, 7, 8, 63, 64, 100, largest] {
            watchdog.step(format!("capacity {capacity}"));
            let queue = bounded::<S>(capacity);
            assert_eq!(queue.capacity(), Some(capacity), "capacity()");
            fills::<S>(&queue, capacity, 0);
            for taken in [1, capacity / 2, capacity] {
                for _ in 0..taken {
                    queue.try_pop().expect("the queue was full");
                }
                fills::<S>(&queue, taken, capacity - taken);
            }
        }
        for push in Push::all() {
            watchdog.step(format!("filled by {push:?}"));
            let queue = bounded::<S>(3);
            for number in 0..3 {
                let pushed = push.run(&queue, item::<S>(number));
                assert!(pushed.is_ok(), "item {number} of 3 was refused");
            }
            fills::<S>(&queue, 0, 3);
        }
        for capacity in [1, 6, 50] {
            watchdog.step(format!("capacity {capacity}, four producers at once"));
            let queue = bounded::<S>(capacity);
            let producers: Vec<_> = (0..4)
                .map(|id| {
                    let queue = queue.clone();
                    watchdog.spawn(move || {
                        let numbers = id * 1000..id * 1000 + crowd(200);
                        let push = |&number: &u64| queue.try_push(item::<S>(number)).is_ok();
                        numbers.filter(push).count()
                    })
                })
                .collect();
            let accepted: usize = producers.into_iter().map(|p| p.join()).sum();
            assert_eq!(accepted, capacity, "so many were accepted");
        }
        watchdog.step("unbounded");
        let queue = unbounded::<S>();
        assert_eq!(queue.capacity(), None, "capacity()");
        for number in 0..crowd(5000) {
            let pushed = queue.try_push(item::<S>(number));
            assert!(pushed.is_ok(), "item {number}: {pushed:?}");
            assert!(!queue.is_full(), "is_full() of a queue without a bound");
        }
    });
}

/// Fails unless exactly `slots` more items go in beside the `inside` that are there.
fn fills<S: Subject>(queue: &S::Queue, slots: usize, inside: usize) {
    for slot in 0..slots {
        let pushed = queue.try_push(item::<S>(slot as u64));
        assert!(pushed.is_ok(), "beside {} items: {pushed:?}", inside + slot);
    }
    for verb in Push::TRYING {
        match verb.run(queue, item::<S>(4711)) {
            Ok(()) => panic!("{verb:?} beside {} items was accepted", inside + slots),
            Err((_, refusal)) => {
                assert!(refusal.is_open(), "{verb:?} into a full queue: {refusal:?}")
            }
        }
    }
}
