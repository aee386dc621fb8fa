//! No wake is lost with a select that takes from another queue, or is dropped.

use queue_async::AsyncQueue;
use queue_core::select::{Poppable, Select, pop_any, pop_any_async};
use queue_core::{PopError, Queue};
use queue_process::{IpcQueue, PipeQueue, ShmQueue};
use queue_thread::{LockFreeQueue, ThreadQueue};
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// Whether a future was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A wake by the thread of another crate may take a moment.
fn soon(mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "a wake is lost");
        thread::sleep(Duration::from_millis(1));
    }
}

fn poll<R>(future: &mut Pin<&mut impl Future<Output = R>>, waker: &Waker) -> Poll<R> {
    future.as_mut().poll(&mut Context::from_waker(waker))
}

/// A future that waits for `queue` alone, behind `first`, is woken for what that leaves there.
fn is_passed_on<Q: Queue<Item = u32>>(queue: Q) {
    let other = ThreadQueue::bounded(1);

    // Notified for both queues, it takes from the other.
    let mut select = (Select::new().biased())
        .pop(&other, |popped: Result<u32, PopError>| popped)
        .pop(&queue, |popped| popped);
    let notified = Arc::new(Woken::default());
    {
        let mut selecting = pin!(select.wait_async());
        assert!(poll(&mut selecting, &notified.clone().into()).is_pending());
        let woken = Arc::new(Woken::default());
        let mut plain = pin!(queue.pop_async());
        assert!(poll(&mut plain, &woken.clone().into()).is_pending());
        queue.push(1).unwrap();
        soon(|| notified.0.load(Ordering::SeqCst));
        other.push(2).unwrap();
        assert_eq!(
            poll(&mut selecting, Waker::noop()),
            Poll::Ready(Some(Ok(2)))
        );
        soon(|| woken.0.load(Ordering::SeqCst));
        assert_eq!(poll(&mut plain, Waker::noop()), Poll::Ready(Ok(1)));
    }

    // It is dropped.
    let notified = Arc::new(Woken::default());
    let woken = Arc::new(Woken::default());
    let queues: [&dyn Poppable<Item = u32>; 2] = [&other, &queue];
    let mut selecting = Box::pin(pop_any_async(&queues));
    assert!(poll(&mut selecting.as_mut(), &notified.clone().into()).is_pending());
    let mut plain = pin!(queue.pop_async());
    assert!(poll(&mut plain, &woken.clone().into()).is_pending());
    queue.push(3).unwrap();
    soon(|| notified.0.load(Ordering::SeqCst));
    drop(selecting);
    soon(|| woken.0.load(Ordering::SeqCst));
    assert_eq!(poll(&mut plain, Waker::noop()), Poll::Ready(Ok(3)));
}

#[test]
fn a_wake_that_is_not_used_is_passed_on() {
    is_passed_on(ThreadQueue::bounded(2));
    is_passed_on(LockFreeQueue::bounded(2));
    is_passed_on(AsyncQueue::bounded(2));
    is_passed_on(PipeQueue::bounded(2));
    is_passed_on(ShmQueue::bounded(2));
    is_passed_on(IpcQueue::bounded(2));
}

/// Threads and tasks that select, some of which give up, beside plain consumers of each queue:
/// every item comes out once, and nobody sleeps while one is left.
#[test]
fn everything_comes_out_once() {
    const EACH: u32 = 2000;
    let (a, b) = (ThreadQueue::bounded(4), AsyncQueue::bounded(1));
    let c = ShmQueue::bounded(2);
    let all: [&dyn Poppable<Item = u32>; 3] = [&a, &b, &c];
    let got = Mutex::new(Vec::new());
    let take = |number| got.lock().unwrap().push(number);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                pop_any_until_closed(&all, take);
            });
            scope.spawn(|| {
                let mut random = fastrand::Rng::with_seed(7);
                while let Some(number) = pop_or_give_up(&all, &mut random) {
                    number.into_iter().for_each(take);
                }
            });
        }
        scope.spawn(|| a.iter().for_each(take));
        scope.spawn(|| b.iter().for_each(take));
        scope.spawn(|| c.results().for_each(|number| take(number.unwrap())));
        let pushing = [
            scope.spawn(|| (0..EACH).for_each(|n| a.push(3 * n).unwrap())),
            scope.spawn(|| (0..EACH).for_each(|n| b.push(3 * n + 1).unwrap())),
            scope.spawn(|| (0..EACH).for_each(|n| c.push(3 * n + 2).unwrap())),
        ];
        pushing
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        a.close();
        b.close();
        c.close();
    });
    let got = got.into_inner().unwrap();
    assert_eq!(got.len(), 3 * EACH as usize);
    let got: BTreeSet<u32> = got.into_iter().collect();
    assert!(got.into_iter().eq(0..3 * EACH));
}

fn pop_any_until_closed(all: &[&dyn Poppable<Item = u32>], take: impl Fn(u32)) {
    loop {
        match pop_any(all) {
            Ok((_, number)) => take(number),
            Err(error) if error.is_closed() => return,
            Err(error) => panic!("{error:#}"),
        }
    }
}

/// Polls up to some times, and drops the future then. `None` once all are closed.
fn pop_or_give_up(
    all: &[&dyn Poppable<Item = u32>],
    random: &mut fastrand::Rng,
) -> Option<Option<u32>> {
    let mut popping = pin!(pop_any_async(all));
    for _ in 0..random.u32(1..4) {
        match poll(&mut popping, Waker::noop()) {
            Poll::Ready(Ok((_, number))) => return Some(Some(number)),
            Poll::Ready(Err(error)) if error.is_closed() => return None,
            Poll::Ready(Err(error)) => panic!("{error:#}"),
            Poll::Pending => thread::sleep(Duration::from_micros(random.u64(0..200))),
        }
    }
    Some(None)
}
