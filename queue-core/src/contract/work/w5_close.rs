use super::*;
use std::pin::pin;
use std::task::{Context, Waker};

/// **W5 close**: after `close`, `Closed` comes when nothing waits *and nothing is in flight*, for
/// `receive` and `pop` alike; until then they wait, and the last settlement wakes all.
///
/// # Panics
/// If the clause does not hold.
pub fn w5_close<S: Subject<Queue: Lend>>() {
    run(WorkClause::W5, |watchdog| {
        watchdog.step("what does not wait is Empty while an item is in flight");
        let queue = full::<S>(2);
        let delivery = expect(&queue, 0);
        queue.close();
        let pushed = queue.try_push(item::<S>(9));
        assert!(
            matches!(pushed, Err(TryPushError::Closed(_))),
            "it is closed"
        );
        assert_eq!(
            queue.try_pop().map(|item| item.number()),
            Ok(1),
            "left inside"
        );
        assert_eq!(
            queue.try_pop().err(),
            Some(TryPopError::Empty),
            "one is in flight"
        );
        let error = queue.try_receive().err();
        assert_eq!(error, Some(TryPopError::Empty), "one is in flight");
        let late = queue.receive_timeout(Duration::from_millis(2)).err();
        assert!(
            late.is_some_and(|error| error.is_timeout()),
            "one is in flight"
        );
        settled(delivery.nack());
        let delivery = expect(&queue, 0);
        assert_eq!(delivery.attempt(), 2);
        assert_eq!(
            queue.try_pop().err(),
            Some(TryPopError::Empty),
            "one is in flight"
        );
        settled(delivery.ack());
        assert_eq!(
            queue.try_pop().err(),
            Some(TryPopError::Closed),
            "nothing is left"
        );
        assert_eq!(
            queue.try_receive().err(),
            Some(TryPopError::Closed),
            "nothing is left"
        );

        watchdog.step("close_now leaves alone what is in flight");
        let queue = full::<S>(2);
        let delivery = expect(&queue, 0);
        assert_eq!(queue.close_now().len(), 1, "what waits");
        settled(delivery.nack());
        assert_eq!(queue.close_now().len(), 1, "what came back");

        for close_first in [true, false] {
            for done in [true, false] {
                watchdog.step(format!(
                    "all wake: closed first: {close_first}, done: {done}"
                ));
                all_wake::<S>(watchdog, close_first, done);
            }
        }
        watchdog.step("what comes back is lent again: who was woken beside waits on");
        lent_again::<S>();
        watchdog.step("the last consumer goes while a delivery is out");
        let (producer, consumer) = bounded::<S>(1).into_ends();
        assert!(producer.try_push(item::<S>(0)).is_ok());
        let delivery = consumer.try_receive().expect("an item was inside");
        drop(consumer);
        assert!(producer.is_closed(), "without consumers");
        let queue = delivery.queue().clone();
        settled(delivery.nack());
        settled(expect(&queue, 0).ack());
        assert_eq!(queue.try_pop().err(), Some(TryPopError::Closed));
    });
}

/// Two wait at a closed queue for what may come back; one of them receives it, and gives it back too.
fn lent_again<S: Subject<Queue: Lend>>() {
    let queue = bounded::<S>(2);
    push_all::<S>(&queue, 1);
    let delivery = expect(&queue, 0);
    let (mut first, mut second) = (pin!(queue.receive_async()), pin!(queue.pop_async()));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut cx).is_pending());
    assert!(second.as_mut().poll(&mut cx).is_pending());
    settle();
    queue.close();
    settled(delivery.nack());
    let delivery = block_on(first).expect("it came back");
    assert_eq!(delivery.number(), 0);
    for _ in 0..3 {
        let polled = second.as_mut().poll(&mut cx);
        assert!(polled.is_pending(), "one is in flight");
        settle();
    }
    settled(delivery.nack());
    let popped = block_on(second).expect("it came back again");
    assert_eq!(popped.number(), 0);
}

/// Four wait, in all ways; one gets what comes back, if it does, and the others the end.
fn all_wake<S: Subject<Queue: Lend>>(watchdog: &Watchdog, close_first: bool, done: bool) {
    let queue = bounded::<S>(2);
    push_all::<S>(&queue, 1);
    let delivery = expect(&queue, 0);
    if close_first {
        queue.close();
    }
    let waiters: Vec<_> = (0..6)
        .map(|nth| {
            let queue = queue.clone();
            watchdog.spawn(move || {
                let received = |received: Result<Delivery<S::Queue>, crate::PopError>| {
                    received.map(|delivery| settled(delivery.ack())).is_ok()
                };
                match nth {
                    0 => queue.pop().is_ok(),
                    1 => block_on(queue.pop_async()).is_ok(),
                    2 => received(queue.receive()),
                    3 => received(block_on(queue.receive_async())),
                    4 => queue.pop_many(&mut Vec::new(), 2).is_ok(),
                    _ => queue.pop_timeout(LONG).is_ok(),
                }
            })
        })
        .collect();
    settle();
    if !close_first {
        queue.close();
        settle();
    }
    match done {
        true => settled(delivery.ack()),
        false => settled(delivery.nack()),
    }
    let got = waiters
        .into_iter()
        .filter(|_| true)
        .map(|waiter| waiter.join());
    let got = got.filter(|got| *got).count();
    assert_eq!(got, usize::from(!done), "so many got an item");
}
