use super::*;

/// **C8 give back**: every failed push returns the item, and the queue is as if it had
/// not been tried. If something can fail in an item (its serialization), it fails in the push.
///
/// Every verb is tried where it fails: because the queue is full, time is up, or the queue is closed,
/// or because the item is refused, if the [`Subject`] has such an item.
///
/// # Panics
/// If the clause does not hold.
pub fn c8_give_back<S: Subject>() {
    run(Clause::C8, |watchdog| {
        for verb in Push::TRYING {
            watchdog.step(format!("{verb:?} into a full queue"));
            let queue = full::<S>(2);
            for number in 10..15 {
                gives_back::<S>(verb, &queue, item::<S>(number), Refusal::is_open);
            }
            unchanged(&queue, 2);
        }
        watchdog.step("a timeout that waits");
        let queue = full::<S>(2);
        let timeout = Duration::from_millis(2);
        match queue.push_timeout(item::<S>(10), timeout) {
            Err(PushTimeoutError::Timeout(item)) => assert_eq!(item.number(), 10, "the item"),
            other => panic!("it came to {other:?}"),
        }
        match queue.push_deadline(item::<S>(11), Instant::now() + timeout) {
            Err(PushTimeoutError::Timeout(item)) => assert_eq!(item.number(), 11, "the item"),
            other => panic!("it came to {other:?}"),
        }
        unchanged(&queue, 2);
        for verb in Push::all() {
            watchdog.step(format!("{verb:?} into a closed queue"));
            let queue = full::<S>(2);
            queue.close();
            gives_back::<S>(verb, &queue, item::<S>(10), Refusal::is_closed);
            assert_eq!(drain(&queue), [0, 1], "what was inside");
        }
        for verb in Push::WAITING {
            watchdog.step(format!("{verb:?} is waiting as the queue is closed"));
            let queue = full::<S>(2);
            let waiting = queue.clone();
            let pusher = watchdog.spawn(move || {
                gives_back::<S>(verb, &waiting, item::<S>(10), Refusal::is_closed);
            });
            std::thread::sleep(Duration::from_millis(3));
            queue.close();
            pusher.join();
            assert_eq!(drain(&queue), [0, 1], "what was inside");
        }
        watchdog.step("a batch that is only begun");
        partial_batches::<S>(watchdog);
        if S::refused().is_some() {
            refused::<S>(watchdog);
        }
    });
}

fn gives_back<S: Subject>(
    verb: Push,
    queue: &S::Queue,
    item: S::Item,
    expected: impl Fn(&Refusal) -> bool,
) {
    let number = item.number();
    match verb.run(queue, item) {
        Ok(()) => panic!("{verb:?} was accepted"),
        Err((item, refusal)) => {
            assert!(expected(&refusal), "{verb:?} came to {refusal:?}");
            assert_eq!(item.number(), number, "{verb:?} gives another item back");
        }
    }
}

/// Fails unless `queue` is full with items 0 to `n` and can be used as before.
fn unchanged<T: Item, Q: Queue<Item = T>>(queue: &Q, n: u64) {
    assert_eq!(queue.len(), n as usize, "len() after failed pushes");
    assert!(
        drain(queue).into_iter().eq(0..n),
        "the items after failed pushes"
    );
    for number in 0..n {
        assert!(queue.try_push(T::new(number)).is_ok(), "a slot was lost");
    }
    assert!(queue.try_push(T::new(n)).is_err(), "a slot was won");
}

fn partial_batches<S: Subject>(watchdog: &Watchdog) {
    let queue = bounded::<S>(2);
    let mut batch: VecDeque<S::Item> = (0..5).map(S::Item::new).collect();
    let pushed = queue.try_push_many(&mut batch);
    assert!(
        matches!(pushed, Ok(2)),
        "try_push_many of 5 into 2 slots: {pushed:?}"
    );
    assert!(
        batch.iter().map(S::Item::number).eq(2..5),
        "what stays of the batch"
    );
    assert!(queue.try_push_many(&mut batch).is_err(), "and no more");
    assert!(
        batch.iter().map(S::Item::number).eq(2..5),
        "what stays of the batch"
    );
    unchanged(&queue, 2);
    let waiting = queue.clone();
    let pusher = watchdog.spawn(move || {
        let pushed = waiting.push_many(&mut batch);
        assert!(
            matches!(pushed, Err(PushError::Closed(()))),
            "it came to {pushed:?}"
        );
        assert!(
            batch.iter().map(S::Item::number).eq(2..5),
            "what stays of the batch"
        );
    });
    settle();
    queue.close();
    pusher.join();
    assert_eq!(drain(&queue), [0, 1], "what was inside");
}

/// The [`Subject`]'s refused item, by every verb, between good ones.
fn refused<S: Subject>(watchdog: &Watchdog) {
    let is_failed = |refusal: &Refusal| matches!(refusal, Refusal::Failed(_));
    for verb in Push::all() {
        watchdog.step(format!("a refused item by {verb:?}"));
        let queue = bounded::<S>(2);
        assert!(queue.try_push(item::<S>(0)).is_ok(), "a slot was left");
        let bad = S::refused().expect("there is one");
        gives_back::<S>(verb, &queue, bad, is_failed);
        assert_eq!(queue.len(), 1, "len() after a refused item");
        assert!(queue.try_push(item::<S>(1)).is_ok(), "a slot was left");
        unchanged(&queue, 2);
    }
    watchdog.step("a refused item in a batch");
    let queue = bounded::<S>(4);
    let bad = S::refused().expect("there is one");
    let mut batch = VecDeque::from([item::<S>(0), bad, item::<S>(2)]);
    let pushed = queue.push_many(&mut batch);
    assert!(
        matches!(pushed, Err(PushError::Failed((), _))),
        "it came to {pushed:?}"
    );
    assert_eq!(batch.len(), 2, "the refused item and those behind it stay");
    assert_eq!(drain(&queue), [0], "those before it are inside");
}
