//! The same work on every executor that is at hand, with threads joining in.
#![cfg(not(loom))]

use queue_async::{AsyncQueue, Queue};
use std::future::Future;
use std::thread;

const PRODUCERS: u64 = 3;
const EACH: u64 = 500;

/// What all consumers together must have got.
const SUM: u64 = (PRODUCERS * EACH) * (PRODUCERS * EACH - 1) / 2;

async fn produce(queue: AsyncQueue<u64>, producer: u64) {
    for n in 0..EACH {
        queue.push_async(producer * EACH + n).await.unwrap();
    }
}

/// Sums what it gets; each producer's items must come in order.
async fn consume(queue: AsyncQueue<u64>) -> u64 {
    let mut last = [None; PRODUCERS as usize];
    let mut sum = 0;
    while let Ok(item) = queue.pop_async().await {
        let last = &mut last[(item / EACH) as usize];
        assert!(last.is_none_or(|last| last < item), "{item} after {last:?}");
        *last = Some(item);
        sum += item;
    }
    sum
}

/// Three producers, three consumers, by whatever spawns and joins tasks here.
async fn exchange<J: Future<Output = u64>>(
    bound: Option<usize>,
    mut spawn: impl FnMut(std::pin::Pin<Box<dyn Future<Output = u64> + Send>>) -> J,
) {
    let queue = bound.map_or_else(AsyncQueue::unbounded, AsyncQueue::bounded);
    let consumers: Vec<_> = (0..3)
        .map(|_| spawn(Box::pin(consume(queue.clone()))))
        .collect();
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let queue = queue.clone();
            spawn(Box::pin(async move {
                produce(queue, producer).await;
                0
            }))
        })
        .collect();
    for producer in producers {
        producer.await;
    }
    queue.close();
    let mut sum = 0;
    for consumer in consumers {
        sum += consumer.await;
    }
    assert_eq!(sum, SUM);
}

const BOUNDS: [Option<usize>; 4] = [Some(1), Some(2), Some(64), None];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokio_multi_thread() {
    for bound in BOUNDS {
        exchange(bound, |task| {
            let task = tokio::spawn(task);
            async { task.await.unwrap() }
        })
        .await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn tokio_current_thread() {
    for bound in BOUNDS {
        exchange(bound, |task| {
            let task = tokio::spawn(task);
            async { task.await.unwrap() }
        })
        .await;
    }
}

#[test]
fn smol() {
    smol::block_on(async {
        for bound in BOUNDS {
            exchange(bound, smol::spawn).await;
        }
    });
}

#[test]
fn futures() {
    // No tasks at all: everything is polled by one `join`.
    for bound in BOUNDS {
        let queue = bound.map_or_else(AsyncQueue::unbounded, AsyncQueue::bounded);
        let producing = async {
            futures::join!(
                produce(queue.clone(), 0),
                produce(queue.clone(), 1),
                produce(queue.clone(), 2)
            );
            queue.close();
        };
        let (_, a, b) = futures::executor::block_on(async {
            futures::join!(producing, consume(queue.clone()), consume(queue.clone()))
        });
        assert_eq!(a + b, SUM);
    }
}

#[test]
fn threads_and_tasks_in_the_same_lines() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    for bound in BOUNDS {
        let queue = bound.map_or_else(AsyncQueue::unbounded, AsyncQueue::bounded);
        let task = runtime.spawn(consume(queue.clone()));
        let consumer = thread::spawn({
            let queue = queue.clone();
            move || queue.iter().sum::<u64>()
        });
        let producers: Vec<_> = (0..PRODUCERS - 1)
            .map(|producer| {
                let queue = queue.clone();
                thread::spawn(move || {
                    (0..EACH).for_each(|n| queue.push(producer * EACH + n).unwrap());
                })
            })
            .collect();
        runtime.block_on(produce(queue.clone(), PRODUCERS - 1));
        producers
            .into_iter()
            .for_each(|producer| producer.join().unwrap());
        queue.close();
        let sum = consumer.join().unwrap() + runtime.block_on(task).unwrap();
        assert_eq!(sum, SUM);
    }
}

#[tokio::test]
async fn the_runtimes_timer_cancels_without_loss() {
    use std::time::Duration;
    use tokio::time::timeout;
    let queue = AsyncQueue::bounded(1);
    let brief = Duration::from_millis(5);
    assert!(timeout(brief, queue.pop_async()).await.is_err());
    queue.push_async(1).await.unwrap();
    assert!(timeout(brief, queue.push_async(2)).await.is_err());
    assert!(timeout(brief, queue.reserve_async()).await.is_err());
    assert_eq!(queue.pop_async().await, Ok(1));
    assert!(queue.is_empty());
    queue.push_async(3).await.unwrap();
    assert_eq!(queue.pop_async().await, Ok(3));
}

/// A producer and a consumer that always find the queue ready, beside a task that wants
/// to run as well, on one thread.
#[cfg(feature = "tokio")]
#[tokio::test(flavor = "current_thread")]
async fn a_hot_queue_lets_its_neighbours_run() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let ran = Arc::new(AtomicBool::new(false));
    let neighbour = tokio::spawn({
        let ran = ran.clone();
        async move { ran.store(true, Ordering::Relaxed) }
    });
    let queue = AsyncQueue::unbounded();
    let mut pushed = 0u32;
    while !ran.load(Ordering::Relaxed) {
        // Never pending but for the budget; without it this loop does not end.
        queue.push_async(pushed).await.unwrap();
        assert_eq!(queue.pop_async().await, Ok(pushed));
        pushed += 1;
        assert!(pushed < 10_000, "the neighbour starves");
    }
    neighbour.await.unwrap();
}

/// How many items a task pushes before it yields, at most in twenty tries: a unit of the
/// budget is a time, and the machine may have run something else meanwhile.
#[cfg(feature = "tokio")]
async fn most_pushes_before_a_yield() -> usize {
    let mut most = 0;
    for _ in 0..20 {
        most = most.max(pushes_before_a_yield());
        tokio::task::yield_now().await;
    }
    most
}

/// How many items a task pushes before it yields.
#[cfg(feature = "tokio")]
fn pushes_before_a_yield() -> usize {
    use std::pin::pin;
    use std::task::{Context, Waker};
    let queue = AsyncQueue::unbounded();
    let cx = &mut Context::from_waker(Waker::noop());
    let pushed = (0..20_000).take_while(|n| pin!(queue.push_async(*n)).poll(cx).is_ready());
    let pushed = pushed.count();
    assert_eq!(queue.len(), pushed, "a poll that yields has pushed nothing");
    pushed
}

/// A unit of the budget is spent on many polls: a task that yields too often pays more for
/// that than for its items.
#[cfg(feature = "tokio")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_gets_a_thousand_polls_before_it_yields() {
    let pushed = most_pushes_before_a_yield().await;
    assert!((1_000..20_000).contains(&pushed), "{pushed}");
}

/// Who yields to its neighbours waits for no slot.
#[cfg(feature = "tokio")]
#[tokio::test(flavor = "current_thread")]
async fn to_yield_is_no_wait() {
    let queue = queue_async::Metered::new("metered", AsyncQueue::unbounded());
    for n in 0..10_000 {
        queue.push_async(n).await.unwrap();
    }
    let activity = queue.stats().activity.unwrap();
    assert_eq!((activity.pushed, activity.push_waits.count), (10_000, 0));
}

/// Where there is one worker it yields sooner, but not after each unit.
#[cfg(feature = "tokio")]
#[tokio::test(flavor = "current_thread")]
async fn a_task_gets_a_hundred_polls_where_there_is_one_worker() {
    let pushed = most_pushes_before_a_yield().await;
    assert!((128..20_000).contains(&pushed), "{pushed}");
}
