//! Scenarios of kanal's tests: items whose every bit counts, items that are dropped once
//! wherever a push or pop was broken off, and futures that wander from waker to waker.

use super::kinds::{Item, Kind, Local, over};
use super::polled::{Counted, Polled};
use queue_core::{PopError, PushError, Queue};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

over! {
    every:
    whole_items, a_slow_side, a_future_that_wanders, close_leaves_what_is_inside,
}
over! {
    local:
    dropped_once, blocked_as_it_closes, tasks_that_are_aborted,
}

/// Nothing of one item shows in the next, whatever its size, gaps and heap memory.
fn whole_items<K: Kind>() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Gaps {
        a: bool,
        b: u8,
        c: u32,
    }
    let gaps = |on: bool| Gaps {
        a: on,
        b: u8::from(on) * 0xff,
        c: u32::from(on) * u32::MAX,
    };
    alternate::<K, _>([0u8, !0]);
    alternate::<K, _>([0u16, !0]);
    alternate::<K, _>([0u128, !0]);
    alternate::<K, _>([f64::MIN, f64::INFINITY]);
    alternate::<K, _>([(0u64, 0u64, 0u64, 0u8), (!0, !0, !0, !0)]);
    alternate::<K, _>([gaps(false), gaps(true)]);
    alternate::<K, _>([None, Some(Box::new(!0u64))]);
    alternate::<K, _>([String::new(), "not empty".into()]);
    alternate::<K, _>([vec![], vec![vec![1u8; 5000], vec![2; 3]]]);
    alternate::<K, _>([Ok(()), Err('é')]);
}

fn alternate<K: Kind, T: Item + Clone + Debug + PartialEq>(items: [T; 2]) {
    const ROUNDS: usize = 40;
    for capacity in [Some(1), Some(3), None] {
        let queue = capacity.map_or_else(K::unbounded::<T>, K::bounded::<T>);
        let (producer, consumer) = queue.into_ends();
        let sent = items.clone();
        let sender = thread::spawn(move || {
            for item in sent.iter().cycle().take(ROUNDS) {
                producer.push(item.clone()).unwrap();
            }
        });
        let all = consumer.into_iter().zip(items.iter().cycle());
        let good = all.filter(|(got, expected)| got == *expected).count();
        assert_eq!(good, ROUNDS);
        sender.join().unwrap();
    }
}

/// One side takes its time, so that the other one sleeps for every item.
fn a_slow_side<K: Kind>() {
    for slow_producer in [false, true] {
        let queue = K::bounded::<u32>(1);
        let rest = |slow: bool| thread::sleep(Duration::from_millis(if slow { 4 } else { 0 }));
        thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..8 {
                    rest(slow_producer);
                    queue.push(n).unwrap();
                }
            });
            for n in 0..8 {
                rest(!slow_producer);
                assert_eq!(queue.pop(), Ok(n));
            }
        });
    }
}

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

/// Polled with a new waker every time, at the very moments when items come: no end is
/// seen before there is one, and no item is passed over.
fn a_future_that_wanders<K: Kind>() {
    const ITEMS: u32 = 500;
    let queue = K::bounded::<u32>(1);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..ITEMS {
                queue.push(n).unwrap();
            }
        });
        let mut waited = 0;
        for n in 0..ITEMS {
            let mut pop = Polled::new(queue.pop_async());
            let popped = loop {
                match pop.poll_with(&Waker::from(Arc::new(Nobody))) {
                    Some(popped) => break popped,
                    None => waited += 1,
                }
                thread::yield_now();
            };
            assert_eq!(popped, Ok(n), "after {waited} polls in vain");
        }
    });
    assert!(queue.is_empty());
}

/// kanal's `close` drops what is inside; ours leaves it to be popped, and `close_now`
/// hands it over.
fn close_leaves_what_is_inside<K: Kind>() {
    let queue = K::bounded::<u32>(2);
    queue.push(1).unwrap();
    queue.push(2).unwrap();
    assert!(queue.close());
    assert_eq!(queue.pop(), Ok(1));
    assert_eq!(queue.close_now(), [2]);
    assert_eq!(queue.pop(), Err(PopError::Closed));
}

/// Counts what was made; each must be dropped once in the end.
#[derive(Default)]
struct Made(Arc<AtomicUsize>, usize);

impl Made {
    fn one(&mut self) -> Counted {
        self.1 += 1;
        Counted(self.0.clone())
    }

    #[track_caller]
    fn all_dropped(&self) {
        assert_eq!(self.0.load(Ordering::Relaxed), self.1, "drops, and items");
    }
}

fn dropped_once<K: Local>() {
    let mut made = Made::default();
    let queue = K::any::<Counted>(Some(10));
    // Never polled.
    (0..10).for_each(|_| drop(queue.push_async(made.one())));
    (0..10).for_each(|_| drop(queue.pop_async()));
    made.all_dropped();
    assert!(queue.is_empty());
    // Polled to the end, and left inside by a queue that was closed.
    for _ in 0..10 {
        let pushed = Polled::new(queue.push_async(made.one())).poll();
        assert!(matches!(pushed, Some(Ok(()))));
    }
    // Refused.
    for _ in 0..10 {
        drop(Polled::pending(queue.push_async(made.one())));
        drop(queue.try_push(made.one()));
    }
    queue.close();
    for _ in 0..10 {
        assert!(matches!(queue.push(made.one()), Err(PushError::Closed(_))));
        let pushed = Polled::new(queue.push_async(made.one())).poll();
        assert!(matches!(pushed, Some(Err(PushError::Closed(_)))));
    }
    let left = 10;
    assert_eq!(made.0.load(Ordering::Relaxed), made.1 - left);
    drop(queue);
    made.all_dropped();
    // Without a consumer.
    let (producer, consumer) = K::any::<Counted>(Some(1)).into_ends();
    drop(consumer);
    (0..10).for_each(|_| drop(producer.push(made.one())));
    made.all_dropped();
}

/// Ten are blocked in a push as the queue is closed: each gets its own item back.
fn blocked_as_it_closes<K: Local>() {
    let mut made = Made::default();
    let queue = K::any::<Counted>(Some(1));
    queue.push(made.one()).unwrap();
    thread::scope(|scope| {
        let pushers = [(); 10].map(|()| {
            let item = made.one();
            scope.spawn(|| match queue.push(item) {
                Err(PushError::Closed(item)) => drop(item),
                other => panic!("it came to {other:?}"),
            })
        });
        thread::sleep(Duration::from_millis(30));
        queue.close();
        pushers
            .into_iter()
            .for_each(|pusher| pusher.join().unwrap());
    });
    assert_eq!(queue.close_now().len(), 1);
    made.all_dropped();
}

/// A runtime drops the tasks that it is told to abort, wherever they wait.
fn tasks_that_are_aborted<K: Local>() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let mut made = Made::default();
    let full = K::any::<Counted>(Some(1));
    full.push(made.one()).unwrap();
    let empty = K::any::<Counted>(Some(1));
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for _ in 0..10 {
            let (item, full, empty) = (made.one(), full.clone(), empty.clone());
            tasks.push(runtime.spawn(async move { full.push_async(item).await.is_ok() }));
            tasks.push(runtime.spawn(async move { empty.pop_async().await.is_ok() }));
        }
        thread::sleep(Duration::from_millis(20));
        tasks.iter().for_each(|task| task.abort());
        for task in tasks {
            assert!(task.await.unwrap_err().is_cancelled());
        }
    });
    assert_eq!(full.len(), 1);
    assert!(full.pop().is_ok());
    made.all_dropped();
    // Nobody is left in line.
    for queue in [full, empty] {
        queue.push(made.one()).unwrap();
        assert!(queue.is_full());
        assert!(queue.pop().is_ok());
    }
    made.all_dropped();
}
