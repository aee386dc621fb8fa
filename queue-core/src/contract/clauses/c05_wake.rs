use super::*;

/// **C5 wake**: there are no lost wake-ups. A waiter goes on as soon as it can, even if the waiter that
/// was woken is cancelled or times out.
///
/// Every waiting verb is tried against every verb that can end the waiting. There are several waiters
/// and several wakes, futures that are dropped, or kept and not polled, after they were woken, and
/// timeouts that run out as the item comes. A lost wake-up shows as a hang, which
/// [`step_timeout`](crate::contract::step_timeout) ends. (That a waiter may be *killed* is for a
/// process kind's own tests.)
///
/// # Panics
/// If the clause does not hold.
pub fn c5_wake<S: Subject>() {
    run(Clause::C5, |watchdog| {
        for pop in Pop::WAITING {
            for push in [Push::Try, Push::Plain, Push::Future] {
                watchdog.step(format!("{push:?} wakes {pop:?}"));
                item_wakes::<S>(watchdog, pop, push);
            }
        }
        for push in Push::WAITING {
            for pop in [Pop::Try, Pop::Plain, Pop::Future] {
                watchdog.step(format!("{pop:?} wakes {push:?}"));
                slot_wakes::<S>(watchdog, push, pop);
            }
        }
        watchdog.step("four items wake four poppers");
        several_items::<S>(watchdog);
        watchdog.step("four slots wake four pushers");
        several_slots::<S>(watchdog);
        watchdog.step("a cancelled pop passes its wake on");
        cancelled_pops::<S>(watchdog);
        watchdog.step("a cancelled push passes its wake on");
        cancelled_pushes::<S>(watchdog);
        watchdog.step("a woken pop that is not polled again leaves the others theirs");
        idle_pops::<S>(watchdog);
        watchdog.step("a woken push that is not polled again leaves the others theirs");
        idle_pushes::<S>(watchdog);
        watchdog.step("the waker of the last poll is woken");
        replaced_wakers::<S>();
        watchdog.step("a pop that times out passes its wake on");
        timed_out_pops::<S>(watchdog);
        watchdog.step("a push that times out passes its wake on");
        timed_out_pushes::<S>(watchdog);
        for capacity in [1, 2] {
            watchdog.step(format!("six against six through a queue of {capacity}"));
            let crowd = StressRun {
                producers: 6,
                consumers: 6,
                each: 200,
                cancel: true,
                ..StressRun::PLAIN
            };
            crowd.run_under(watchdog, &bounded::<S>(capacity));
        }
    });
}

fn item_wakes<S: Subject>(watchdog: &Watchdog, pop: Pop, push: Push) {
    let queue = bounded::<S>(1);
    let waiting = queue.clone();
    let popper = watchdog.spawn(move || pop.run(&waiting).map(|item| item.number()));
    asleep();
    assert!(push.run(&queue, item::<S>(5)).is_ok(), "a slot was left");
    let popped = popper.join();
    assert!(matches!(popped, Ok(5)), "it came to {popped:?}");
}

fn slot_wakes<S: Subject>(watchdog: &Watchdog, push: Push, pop: Pop) {
    let queue = full::<S>(1);
    let waiting = queue.clone();
    let pusher = watchdog.spawn(move || push.run(&waiting, item::<S>(1)).is_ok());
    asleep();
    assert!(pop.run(&queue).is_ok(), "an item was inside");
    assert!(pusher.join(), "a waiting push was refused");
    assert_eq!(drain(&queue), [1], "what the waiter pushed");
}

/// As [`settle`], but shorter, because there are many of these.
fn asleep() {
    std::thread::sleep(Duration::from_millis(3));
}

fn several_items<S: Subject>(watchdog: &Watchdog) {
    let queue = bounded::<S>(8);
    let poppers: Vec<_> = (0..4)
        .map(|_| {
            let queue = queue.clone();
            watchdog.spawn(move || assert!(queue.pop().is_ok(), "the queue is open"))
        })
        .collect();
    settle();
    for number in 0..4 {
        assert!(queue.try_push(item::<S>(number)).is_ok(), "a slot was left");
    }
    poppers.into_iter().for_each(|popper| popper.join());
}

fn several_slots<S: Subject>(watchdog: &Watchdog) {
    let queue = full::<S>(4);
    let pushers: Vec<_> = (0..4)
        .map(|number| {
            let queue = queue.clone();
            watchdog
                .spawn(move || assert!(queue.push(item::<S>(number)).is_ok(), "the queue is open"))
        })
        .collect();
    settle();
    for _ in 0..4 {
        assert!(queue.try_pop().is_ok(), "an item was inside");
    }
    pushers.into_iter().for_each(|pusher| pusher.join());
}

/// Two futures wait, one item comes, one future is dropped: the other gets it. Then
/// the same where the other is a thread.
fn cancelled_pops<S: Subject>(watchdog: &Watchdog) {
    for drop_first in [true, false] {
        let queue = bounded::<S>(2);
        let mut first = PolledFuture::new(queue.pop_async());
        let mut second = PolledFuture::new(queue.pop_async());
        assert!(
            first.poll().is_none() && second.poll().is_none(),
            "no item yet"
        );
        assert!(queue.try_push(item::<S>(1)).is_ok(), "a slot was left");
        let (dropped, kept) = if drop_first {
            (first, second)
        } else {
            (second, first)
        };
        drop(dropped);
        let popped = kept.finish("the other of two waiting pops");
        assert_eq!(popped.map(|item| item.number()), Ok(1));
    }
    let queue = bounded::<S>(2);
    let mut dropped = PolledFuture::new(queue.pop_async());
    assert!(dropped.poll().is_none(), "no item yet");
    let waiting = queue.clone();
    let popper = watchdog.spawn(move || waiting.pop().map(|item| item.number()));
    settle();
    assert!(queue.try_push(item::<S>(2)).is_ok(), "a slot was left");
    drop(dropped);
    assert_eq!(popper.join(), Ok(2));
}

fn cancelled_pushes<S: Subject>(watchdog: &Watchdog) {
    for drop_first in [true, false] {
        let queue = full::<S>(1);
        let mut first = PolledFuture::new(queue.push_async(item::<S>(1)));
        let mut second = PolledFuture::new(queue.push_async(item::<S>(2)));
        assert!(
            first.poll().is_none() && second.poll().is_none(),
            "no slot yet"
        );
        assert!(queue.try_pop().is_ok(), "an item was inside");
        let (dropped, kept) = if drop_first {
            (first, second)
        } else {
            (second, first)
        };
        drop(dropped);
        let pushed = kept.finish("the other of two waiting pushes");
        assert!(pushed.is_ok(), "it came to {pushed:?}");
    }
    let queue = full::<S>(1);
    let mut dropped = PolledFuture::new(queue.push_async(item::<S>(1)));
    assert!(dropped.poll().is_none(), "no slot yet");
    let waiting = queue.clone();
    let pusher = watchdog.spawn(move || waiting.push(item::<S>(2)).is_ok());
    settle();
    assert!(queue.try_pop().is_ok(), "an item was inside");
    drop(dropped);
    assert!(pusher.join(), "a waiting push was refused");
}

/// Two futures wait, or a future and a thread, and two items come, one by one or as a
/// batch. The first future is kept and never polled again: one of the items may wait
/// for it, the other may not.
fn idle_pops<S: Subject>(watchdog: &Watchdog) {
    for batch in [false, true] {
        let push_two = |queue: &S::Queue| {
            let mut items: VecDeque<_> = [item::<S>(1), item::<S>(2)].into();
            if batch {
                assert!(queue.push_many(&mut items).is_ok(), "slots were left");
            } else {
                let refused = items.drain(..).any(|item| queue.try_push(item).is_err());
                assert!(!refused, "slots were left");
            }
        };
        let queue = bounded::<S>(2);
        let mut idle = PolledFuture::new(queue.pop_async());
        let mut other = PolledFuture::new(queue.pop_async());
        assert!(
            idle.poll().is_none() && other.poll().is_none(),
            "no item yet"
        );
        push_two(&queue);
        let popped = other.finish("the second of two waiting pops, for two items,");
        assert_eq!(popped.map(|item| item.number()), Ok(1));
        drop(idle);

        let queue = bounded::<S>(2);
        let mut idle = PolledFuture::new(queue.pop_async());
        assert!(idle.poll().is_none(), "no item yet");
        let waiting = queue.clone();
        let popper = watchdog.spawn(move || waiting.pop().map(|item| item.number()));
        settle();
        push_two(&queue);
        assert_eq!(popper.join(), Ok(1));
        drop(idle);
    }
}

/// As [`idle_pops`], with slots.
fn idle_pushes<S: Subject>(watchdog: &Watchdog) {
    for batch in [false, true] {
        let pop_two = |queue: &S::Queue| {
            let mut into = Vec::new();
            while into.len() < 2 {
                let max = if batch { 2 } else { 1 };
                assert!(queue.try_pop_many(&mut into, max).is_ok(), "two are inside");
            }
        };
        let queue = full::<S>(2);
        let mut idle = PolledFuture::new(queue.push_async(item::<S>(2)));
        let mut other = PolledFuture::new(queue.push_async(item::<S>(3)));
        assert!(
            idle.poll().is_none() && other.poll().is_none(),
            "no slot yet"
        );
        pop_two(&queue);
        let pushed = other.finish("the second of two waiting pushes, for two slots,");
        assert!(pushed.is_ok(), "it came to {pushed:?}");
        drop(idle);

        let queue = full::<S>(2);
        let mut idle = PolledFuture::new(queue.push_async(item::<S>(2)));
        assert!(idle.poll().is_none(), "no slot yet");
        let waiting = queue.clone();
        let pusher = watchdog.spawn(move || waiting.push(item::<S>(3)).is_ok());
        settle();
        pop_two(&queue);
        assert!(pusher.join(), "a waiting push was refused");
        drop(idle);
    }
}

fn replaced_wakers<S: Subject>() {
    let queue = bounded::<S>(1);
    let mut pop = PolledFuture::new(queue.pop_async());
    assert!(pop.poll().is_none() && pop.poll().is_none(), "no item yet");
    assert!(queue.try_push(item::<S>(1)).is_ok(), "a slot was left");
    let popped = pop.finish("a pop that was polled twice");
    assert_eq!(popped.map(|item| item.number()), Ok(1));
    assert!(queue.try_push(item::<S>(2)).is_ok(), "a slot was left");
    let mut push = PolledFuture::new(queue.push_async(item::<S>(3)));
    assert!(
        push.poll().is_none() && push.poll().is_none(),
        "no slot yet"
    );
    assert!(queue.try_pop().is_ok(), "an item was inside");
    assert!(push.finish("a push that was polled twice").is_ok());
}

/// One thread waits with a timeout and one without. An item comes as the timeout runs out.
fn timed_out_pops<S: Subject>(watchdog: &Watchdog) {
    let queue = bounded::<S>(2);
    for round in 0..40 {
        let (brief, patient) = (queue.clone(), queue.clone());
        let timeout = Duration::from_micros(800 + 20 * round);
        let brief = watchdog.spawn(move || brief.pop_timeout(timeout).is_ok());
        let patient = watchdog.spawn(move || patient.pop().is_ok());
        std::thread::sleep(Duration::from_millis(1));
        assert!(queue.push(item::<S>(round)).is_ok(), "the queue is open");
        if brief.join() {
            // The item was the brief one's, so the patient one gets another.
            assert!(queue.push(item::<S>(round)).is_ok(), "the queue is open");
        }
        assert!(patient.join(), "the queue is open");
    }
}

fn timed_out_pushes<S: Subject>(watchdog: &Watchdog) {
    let queue = full::<S>(1);
    for round in 0..40 {
        let (brief, patient) = (queue.clone(), queue.clone());
        let timeout = Duration::from_micros(800 + 20 * round);
        let brief = watchdog.spawn(move || brief.push_timeout(item::<S>(1), timeout).is_ok());
        let patient = watchdog.spawn(move || patient.push(item::<S>(2)).is_ok());
        std::thread::sleep(Duration::from_millis(1));
        assert!(queue.pop().is_ok(), "the queue is open");
        if brief.join() {
            assert!(queue.pop().is_ok(), "the queue is open");
        }
        assert!(patient.join(), "the queue is open");
    }
}
