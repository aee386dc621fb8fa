//! What no suite checks: wakes without a reason, polls beyond the last, and wakers that act
//! on the very queue that they are woken by.

use super::kinds::{Kind, Local, over};
use super::polled::{Bell, PATIENCE, Polled};
use queue_core::event::Listen;
use queue_core::sync::Deadline;
use queue_core::{Kind as _, PopTimeoutError, Queue, Side, TryPopError, TryPushError};
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

over! {
    every:
    unparked_for_nothing, parked_with_a_token, polled_for_nothing, wakers_are_let_go,
    polled_once_too_often, polled_then_waited_on, thousand_waiters,
    in_a_thread_that_ends, in_a_thread_that_unwinds,
}
over! {
    local:
    wakers_act_on_the_queue, dropped_wakers_act_on_the_queue,
}

/// Somebody unparks a thread that waits in a queue, again and again: it goes on waiting,
/// and is neither early nor late.
fn unparked_for_nothing<K: Kind>() {
    let queue = K::bounded::<u32>(1);
    let timeout = Duration::from_millis(60);
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let start = Instant::now();
            let popped = queue.pop_timeout(timeout);
            assert_eq!(popped, Err(PopTimeoutError::Timeout));
            assert!(start.elapsed() >= timeout, "early");
            queue.pop().unwrap()
        });
        let start = Instant::now();
        while start.elapsed() < timeout * 2 {
            waits.thread().unpark();
            thread::sleep(Duration::from_micros(200));
        }
        assert!(!waits.is_finished());
        queue.push(7).unwrap();
        assert_eq!(waits.join().unwrap(), 7);
        queue.push(8).unwrap();
        let waits = scope.spawn(|| queue.push(9).unwrap());
        for _ in 0..100 {
            waits.thread().unpark();
            thread::sleep(Duration::from_micros(200));
        }
        assert!(!waits.is_finished());
        assert_eq!(queue.pop(), Ok(8));
        waits.join().unwrap();
    });
}

/// A thread that was unparked before it waits still waits.
fn parked_with_a_token<K: Kind>() {
    let queue = K::bounded::<u32>(1);
    thread::current().unpark();
    let start = Instant::now();
    let timeout = Duration::from_millis(20);
    assert!(queue.pop_timeout(timeout).is_err());
    assert!(start.elapsed() >= timeout);
}

fn polled_for_nothing<K: Kind>() {
    let queue = K::bounded::<u32>(1);
    let mut pop = Polled::pending(queue.pop_async());
    for _ in 0..1000 {
        assert!(pop.poll().is_none());
    }
    queue.push(1).unwrap();
    assert_eq!(pop.finish(), Ok(1));
    queue.push(2).unwrap();
    let mut push = Polled::pending(queue.push_async(3));
    for _ in 0..1000 {
        assert!(push.poll().is_none());
    }
    assert_eq!(queue.pop(), Ok(2));
    push.finish().unwrap();
    assert_eq!(queue.pop(), Ok(3));
}

/// A waker is kept no longer than it may be needed.
fn wakers_are_let_go<K: Kind>() {
    let queue = K::bounded::<u32>(1);
    let bells = [(); 3].map(|()| Arc::new(Bell::default()));
    let [first, second, third] = bells.each_ref().map(|bell| Waker::from(bell.clone()));
    let held = |waker: usize| Arc::strong_count(&bells[waker]) - 2;
    // Where a thread of the kind's own wakes, it may have the waker in its hand just now.
    let let_go = |waker: usize, when: &str| {
        let deadline = Instant::now() + PATIENCE;
        while held(waker) != 0 {
            assert!(Instant::now() < deadline, "kept though {when}");
            thread::yield_now();
        }
    };
    let mut pop = Polled::new(queue.pop_async());
    assert!(pop.poll_with(&first).is_none());
    assert!(held(0) >= 1);
    assert!(pop.poll_with(&second).is_none());
    let_go(0, "another replaced it");
    queue.push(1).unwrap();
    while pop.poll_with(&second).is_none() {}
    let_go(1, "the future is ready");
    let mut pop = Polled::new(queue.pop_async());
    assert!(pop.poll_with(&third).is_none());
    drop(pop);
    let_go(2, "the future is gone");
    queue.push(2).unwrap();
    let mut push = Polled::new(queue.push_async(3));
    assert!(push.poll_with(&third).is_none());
    drop(push);
    let_go(2, "the future is gone");
}

/// What a future that is ready does when polled again is its own business; the queue's
/// state is not.
fn polled_once_too_often<K: Kind>() {
    let queue = K::bounded::<u32>(2);
    let mut push = Polled::new(queue.push_async(1));
    push.poll().unwrap().unwrap();
    let _ = catch_unwind(AssertUnwindSafe(|| push.poll()));
    drop(push);
    assert_eq!(queue.pop(), Ok(1));
    let mut pop = Polled::new(queue.pop_async());
    queue.push(2).unwrap();
    assert_eq!(pop.poll(), Some(Ok(2)));
    let _ = catch_unwind(AssertUnwindSafe(|| pop.poll()));
    drop(pop);
    queue.push(3).unwrap();
    queue.push(4).unwrap();
    assert!(queue.try_push(5).is_err());
    assert_eq!(queue.close_now(), [3, 4]);
}

/// A listener that was polled in a task may be waited on by a thread after that.
fn polled_then_waited_on<K: Kind>() {
    fn waits_as_both<L: Listen>(mut listener: L, polled: &mpsc::Sender<()>) {
        let mut task = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut listener).poll(&mut task).is_pending());
        polled.send(()).unwrap();
        assert!(listener.wait(Deadline::NEVER));
    }
    let queue = K::bounded::<u32>(1);
    let waits = queue.clone();
    let (polled, is_polled) = mpsc::channel();
    let thread = thread::spawn(move || {
        let listener = waits.listen(Side::Consumers);
        assert_eq!(waits.try_pop(), Err(TryPopError::Empty));
        waits_as_both(listener, &polled);
        let listener = waits.listen(Side::Producers);
        assert_eq!(waits.try_push(2), Err(TryPushError::Full(2)));
        waits_as_both(listener, &polled);
    });
    let acts: [&dyn Fn(); 2] = [&|| queue.push(1).unwrap(), &|| _ = queue.pop().unwrap()];
    for act in acts {
        is_polled
            .recv_timeout(PATIENCE)
            .expect("the thread was not woken");
        thread::sleep(Duration::from_millis(10)); // It sleeps by now, or soon.
        act();
    }
    let start = Instant::now();
    while !thread.is_finished() {
        assert!(start.elapsed() < PATIENCE, "the thread was not woken");
        thread::sleep(Duration::from_millis(1));
    }
    thread.join().unwrap();
}

/// A thousand futures wait and every other one leaves: the rest get theirs.
fn thousand_waiters<K: Kind>() {
    let queue = K::unbounded::<u32>();
    let mut pops: Vec<_> = (0..1000)
        .map(|_| Some(Polled::pending(queue.pop_async())))
        .collect();
    pops.iter_mut().step_by(2).for_each(|pop| *pop = None);
    for n in 0..500 {
        queue.push(n).unwrap();
    }
    let mut got: Vec<u32> = pops
        .into_iter()
        .flatten()
        .map(|p| p.finish().unwrap())
        .collect();
    got.sort_unstable();
    assert!(got.into_iter().eq(0..500));
}

/// A waker that does something to the queue that wakes it.
struct Meddler<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync> Wake for Meddler<F> {
    fn wake(self: Arc<Self>) {
        self.0();
    }
}

fn wakers_act_on_the_queue<K: Local>() {
    let queue = K::any::<u32>(Some(2));
    let acts = queue.clone();
    let done = Arc::new(AtomicUsize::new(0));
    let told = done.clone();
    let waker = Waker::from(Arc::new(Meddler(move || {
        let popped = acts.try_pop();
        let _ = acts.try_push(popped.unwrap_or(9));
        assert!(acts.len() <= 2);
        let _ = format!("{acts:?}");
        told.fetch_add(1, Ordering::Relaxed);
    })));
    let mut pop = Polled::new(queue.pop_async());
    assert!(pop.poll_with(&waker).is_none());
    queue.push(1).unwrap();
    assert_eq!(done.load(Ordering::Relaxed), 1);
    assert_eq!(pop.poll_with(&waker), Some(Ok(1)));
    while queue.try_push(2).is_ok() {}
    let mut push = Polled::new(queue.push_async(3));
    assert!(push.poll_with(&waker).is_none());
    assert!(queue.pop().is_ok());
    let before = done.load(Ordering::Relaxed);
    drop(push);
    let mut pops = [0, 1].map(|_| {
        queue.try_iter().for_each(drop);
        Polled::new(queue.pop_async())
    });
    assert!(pops.iter_mut().all(|pop| pop.poll_with(&waker).is_none()));
    queue.close();
    assert!(done.load(Ordering::Relaxed) >= before);
}

/// A waker whose end does something to the queue that kept it.
struct LastWord<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync> Wake for LastWord<F> {
    fn wake(self: Arc<Self>) {}
}

impl<F: Fn() + Send + Sync> Drop for LastWord<F> {
    fn drop(&mut self) {
        self.0();
    }
}

fn dropped_wakers_act_on_the_queue<K: Local>() {
    let queue = K::any::<u32>(Some(1));
    let waker = || {
        let acts = queue.clone();
        Waker::from(Arc::new(LastWord(move || {
            let _ = acts.try_push(5);
            let _ = acts.try_pop();
            let _ = acts.len();
        })))
    };
    // Replaced, woken, and dropped with its future.
    let mut pop = Polled::new(queue.pop_async());
    assert!(pop.poll_with(&waker()).is_none());
    assert!(pop.poll_with(&waker()).is_none());
    queue.push(1).unwrap();
    let mut push = Polled::new(queue.push_async(2));
    let _ = push.poll_with(&waker());
    let _ = push.poll_with(&waker());
    drop(push);
    let _ = pop.poll_with(&waker());
    drop(pop);
    queue.try_iter().for_each(drop);
    let mut pop = Polled::new(queue.pop_async());
    assert!(pop.poll_with(&waker()).is_none());
    queue.close();
}

/// Acts when it is dropped.
struct Finally<F: FnMut()>(F);

impl<F: FnMut()> Drop for Finally<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// A thread whose own variables are being dropped may still wait and be woken.
fn in_a_thread_that_ends<K: Kind>() {
    thread_local! {
        static LAST: Cell<Option<Box<dyn Any>>> = const { Cell::new(None) };
    }
    let queue = K::bounded::<u32>(1);
    let answers = K::bounded::<u32>(1);
    let (asks, tells) = (queue.clone(), answers.clone());
    let waited = Arc::new(AtomicBool::new(false));
    let has_waited = waited.clone();
    let ends = thread::spawn(move || {
        // Set before the thread waits for the first time, so dropped after what it keeps
        // for waiting.
        LAST.set(Some(Box::new(Finally(move || {
            let popped = asks.pop_timeout(Duration::from_millis(1));
            assert_eq!(popped, Err(PopTimeoutError::Timeout));
            has_waited.store(true, Ordering::SeqCst);
            tells.push(asks.pop().unwrap() + 1).unwrap();
            let mut pop = Polled::new(asks.pop_async());
            assert!(pop.poll().is_none());
        }))));
    });
    while !waited.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    thread::sleep(Duration::from_millis(20));
    queue.push(1).unwrap();
    assert_eq!(answers.pop(), Ok(2));
    ends.join().unwrap();
    assert!(queue.is_empty());
}

/// What a panic drops on its way may push and pop.
fn in_a_thread_that_unwinds<K: Kind>() {
    let queue = K::bounded::<u32>(1);
    let other = queue.clone();
    let unwinds = thread::spawn(move || {
        let _finally = Finally(|| {
            assert!(thread::panicking());
            other.push(1).unwrap();
            other.push(2).unwrap();
            assert_eq!(other.pop(), Ok(2));
        });
        panic!("as it should");
    });
    assert_eq!(queue.pop(), Ok(1));
    assert!(unwinds.join().is_err());
    assert!(queue.is_empty());
    queue.push(3).unwrap();
    assert_eq!(queue.pop(), Ok(3));
}
