use super::*;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// **W2 comes back**: an item whose delivery is nacked, released, dropped or unwound is in the
/// queue again, at once, and whoever waits for an item is woken; a receive that is cancelled loses
/// none.
///
/// Tried one by one, with sleeping threads and futures that receive and that pop, and with many
/// workers, threads and futures, single and in batches, that settle in all ways by turns: every
/// item is done exactly once.
///
/// # Panics
/// If the clause does not hold.
pub fn w2_comes_back<S: Subject<Queue: Lend>>() {
    run(WorkClause::W2, |watchdog| {
        for back in Back::ALL {
            watchdog.step(format!("{back:?}"));
            let queue = bounded::<S>(1);
            push_all::<S>(&queue, 1);
            back.run(expect(&queue, 0));
            assert_eq!((queue.len(), queue.in_flight()), (1, 0), "it is inside");
            settled(expect(&queue, 0).ack());
            for receive in Receive::waiting() {
                watchdog.step(format!("{back:?} wakes {receive:?}"));
                wakes::<S>(watchdog, back, move |queue| {
                    receive.run(queue).map(|delivery| {
                        let number = delivery.number();
                        settled(delivery.ack());
                        number
                    })
                });
            }
            watchdog.step(format!("{back:?} wakes a pop"));
            wakes::<S>(watchdog, back, |queue| {
                let popped = queue.pop().map_err(|error| error.to_string());
                popped.map(|item| item.number())
            });
            watchdog.step(format!("{back:?} wakes a future of a pop"));
            wakes::<S>(watchdog, back, |queue| {
                let popped = block_on(queue.pop_async()).map_err(|error| error.to_string());
                popped.map(|item| item.number())
            });
        }
        watchdog.step("a receive that is cancelled");
        cancelled::<S>();
        for capacity in [1, 4] {
            watchdog.step(format!("many workers through a queue of {capacity}"));
            many::<S>(watchdog, bounded::<S>(capacity));
        }
        watchdog.step("many workers through a queue without a bound");
        many::<S>(watchdog, unbounded::<S>());
    });
}

fn wakes<S: Subject<Queue: Lend>>(
    watchdog: &Watchdog,
    back: Back,
    waiter: impl FnOnce(&S::Queue) -> Result<u64, String> + Send + 'static,
) {
    let queue = bounded::<S>(2);
    push_all::<S>(&queue, 1);
    let delivery = expect(&queue, 0);
    let waiting = queue.clone();
    let woken = watchdog.spawn(move || waiter(&waiting));
    std::thread::sleep(Duration::from_millis(3));
    back.run(delivery);
    assert_eq!(woken.join(), Ok(0), "what came back");
}

fn cancelled<S: Subject<Queue: Lend>>() {
    let queue = bounded::<S>(2);
    for first_dies in [true, false] {
        push_all::<S>(&queue, 1);
        let delivery = expect(&queue, 0);
        let mut first = PolledFuture::new(queue.receive_async());
        let mut second = PolledFuture::new(queue.receive_async());
        assert!(
            first.poll().is_none() && second.poll().is_none(),
            "no item yet"
        );
        settled(delivery.release());
        let (dies, lives) = if first_dies {
            (first, second)
        } else {
            (second, first)
        };
        drop(dies);
        let received = lives.finish("the other of two waiting receives");
        let received = received.unwrap_or_else(|error| panic!("it came to {error}"));
        assert_eq!(
            (received.number(), received.attempt()),
            (0, 1),
            "what was released"
        );
        settled(received.ack());
    }
    assert_eq!((queue.len(), queue.in_flight()), (0, 0), "counted");
}

const JOBS: u64 = 200;

fn many<S: Subject<Queue: Lend>>(watchdog: &Watchdog, queue: S::Queue) {
    let done = Arc::new(Mutex::new(HashMap::new()));
    let workers: Vec<_> = (0..4)
        .map(|nth| {
            let (queue, done) = (queue.clone(), done.clone());
            watchdog.spawn(move || {
                for turn in nth.. {
                    let mut some = Vec::new();
                    let received = match turn % 4 {
                        0 => queue.receive_many(&mut some, 3).map(drop),
                        1 => block_on(queue.receive_many_async(&mut some, 2)).map(drop),
                        2 => queue.receive().map(|delivery| some.push(delivery)),
                        _ => block_on(queue.receive_async()).map(|delivery| some.push(delivery)),
                    };
                    if received.is_err() {
                        return;
                    }
                    for delivery in some {
                        let attempt = delivery.attempt();
                        if attempt < 4 && (delivery.number() + u64::from(attempt)) % 3 != 0 {
                            let ways = [Back::Nack, Back::Drop, Back::Unwind];
                            ways[attempt as usize % 3].run(delivery);
                            continue;
                        }
                        let number = delivery.number();
                        settled(delivery.ack());
                        *done.lock().unwrap().entry(number).or_insert(0) += 1;
                    }
                }
            })
        })
        .collect();
    for number in 0..JOBS {
        assert!(queue.push(item::<S>(number)).is_ok(), "the queue is open");
    }
    queue.join();
    let counts = done.lock().unwrap().clone();
    // An ack returns before its worker counts it: the last ones may be missing here.
    assert!(
        counts.len() as u64 + 4 * 3 >= JOBS,
        "joined before all was done"
    );
    queue.close();
    workers.into_iter().for_each(|worker| worker.join());
    let done = done.lock().unwrap();
    for number in 0..JOBS {
        let times = done.get(&number).copied().unwrap_or(0);
        assert_eq!(times, 1, "item {number} was done {times} times");
    }
}
