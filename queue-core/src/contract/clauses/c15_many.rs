use super::*;

/// **C15 many**: batches keep C1 to C9, item by item. A batch that does not wait pops no more than was
/// inside, and pushes no more than there were free slots, when it looked.
///
/// # Panics
/// If the clause does not hold.
pub fn c15_many<S: Subject>() {
    run(Clause::C15, |watchdog| {
        watchdog.step("batches of every size in and out");
        sizes::<S>();
        watchdog.step("what came in parts goes out in one");
        in_parts::<S>();
        watchdog.step("nothing to push and nothing wanted");
        nothing::<S>();
        watchdog.step("a batch longer than the queue");
        longer::<S>(watchdog);
        watchdog.step("a batch beside one that pushes what it pops");
        c15_limits::pops::<S>();
        watchdog.step("a batch beside one that pops what it pushes");
        c15_limits::pushes::<S>();
        watchdog.step("batches beside busy threads");
        c15_limits::beside_threads::<S>(watchdog);
        watchdog.step("a batch wakes as many as it serves");
        wakes::<S>(watchdog);
        watchdog.step("a batch wakes as many futures as it serves");
        wakes_futures::<S>();
        watchdog.step("close wakes batches that wait");
        close_wakes::<S>(watchdog);
        watchdog.step("batches and close");
        closed::<S>();
        watchdog.step("cancelled batches");
        cancelled::<S>();
        for capacity in [Some(1), Some(4), Some(30), None] {
            watchdog.step(format!("4 producers, 4 consumers, capacity {capacity:?}"));
            let queue = capacity.map_or_else(unbounded::<S>, bounded::<S>);
            let stress = StressRun {
                batches: true,
                ..StressRun::PLAIN
            };
            check(&stress.run_under(watchdog, &queue), |_| true);
        }
    });
}

pub(super) fn batch<T: Item>(numbers: std::ops::Range<u64>) -> VecDeque<T> {
    numbers.map(T::new).collect()
}

pub(super) fn numbers<T: Item>(items: &[T]) -> Vec<u64> {
    items.iter().map(T::number).collect()
}

fn sizes<S: Subject>() {
    for size in [1, 2, 3, 7, 8] {
        let queue = bounded::<S>(8);
        let mut into = Vec::new();
        for round in 0..5 {
            let range = round * size..(round + 1) * size;
            let mut items = batch(range.clone());
            let pushed = match round % 3 {
                0 => queue.push_many(&mut items).map(|()| size as usize).ok(),
                1 => queue.try_push_many(&mut items).ok(),
                _ => block_on(queue.push_many_async(&mut items))
                    .map(|()| size as usize)
                    .ok(),
            };
            assert_eq!(
                pushed,
                Some(size as usize),
                "pushed, of {size} with room for 8"
            );
            assert!(items.is_empty(), "what went in is still outside");
            assert_eq!(queue.len() as u64, size, "len() after a batch of {size}");
            let popped = match round % 4 {
                0 => queue.pop_many(&mut into, 100).ok(),
                1 => queue.try_pop_many(&mut into, size as usize).ok(),
                2 => queue.pop_many_timeout(&mut into, 100, LONG).ok(),
                _ => block_on(queue.pop_many_async(&mut into, 100)).ok(),
            };
            assert_eq!(popped, Some(size as usize), "popped, of {size} inside");
        }
        // Batches are appended, so all of them are there, in order.
        assert!(
            numbers(&into).into_iter().eq(0..5 * size),
            "in order: {:?}",
            numbers(&into)
        );
    }
    let queue = full::<S>(10);
    let mut into = Vec::new();
    assert_eq!(
        queue.pop_many_timeout(&mut into, 2, LONG),
        Ok(2),
        "pop_many_timeout takes what is there, up to 2"
    );
    assert_eq!(
        queue.pop_many(&mut into, 3),
        Ok(3),
        "pop_many takes what is there, up to 3"
    );
    assert_eq!(
        queue.try_pop_many(&mut into, 2),
        Ok(2),
        "try_pop_many takes up to 2"
    );
    assert_eq!(
        block_on(queue.pop_many_async(&mut into, 9)),
        Ok(3),
        "pop_many_async, up to 9"
    );
    assert!(
        numbers(&into).into_iter().eq(0..10),
        "in order: {:?}",
        numbers(&into)
    );
}

/// Items that were pushed in several batches are popped in one.
fn in_parts<S: Subject>() {
    for (first, second) in [(2, 1), (10, 5), (40, 20)] {
        for verb in 0..3 {
            let queue = bounded::<S>(64);
            let mut into = Vec::new();
            assert!(queue.push_many(&mut batch(0..first)).is_ok(), "slots");
            assert!(queue.pop_many(&mut into, 1).is_ok(), "items");
            assert!(
                queue.push_many(&mut batch(first..first + second)).is_ok(),
                "slots"
            );
            let rest = (first + second - 1) as usize;
            let popped = match verb {
                0 => queue.pop_many(&mut into, 100).ok(),
                1 => queue.pop_many_timeout(&mut into, 100, LONG).ok(),
                _ => queue.try_pop_many(&mut into, 100).ok(),
            };
            assert_eq!(popped, Some(rest), "a batch of up to 100 took so many");
            assert!(
                numbers(&into).into_iter().eq(0..first + second),
                "in order: {:?}",
                numbers(&into)
            );
        }
    }
}

fn nothing<S: Subject>() {
    let queue = full::<S>(1);
    assert!(
        queue.push_many(&mut VecDeque::new()).is_ok(),
        "an empty batch needs no slot"
    );
    assert!(
        block_on(queue.push_many_async(&mut VecDeque::new())).is_ok(),
        "nor as a future"
    );
    let queue = bounded::<S>(1);
    assert_eq!(
        queue.pop_many(&mut Vec::new(), 0),
        Ok(0),
        "a max of zero waits for nothing"
    );
    assert_eq!(
        queue.pop_many_timeout(&mut Vec::new(), 0, LONG),
        Ok(0),
        "nor with a timeout"
    );
    assert_eq!(
        block_on(queue.pop_many_async(&mut Vec::new(), 0)),
        Ok(0),
        "nor as a future"
    );
    assert!(
        queue
            .try_pop_many(&mut Vec::new(), 5)
            .is_err_and(|e| e.is_empty()),
        "empty"
    );
}

fn longer<S: Subject>(watchdog: &Watchdog) {
    for future in [false, true] {
        let queue = bounded::<S>(3);
        let pushing = queue.clone();
        let pusher = watchdog.spawn(move || {
            let mut items = batch(0..50);
            let pushed = match future {
                true => block_on(pushing.push_many_async(&mut items)),
                false => pushing.push_many(&mut items),
            };
            assert!(pushed.is_ok() && items.is_empty(), "the queue is open");
        });
        let mut into = Vec::new();
        while into.len() < 50 {
            let count = queue.pop_many(&mut into, 2).expect("the queue is open");
            assert!((1..=2).contains(&count), "pop_many of up to 2 took {count}");
            assert!(queue.len() <= 3, "len() above the capacity");
        }
        pusher.join();
        assert!(
            numbers(&into).into_iter().eq(0..50),
            "in order: {:?}",
            numbers(&into)
        );
    }
}

fn wakes<S: Subject>(watchdog: &Watchdog) {
    let queue = bounded::<S>(3);
    let poppers: Vec<_> = (0..3)
        .map(|_| {
            let queue = queue.clone();
            watchdog.spawn(move || assert!(queue.pop().is_ok(), "the queue is open"))
        })
        .collect();
    settle();
    assert!(
        queue.push_many(&mut batch(0..3)).is_ok(),
        "the queue is open"
    );
    poppers.into_iter().for_each(|popper| popper.join());
    let queue = full::<S>(3);
    let pushers: Vec<_> = (0..3)
        .map(|number| {
            let queue = queue.clone();
            watchdog.spawn(move || assert!(queue.push(item::<S>(number)).is_ok(), "open"))
        })
        .collect();
    settle();
    assert_eq!(queue.pop_many(&mut Vec::new(), 3), Ok(3), "it was full");
    pushers.into_iter().for_each(|pusher| pusher.join());
}

/// The same with futures, which surely wait, however busy the machine is.
fn wakes_futures<S: Subject>() {
    let queue = bounded::<S>(3);
    let mut pops = [(); 3].map(|()| PolledFuture::new(queue.pop_async()));
    assert!(
        pops.iter_mut().all(|pop| pop.poll().is_none()),
        "no item yet"
    );
    assert!(
        queue.push_many(&mut batch(0..3)).is_ok(),
        "the queue is open"
    );
    for pop in pops {
        assert!(
            pop.finish("one of three waiting pops").is_ok(),
            "it is open"
        );
    }
    let queue = full::<S>(3);
    let mut pushes = [0, 1, 2].map(|n| PolledFuture::new(queue.push_async(item::<S>(n))));
    assert!(
        pushes.iter_mut().all(|push| push.poll().is_none()),
        "no slot yet"
    );
    assert_eq!(queue.pop_many(&mut Vec::new(), 3), Ok(3), "it was full");
    for push in pushes {
        let pushed = push.finish("one of three waiting pushes");
        assert!(pushed.is_ok(), "it is open");
    }
}

fn close_wakes<S: Subject>(watchdog: &Watchdog) {
    let queue = bounded::<S>(2);
    let popping = queue.clone();
    let popper = watchdog.spawn(move || popping.pop_many(&mut Vec::new(), 4));
    let popping = queue.clone();
    let timed = watchdog.spawn(move || popping.pop_many_timeout(&mut Vec::new(), 4, LONG));
    let mut pop_into = Vec::new();
    let mut pop = PolledFuture::new(queue.pop_many_async(&mut pop_into, 4));
    assert!(pop.poll().is_none(), "no item yet");
    settle();
    queue.close();
    assert_eq!(popper.join(), Err(PopError::Closed));
    assert_eq!(timed.join(), Err(PopTimeoutError::Closed));
    assert_eq!(
        pop.finish("a waiting pop_many_async"),
        Err(PopError::Closed)
    );

    let queue = full::<S>(2);
    let pushing = queue.clone();
    let pusher = watchdog.spawn(move || {
        let mut items = batch::<S::Item>(2..5);
        let pushed = pushing.push_many(&mut items);
        (pushed, items.len())
    });
    let mut items = batch(5..7);
    let mut push = PolledFuture::new(queue.push_many_async(&mut items));
    assert!(push.poll().is_none(), "no slot yet");
    settle();
    queue.close();
    let (pushed, left) = pusher.join();
    assert_eq!(pushed, Err(PushError::Closed(())));
    assert_eq!(left, 3, "what did not go in stays");
    assert_eq!(
        push.finish("a waiting push_many_async"),
        Err(PushError::Closed(()))
    );
    assert_eq!(items.len(), 2, "what did not go in stays");
}

fn closed<S: Subject>() {
    let queue = full::<S>(5);
    queue.close();
    let mut items = batch(9..11);
    assert_eq!(queue.push_many(&mut items), Err(PushError::Closed(())));
    assert_eq!(
        block_on(queue.push_many_async(&mut items)),
        Err(PushError::Closed(()))
    );
    assert!(
        queue
            .try_push_many(&mut items)
            .is_err_and(|e| e.is_closed()),
        "closed wins over full"
    );
    assert_eq!(items.len(), 2, "what did not go in stays");
    let mut into = Vec::new();
    assert_eq!(queue.pop_many(&mut into, 2), Ok(2), "a closed queue drains");
    assert_eq!(
        queue.try_pop_many(&mut into, 2),
        Ok(2),
        "a closed queue drains"
    );
    assert_eq!(
        block_on(queue.pop_many_async(&mut into, 2)),
        Ok(1),
        "to the last item"
    );
    assert!(
        numbers(&into).into_iter().eq(0..5),
        "in order: {:?}",
        numbers(&into)
    );
    assert_eq!(queue.pop_many(&mut into, 2), Err(PopError::Closed));
    assert_eq!(
        queue.pop_many_timeout(&mut into, 2, Duration::ZERO),
        Err(PopTimeoutError::Closed),
        "closed wins over timeout"
    );
    assert_eq!(
        block_on(queue.pop_many_async(&mut into, 2)),
        Err(PopError::Closed)
    );
    assert!(
        queue
            .try_pop_many(&mut into, 2)
            .is_err_and(|e| e.is_closed()),
        "closed wins over empty"
    );
}

fn cancelled<S: Subject>() {
    let queue = bounded::<S>(4);
    let mut into = Vec::new();
    let mut first = PolledFuture::new(queue.pop_many_async(&mut into, 4));
    let mut second = PolledFuture::new(queue.pop_async());
    assert!(
        first.poll().is_none() && second.poll().is_none(),
        "no item yet"
    );
    assert_eq!(
        queue.try_push_many(&mut batch(0..1)),
        Ok(1),
        "four slots were left"
    );
    drop(first);
    assert!(into.is_empty(), "an item for one who was not polled");
    let popped = second.finish("who waits behind a cancelled pop_many_async");
    assert_eq!(popped.map(|item| item.number()), Ok(0));
    let queue = full::<S>(1);
    let mut items = batch(1..4);
    let mut first = PolledFuture::new(queue.push_many_async(&mut items));
    let mut second = PolledFuture::new(queue.push_async(item::<S>(9)));
    assert!(
        first.poll().is_none() && second.poll().is_none(),
        "no slot yet"
    );
    assert!(queue.try_pop().is_ok(), "an item was inside");
    drop(first);
    let left = numbers(items.make_contiguous());
    assert_eq!(left, [1, 2, 3], "what did not go in");
    assert!(
        second
            .finish("who waits behind a cancelled push_many_async")
            .is_ok()
    );
}
