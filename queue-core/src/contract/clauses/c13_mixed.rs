use super::*;

/// **C13 mixed**: threads and futures wait on the same queue together.
///
/// Threads and tasks pop items that come one at a time; they push into a small queue; and they are on
/// both sides of one.
///
/// # Panics
/// If the clause does not hold.
pub fn c13_mixed<S: Subject>() {
    run(Clause::C13, |watchdog| {
        watchdog.step("two threads and two tasks pop, and items come");
        poppers::<S>(watchdog);
        watchdog.step("two threads and two tasks push, and slots come");
        pushers::<S>(watchdog);
        for capacity in [Some(1), Some(5), None] {
            watchdog.step(format!(
                "threads and tasks on both sides, capacity {capacity:?}"
            ));
            let queue = capacity.map_or_else(unbounded::<S>, bounded::<S>);
            both_sides::<S>(watchdog, &queue);
        }
    });
}

fn poppers<S: Subject>(watchdog: &Watchdog) {
    let queue = bounded::<S>(8);
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let queue = queue.clone();
            watchdog.spawn(move || assert!(queue.pop().is_ok(), "the queue is open"))
        })
        .collect();
    let tasks = watchdog.spawn({
        let queue = queue.clone();
        move || {
            let task = |queue: S::Queue| -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
                Box::pin(async move {
                    assert!(queue.pop_async().await.is_ok(), "the queue is open");
                })
            };
            run_tasks(vec![task(queue.clone()), task(queue)]);
        }
    });
    settle();
    for number in 0..4 {
        assert!(queue.try_push(item::<S>(number)).is_ok(), "a slot was left");
        std::thread::sleep(Duration::from_millis(2));
    }
    threads.into_iter().for_each(|thread| thread.join());
    tasks.join();
}

fn pushers<S: Subject>(watchdog: &Watchdog) {
    let queue = full::<S>(1);
    let threads: Vec<_> = (1..3)
        .map(|number| {
            let queue = queue.clone();
            watchdog.spawn(move || assert!(queue.push(item::<S>(number)).is_ok(), "open"))
        })
        .collect();
    let tasks = watchdog.spawn({
        let queue = queue.clone();
        move || {
            let task = |queue: S::Queue, n| -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
                Box::pin(async move {
                    assert!(queue.push_async(item::<S>(n)).await.is_ok(), "open");
                })
            };
            run_tasks(vec![task(queue.clone(), 3), task(queue, 4)]);
        }
    });
    settle();
    let mut out: Vec<u64> = (0..5)
        .map(|_| queue.pop().expect("the queue is open").number())
        .collect();
    out.sort_unstable();
    assert_eq!(out, [0, 1, 2, 3, 4], "what came out");
    threads.into_iter().for_each(|thread| thread.join());
    tasks.join();
}

fn both_sides<S: Subject>(watchdog: &Watchdog, queue: &S::Queue) {
    const EACH: u64 = 150;
    let sum = |numbers: Vec<u64>| numbers.into_iter().map(|n| n + 1).sum::<u64>();
    let mut producers = Vec::new();
    for id in 0..2 {
        let thread = queue.clone();
        producers.push(watchdog.spawn(move || {
            for number in 0..EACH {
                assert!(thread.push(item::<S>(id * EACH + number)).is_ok(), "open");
            }
        }));
    }
    let tasks = queue.clone();
    producers.push(watchdog.spawn(move || {
        let mut all: Vec<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>> = Vec::new();
        for id in 2..4 {
            let queue = tasks.clone();
            all.push(Box::pin(async move {
                for number in 0..EACH {
                    let pushed = queue.push_async(item::<S>(id * EACH + number)).await;
                    assert!(pushed.is_ok(), "the queue is open");
                }
            }));
        }
        run_tasks(all);
    }));
    let mut consumers = Vec::new();
    for _ in 0..2 {
        let thread = queue.clone();
        consumers.push(watchdog.spawn(move || {
            std::iter::from_fn(|| thread.pop().ok().map(|item| item.number())).collect::<Vec<_>>()
        }));
    }
    let tasks = queue.clone();
    consumers.push(watchdog.spawn(move || {
        let popped = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut all: Vec<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>> = Vec::new();
        for _ in 0..3 {
            let (queue, popped) = (tasks.clone(), popped.clone());
            all.push(Box::pin(async move {
                while let Ok(item) = queue.pop_async().await {
                    popped.lock().expect("no panic").push(item.number());
                }
            }));
        }
        run_tasks(all);
        std::mem::take(&mut *popped.lock().expect("no panic"))
    }));
    producers.into_iter().for_each(|producer| producer.join());
    queue.close();
    let mut out: Vec<u64> = Vec::new();
    consumers
        .into_iter()
        .for_each(|consumer| out.extend(consumer.join()));
    out.sort_unstable();
    assert_eq!(out.len() as u64, 4 * EACH, "so many came out");
    assert_eq!(
        sum(out),
        (1..=4 * EACH).sum::<u64>(),
        "the items that came out"
    );
}
