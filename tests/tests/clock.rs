//! One try asks no clock, for there may be none: on `wasm32-unknown-unknown` it panics.
//!
//! The system's clock is this test's own here, which counts who asks.
#![cfg(all(target_os = "linux", not(loom)))]

use queue_async::AsyncQueue;
use queue_core::dynamic::DynQueue;
use queue_core::{PopTimeoutError, PushTimeoutError, Queue, TryPopError, TryPushError};
use queue_thread::{LockFreeQueue, ThreadQueue};
use std::cell::Cell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

/// In place of the C library's, for the whole program.
///
/// # Safety
/// As `clock_gettime` of the C library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, now: *mut libc::timespec) -> i32 {
    let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
    // SAFETY: the caller's promise, handed on.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, now) as i32 }
}

/// How often `act` asks the clock on this thread.
fn asks<R>(act: impl FnOnce() -> R) -> (R, usize) {
    let before = ASKED.get();
    let result = act();
    (result, ASKED.get() - before)
}

fn one_try<Q: Queue<Item = u32>>(kind: &str, queue: &Q) {
    let zero = Duration::ZERO;
    let ((), asked) = asks(|| {
        for round in 0..100 {
            assert_eq!(queue.pop_timeout(zero), Err(PopTimeoutError::Timeout));
            assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
            assert!(queue.push_timeout(round, zero).is_ok());
            assert!(queue.push(round + 1).is_ok());
            assert_eq!(
                queue.push_timeout(7, zero),
                Err(PushTimeoutError::Timeout(7))
            );
            assert_eq!(queue.try_push(7), Err(TryPushError::Full(7)));
            let mut more = VecDeque::from([7]);
            assert_eq!(queue.try_push_many(&mut more), Err(TryPushError::Full(())));
            assert_eq!(queue.pop_timeout(zero), Ok(round));
            assert_eq!(queue.pop(), Ok(round + 1));
            assert_eq!(
                queue.try_pop_many(&mut Vec::new(), 2),
                Err(TryPopError::Empty)
            );
        }
    });
    assert_eq!(asked, 0, "{kind} asked for the time");
}

#[test]
fn one_try_asks_no_clock() {
    let (now, asked) = asks(Instant::now);
    assert_eq!(asked, 1, "this test's clock is not asked");
    assert!(now.elapsed() < Duration::from_secs(3600));

    one_try("ThreadQueue", &ThreadQueue::bounded(2));
    one_try("LockFreeQueue", &LockFreeQueue::bounded(2));
    one_try("AsyncQueue", &AsyncQueue::bounded(2));
    one_try("DynQueue", &DynQueue::new(ThreadQueue::bounded(2)));
    one_try("DynQueue", &DynQueue::new(LockFreeQueue::bounded(2)));
    one_try("DynQueue", &DynQueue::new(AsyncQueue::bounded(2)));
}

/// What the default verbs come down to, with the deadline that a timeout of zero is.
#[test]
fn nor_does_a_deadline_at_once() {
    use queue_core::sync::Deadline;
    fn try_it<Q: Queue<Item = u32>>(kind: &str, queue: &Q) {
        let ((), asked) = asks(|| {
            let at_once = || Deadline::after(Duration::ZERO);
            assert_eq!(queue.pop_until(at_once()), Err(PopTimeoutError::Timeout));
            assert_eq!(queue.push_until(1, at_once()), Ok(()));
            let full = queue.push_until(2, at_once());
            assert_eq!(full, Err(PushTimeoutError::Timeout(2)));
            assert_eq!(queue.pop_until(at_once()), Ok(1));
        });
        assert_eq!(asked, 0, "{kind} asked for the time");
    }
    try_it("ThreadQueue", &ThreadQueue::bounded(1));
    try_it("LockFreeQueue", &LockFreeQueue::bounded(1));
    try_it("AsyncQueue", &AsyncQueue::bounded(1));
    try_it("DynQueue", &DynQueue::new(AsyncQueue::bounded(1)));
}
