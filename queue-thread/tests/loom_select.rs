//! Models of waiting for several queues at once. A lost wake is a deadlock, which loom reports.
//!
//! What a model catches was tried by taking it away in `queue-core/src/select/wait.rs`.
#![cfg(loom)]

use loom::future::block_on;
use queue_core::model::check;
use queue_core::select::{PopAnyError, Select, pop_any, pop_any_async};
use queue_core::sync::thread;
use queue_thread::{LockFreeQueue, Queue, ThreadQueue};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

trait Kind: Queue<Item = u32> + Clone + 'static {}
impl<Q: Queue<Item = u32> + Clone + 'static> Kind for Q {}

/// Two queues, a producer for each, and one consumer of both.
/// Catches: not trying again once all listen; sleeping on after a wake.
fn two_queues<A: Kind, B: Kind>(a: A, b: B) {
    let (to_a, to_b) = (a.clone(), b.clone());
    let first = thread::spawn(move || to_a.push(1).unwrap());
    let second = thread::spawn(move || to_b.push(2).unwrap());
    let mut got = [(); 2].map(|()| pop_any(&[&a, &b]).unwrap());
    got.sort_unstable();
    assert_eq!(got, [(0, 1), (1, 2)]);
    first.join().unwrap();
    second.join().unwrap();
}

/// The same as a future, of queues that are closed behind their items.
/// Catches: as above; a closed queue that counts as waiting for ever.
fn until_all_are_closed<A: Kind, B: Kind>(a: A, b: B) {
    let (to_a, to_b) = (a.clone(), b.clone());
    let producer = thread::spawn(move || {
        to_a.push(1).unwrap();
        to_a.close();
        to_b.close();
    });
    block_on(async {
        assert_eq!(pop_any_async(&[&a, &b]).await, Ok((0, 1)));
        assert_eq!(pop_any_async(&[&a, &b]).await, Err(PopAnyError::Closed));
    });
    producer.join().unwrap();
}

/// A consumer of both queues takes one item, beside one that waits for the first queue alone. If
/// the former took that queue's item it gives another for it.
/// Catches: a wake of one queue that is kept by a waiter that takes from the other.
fn beside_a_plain_pop<A: Kind, B: Kind>(a: A, b: B) {
    let (both, plain) = ((a.clone(), b.clone()), a.clone());
    let selecting = thread::spawn(move || {
        let (a, b) = both;
        if pop_any(&[&b, &a]).unwrap().0 == 1 {
            a.push(1).unwrap();
        }
    });
    let popping = thread::spawn(move || assert_eq!(plain.pop(), Ok(1)));
    a.push(1).unwrap();
    b.push(2).unwrap();
    selecting.join().unwrap();
    popping.join().unwrap();
}

/// A future that waits for both is dropped, beside one that waits for the first queue alone.
/// Catches: a wake that is dropped with it.
fn cancelled<A: Kind, B: Kind>(a: A, b: B) {
    let (both, plain) = ((a.clone(), b.clone()), a.clone());
    let cancelling = thread::spawn(move || {
        let (a, b) = both;
        let queues: [&dyn queue_core::select::Poppable<Item = u32>; 2] = [&b, &a];
        let mut popping = pin!(pop_any_async(&queues));
        let mut cx = Context::from_waker(Waker::noop());
        if popping.as_mut().poll(&mut cx).is_ready() {
            a.push(1).unwrap();
        }
    });
    let popping = thread::spawn(move || assert_eq!(plain.pop(), Ok(1)));
    a.push(1).unwrap();
    cancelling.join().unwrap();
    popping.join().unwrap();
}

/// What the consumer of both is woken for is gone when it looks, and then that queue is closed.
/// Catches: not trying again once it listens anew; a queue that closed meanwhile and counts as
/// waiting for ever.
fn overtaken<A: Kind, B: Kind>(a: A, b: B) {
    b.close();
    let (to_a, other) = (a.clone(), a.clone());
    let producer = thread::spawn(move || {
        to_a.push(1).unwrap();
        to_a.close();
    });
    let faster = thread::spawn(move || other.try_pop().is_ok());
    let popped = pop_any(&[&a, &b]);
    producer.join().unwrap();
    assert_ne!(popped.is_ok(), faster.join().unwrap());
}

/// A push and a pop wait together, where the pop of another thread makes room.
/// Catches: waiting for a slot as for an item.
fn push_beside_pop<A: Kind, B: Kind>(full: A, empty: B) {
    full.push(1).unwrap();
    let other = full.clone();
    let popping = thread::spawn(move || assert_eq!(other.pop(), Ok(1)));
    let mut item = Some(2);
    let pushed = Select::new()
        .pop(&empty, |_| false)
        .push(&full, &mut item, |pushed| pushed.is_ok())
        .wait();
    assert_eq!((pushed, item), (Some(true), None));
    assert_eq!(full.try_pop(), Ok(2));
    popping.join().unwrap();
}

macro_rules! models {
    ($($test:ident: $scenario:ident($a:expr, $b:expr), $bound:expr;)*) => {$(
        #[test]
        fn $test() {
            check(concat!("select_", stringify!($test)), $bound, || $scenario($a, $b));
        }
    )*};
}

models! {
    thread_two_queues: two_queues(ThreadQueue::bounded(1), ThreadQueue::bounded(1)), Some(2);
    thread_closed: until_all_are_closed(ThreadQueue::bounded(1), ThreadQueue::bounded(1)), Some(3);
    thread_beside: beside_a_plain_pop(ThreadQueue::bounded(2), ThreadQueue::bounded(1)), Some(3);
    thread_cancelled: cancelled(ThreadQueue::bounded(2), ThreadQueue::bounded(1)), Some(3);
    thread_overtaken: overtaken(ThreadQueue::bounded(1), ThreadQueue::bounded(1)), Some(3);
    ring_overtaken: overtaken(LockFreeQueue::bounded(1), LockFreeQueue::bounded(1)), Some(1);
    thread_push: push_beside_pop(ThreadQueue::bounded(1), ThreadQueue::bounded(1)), Some(3);
    ring_two_queues: two_queues(LockFreeQueue::bounded(1), LockFreeQueue::bounded(1)), Some(2);
    ring_beside: beside_a_plain_pop(LockFreeQueue::bounded(2), LockFreeQueue::bounded(1)), Some(1);
    ring_cancelled: cancelled(LockFreeQueue::bounded(2), LockFreeQueue::bounded(1)), Some(1);
    mixed_two_queues: two_queues(ThreadQueue::bounded(1), LockFreeQueue::bounded(1)), Some(2);
    mixed_beside: beside_a_plain_pop(ThreadQueue::bounded(2), LockFreeQueue::bounded(1)), Some(3);
}
