use super::*;

/// **C6 time**: a verb with a timeout tries once before it looks at the clock. It is never
/// `Timeout` early. A zero timeout and a past deadline are one try. A huge timeout does not
/// overflow.
///
/// Every verb that has a timeout is tried, those of batches too.
///
/// # Panics
/// If the clause does not hold.
pub fn c6_time<S: Subject>() {
    run(Clause::C6, |watchdog| {
        watchdog.step("a zero and a past deadline are one try");
        let queue = bounded::<S>(1);
        for (push, pop) in [(Push::Zero, Pop::Past), (Push::Past, Pop::Zero)] {
            let pushed = push.run(&queue, item::<S>(1));
            assert!(
                pushed.is_ok(),
                "{push:?} with a slot: {:?}",
                pushed.map_err(|e| e.1)
            );
            let again = push
                .run(&queue, item::<S>(2))
                .map_err(|(_, refusal)| refusal);
            assert!(
                matches!(again, Err(Refusal::Timeout)),
                "{push:?} into full: {again:?}"
            );
            let popped = pop.run(&queue).map(|item| item.number());
            assert!(matches!(popped, Ok(1)), "{pop:?} with an item: {popped:?}");
            let again = pop.run(&queue).map(|item| item.number());
            assert!(
                matches!(again, Err(Refusal::Timeout)),
                "{pop:?} from empty: {again:?}"
            );
        }
        watchdog.step("a batch with a zero timeout is one try, of up to as many as it may take");
        batch_once::<S>();
        watchdog.step("one try is also made past those who wait");
        past_waiters::<S>();
        for timeout in [1, 1_000, 1_000_000, 20_000_000].map(Duration::from_nanos) {
            watchdog.step(format!("not before {timeout:?}"));
            let empty = bounded::<S>(1);
            not_early(timeout, || {
                let popped = empty.pop_timeout(timeout);
                matches!(popped, Err(PopTimeoutError::Timeout))
            });
            not_early(timeout, || {
                let popped = empty.pop_deadline(Instant::now() + timeout);
                matches!(popped, Err(PopTimeoutError::Timeout))
            });
            not_early(timeout, || {
                let popped = empty.pop_many_timeout(&mut Vec::new(), 3, timeout);
                matches!(popped, Err(PopTimeoutError::Timeout))
            });
            let full = full::<S>(1);
            not_early(timeout, || {
                let pushed = full.push_timeout(item::<S>(1), timeout);
                matches!(pushed, Err(PushTimeoutError::Timeout(_)))
            });
            not_early(timeout, || {
                let pushed = full.push_deadline(item::<S>(1), Instant::now() + timeout);
                matches!(pushed, Err(PushTimeoutError::Timeout(_)))
            });
        }
        watchdog.step("a huge timeout waits");
        for timeout in [
            Duration::MAX,
            Duration::from_secs(u64::MAX / 4),
            LONG * 24 * 365 * 100,
        ] {
            huge::<S>(watchdog, timeout);
        }
        watchdog.step("a timeout ends, and not early, while items pass by");
        busy::<S>(watchdog);
    });
}

fn batch_once<S: Subject>() {
    let queue = full::<S>(3);
    let mut into = Vec::new();
    for (max, count) in [(2, 2), (0, 0), (9, 1)] {
        let popped = queue.pop_many_timeout(&mut into, max, Duration::ZERO);
        assert_eq!(popped, Ok(count), "a batch of up to {max} with items");
    }
    assert!(
        into.iter().map(S::Item::number).eq(0..3),
        "the items of the batches"
    );
    let popped = queue.pop_many_timeout(&mut into, 2, Duration::ZERO);
    assert_eq!(popped, Err(PopTimeoutError::Timeout), "from empty");
    let popped = queue.pop_many_timeout(&mut into, 0, Duration::ZERO);
    assert_eq!(popped, Ok(0), "a batch of none, from empty");
}

/// A waiter was woken and has not acted yet. What it was woken for is still there for a `try_` verb
/// (unless the kind has handed it over), and so it is for a verb that has no time to wait.
fn past_waiters<S: Subject>() {
    for pop in [Pop::Zero, Pop::Past, Pop::ManyZero] {
        let queue = bounded::<S>(1);
        let mut waits = PolledFuture::new(queue.pop_async());
        assert!(waits.poll().is_none(), "no item yet");
        assert!(queue.try_push(item::<S>(1)).is_ok(), "a slot was left");
        if !queue.is_empty() {
            let popped = pop.run(&queue).map(|item| item.number());
            assert!(matches!(popped, Ok(1)), "{pop:?} with an item: {popped:?}");
        }
    }
    for push in [Push::Zero, Push::Past] {
        let queue = full::<S>(1);
        let mut waits = PolledFuture::new(queue.push_async(item::<S>(1)));
        assert!(waits.poll().is_none(), "no slot yet");
        assert!(queue.try_pop().is_ok(), "an item was inside");
        if !queue.is_full() {
            let pushed = push
                .run(&queue, item::<S>(2))
                .map_err(|(_, refusal)| refusal);
            assert!(pushed.is_ok(), "{push:?} with a slot: {pushed:?}");
        }
    }
}

fn not_early(timeout: Duration, timed_out: impl FnOnce() -> bool) {
    let start = Instant::now();
    assert!(timed_out(), "it did not time out");
    let took = start.elapsed();
    assert!(
        took >= timeout,
        "timed out after {took:?}, before {timeout:?}"
    );
}

fn huge<S: Subject>(watchdog: &Watchdog, timeout: Duration) {
    let queue = bounded::<S>(1);
    let waiting = queue.clone();
    let popper = watchdog.spawn(move || waiting.pop_timeout(timeout).map(|item| item.number()));
    settle();
    assert!(queue.try_push(item::<S>(1)).is_ok(), "a slot was left");
    let popped = popper.join();
    assert_eq!(popped, Ok(1), "a pop within {timeout:?}");
    assert!(
        queue.push_timeout(item::<S>(2), timeout).is_ok(),
        "a slot was left"
    );
    let waiting = queue.clone();
    let pusher = watchdog.spawn(move || waiting.push_timeout(item::<S>(3), timeout).is_ok());
    settle();
    assert!(queue.pop_timeout(timeout).is_ok(), "an item was inside");
    assert!(pusher.join(), "a push within {timeout:?} failed");
    assert!(queue.try_pop().is_ok(), "an item was inside");
    let waiting = queue.clone();
    let popper = watchdog.spawn(move || waiting.pop_many_timeout(&mut Vec::new(), 2, timeout));
    settle();
    assert!(queue.try_push(item::<S>(4)).is_ok(), "a slot was left");
    assert_eq!(popper.join(), Ok(1), "a batch within {timeout:?}");
    assert!(queue.try_push(item::<S>(5)).is_ok(), "a slot was left");
    let Some(far) = Instant::now().checked_add(timeout) else {
        return;
    };
    assert!(queue.pop_deadline(far).is_ok(), "an item was inside");
}

fn busy<S: Subject>(watchdog: &Watchdog) {
    let queue = bounded::<S>(1);
    let timeout = Duration::from_millis(30);
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let queue = queue.clone();
            watchdog.spawn(move || {
                let mut timeouts = 0;
                while timeouts < 2 {
                    let start = Instant::now();
                    match queue.pop_timeout(timeout) {
                        Ok(_) => {}
                        Err(PopTimeoutError::Timeout) => {
                            let took = start.elapsed();
                            assert!(took >= timeout, "timed out after {took:?}");
                            timeouts += 1;
                        }
                        Err(error) => panic!("{error:#}"),
                    }
                }
            })
        })
        .collect();
    // Wakes that lead to nothing: whoever is woken often finds the item gone.
    let start = Instant::now();
    while start.elapsed() < timeout * 3 {
        let _ = queue.try_push(item::<S>(1));
        let _ = queue.try_pop();
        std::thread::sleep(Duration::from_micros(300));
    }
    waiters.into_iter().for_each(|waiter| waiter.join());
}
