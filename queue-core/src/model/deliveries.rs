//! Scenarios of deliveries, for the models of every kind inside a process: what waits against what
//! settles. A lost wake is a deadlock, which loom reports.
#![allow(missing_docs, clippy::missing_panics_doc, clippy::unwrap_used)] // They are tests.

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, thread};
use crate::work::{Lend, WorkQueue};
use crate::{PopError, TryPopError, TryPushError};

/// One joins while one item is acked and another is popped.
/// Catches: an ack, or a pop, that tells no joiner; joining without looking again.
pub fn join<Q: Lend<Item = u32> + 'static>(queue: Q) {
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
pub fn nack<Q: Lend<Item = u32> + 'static>(queue: Q) {
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
/// Catches: the last settlement telling nobody; `Closed` while the item may come back, or before the
/// queue says that it is closed.
pub fn close<Q: Lend<Item = u32> + 'static>(queue: Q) {
    queue.push(1).unwrap();
    let delivery = queue.try_receive().unwrap();
    let other = queue.clone();
    let consumer = thread::spawn(move || {
        assert_eq!(other.pop(), Err(PopError::Closed));
        assert!(other.is_closed());
    });
    let worker = thread::spawn(move || delivery.ack().unwrap());
    queue.close();
    worker.join().unwrap();
    consumer.join().unwrap();
}

/// The queue is closed, and an item comes back to a task and a thread that wait: one gets it, and the other
/// waits until that is settled.
/// Catches: `Closed`, or nothing, for who was woken beside whoever was lent the item.
pub fn back_at_the_end<Q: Lend<Item = u32> + 'static>(queue: Q) {
    queue.push(1).unwrap();
    let delivery = queue.try_receive().unwrap();
    queue.close();
    let other = queue.clone();
    let worker = thread::spawn(move || {
        let received = loom::future::block_on(other.receive_async());
        // What is given back once more is the other one's.
        received.map(|again| again.nack().unwrap()).is_ok()
    });
    let other = queue.clone();
    let popper = thread::spawn(move || other.pop());
    delivery.nack().unwrap();
    worker.join().unwrap();
    assert_eq!(popper.join().unwrap(), Ok(1));
    assert_eq!((queue.len(), queue.in_flight()), (0, 0));
}

/// A producer waits for the slot of an item that is in flight.
/// Catches: an ack that tells no producer, or does not free a slot.
pub fn ack_frees<Q: Lend<Item = u32> + 'static>(queue: Q) {
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
pub fn counts<Q: Lend<Item = u32> + 'static>(queue: Q) {
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

/// Three slots, one of them lent throughout. While one thread is still about to pop the oldest item, another
/// pops the next and pushes twice. There is a slot for each push at any time: the first, which goes on by
/// popping and pushing in turn, has no more than one item inside.
/// Catches: `Full` by a tail and a head of two moments.
pub fn never_full<Q: Lend<Item = u32> + 'static>(queue: Q) {
    for item in 0..3 {
        queue.push(item).unwrap();
    }
    let delivery = queue.try_receive().unwrap();
    let other = queue.clone();
    let second = thread::spawn(move || {
        if other.try_pop() == Ok(2) {
            assert_eq!(other.try_push(3), Ok(()));
            assert_eq!(other.try_push(4), Ok(()));
        }
    });
    if queue.try_pop() == Ok(1) && queue.try_pop() == Ok(3) {
        // The head moves past an older tail by two: by one the count of what is lent would hide that.
        for item in 5..7 {
            assert_eq!(queue.try_push(item), Ok(()));
            queue.try_pop().unwrap();
        }
    }
    second.join().unwrap();
    delivery.ack().unwrap();
}

/// A single slot, whose item came back, is popped and followed by another while somebody counts.
/// Catches: counting what came back at one moment, and what waits at another.
pub fn one_after_another<Q: Lend<Item = u32> + 'static>(queue: Q) {
    queue.push(1).unwrap();
    queue.try_receive().unwrap().nack().unwrap();
    let other = queue.clone();
    let worker = thread::spawn(move || {
        assert_eq!(other.try_pop(), Ok(1));
        other.try_push(2).unwrap();
    });
    assert!(queue.len() <= 1, "more than its capacity");
    worker.join().unwrap();
    assert_eq!(queue.len(), 1);
}

/// A single slot, that is lent and given back while a producer tries.
/// Catches: an item that is seen gone and not seen lent; one that is counted twice for good.
pub fn lent_is_seen<Q: Lend<Item = u32> + 'static>(queue: Q) {
    queue.push(1).unwrap();
    let other = queue.clone();
    let worker = thread::spawn(move || other.try_receive().unwrap());
    assert_eq!(queue.try_push(2), Err(TryPushError::Full(2)));
    worker.join().unwrap().ack().unwrap();
    queue.try_push(3).unwrap();
}

/// The queue is closed, and one item, 2, is left of two: where a queue moves what is left by a pop, it
/// has been moved.
fn close_with_one_left<Q: Lend<Item = u32>>(queue: &Q) {
    queue.push(1).unwrap();
    queue.push(2).unwrap();
    assert_eq!(queue.try_pop(), Ok(1));
    queue.close();
}

/// The queue is closed, and its last item is lent and given back while another consumer tries.
/// Catches: an item that is seen gone and not seen lent, so that the end comes too early.
pub fn lent_at_the_end<Q: Lend<Item = u32> + 'static>(queue: Q) {
    close_with_one_left(&queue);
    let other = queue.clone();
    let worker = thread::spawn(move || {
        let received = other.try_receive();
        received.map(|delivery| delivery.nack().unwrap()).is_ok()
    });
    let popped = queue.try_pop();
    if worker.join().unwrap() && popped != Ok(2) {
        assert_eq!(popped, Err(TryPopError::Empty), "it is lent");
        assert_eq!(queue.try_pop(), Ok(2));
    }
    assert_eq!(queue.try_pop(), Err(TryPopError::Closed));
}

/// The same, and the other consumer has been told, in no order with anything else, that it is lent.
/// Catches: an item that is seen gone and not seen lent, where nobody acts meanwhile.
pub fn lent_and_told<Q: Lend<Item = u32> + 'static>(queue: Q) {
    close_with_one_left(&queue);
    let (other, told) = (queue.clone(), Arc::new(AtomicBool::new(false)));
    let tells = told.clone();
    let worker = thread::spawn(move || {
        let delivery = other.try_receive().unwrap();
        tells.store(true, Ordering::Relaxed);
        delivery
    });
    while !told.load(Ordering::Relaxed) {
        thread::yield_now();
    }
    assert_eq!(queue.try_pop(), Err(TryPopError::Empty), "it is lent");
    worker.join().unwrap().nack().unwrap();
    assert_eq!(queue.try_pop(), Ok(2));
}
