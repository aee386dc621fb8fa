use super::*;

/// **C7 close**: after `close` every push is `Closed(item)`, even if there is a free slot. Pops drain
/// in order, and are `Closed` then. All waiters wake. Closing twice is fine. `Closed` wins over
/// `Full`, `Empty` and `Timeout`, and never comes while an accepted item remains.
///
/// # Panics
/// If the clause does not hold.
pub fn c7_close<S: Subject>() {
    run(Clause::C7, |watchdog| {
        watchdog.step("the first close is true, each later one false");
        let queue = bounded::<S>(8);
        assert!(!queue.is_closed(), "closed from the beginning");
        assert!(queue.clone().close(), "the first close");
        assert!(
            queue.is_closed(),
            "is_closed() after close by another handle"
        );
        assert!(!queue.close() && !queue.clone().close(), "a later close");
        watchdog.step("one of many who close at once is the first");
        for _ in 0..20 {
            let queue = bounded::<S>(1);
            let closers: Vec<_> = (0..3)
                .map(|_| {
                    let queue = queue.clone();
                    watchdog.spawn(move || queue.close())
                })
                .collect();
            let firsts = closers
                .into_iter()
                .filter_map(|c| c.join().then_some(()))
                .count();
            assert_eq!(firsts, 1, "so many were told they are the first");
        }
        for inside in [0, 1, 3] {
            watchdog.step(format!("verbs on a closed queue of 3 with {inside} items"));
            answers::<S>(inside);
        }
        watchdog.step("an unbounded queue");
        let queue = unbounded::<S>();
        assert!(queue.push(item::<S>(1)).is_ok(), "open, without a bound");
        assert!(!queue.is_closed(), "closed from the beginning");
        assert!(queue.close(), "the first close");
        assert!(queue.is_closed(), "is_closed() after close");
        let refused = queue.try_push(item::<S>(2));
        assert!(refused.is_err_and(|e| e.is_closed()), "a push after close");
        assert_eq!(queue.close_now().len(), 1, "close_now after close");
        for verb in Pop::WAITING {
            watchdog.step(format!("close wakes {verb:?}"));
            wakes_poppers::<S>(watchdog, verb);
        }
        for verb in Push::WAITING {
            watchdog.step(format!("close wakes {verb:?}"));
            wakes_pushers::<S>(watchdog, verb);
        }
        watchdog.step("close wakes futures polled by hand");
        wakes_futures::<S>();
        for round in 0..10 {
            watchdog.step("close in the middle of traffic");
            let queue = bounded::<S>(1 + 7 * (round % 2));
            let short = StressRun {
                each: 2000,
                close_early: true,
                ..StressRun::PLAIN
            };
            check(&short.run_under(watchdog, &queue), is_mine);
        }
    });
}

fn is_mine(violation: &Violation) -> bool {
    use Violation::{ClosedEarly, Closers, DrainedEarly, EmptyAfterClose, PushAfterClose};
    matches!(
        violation,
        ClosedEarly(_) | Closers(_) | DrainedEarly(_) | EmptyAfterClose(_) | PushAfterClose(_)
    )
}

fn answers<S: Subject>(inside: u64) {
    let fresh = || {
        let queue = bounded::<S>(3);
        for number in 0..inside {
            assert!(queue.try_push(item::<S>(number)).is_ok(), "a slot was left");
        }
        queue.close();
        queue
    };
    for verb in Push::all() {
        let queue = fresh();
        match verb.run(&queue, item::<S>(9)) {
            Ok(()) => panic!("{verb:?} was accepted"),
            Err((_, refusal)) => assert!(refusal.is_closed(), "{verb:?} came to {refusal:?}"),
        }
        assert!(
            drain(&queue).into_iter().eq(0..inside),
            "the items after {verb:?}"
        );
    }
    for verb in Pop::all() {
        let queue = fresh();
        for number in 0..inside {
            let popped = verb.run(&queue).map(|item| item.number());
            assert!(
                matches!(popped, Ok(n) if n == number),
                "{verb:?} came to {popped:?}"
            );
        }
        for _ in 0..2 {
            let popped = verb.run(&queue).map(|item| item.number());
            let closed = popped.as_ref().is_err_and(Refusal::is_closed);
            assert!(closed, "{verb:?} came to {popped:?}");
        }
    }
    assert!(
        fresh().iter().map(|item| item.number()).eq(0..inside),
        "iter()"
    );
    assert!(
        fresh().try_iter().map(|item| item.number()).eq(0..inside),
        "try_iter()"
    );
    let left = fresh().close_now();
    assert!(
        left.iter().map(S::Item::number).eq(0..inside),
        "close_now()"
    );
}

fn wakes_poppers<S: Subject>(watchdog: &Watchdog, verb: Pop) {
    let queue = bounded::<S>(3);
    let poppers: Vec<_> = (0..3)
        .map(|_| {
            let queue = queue.clone();
            watchdog.spawn(move || {
                let popped = verb.run(&queue).map(|item| item.number());
                let closed = popped.as_ref().is_err_and(Refusal::is_closed);
                assert!(closed, "{verb:?} came to {popped:?}");
            })
        })
        .collect();
    settle();
    queue.close();
    poppers.into_iter().for_each(|popper| popper.join());
}

fn wakes_pushers<S: Subject>(watchdog: &Watchdog, verb: Push) {
    let queue = full::<S>(2);
    let pushers: Vec<_> = (0..3)
        .map(|id| {
            let queue = queue.clone();
            watchdog.spawn(move || match verb.run(&queue, item::<S>(10 + id)) {
                Ok(()) => panic!("{verb:?} was accepted"),
                Err((_, refusal)) => assert!(refusal.is_closed(), "{verb:?}: {refusal:?}"),
            })
        })
        .collect();
    settle();
    queue.close();
    pushers.into_iter().for_each(|pusher| pusher.join());
    assert_eq!(drain(&queue), [0, 1], "what was inside");
}

fn wakes_futures<S: Subject>() {
    let queue = bounded::<S>(1);
    let mut pops = [0, 1, 2].map(|_| PolledFuture::new(queue.pop_async()));
    assert!(
        pops.iter_mut().all(|pop| pop.poll().is_none()),
        "no item yet"
    );
    queue.close();
    for pop in pops {
        let popped = pop
            .finish("one of three waiting pops")
            .map(|item| item.number());
        assert_eq!(popped, Err(PopError::Closed));
    }
    let queue = full::<S>(1);
    let mut pushes = [1, 2, 3].map(|n| PolledFuture::new(queue.push_async(item::<S>(n))));
    assert!(
        pushes.iter_mut().all(|push| push.poll().is_none()),
        "no slot yet"
    );
    queue.close();
    for push in pushes {
        let pushed = push.finish("one of three waiting pushes");
        assert!(
            matches!(pushed, Err(PushError::Closed(_))),
            "it came to {pushed:?}"
        );
    }
}
