//! Models of deliveries: what waits against what settles. A lost wake is a deadlock, which loom
//! reports.
#![cfg(loom)]

use queue_core::model::check;
use queue_core::sync::thread;
use queue_core::work::Lend;
use queue_thread::{LockFreeQueue, PopError, ThreadQueue, TryPushError, WorkQueue};

trait Kind: Lend<Item = u32> + 'static {}
impl<Q: Lend<Item = u32> + 'static> Kind for Q {}

/// One joins while one item is acked and another is popped.
/// Catches: an ack, or a pop, that tells no joiner; joining without looking again.
fn join<Q: Kind>(queue: Q) {
    queue.push(1).unwrap();
    queue.push(2).unwrap();
    let delivery = queue.try_receive().unwrap();
    let other = queue.clone();
    let popper = thread::spawn(move || assert_eq!(other.try_pop(), Ok(2)));
    let worker = thread::spawn(move || delivery.ack().unwrap());
    queue.join();
    assert_eq!((queue.len(), queue.in_flight()), (0, 0));
    popper.join().unwrap();
    worker.join().unwrap();
}

/// A consumer sleeps, and an item comes back.
/// Catches: a nack that tells nobody; a pop that does not look at what came back.
fn nack<Q: Kind>(queue: Q) {
    queue.push(1).unwrap();
    let delivery = queue.try_receive().unwrap();
    let other = queue.clone();
    let worker = thread::spawn(move || {
        let again = other.receive().unwrap();
        assert_eq!((*again, again.attempt()), (1, 2));
        again.ack().unwrap();
    });
    delivery.nack().unwrap();
    worker.join().unwrap();
    assert_eq!((queue.len(), queue.in_flight()), (0, 0));
}

/// The queue is closed while an item is in flight, a consumer waits, and the item is acked.
/// Catches: the last settlement telling nobody; `Closed` while the item may come back.
fn close<Q: Kind>(queue: Q) {
    queue.push(1).unwrap();
    let delivery = queue.try_receive().unwrap();
    let other = queue.clone();
    let consumer = thread::spawn(move || assert_eq!(other.pop(), Err(PopError::Closed)));
    let worker = thread::spawn(move || delivery.ack().unwrap());
    queue.close();
    worker.join().unwrap();
    consumer.join().unwrap();
}

/// A producer waits for the slot of an item that is in flight.
/// Catches: an ack that tells no producer, or does not free a slot.
fn ack_frees<Q: Kind>(queue: Q) {
    queue.push(1).unwrap();
    let delivery = queue.try_receive().unwrap();
    let other = queue.clone();
    let producer = thread::spawn(move || other.push(2).unwrap());
    delivery.ack().unwrap();
    assert_eq!(queue.pop(), Ok(2));
    producer.join().unwrap();
}

/// One receives and keeps, one pops, and a producer pushes until it is full: two slots, of which
/// one is lent for good.
/// Catches: a slot that is given away while it is lent, or lost; `Full` where there is a slot.
fn counts<Q: Kind>(queue: Q) {
    queue.push(1).unwrap();
    queue.push(2).unwrap();
    let other = queue.clone();
    let worker = thread::spawn(move || other.try_receive().unwrap());
    let other = queue.clone();
    let popper = thread::spawn(move || other.try_pop().unwrap());
    let early = queue.try_push(3).is_ok();
    assert!(queue.len() <= 2);
    let delivery = worker.join().unwrap();
    let popped = popper.join().unwrap();
    assert_eq!(*delivery + popped, 3);
    assert_eq!(queue.try_push(4).is_ok(), !early, "one slot was freed");
    assert_eq!(queue.try_push(5), Err(TryPushError::Full(5)));
    drop(delivery);
    assert_eq!(queue.len(), 2);
}

/// A single slot, that is lent and given back while a producer tries.
/// Catches: an item that is seen gone and not seen lent; one that is counted twice for good.
fn lent_is_seen<Q: Kind>(queue: Q) {
    queue.push(1).unwrap();
    let other = queue.clone();
    let worker = thread::spawn(move || other.try_receive().unwrap());
    assert_eq!(queue.try_push(2), Err(TryPushError::Full(2)));
    worker.join().unwrap().ack().unwrap();
    queue.try_push(3).unwrap();
}

macro_rules! models {
    ($($test:ident: $scenario:ident($kind:expr), $bound:expr;)*) => {$(
        #[test]
        fn $test() {
            check(concat!("work_", stringify!($test)), $bound, || $scenario($kind));
        }
    )*};
}

models! {
    thread_join: join(ThreadQueue::unbounded()), Some(3);
    thread_nack: nack(ThreadQueue::bounded(2)), Some(3);
    thread_close: close(ThreadQueue::bounded(2)), Some(3);
    thread_ack_frees: ack_frees(ThreadQueue::bounded(1)), Some(3);
    thread_counts: counts(ThreadQueue::bounded(2)), Some(3);
    thread_lent_is_seen: lent_is_seen(ThreadQueue::bounded(1)), None;
    ring_join: join(LockFreeQueue::bounded(2)), Some(3);
    ring_nack: nack(LockFreeQueue::bounded(2)), Some(3);
    ring_close: close(LockFreeQueue::bounded(2)), Some(3);
    ring_ack_frees: ack_frees(LockFreeQueue::bounded(1)), Some(3);
    ring_counts: counts(LockFreeQueue::bounded(2)), Some(3);
    ring_lent_is_seen: lent_is_seen(LockFreeQueue::bounded(1)), Some(3);
    chain_join: join(LockFreeQueue::unbounded()), Some(3);
    chain_nack: nack(LockFreeQueue::unbounded()), Some(3);
    chain_close: close(LockFreeQueue::unbounded()), Some(3);
}
