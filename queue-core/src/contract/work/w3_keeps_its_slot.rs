use super::*;

/// **W3 keeps its slot**: a delivery counts against the capacity until it is settled, so what
/// comes back never meets a full queue; it is in front of all that is younger, and `pop` and
/// `close_now` take it too.
///
/// # Panics
/// If the clause does not hold.
pub fn w3_keeps_its_slot<S: Subject<Queue: Lend>>() {
    keeps_its_slot::<S>(true);
}

/// [`w3_keeps_its_slot`](w3_keeps_its_slot()) without the order among those that come back: a server may keep them in
/// the order in which they were given back. They are given back here the oldest first.
///
/// # Panics
/// If the clause does not hold.
pub fn w3_keeps_its_slot_unordered<S: Subject<Queue: Lend>>() {
    keeps_its_slot::<S>(false);
}

fn keeps_its_slot<S: Subject<Queue: Lend>>(ordered: bool) {
    run(WorkClause::W3, move |watchdog| {
        for n in [1, 2, 5] {
            watchdog.step(format!("a queue of {n}"));
            counts::<S>(n, ordered);
        }
        if ordered {
            watchdog.step("the order of what comes back");
            order::<S>();
        }
        for take in [false, true] {
            for future in [false, true] {
                watchdog.step(format!("take: {take}, wakes a push, a future: {future}"));
                wakes_push::<S>(watchdog, take, future);
            }
        }
        watchdog.step("producers beside workers: never above the capacity");
        never_above::<S>(watchdog);
    });
}

fn counts<S: Subject<Queue: Lend>>(n: usize, ordered: bool) {
    let queue = full::<S>(n);
    let is_full = |queue: &S::Queue| {
        let pushed = queue.try_push(item::<S>(99));
        assert!(matches!(pushed, Err(TryPushError::Full(_))), "one too many");
        let mut batch = [item::<S>(99)].into();
        let pushed = queue.try_push_many(&mut batch);
        assert!(
            matches!(pushed, Err(TryPushError::Full(()))),
            "one too many"
        );
        assert!(queue.is_full(), "all slots are taken");
    };
    // Around the storage several times: each time one is popped, and its slot used again.
    for lap in 0..3 * n as u64 {
        let held: Vec<_> = (0..n as u64 - 1)
            .map(|nth| expect(&queue, lap + nth))
            .collect();
        is_full(&queue);
        assert!(queue.try_pop().is_ok(), "one waits still");
        assert!(
            queue.try_push(item::<S>(lap + n as u64 - 1)).is_ok(),
            "a slot was freed"
        );
        is_full(&queue);
        match ordered {
            true => held.into_iter().rev().for_each(drop),
            false => held.into_iter().for_each(drop),
        }
        assert_eq!((queue.len(), queue.in_flight()), (n, 0), "counted");
        is_full(&queue);
        // The first again: it is done, and makes room for the next.
        let first = expect(&queue, lap);
        is_full(&queue);
        settled(first.ack());
        assert!(
            queue.try_push(item::<S>(lap + n as u64)).is_ok(),
            "a slot was freed"
        );
        if n == 1 {
            continue;
        }
        // What was popped above was the youngest but one.
        let numbers: Vec<_> = (0..n)
            .map(|_| queue.try_pop().expect("inside").number())
            .collect();
        assert_eq!(numbers.len(), n, "all come out");
        (0..n as u64).for_each(|nth| {
            assert!(
                queue.try_push(item::<S>(lap + 1 + nth)).is_ok(),
                "a slot was left"
            );
        });
    }
}

fn order<S: Subject<Queue: Lend>>() {
    let queue = unbounded::<S>();
    push_all::<S>(&queue, 24);
    let mut lent: Vec<_> = (0..6).map(|number| expect(&queue, number)).collect();
    for nth in [3, 1, 0, 2] {
        settled(lent.remove(nth).nack());
    }
    // 2 and 4 are out still, if the removals above are followed: of what came back the older first.
    let mut out: Vec<_> = lent.iter().map(|delivery| delivery.number()).collect();
    out.sort_unstable();
    let back: Vec<_> = (0..6).filter(|number| !out.contains(number)).collect();
    assert_eq!(back.len(), 4);
    settled(expect(&queue, back[0]).nack());
    let mut again: Vec<_> = back.iter().map(|number| expect(&queue, *number)).collect();
    settled(again.remove(2).release());
    settled(again.remove(1).release());
    assert_eq!(
        queue.try_pop().map(|item| item.number()),
        Ok(back[1]),
        "the oldest inside"
    );
    let mut popped = Vec::new();
    assert_eq!(queue.try_pop_many(&mut popped, 2), Ok(2));
    let popped: Vec<_> = popped.iter().map(Item::number).collect();
    assert_eq!(popped, [back[2], 6], "the oldest inside");
    drop(again);
    drop(lent);
    let gone = [back[1], back[2], 6];
    let mut expected: Vec<_> = (0..24).filter(|number| !gone.contains(number)).collect();
    let mut popped = Vec::new();
    assert_eq!(queue.try_pop_many(&mut popped, 2), Ok(2), "of four");
    let popped: Vec<_> = popped.iter().map(Item::number).collect();
    assert_eq!(
        popped,
        expected.drain(..2).collect::<Vec<_>>(),
        "the oldest inside"
    );
    let left: Vec<_> = queue.close_now().iter().map(Item::number).collect();
    assert_eq!(left, expected, "close_now takes them in order");
    assert_eq!(queue.try_pop().err(), Some(TryPopError::Closed));
}

fn wakes_push<S: Subject<Queue: Lend>>(watchdog: &Watchdog, take: bool, future: bool) {
    let queue = full::<S>(1);
    let delivery = expect(&queue, 0);
    let waiting = queue.clone();
    let pusher = watchdog.spawn(move || match future {
        true => block_on(waiting.push_async(item::<S>(1))).is_ok(),
        false => waiting.push(item::<S>(1)).is_ok(),
    });
    settle();
    assert_eq!(
        (queue.len(), queue.in_flight()),
        (0, 1),
        "a slot was given away"
    );
    if take {
        assert_eq!(delivery.take().map(|item| item.number()), Ok(0));
    } else {
        settled(delivery.ack());
    }
    assert!(pusher.join(), "a waiting push was refused");
    settled(expect(&queue, 1).ack());
}

fn never_above<S: Subject<Queue: Lend>>(watchdog: &Watchdog) {
    const CAPACITY: usize = 3;
    let queue = bounded::<S>(CAPACITY);
    let producers: Vec<_> = (0..2)
        .map(|_| {
            let queue = queue.clone();
            watchdog.spawn(move || {
                (0..150).for_each(|number| {
                    assert!(queue.push(item::<S>(number)).is_ok(), "the queue is open");
                });
            })
        })
        .collect();
    let workers: Vec<_> = (0..3)
        .map(|nth| {
            let queue = queue.clone();
            watchdog.spawn(move || {
                for turn in nth.. {
                    if turn % 3 == 0 {
                        if queue.pop().is_err() {
                            return;
                        }
                        continue;
                    }
                    let Ok(delivery) = queue.receive() else {
                        return;
                    };
                    assert!(queue.in_flight() <= CAPACITY, "more in flight than slots");
                    assert!(queue.len() < CAPACITY, "one of the slots is this worker's");
                    match turn % 2 == 0 && delivery.attempt() == 1 {
                        true => settled(delivery.nack()),
                        false => settled(delivery.ack()),
                    }
                }
            })
        })
        .collect();
    producers.into_iter().for_each(|producer| producer.join());
    queue.join();
    queue.close();
    workers.into_iter().for_each(|worker| worker.join());
}
