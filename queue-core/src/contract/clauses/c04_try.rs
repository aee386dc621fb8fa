use super::*;

/// **C4 try**: a `try_` verb never waits for another party to act.
///
/// The verbs are tried on empty, full, half-full and closed queues, alone and while others wait on
/// the same queue. Each call is repeated until one of them is quick, so that a busy machine does not
/// look like waiting.
///
/// # Panics
/// If the clause does not hold.
pub fn c4_try<S: Subject>() {
    run(Clause::C4, |watchdog| {
        watchdog.step("an empty queue");
        pops_are_quick::<S>(&bounded::<S>(1));
        watchdog.step("an unbounded, empty queue");
        pops_are_quick::<S>(&unbounded::<S>());
        watchdog.step("a full queue");
        pushes_are_quick::<S>(&full::<S>(2));

        watchdog.step("an empty queue with waiting poppers, a thread and a future");
        let queue = bounded::<S>(1);
        let mut future = PolledFuture::new(queue.pop_async());
        assert!(future.poll().is_none(), "an item from nowhere");
        let waiting = queue.clone();
        let popper = watchdog.spawn(move || waiting.pop().is_ok());
        settle();
        pops_are_quick::<S>(&queue);
        drop(future);
        assert!(queue.push(item::<S>(1)).is_ok(), "the queue is open");
        assert!(popper.join(), "the queue is open");

        watchdog.step("a full queue with waiting pushers, a thread and a future");
        let queue = full::<S>(1);
        let mut future = PolledFuture::new(queue.push_async(item::<S>(1)));
        assert!(future.poll().is_none(), "a slot from nowhere");
        let waiting = queue.clone();
        let pusher = watchdog.spawn(move || waiting.push(item::<S>(2)).is_ok());
        settle();
        pushes_are_quick::<S>(&queue);
        drop(future);
        assert!(queue.pop().is_ok(), "an item was inside");
        assert!(pusher.join(), "the queue is open");

        watchdog.step("a closed queue with an item");
        let queue = full::<S>(1);
        queue.close();
        pushes_are_quick::<S>(&queue);
        assert_eq!(drain(&queue), [0], "the item");
        watchdog.step("a closed and drained queue");
        pushes_are_quick::<S>(&queue);
        pops_are_quick::<S>(&queue);
    });
}

fn pops_are_quick<S: Subject>(queue: &S::Queue) {
    quick("try_pop", || queue.try_pop().is_err());
    quick("try_pop_many", || {
        queue.try_pop_many(&mut Vec::new(), 3).is_err()
    });
    quick("try_iter", || queue.try_iter().next().is_none());
}

fn pushes_are_quick<S: Subject>(queue: &S::Queue) {
    quick("try_push", || queue.try_push(item::<S>(9)).is_err());
    quick("try_push_many", || {
        queue
            .try_push_many(&mut VecDeque::from([item::<S>(9)]))
            .is_err()
    });
}

fn quick(verb: &str, mut refused: impl FnMut() -> bool) {
    let mut quickest = Duration::MAX;
    for _ in 0..100 {
        let start = Instant::now();
        assert!(refused(), "{verb} succeeded where it could not");
        quickest = quickest.min(start.elapsed());
        if quickest < Duration::from_millis(5) + answer_time() {
            return;
        }
    }
    panic!("{verb} waited for {quickest:?}");
}
