//! The line: who is served when, and what a waiter that leaves it passes on.
//!
//! Futures are polled by hand, so that each step stands where the test says.
#![cfg(not(loom))]

use queue_async::{AsyncQueue, Queue, TryPopError, TryPushError, WorkQueue};
use queue_core::event::Listen;
use queue_core::sync::Deadline;
use queue_core::{Kind, Side};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Counts how often a future is woken, and may panic then.
#[derive(Default)]
struct Wakes(AtomicUsize, AtomicBool);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        assert!(!self.1.load(Ordering::Relaxed), "a waker panics");
    }
}

/// A future, polled only when the test says so.
struct Task<'a, R> {
    future: Option<Pin<Box<dyn Future<Output = R> + Send + 'a>>>,
    wakes: Arc<Wakes>,
}

impl<'a, R> Task<'a, R> {
    fn new(future: impl Future<Output = R> + Send + 'a) -> Self {
        Self {
            future: Some(Box::pin(future)),
            wakes: Arc::default(),
        }
    }

    /// One that has been polled once, and waits.
    fn waiting(future: impl Future<Output = R> + Send + 'a) -> Self {
        let mut task = Self::new(future);
        assert!(task.poll().is_pending());
        task
    }

    fn poll(&mut self) -> Poll<R> {
        let waker = Waker::from(self.wakes.clone());
        let future = self.future.as_mut().expect("not cancelled");
        future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn ready(&mut self) -> R {
        match self.poll() {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("still waiting"),
        }
    }

    fn woken(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }

    fn cancel(&mut self) {
        self.future = None;
    }
}

#[test]
fn poppers_are_served_in_the_order_they_came() {
    let queue = AsyncQueue::unbounded();
    let mut tasks: Vec<_> = (0..5).map(|_| Task::waiting(queue.pop_async())).collect();
    for n in 0..3 {
        queue.try_push(n).unwrap();
    }
    let woken: Vec<_> = tasks.iter().map(Task::woken).collect();
    assert_eq!(woken, [1, 1, 1, 0, 0]);
    // The later of the woken may come first: each finds an item.
    for n in [2, 0, 1] {
        assert!(tasks[n].ready().is_ok());
    }
    assert!(tasks[3].poll().is_pending());
    assert_eq!(queue.len(), 0);
}

#[test]
fn pushers_are_served_in_the_order_they_came() {
    let queue = AsyncQueue::bounded(1);
    queue.try_push(0).unwrap();
    let mut tasks: Vec<_> = (1..4).map(|n| Task::waiting(queue.push_async(n))).collect();
    for n in 0..3 {
        assert_eq!(queue.try_pop(), Ok(n));
        let woken: Vec<_> = tasks.iter().map(Task::woken).collect();
        assert_eq!(woken.iter().sum::<usize>(), n + 1);
        assert_eq!(woken[n], 1, "{n} is next");
        tasks[n].ready().unwrap();
    }
}

#[test]
fn a_newcomer_lines_up_behind_those_who_wait() {
    let queue = AsyncQueue::unbounded();
    let mut first = Task::waiting(queue.pop_async());
    queue.try_push(1).unwrap();
    // The item is spoken for, though it is still inside.
    let mut second = Task::waiting(queue.pop_async());
    assert_eq!(queue.len(), 1);
    queue.try_push(2).unwrap();
    // With one to spare beyond the two who wait, a newcomer does not convoy.
    queue.try_push(3).unwrap();
    assert_eq!(Task::new(queue.pop_async()).ready(), Ok(1));
    assert_eq!(first.ready(), Ok(2));
    assert_eq!(second.ready(), Ok(3));
}

#[test]
fn who_runs_out_of_time_takes_what_there_is() {
    let queue = AsyncQueue::unbounded();
    let mut first = Task::waiting(queue.pop_async());
    queue.try_push(1).unwrap();
    assert_eq!(queue.pop_timeout(std::time::Duration::ZERO), Ok(1));
    assert!(first.poll().is_pending());
    queue.try_push(2).unwrap();
    assert_eq!(first.ready(), Ok(2));
}

#[test]
fn one_who_was_passed_over_keeps_its_place() {
    let queue = AsyncQueue::unbounded();
    let mut first = Task::waiting(queue.pop_async());
    let mut second = Task::waiting(queue.pop_async());
    queue.try_push(1).unwrap();
    assert_eq!(queue.try_pop(), Ok(1), "a try never lines up");
    assert!(first.poll().is_pending());
    queue.try_push(2).unwrap();
    assert_eq!((first.woken(), second.woken()), (2, 0));
    assert!(second.poll().is_pending());
    assert_eq!(first.ready(), Ok(2));
}

#[test]
fn one_who_is_passed_over_awake_is_not_woken_twice() {
    let queue = AsyncQueue::unbounded();
    let mut task = Task::waiting(queue.pop_async());
    for n in 0..10 {
        queue.try_push(n).unwrap();
        queue.try_pop().unwrap();
    }
    assert_eq!(task.woken(), 1);
    queue.try_push(10).unwrap();
    assert_eq!(task.ready(), Ok(10));
}

#[test]
fn a_woken_waiter_that_is_cancelled_passes_its_turn_on() {
    let queue = AsyncQueue::bounded(1);
    let mut first = Task::waiting(queue.pop_async());
    let mut second = Task::waiting(queue.pop_async());
    queue.try_push(1).unwrap();
    first.cancel();
    assert_eq!(second.woken(), 1);
    assert_eq!(second.ready(), Ok(1));

    // A held place goes to the next as well.
    queue.try_push(2).unwrap();
    let mut first = Task::waiting(queue.reserve_async());
    let mut second = Task::waiting(queue.push_async(3));
    assert_eq!(queue.try_pop(), Ok(2));
    assert_eq!((first.woken(), second.woken()), (1, 0));
    first.cancel();
    second.ready().unwrap();
    assert_eq!(queue.try_pop(), Ok(3));
}

#[test]
fn a_place_is_held_for_who_waits_for_it_until_it_comes_or_goes() {
    let queue = AsyncQueue::bounded(1);
    queue.try_push(0).unwrap();
    let mut first = Task::waiting(queue.push_async(1));
    let mut second = Task::waiting(queue.push_async(2));
    let mut third = Task::waiting(queue.push_async(3));
    assert_eq!(queue.len(), 1);
    // Still in line: it goes with its future.
    second.cancel();
    assert_eq!(queue.try_pop(), Ok(0));
    assert_eq!((first.woken(), third.woken()), (1, 0));
    // The place is held for it: cancelled, it has not pushed, and the next one's turn comes.
    assert!(queue.is_full() && queue.is_empty());
    first.cancel();
    assert_eq!(third.woken(), 1);
    assert!(queue.is_full() && queue.is_empty());
    third.ready().unwrap();
    assert_eq!(queue.try_pop(), Ok(3));
    assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
}

#[test]
fn the_item_of_a_thread_that_waits_is_pushed_by_whoever_frees_a_place() {
    let queue = AsyncQueue::bounded(1);
    queue.try_push(0).unwrap();
    std::thread::scope(|s| {
        let thread = s.spawn(|| queue.push(1));
        // A task lines up behind it, and a pop that does not wait serves the thread first.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let mut task = Task::waiting(queue.push_async(2));
        assert_eq!(queue.try_pop(), Ok(0));
        assert_eq!((queue.len(), task.woken()), (1, 0));
        thread.join().unwrap().unwrap();
        assert_eq!(queue.try_pop(), Ok(1));
        task.ready().unwrap();
    });
}

#[test]
fn waiters_may_leave_from_anywhere_in_the_line() {
    for leaver in 0..4 {
        for items in 0..4 {
            let queue = AsyncQueue::unbounded();
            let mut tasks: Vec<_> = (0..4).map(|_| Task::waiting(queue.pop_async())).collect();
            for n in 0..items {
                queue.try_push(n).unwrap();
            }
            tasks.remove(leaver).cancel();
            let woken: Vec<_> = tasks.iter().map(|task| task.woken() == 1).collect();
            let expected: Vec<_> = (0..3).map(|n| n < items).collect();
            assert_eq!(woken, expected, "{leaver} left, {items} items");
            for (n, task) in tasks.iter_mut().enumerate() {
                assert_eq!(task.poll().is_ready(), n < items);
            }
        }
    }
}

#[test]
fn a_place_that_others_wait_for_is_never_free() {
    let queue = AsyncQueue::bounded(1);
    queue.try_push(0).unwrap();
    let mut task = Task::waiting(queue.push_async(1));
    queue.try_pop().unwrap();
    assert!(matches!(queue.try_push(2), Err(TryPushError::Full(2))));
    task.ready().unwrap();
    assert_eq!(queue.try_pop(), Ok(1));
}

#[test]
fn the_waker_of_the_last_poll_is_the_one_that_is_woken() {
    let queue = AsyncQueue::unbounded();
    let mut task = Task::waiting(queue.pop_async());
    let old = std::mem::take(&mut task.wakes);
    assert!(task.poll().is_pending());
    queue.try_push(1).unwrap();
    assert_eq!((old.0.load(Ordering::Relaxed), task.woken()), (0, 1));
}

#[test]
fn close_wakes_everybody() {
    let queue = AsyncQueue::bounded(1);
    let mut poppers: Vec<_> = (0..3).map(|_| Task::waiting(queue.pop_async())).collect();
    queue.try_push(7).unwrap();
    let mut pushers: Vec<_> = (0..3).map(|n| Task::waiting(queue.push_async(n))).collect();
    let mut reserver = Task::waiting(queue.reserve_async());
    assert!(queue.close());
    assert!(!queue.close());
    for (n, task) in pushers.iter_mut().enumerate() {
        assert_eq!(task.woken(), 1);
        assert_eq!(task.ready().unwrap_err().into_item(), n);
    }
    assert!(reserver.ready().is_err());
    // The item that was accepted comes out before `Closed` does.
    assert_eq!(poppers[1].ready(), Ok(7));
    assert!(poppers[0].ready().is_err());
    assert!(poppers[2].ready().is_err());
    assert_eq!(queue.try_pop(), Err(TryPopError::Closed));
}

#[test]
fn a_batch_leaves_one_to_each_whose_turn_has_come() {
    let queue = AsyncQueue::unbounded();
    let mut waiting: Vec<_> = (0..2).map(|_| Task::waiting(queue.pop_async())).collect();
    for n in 0..10 {
        queue.try_push(n).unwrap();
    }
    let mut batch = Vec::new();
    {
        let mut batcher = Task::new(queue.pop_many_async(&mut batch, 100));
        assert_eq!(batcher.ready(), Ok(8));
    }
    assert_eq!(batch, (0..8).collect::<Vec<_>>());
    for task in &mut waiting {
        task.ready().unwrap();
    }
    // One that tries takes all.
    let mut waiting = Task::waiting(queue.pop_async());
    queue.try_push(0).unwrap();
    assert_eq!(queue.try_pop_many(&mut batch, 100), Ok(1));
    assert!(waiting.poll().is_pending());
}

/// As one of items does.
#[test]
fn a_batch_of_deliveries_leaves_one_to_each_whose_turn_has_come() {
    let queue = AsyncQueue::unbounded();
    let mut waiting: Vec<_> = (0..2).map(|_| Task::waiting(queue.pop_async())).collect();
    for n in 0..10 {
        queue.try_push(n).unwrap();
    }
    let mut batch = Vec::new();
    {
        let mut batcher = Task::new(queue.receive_many_async(&mut batch, 5));
        assert_eq!(batcher.ready(), Ok(5));
    }
    assert_eq!(queue.receive_many(&mut batch, 100), Ok(3));
    for task in &mut waiting {
        task.ready().unwrap();
    }
    // One that tries takes all.
    let mut waiting = Task::waiting(queue.pop_async());
    queue.try_push(0).unwrap();
    queue.try_push(1).unwrap();
    assert_eq!(queue.try_receive_many(&mut batch, 100), Ok(2));
    assert!(waiting.poll().is_pending());
    batch.into_iter().for_each(|job| job.ack().unwrap());
}

#[test]
fn a_batch_of_pushes_goes_in_as_places_come() {
    let queue = AsyncQueue::bounded(2);
    let mut items = (0..5).collect();
    {
        let mut task = Task::waiting(queue.push_many_async(&mut items));
        assert_eq!(queue.try_pop(), Ok(0));
        assert!(task.poll().is_pending());
        task.cancel();
    }
    assert_eq!(items, [3, 4]);
    assert_eq!(queue.close_now(), [1, 2]);
}

#[test]
fn a_stream_keeps_its_place_in_line() {
    use futures::Stream as _;
    let queue = AsyncQueue::unbounded();
    let mut stream = pin!(queue.stream());
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let cx = &mut Context::from_waker(&waker);
    assert!(stream.as_mut().poll_next(cx).is_pending());
    let mut later = Task::waiting(queue.pop_async());
    queue.try_push(1).unwrap();
    assert!(later.poll().is_pending());
    assert_eq!(stream.as_mut().poll_next(cx), Poll::Ready(Some(1)));
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    assert_eq!(later.woken(), 0);
}

#[test]
fn a_stream_that_keeps_its_half_stands_in_line() {
    use futures::Stream as _;
    let queue = AsyncQueue::unbounded();
    let mut stream = queue.clone().consumer().into_stream();
    let mut earlier = Task::waiting(queue.pop_async());
    queue.try_push(1).unwrap();
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut stream).poll_next(cx).is_pending());
    assert_eq!(earlier.ready(), Ok(1));
    queue.try_push(2).unwrap();
    assert_eq!(Pin::new(&mut stream).poll_next(cx), Poll::Ready(Some(2)));
}

#[test]
fn a_listener_is_ready_once_its_turn_has_come() {
    let queue = AsyncQueue::bounded(1);
    let soon = || Deadline::after(std::time::Duration::from_millis(1));
    assert!(!queue.listen(Side::Consumers).wait(soon()), "nothing came");
    let mut item = Task::waiting(queue.listen(Side::Consumers));
    queue.try_push(1).unwrap();
    assert_eq!(item.woken(), 1);
    item.ready();
    assert!(!queue.listen(Side::Producers).wait(soon()), "it is full");
    let mut place = Task::waiting(queue.listen(Side::Producers));
    queue.try_pop().unwrap();
    assert_eq!(place.woken(), 1);
    place.ready();
    item.cancel();
    queue.try_push(2).unwrap();
    assert!(queue.listen(Side::Consumers).wait(soon()));
}

/// The processor time of this thread, where the system tells it; else the time since `begun`.
fn spent(begun: std::time::Instant) -> std::time::Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    nanos.map_or_else(|| begun.elapsed(), std::time::Duration::from_nanos)
}

#[test]
fn ten_thousand_waiters_cost_no_more_each() {
    const CROWD: usize = 10_000;
    let queue = AsyncQueue::unbounded();
    let mut tasks: Vec<_> = (0..CROWD)
        .map(|_| Task::waiting(queue.pop_async()))
        .collect();
    // Every second one leaves, from the middle.
    for task in tasks.iter_mut().skip(1).step_by(2) {
        task.cancel();
    }
    let started = std::time::Instant::now();
    let before = spent(started);
    for n in 0..CROWD / 2 {
        queue.try_push(n).unwrap();
    }
    for (n, task) in tasks.iter_mut().step_by(2).enumerate() {
        assert_eq!(task.ready(), Ok(n));
        assert_eq!(task.woken(), 1);
    }
    // Anything quadratic takes far longer than this.
    let took = spent(started) - before;
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_waker_that_panics_keeps_nobody_asleep() {
    for panicking in 0..3 {
        let queue = AsyncQueue::<u32>::bounded(1);
        let tasks = [(); 3].map(|()| Task::waiting(queue.pop_async()));
        (tasks[panicking].wakes.1).store(true, Ordering::Relaxed);
        let closing = std::panic::AssertUnwindSafe(|| queue.close());
        assert!(std::panic::catch_unwind(closing).is_err(), "swallowed");
        for task in &tasks {
            assert_eq!(task.wakes.0.load(Ordering::Relaxed), 1, "one sleeps on");
        }
    }
}
