//! Models of the event: nobody sleeps through what he waits for.
//!
//! Each model deadlocks, which loom reports, when a wake is lost.
#![cfg(loom)]

use loom::future::block_on;
use queue_core::event::{Event, Listen};
use queue_core::model::check;
use queue_core::sync::atomic::{AtomicUsize, Ordering};
use queue_core::sync::{Arc, Deadline, thread};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// So many permits, and the event "a permit came".
struct Permits {
    free: AtomicUsize,
    came: Event,
}

impl Permits {
    fn new(free: usize) -> Arc<Self> {
        Arc::new(Self {
            free: AtomicUsize::new(free),
            came: Event::new(),
        })
    }

    /// Relaxed throughout: the event's own fences are what is on trial.
    fn try_take(&self) -> bool {
        (self.free)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| {
                free.checked_sub(1)
            })
            .is_ok()
    }

    fn give(&self) {
        self.free.fetch_add(1, Ordering::Relaxed);
        self.came.notify();
    }

    fn take(&self) {
        while !self.try_take() {
            let listener = self.came.listen();
            if self.try_take() {
                return;
            }
            listener.wait(Deadline::NEVER);
        }
    }

    async fn take_async(&self) {
        while !self.try_take() {
            let listener = self.came.listen();
            if self.try_take() {
                return;
            }
            listener.await;
        }
    }
}

/// Catches: the fence in `notify` or in `listen` removed, the `unpark` dropped, the
/// registration moved behind the second try.
#[test]
fn event_wakes_a_thread() {
    check("event_wakes_a_thread", None, || {
        let permits = Permits::new(0);
        let other = permits.clone();
        let thread = thread::spawn(move || other.give());
        permits.take();
        thread.join().unwrap();
    });
}

/// Catches: the waker not stored, or not woken.
#[test]
fn event_wakes_a_future() {
    check("event_wakes_a_future", Some(3), || {
        let permits = Permits::new(0);
        let other = permits.clone();
        let thread = thread::spawn(move || other.give());
        block_on(permits.take_async());
        thread.join().unwrap();
    });
}

/// Two who wait, two who give. Catches: `notify_first` not unlinking whom it notified.
#[test]
fn event_two_givers_two_takers() {
    check("event_two_givers_two_takers", Some(2), || {
        let permits = Permits::new(0);
        let takers = [0, 1].map(|_| {
            let permits = permits.clone();
            thread::spawn(move || permits.take())
        });
        let other = permits.clone();
        let giver = thread::spawn(move || other.give());
        permits.give();
        giver.join().unwrap();
        takers.into_iter().for_each(|taker| taker.join().unwrap());
    });
}

/// One of two waiters times out; the only permit must reach the other one.
/// Catches: `Drop` or `leave` not passing the notification on.
#[test]
fn event_timeout_passes_on() {
    check("event_timeout_passes_on", Some(3), || {
        let permits = Permits::new(0);
        let brief = {
            let permits = permits.clone();
            thread::spawn(move || {
                let listener = permits.came.listen();
                // Who was notified in time owes it to the others to use what came.
                if listener.wait(Deadline::after(Duration::ZERO)) && permits.try_take() {
                    permits.give();
                }
            })
        };
        let other = permits.clone();
        let patient = thread::spawn(move || other.take());
        permits.give();
        brief.join().unwrap();
        patient.join().unwrap();
    });
}

/// One of two futures is dropped, at any moment. Catches: `Drop` not passing on.
#[test]
fn event_cancel_passes_on() {
    check("event_cancel_passes_on", Some(3), || {
        let permits = Permits::new(0);
        let cancelled = permits.clone();
        let quitter = thread::spawn(move || {
            let listener = pin!(cancelled.came.listen());
            // Polled once with a waker that does nothing, then dropped.
            let mut cx = Context::from_waker(Waker::noop());
            if listener.poll(&mut cx) == Poll::Ready(()) {
                // It was told to try, and leaves what there is to the others.
                cancelled.came.notify();
            }
        });
        let other = permits.clone();
        let giver = thread::spawn(move || other.give());
        permits.take();
        quitter.join().unwrap();
        giver.join().unwrap();
    });
}

/// A future polled again with another waker is woken through the last one.
/// Catches: `sleep` keeping the first wake.
#[test]
fn event_waker_is_replaced() {
    check("event_waker_is_replaced", Some(3), || {
        let permits = Permits::new(0);
        let other = permits.clone();
        let giver = thread::spawn(move || other.give());
        let mut future = Box::pin(permits.take_async());
        let mut cx = Context::from_waker(Waker::noop());
        if future.as_mut().poll(&mut cx).is_pending() {
            block_on(future);
        }
        giver.join().unwrap();
    });
}

/// Everybody goes home. Catches: `notify_all` notifying one.
#[test]
fn event_notify_all() {
    check("event_notify_all", Some(2), || {
        let closed = Arc::new((AtomicUsize::new(0), Event::new()));
        let waiters = [0, 1].map(|_| {
            let closed = closed.clone();
            thread::spawn(move || {
                while closed.0.load(Ordering::Relaxed) == 0 {
                    let listener = closed.1.listen();
                    if closed.0.load(Ordering::Relaxed) == 0 {
                        listener.wait(Deadline::NEVER);
                    }
                }
            })
        });
        closed.0.store(1, Ordering::Relaxed);
        closed.1.notify_all();
        waiters
            .into_iter()
            .for_each(|waiter| waiter.join().unwrap());
    });
}

/// Two threads wait and two permits come, of which a future that is dropped hears one.
/// Catches: `Drop` leaving it to a thread that is on its way for the other one.
#[test]
fn event_cancel_beside_threads() {
    check("event_cancel_beside_threads", Some(2), || {
        let permits = Permits::new(0);
        let cancelled = permits.clone();
        let quitter = thread::spawn(move || {
            let listener = pin!(cancelled.came.listen());
            let mut cx = Context::from_waker(Waker::noop());
            if listener.poll(&mut cx) == Poll::Ready(()) {
                // It was told to try, and leaves what there is to the others.
                cancelled.came.notify();
            }
        });
        let other = permits.clone();
        let giver = thread::spawn(move || (0..2).for_each(|_| other.give()));
        let other = permits.clone();
        let taker = thread::spawn(move || other.take());
        permits.take();
        taker.join().unwrap();
        quitter.join().unwrap();
        giver.join().unwrap();
    });
}

/// Somebody begins to wait while all are woken, and then what it waits for comes.
/// Catches: `notify_all` publishing that nobody waits after others may register.
#[test]
fn event_notify_all_beside_notify() {
    check("event_notify_all_beside_notify", Some(3), || {
        let permits = Permits::new(0);
        let other = permits.clone();
        let all = thread::spawn(move || other.came.notify_all());
        let other = permits.clone();
        let giver = thread::spawn(move || other.give());
        permits.take();
        all.join().unwrap();
        giver.join().unwrap();
    });
}

/// Somebody begins to wait while another gives up, and then what it waits for comes.
/// Catches: a listener that leaves publishing that nobody waits after others may register.
#[test]
fn event_leave_beside_notify() {
    check("event_leave_beside_notify", Some(3), || {
        let permits = Permits::new(0);
        let other = permits.clone();
        let leaver = thread::spawn(move || drop(other.came.listen()));
        let other = permits.clone();
        let giver = thread::spawn(move || other.give());
        permits.take();
        leaver.join().unwrap();
        giver.join().unwrap();
    });
}
