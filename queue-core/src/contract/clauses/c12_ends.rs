use super::*;
use crate::{Consumer, Producer};

/// **C12 ends**: when the last producer has gone, pops drain, and are `Closed` then. When the last
/// consumer has gone, pushes are `Closed(item)`.
///
/// Clones are dropped one by one and in other threads, while threads and futures wait on the other
/// side. Sinks and streams that keep a half close it. Halves are counted, and handles tell whether
/// they are of the same queue. (Halves in other
/// processes, and their death, are for a process kind's own tests.)
///
/// # Panics
/// If the clause does not hold.
pub fn c12_ends<S: Subject>() {
    run(Clause::C12, |watchdog| {
        watchdog.step("the last producer goes");
        let (producer, consumer) = ends::<S>(4);
        let other = producer.clone();
        assert!(producer.try_push(item::<S>(0)).is_ok(), "a slot was left");
        drop(producer);
        assert!(!consumer.is_closed(), "closed while a producer is left");
        assert!(
            other.try_push(item::<S>(1)).is_ok(),
            "by the producer that is left"
        );
        drop(other);
        assert!(consumer.is_closed(), "open after the last producer");
        let rest: Vec<u64> = consumer.iter().map(|item| item.number()).collect();
        assert_eq!(rest, [0, 1], "pops drain");
        assert!(
            consumer.try_pop().is_err_and(|e| e.is_closed()),
            "and then are closed"
        );

        watchdog.step("the last consumer goes");
        let (producer, consumer) = ends::<S>(4);
        let other = consumer.clone();
        drop(consumer);
        assert!(
            producer.try_push(item::<S>(0)).is_ok(),
            "a consumer is left"
        );
        drop(other);
        match producer.try_push(item::<S>(1)) {
            Err(error) if error.is_closed() => {
                assert_eq!(error.into_item().number(), 1, "the item");
            }
            other => panic!("a push without consumers came to {other:?}"),
        }

        watchdog.step("halves are counted");
        c12_loops::counts::<S>();
        watchdog.step("handles of the same queue");
        c12_loops::same::<S>();
        watchdog.step("sinks");
        c12_loops::sinks::<S>();
        watchdog.step("streams that keep their half");
        c12_loops::streams::<S>();
        watchdog.step("a sink that feeds a stream");
        c12_loops::pipeline::<S>(watchdog);

        watchdog.step("halves made by several calls count together");
        let queue = bounded::<S>(4);
        let first = queue.clone().into_ends();
        let second = queue.clone().into_ends();
        drop(first);
        assert!(!queue.is_closed(), "closed while halves are left");
        drop(second.0);
        assert!(queue.is_closed(), "open after the last producer");

        watchdog.step("waiting poppers wake as the last producer goes");
        poppers_wake::<S>(watchdog);
        watchdog.step("waiting pushers wake as the last consumer goes");
        pushers_wake::<S>(watchdog);
        watchdog.step("traffic that ends when its halves are gone");
        traffic::<S>(watchdog);
    });
}

type Halves<S> = (
    Producer<<S as Subject>::Queue>,
    Consumer<<S as Subject>::Queue>,
);

fn ends<S: Subject>(capacity: usize) -> Halves<S> {
    bounded::<S>(capacity).into_ends()
}

fn poppers_wake<S: Subject>(watchdog: &Watchdog) {
    let (producer, consumer) = ends::<S>(1);
    let poppers: Vec<_> = (0..2)
        .map(|_| {
            let consumer = consumer.clone();
            watchdog.spawn(move || assert!(consumer.pop().is_err(), "an item from nowhere"))
        })
        .collect();
    let mut pop = PolledFuture::new(consumer.pop_async());
    assert!(pop.poll().is_none(), "no item yet");
    settle();
    watchdog.spawn(move || drop(producer)).join();
    poppers.into_iter().for_each(|popper| popper.join());
    assert!(
        pop.finish("a waiting future").is_err(),
        "an item from nowhere"
    );
}

fn pushers_wake<S: Subject>(watchdog: &Watchdog) {
    let (producer, consumer) = ends::<S>(1);
    assert!(producer.try_push(item::<S>(0)).is_ok(), "a slot was left");
    let pushers: Vec<_> = (1..3)
        .map(|number| {
            let producer = producer.clone();
            watchdog.spawn(move || match producer.push(item::<S>(number)) {
                Err(PushError::Closed(item)) => assert_eq!(item.number(), number, "the item"),
                other => panic!("it came to {other:?}"),
            })
        })
        .collect();
    let mut push = PolledFuture::new(producer.push_async(item::<S>(3)));
    assert!(push.poll().is_none(), "no slot yet");
    settle();
    watchdog.spawn(move || drop(consumer)).join();
    pushers.into_iter().for_each(|pusher| pusher.join());
    match push.finish("a waiting future") {
        Err(PushError::Closed(item)) => assert_eq!(item.number(), 3, "the item"),
        other => panic!("it came to {other:?}"),
    }
}

fn traffic<S: Subject>(watchdog: &Watchdog) {
    let (producer, consumer) = ends::<S>(3);
    let producers: Vec<_> = (0..3)
        .map(|_| {
            let producer = producer.clone();
            watchdog.spawn(move || {
                for number in 0..200 {
                    assert!(
                        producer.push(item::<S>(number)).is_ok(),
                        "a consumer is left"
                    );
                }
            })
        })
        .collect();
    drop(producer);
    let consumers: Vec<_> = (0..3)
        .map(|_| {
            let consumer = consumer.clone();
            watchdog.spawn(move || consumer.iter().count())
        })
        .collect();
    drop(consumer);
    producers.into_iter().for_each(|producer| producer.join());
    let popped: usize = consumers.into_iter().map(|consumer| consumer.join()).sum();
    assert_eq!(popped, 600, "so many came out");
}
