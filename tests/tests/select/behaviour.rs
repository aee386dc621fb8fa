//! What a select promises beyond the verbs of one queue.

use pollster::block_on;
use queue_async::AsyncQueue;
use queue_core::dynamic::DynQueue;
use queue_core::select::{
    PopAnyError, PopAnyTimeoutError, Poppable, Select, TryPopAnyError, pop_any, pop_any_async,
    pop_any_timeout, receive_any, receive_any_async, receive_any_timeout, try_pop_any,
};
use queue_core::{Capacity, PopError, PushError, Queue, WorkQueue};
use queue_process::{IpcQueue, PipeQueue, ShmQueue};
use queue_thread::{LockFreeQueue, ThreadQueue};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_millis(20);

#[test]
fn whichever_has_an_item_gives_it() {
    let (threads, locks) = (ThreadQueue::bounded(2), LockFreeQueue::bounded(2));
    let (tasks, pipe) = (AsyncQueue::bounded(2), PipeQueue::bounded(2));
    let (shm, ipc) = (ShmQueue::bounded(2), IpcQueue::bounded(2));
    let (producer, consumer) = ThreadQueue::<u32>::bounded(2).into_ends();
    let boxed = DynQueue::new(ThreadQueue::bounded(2));
    let all: [&dyn Poppable<Item = u32>; 8] = [
        &threads, &locks, &tasks, &pipe, &shm, &ipc, &consumer, &boxed,
    ];
    let push = |at: usize, item| match at {
        0 => threads.push(item),
        1 => locks.push(item),
        2 => tasks.push(item),
        3 => pipe.push(item),
        4 => shm.push(item),
        5 => ipc.push(item),
        6 => producer.push(item),
        _ => boxed.push(item),
    };
    for at in 0..all.len() {
        // There already.
        push(at, 1).unwrap();
        assert_eq!(try_pop_any(&all), Ok((at, 1)));
        assert_eq!(try_pop_any(&all), Err(TryPopAnyError::Empty));
        // While a thread sleeps, and a future.
        for waits in [
            || {},
            || thread::sleep(SOON),
            || thread::sleep(Duration::from_millis(2)),
        ] {
            let popped = thread::scope(|scope| {
                let thread = scope.spawn(|| pop_any(&all));
                waits();
                push(at, 2).unwrap();
                thread.join().unwrap()
            });
            assert_eq!(popped, Ok((at, 2)));
            let popped = thread::scope(|scope| {
                let task = scope.spawn(|| block_on(pop_any_async(&all)));
                waits();
                push(at, 3).unwrap();
                task.join().unwrap()
            });
            assert_eq!(popped, Ok((at, 3)));
        }
        push(at, 4).unwrap();
        assert_eq!(pop_any_timeout(&all, SOON), Ok((at, 4)));
    }
}

#[test]
fn time_is_up_not_before_it_is() {
    let (a, b) = (ThreadQueue::<u32>::bounded(1), ShmQueue::bounded(1));
    let zero = Duration::ZERO;
    let late = Err(PopAnyTimeoutError::Timeout);
    assert_eq!(pop_any_timeout(&[&a, &b], zero), late);
    let begun = Instant::now();
    assert_eq!(pop_any_timeout(&[&a, &b], SOON), late);
    assert!(begun.elapsed() >= SOON);
    a.push(1).unwrap();
    assert_eq!(pop_any_timeout(&[&a, &b], zero), Ok((0, 1)));
    assert_eq!(
        pop_any_timeout::<u32>(&[], SOON),
        Err(PopAnyTimeoutError::Closed)
    );

    let mut select = Select::new().pop(&a, drop).pop(&b, drop);
    let begun = Instant::now();
    assert!(select.wait_timeout(SOON).is_none() && !select.is_over());
    assert!(begun.elapsed() >= SOON);
    assert!(select.wait_deadline(begun).is_none() && select.try_wait().is_none());
    b.push(1).unwrap();
    assert!(select.wait_deadline(begun).is_some());
}

#[test]
fn no_queue_that_is_ready_is_hidden_unless_it_should_be() {
    let all: Vec<_> = (0..3).map(|_| ThreadQueue::<u32>::bounded(1000)).collect();
    all.iter().for_each(|queue| {
        queue.push_many(&mut (0..1000).collect()).unwrap();
    });
    let queues: Vec<&dyn Poppable<Item = u32>> = all.iter().map(|queue| queue as _).collect();
    let each_often = |mut next: Box<dyn FnMut() -> usize + '_>| {
        let mut times = [0; 3];
        (0..300).for_each(|_| times[next()] += 1);
        assert!(times.iter().all(|n| *n > 50), "{times:?}");
    };
    each_often(Box::new(|| pop_any(&queues).unwrap().0));
    each_often(Box::new(|| try_pop_any(&queues).unwrap().0));
    each_often(Box::new(|| block_on(pop_any_async(&queues)).unwrap().0));
    let arms = || {
        let numbered = all.iter().enumerate();
        numbered.fold(Select::new(), |select, (at, queue)| {
            select.pop(queue, move |_| at)
        })
    };
    let mut fair = arms();
    each_often(Box::new(|| fair.wait().unwrap()));
    let mut biased = arms().biased();
    while let Some(first) = all.iter().position(|queue| !queue.is_empty()) {
        assert_eq!(biased.wait(), Some(first));
    }
}

/// Closed before and while it waits, in either order.
#[test]
fn a_closed_queue_is_passed_over_until_all_are() {
    for first in 0..2 {
        let queues = [ThreadQueue::<u32>::bounded(1), ThreadQueue::bounded(1)];
        let [a, b] = &queues;
        queues[1 - first].push(7).unwrap();
        queues[first].close();
        assert_eq!(pop_any(&[a, b]), Ok((1 - first, 7)));
        assert_eq!(try_pop_any(&[a, b]), Err(TryPopAnyError::Empty));
        let late = Err(PopAnyTimeoutError::Timeout);
        assert_eq!(pop_any_timeout(&[a, b], SOON), late);
        assert!(try_pop_any(&[a, b]).unwrap_err().is_empty());
        let ended = thread::scope(|scope| {
            let thread = scope.spawn(|| pop_any(&[a, b]));
            let task = scope.spawn(|| block_on(pop_any_async(&[a, b])));
            thread::sleep(SOON);
            queues[1 - first].push(8).unwrap();
            queues[1 - first].close();
            [thread.join().unwrap(), task.join().unwrap()]
        });
        assert!(ended.contains(&Ok((1 - first, 8))), "{ended:?}");
        assert!(ended.contains(&Err(PopAnyError::Closed)), "{ended:?}");
        assert!(!try_pop_any(&[a, b]).unwrap_err().is_empty());
        assert_eq!(try_pop_any(&[a, b]), Err(TryPopAnyError::Closed));
    }
}

#[test]
fn all_close_while_it_waits() {
    let (a, b) = (AsyncQueue::<u32>::bounded(1), PipeQueue::bounded(1));
    thread::scope(|scope| {
        let thread = scope.spawn(|| pop_any(&[&a, &b]));
        let task = scope.spawn(|| block_on(pop_any_async(&[&a, &b])));
        thread::sleep(SOON);
        a.close();
        thread::sleep(SOON);
        assert!(!thread.is_finished() && !task.is_finished());
        b.close();
        assert_eq!(thread.join().unwrap(), Err(PopAnyError::Closed));
        assert_eq!(task.join().unwrap(), Err(PopAnyError::Closed));
    });
}

/// A number that cannot be brought out while nobody can read.
#[derive(Debug, PartialEq, Serialize)]
struct Number(u32);

static UNREADABLE: AtomicBool = AtomicBool::new(false);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        if UNREADABLE.load(Ordering::Relaxed) {
            return Err(D::Error::custom("unreadable"));
        }
        Ok(Self(number))
    }
}

#[test]
fn a_failure_is_told_with_its_queue() {
    let (a, b) = (ThreadQueue::bounded(2), PipeQueue::bounded(8));
    (0..8).for_each(|number| b.push(Number(number)).unwrap());
    UNREADABLE.store(true, Ordering::Relaxed);
    match pop_any(&[&a, &b]) {
        Err(PopAnyError::Failed(1, failure)) => assert!(failure.consumed_item()),
        other => panic!("{other:?}"),
    }
    let error = block_on(pop_any_async(&[&a, &b])).unwrap_err();
    assert!(format!("{error:#}").contains("queue 1"), "{error:#}");
    assert!(error.failure().is_some());
    let error = pop_any_timeout(&[&a, &b], SOON).unwrap_err();
    assert!(!error.is_timeout() && error.failure().is_some());
    assert!(try_pop_any(&[&a, &b]).unwrap_err().failure().is_some());

    // An arm goes on behind a bad item.
    let mut select = Select::new()
        .pop(&a, |popped| popped)
        .pop(&b, |popped| popped);
    let failed = select.wait().unwrap().unwrap_err();
    assert!(failed.failure().is_some() && !select.is_over());
    UNREADABLE.store(false, Ordering::Relaxed);
    assert_eq!(select.wait(), Some(Ok(Number(5))));
    drop(select);
    assert_eq!(pop_any(&[&a, &b]), Ok((1, Number(6))));
}

#[test]
fn an_arm_that_can_never_give_anything_again_is_left_out() {
    let (a, b) = (
        ThreadQueue::<u32>::bounded(1),
        AsyncQueue::<u32>::bounded(1),
    );
    let mut select = (Select::new().biased())
        .pop(&a, |popped| popped)
        .pop(&b, |popped| popped);
    a.close();
    assert_eq!(select.wait(), Some(Err(PopError::Closed)));
    b.push(1).unwrap();
    assert_eq!(select.wait(), Some(Ok(1)));
    assert_eq!(select.try_wait(), None);
    assert!(!select.is_over());
    b.close();
    assert_eq!(block_on(select.wait_async()), Some(Err(PopError::Closed)));
    assert!(select.is_over());
    assert_eq!(
        (select.wait(), select.wait_timeout(Duration::MAX)),
        (None, None)
    );
    assert!(Select::<()>::new().is_over() && Select::<()>::new().wait().is_none());
}

/// A queue that fails whoever asks, and not because of one item, would be chosen for ever.
#[test]
fn an_arm_that_fails_for_good_is_left_out() {
    let boxed = DynQueue::without_deliveries(ThreadQueue::<u32>::bounded(1));
    let mut select = Select::new().receive(&boxed, |job| job.map(drop));
    let failed = select.wait().unwrap().unwrap_err();
    assert!(failed.failure().is_some_and(|why| !why.consumed_item()));
    assert!(select.is_over() && select.wait().is_none());
    let mut jobs = boxed.deliveries();
    assert!(jobs.next().is_some_and(|job| job.is_err()));
    assert!(jobs.next().is_none());
}

#[test]
fn a_biased_select_tries_the_first_arm_first() {
    let (urgent, normal) = (ThreadQueue::bounded(64), ThreadQueue::bounded(64));
    (0..64).for_each(|n| normal.push(n).unwrap());
    (100..164).for_each(|n| urgent.push(n).unwrap());
    let mut select = (Select::new().biased())
        .pop(&urgent, |popped| popped)
        .pop(&normal, |popped| popped);
    for n in (100..164).chain(0..64) {
        assert_eq!(select.try_wait(), Some(Ok(n)));
    }
}

/// What an arm took before another waiter's waker panicked is what the next wait gives.
#[test]
fn a_waker_that_panics_takes_no_item_of_a_select() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            resume_unwind(Box::new(0));
        }
    }
    let (other, queue) = (ThreadQueue::bounded(1), ThreadQueue::bounded(1));
    let mut select = (Select::new().biased())
        .pop(&other, |popped| popped)
        .pop(&queue, |popped| popped);
    let nobody = &mut Context::from_waker(Waker::noop());
    let mut plain = pin!(queue.pop_async());
    {
        let mut selecting = pin!(select.wait_async());
        assert!(selecting.as_mut().poll(nobody).is_pending());
        let panics = Waker::from(Arc::new(Panics));
        let polled = plain.as_mut().poll(&mut Context::from_waker(&panics));
        assert!(polled.is_pending());
        // The select is notified for both, takes from the first, and passes the other wake on.
        queue.push(1).unwrap();
        other.push(2).unwrap();
        let polled = catch_unwind(AssertUnwindSafe(|| selecting.as_mut().poll(nobody)));
        assert!(polled.is_err());
    }
    other.push(3).unwrap();
    assert!(!select.is_over());
    assert_eq!(select.wait(), Some(Ok(2)));
    assert_eq!(select.wait(), Some(Ok(3)));
    assert_eq!(plain.as_mut().poll(nobody), Poll::Ready(Ok(1)));
}

type Pushed = Result<(), Option<PushError<u32>>>;

fn push_or_stop<'q>(
    full: &'q ShmQueue<u32>,
    signals: &'q ThreadQueue<()>,
    item: &'q mut Option<u32>,
) -> Select<'q, Pushed> {
    Select::new()
        .push(full, item, |pushed| pushed.map_err(Some))
        .pop(signals, |_| Err(None))
}

#[test]
fn what_is_not_pushed_stays_with_its_owner() {
    let (full, signals) = (ShmQueue::bounded(1), ThreadQueue::bounded(1));
    full.push(1).unwrap();
    let mut item = Some(2);
    assert_eq!(push_or_stop(&full, &signals, &mut item).try_wait(), None);
    assert_eq!(
        push_or_stop(&full, &signals, &mut item).wait_timeout(SOON),
        None
    );
    drop(push_or_stop(&full, &signals, &mut item).wait_async());
    signals.push(()).unwrap();
    assert_eq!(
        push_or_stop(&full, &signals, &mut item).wait(),
        Some(Err(None))
    );
    assert_eq!(item, Some(2));
    // There is a slot as it waits.
    thread::scope(|scope| {
        let thread = scope.spawn(|| push_or_stop(&full, &signals, &mut item).wait());
        thread::sleep(SOON);
        assert_eq!(full.pop(), Ok(1));
        assert_eq!(thread.join().unwrap(), Some(Ok(())));
    });
    assert_eq!((item, full.pop()), (None, Ok(2)));
    // Without an item there is nothing to push.
    assert_eq!(push_or_stop(&full, &signals, &mut item).try_wait(), None);
    full.close();
    assert_eq!(push_or_stop(&full, &signals, &mut item).try_wait(), None);
    item = Some(3);
    let refused = Some(Err(Some(PushError::Closed(3))));
    assert_eq!(push_or_stop(&full, &signals, &mut item).wait(), refused);
    assert_eq!(item, None);
}

#[test]
fn an_item_that_the_queue_cannot_take_comes_back() {
    let options = ShmQueue::<Vec<u8>>::options().max_item_bytes(64);
    let queue = options.create(Capacity::bounded(1)).unwrap();
    let mut item = Some(vec![0; 100]);
    let pushed = Select::new()
        .push(&queue, &mut item, |pushed| pushed)
        .wait();
    match pushed {
        Some(Err(PushError::Failed(item, _))) => assert_eq!(item.len(), 100),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_item_goes_to_one_of_two_queues() {
    let (a, b) = (ThreadQueue::bounded(100), PipeQueue::bounded(100));
    for number in 0..100 {
        let mut items = (Some(number), Some(number));
        let pushed = Select::new()
            .push(&a, &mut items.0, |pushed| pushed.is_ok())
            .push(&b, &mut items.1, |pushed| pushed.is_ok())
            .wait();
        assert_eq!(pushed, Some(true));
        assert!(items.0.is_some() != items.1.is_some());
    }
    assert_eq!(a.len() + b.len(), 100);
    assert!(a.len() > 20 && b.len() > 20, "{} {}", a.len(), b.len());
}

#[test]
fn deliveries_are_received_from_any() {
    let (a, b) = (ThreadQueue::bounded(2), ThreadQueue::bounded(2));
    b.push(1).unwrap();
    let (index, job) = receive_any(&[&a, &b]).unwrap();
    assert_eq!((index, *job, job.attempt()), (1, 1, 1));
    job.nack().unwrap();
    let (_, job) = block_on(receive_any_async(&[&a, &b])).unwrap();
    assert_eq!(job.attempt(), 2);
    // While it is in flight its queue has not ended.
    assert!(a.close() && b.close());
    let late = receive_any_timeout(&[&a, &b], SOON).unwrap_err();
    assert!(late.is_timeout());
    let mut select = Select::new().receive(&b, |job| job.map(|job| job.take().unwrap()));
    assert_eq!(select.try_wait(), None);
    thread::scope(|scope| {
        let thread = scope.spawn(|| receive_any(&[&a, &b]).map(|(_, job)| job.take().unwrap()));
        thread::sleep(SOON);
        job.nack().unwrap();
        assert_eq!(thread.join().unwrap(), Ok(1));
    });
    assert_eq!(select.wait(), Some(Err(PopError::Closed)));
    assert_eq!(receive_any(&[&a, &b]).unwrap_err(), PopAnyError::Closed);
}
