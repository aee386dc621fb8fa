//! Models of both kinds, whole: every waiting verb against everything that may happen
//! to it. A lost wake is a deadlock, which loom reports.
//!
//! What a model catches was tried by taking the named line away.
#![cfg(loom)]

use loom::future::block_on;
use queue_core::model::check;
use queue_core::sync::{Arc, UnsafeCell, thread};
use queue_thread::{
    LockFreeQueue, PopError, PopTimeoutError, PushError, Queue, ThreadQueue, TryPopError,
    TryPushError,
};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

trait Kind: Queue<Item = u32> + Clone + 'static {}
impl<Q: Queue<Item = u32> + Clone + 'static> Kind for Q {}

/// Two producers and two consumers of one item each, over one place.
/// Catches: a notify dropped on either side, `listen_*` not holding the lock of those
/// who notify.
fn two_by_two<Q: Kind>(queue: Q) {
    let producers = [1, 2].map(|item| {
        let queue = queue.clone();
        thread::spawn(move || queue.push(item).unwrap())
    });
    let other = queue.clone();
    let consumer = thread::spawn(move || other.pop().unwrap());
    let mut got = [queue.pop().unwrap(), consumer.join().unwrap()];
    producers
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    got.sort_unstable();
    assert_eq!(got, [1, 2]);
    assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
}

/// Two sleepers, and a burst of two items that wakes one at a time.
/// Catches: the wake not passed on after a pop that leaves items behind.
fn burst<Q: Kind>(queue: Q) {
    let consumers = [0, 1].map(|_| {
        let queue = queue.clone();
        thread::spawn(move || queue.pop().unwrap())
    });
    queue.push_many(&mut [1, 2].into()).unwrap();
    let got: u32 = consumers
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    assert_eq!(got, 3);
}

/// Two sleepers and three items, of which somebody awake may take the first, so that
/// `ThreadQueue` has one in each of its deques.
/// Catches: a pop that empties the one not looking into the other for who sleeps.
fn burst_and_one_more<Q: Kind>(queue: Q) {
    let consumers = [0, 1].map(|_| {
        let queue = queue.clone();
        thread::spawn(move || queue.pop().unwrap())
    });
    queue.push_many(&mut [1, 2].into()).unwrap();
    let mut got = queue.try_pop().unwrap_or(0);
    queue.push(3).unwrap();
    for consumer in consumers {
        got += consumer.join().unwrap();
    }
    assert_eq!(got + queue.try_iter().sum::<u32>(), 6);
}

/// Two sleepers and three items, of which another pop may take the first, and make the inbox
/// the outbox, while the last one comes.
/// Catches: what is left in the inbox published after others may push there.
fn burst_beside_a_pop<Q: Kind>(queue: Q) {
    let consumers = [0, 1].map(|_| {
        let queue = queue.clone();
        thread::spawn(move || queue.pop().unwrap())
    });
    let other = queue.clone();
    let busy = thread::spawn(move || other.try_pop().unwrap_or(0));
    queue.push_many(&mut [1, 2].into()).unwrap();
    queue.push(3).unwrap();
    let mut got = busy.join().unwrap();
    for consumer in consumers {
        got += consumer.join().unwrap();
    }
    assert_eq!(got + queue.try_iter().sum::<u32>(), 6);
}

/// Two sleepers, and a burst of three items of which somebody awake takes one, so that
/// `ThreadQueue` has both others in its outbox.
/// Catches: a pop from the outbox not waking the next for what it leaves there.
fn burst_less_one<Q: Kind>(queue: Q) {
    let consumers = [0, 1].map(|_| {
        let queue = queue.clone();
        thread::spawn(move || queue.pop().unwrap())
    });
    queue.push_many(&mut [1, 2, 3].into()).unwrap();
    let mut got = queue.try_pop().unwrap();
    for consumer in consumers {
        got += consumer.join().unwrap();
    }
    assert_eq!(got, 6);
}

/// Two consumers, of whom one was already looking when the other moved what it looks for.
/// Catches: `ThreadQueue` giving an item of its inbox while its outbox holds an older one.
fn none_overtakes<Q: Kind>(queue: Q) {
    queue.push_many(&mut [1, 2].into()).unwrap();
    let other = queue.clone();
    let busy = thread::spawn(move || {
        let got = other.try_pop().unwrap();
        other.push(3).unwrap();
        got
    });
    let mine = queue.try_pop().unwrap();
    let got = busy.join().unwrap();
    let left = queue.try_pop().unwrap();
    assert_eq!(got + mine + left, 6);
    assert!(mine < left, "{mine} overtook {left}");
}

/// Two sleeping producers, and one consumer that takes two items and no more.
/// Catches: the wake not passed on after a push that leaves places free.
fn drain<Q: Kind>(queue: Q) {
    queue.push_many(&mut [1, 2].into()).unwrap();
    let producers = [3, 4].map(|item| {
        let queue = queue.clone();
        thread::spawn(move || queue.push(item).unwrap())
    });
    let mut got = Vec::new();
    while got.len() < 2 {
        let more = 2 - got.len();
        queue.pop_many(&mut got, more).unwrap();
    }
    producers
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(got, [1, 2]);
    assert_eq!(queue.try_iter().sum::<u32>(), 7);
}

/// Everybody who waits sees the close, and no item is left behind it.
/// Catches: a push that does not look whether the queue is closed, a pop that does not look
/// for items again after the end, the gate of the chain not waiting for pushes under way.
fn close<Q: Kind>(queue: Q) {
    let other = queue.clone();
    let producer = thread::spawn(move || [1, 2].map(|item| other.push(item).is_ok()));
    let other = queue.clone();
    let closer = thread::spawn(move || assert!(other.close()));
    let mut got = Vec::new();
    let end = loop {
        match queue.pop() {
            Ok(item) => got.push(item),
            Err(error) => break error,
        }
    };
    assert_eq!(end, PopError::Closed);
    closer.join().unwrap();
    let pushed = producer.join().unwrap();
    let pushed = pushed.into_iter().filter(|pushed| *pushed).count();
    assert_eq!(got.len(), pushed, "Closed while an accepted item remained");
    assert!(got.is_sorted());
}

/// A push ends after the queue was closed: until then nobody can say that it is drained,
/// after that everybody must.
/// Catches: `LockFreeQueue` not waking all who wait for the end of a push.
fn close_beside_push<Q: Kind>(queue: Q) {
    let drain = |queue: &Q| std::iter::from_fn(|| queue.pop().ok()).count();
    let other = queue.clone();
    let producer = thread::spawn(move || usize::from(other.push(1).is_ok()));
    let other = queue.clone();
    let consumer = thread::spawn(move || drain(&other));
    assert!(queue.close());
    let got = drain(&queue) + consumer.join().unwrap();
    assert_eq!(got, producer.join().unwrap());
}

/// A push is under way while the queue is closed at once: its item is among those that are left, or
/// with its owner.
/// Catches: what is left given before the push has ended.
fn close_now_beside_push<Q: Kind>(queue: Q) {
    let other = queue.clone();
    let producer = thread::spawn(move || other.push(1));
    let left = queue.close_now();
    let pushed = producer.join().unwrap();
    assert_eq!(left, if pushed.is_ok() { vec![1] } else { vec![] });
}

/// A push comes to a full queue while others close and drain it: it goes in and comes out, or
/// it is refused, and nobody says "drained" before that is decided.
/// Catches: of a slot that one empties and the other fills, the Release or the Acquire weakened.
fn close_while_full<Q: Kind>(queue: Q) {
    queue.try_push(0).unwrap();
    let other = queue.clone();
    let producer = thread::spawn(move || other.try_push(1).is_ok());
    let other = queue.clone();
    let consumer = thread::spawn(move || other.iter().count());
    queue.close();
    let got = queue.iter().count() + consumer.join().unwrap();
    assert_eq!(got, 1 + usize::from(producer.join().unwrap()));
}

/// A producer waits while one pop takes from the outbox, and nothing else ever happens.
/// Catches: `listen` without the head lock.
fn place_from_outbox<Q: Kind>(queue: Q) {
    queue.push_many(&mut [1, 2].into()).unwrap();
    assert_eq!(queue.pop(), Ok(1)); // 2 is in the outbox now
    queue.push(3).unwrap();
    let other = queue.clone();
    let producer = thread::spawn(move || other.push(4).unwrap());
    assert_eq!(queue.pop(), Ok(2));
    producer.join().unwrap();
    assert_eq!(queue.try_iter().collect::<Vec<_>>(), [3, 4]);
}

/// Two sleep, and the queue closes.
fn close_wakes_all<Q: Kind>(queue: Q) {
    let sleepers = [0, 1].map(|_| {
        let queue = queue.clone();
        thread::spawn(move || assert_eq!(queue.pop(), Err(PopError::Closed)))
    });
    queue.close();
    sleepers
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

/// Two producers wait for a place that never comes: the queue closes instead.
fn close_wakes_producers<Q: Kind>(queue: Q) {
    while queue.try_push(1).is_ok() {}
    let producers = [0, 1].map(|_| {
        let queue = queue.clone();
        thread::spawn(move || assert_eq!(queue.push(2), Err(PushError::Closed(2))))
    });
    queue.close();
    producers
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

/// One of two waiters times out; the only item must reach one of them.
/// Catches: the pass-on in the listener's `Drop`, the last look after a timeout.
fn timeout<Q: Kind>(queue: Q) {
    let other = queue.clone();
    let impatient = thread::spawn(move || match other.pop_timeout(Duration::from_nanos(1)) {
        Ok(item) => other.push(item).unwrap(),
        Err(error) => assert_eq!(error, PopTimeoutError::Timeout),
    });
    let other = queue.clone();
    let patient = thread::spawn(move || assert_eq!(other.pop(), Ok(1)));
    queue.push(1).unwrap();
    impatient.join().unwrap();
    patient.join().unwrap();
}

/// A future is polled once and dropped, while another waits for the only item.
fn cancel<Q: Kind>(queue: Q) {
    let other = queue.clone();
    let quitter = thread::spawn(move || {
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(item) = pin!(other.pop_async()).poll(&mut cx) {
            other.push(item.unwrap()).unwrap();
        }
    });
    let other = queue.clone();
    let producer = thread::spawn(move || other.push(1).unwrap());
    assert_eq!(block_on(queue.pop_async()), Ok(1));
    quitter.join().unwrap();
    producer.join().unwrap();
}

/// Two threads and a future wait, and three items come. The future was polled once and is
/// kept, but never polled again: it may keep the wake for one item, not for the others.
/// Catches: a wake held back because a task was woken, or while one waits.
fn idle<Q: Kind>(queue: Q) {
    let popper = || {
        let queue = queue.clone();
        thread::spawn(move || queue.pop().unwrap())
    };
    let first = popper();
    let mut idle = pin!(queue.pop_async());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(idle.as_mut().poll(&mut cx).is_pending());
    let second = popper();
    for item in [1, 2, 3] {
        queue.push(item).unwrap();
    }
    assert!(first.join().unwrap() != second.join().unwrap());
    assert_eq!(queue.len(), 1);
}

/// The last producer goes, while a consumer waits: it drains, and is told.
fn ends<Q: Kind>(queue: Q) {
    let (producer, consumer) = queue.into_ends();
    let second = producer.clone();
    let threads = [(producer, 1), (second, 2)]
        .map(|(producer, item)| thread::spawn(move || producer.push(item).unwrap()));
    let got: u32 = consumer.iter().sum();
    assert_eq!(got, 3);
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

/// `try_` verbs, alone on each side: order, exact capacity, nothing lost.
/// Catches: the Release or Acquire of a slot's stamp weakened, an item too many.
fn one_to_one<Q: Kind>(queue: Q) {
    let capacity = queue.capacity().unwrap();
    let other = queue.clone();
    let producer = thread::spawn(move || {
        for item in 0..3 {
            if let Err(error) = other.try_push(item) {
                assert_eq!(error, TryPushError::Full(item));
                return item;
            }
        }
        3
    });
    let mut got = Vec::new();
    for _ in 0..2 {
        assert!(queue.len() <= capacity);
        got.extend(queue.try_pop().ok());
    }
    let pushed = producer.join().unwrap();
    got.extend(queue.try_iter());
    assert_eq!(got, (0..pushed).collect::<Vec<_>>());
    assert!(pushed >= capacity as u32);
}

/// What was done before the queue was closed is seen by who finds it closed.
/// Catches: the Release or an Acquire of `close` and its readers weakened.
fn close_is_seen<Q: Kind>(queue: Q) {
    let (other, done) = (queue.clone(), Arc::new(UnsafeCell::new(0)));
    let doing = done.clone();
    let closer = thread::spawn(move || {
        doing.with_mut(|_| ()); // loom objects to a read that races with it
        other.close();
    });
    let look = |closed: bool| {
        if closed {
            done.with(|_| ());
        }
    };
    look(queue.is_closed());
    look(queue.try_pop() == Err(TryPopError::Closed));
    look(queue.try_push(1) == Err(TryPushError::Closed(1)));
    closer.join().unwrap();
}

/// A bystander counts while an item comes and goes.
/// Catches: `len` looking at the head after the tail has moved on, and the Acquire that
/// forbids it weakened.
fn len_of_what_goes<Q: Kind>(queue: Q) {
    let (pushing, popping) = (queue.clone(), queue.clone());
    let producer = thread::spawn(move || [1, 2].map(|item| pushing.try_push(item).is_ok()));
    let consumer = thread::spawn(move || popping.try_pop().is_ok());
    assert!(queue.len() <= 1);
    producer.join().unwrap();
    consumer.join().unwrap();
}

/// A bystander counts while an item goes and the next one comes in its place.
/// Catches: `len` looking at the head before the tail: the other Acquire weakened.
fn len_of_what_comes<Q: Kind>(queue: Q) {
    queue.try_push(1).unwrap();
    let (pushing, popping) = (queue.clone(), queue.clone());
    let producer = thread::spawn(move || pushing.try_push(2).is_ok());
    let consumer = thread::spawn(move || popping.try_pop().is_ok());
    assert!(queue.len() <= 1);
    producer.join().unwrap();
    consumer.join().unwrap();
}

/// Two producers, one consumer, one place: the ring wraps, and each may come to a slot that
/// another one is at.
/// Catches: a Release or Acquire of a slot's stamp weakened, a stamp of the wrong lap.
fn two_to_one<Q: Kind>(queue: Q) {
    let producers = [1, 2].map(|item| {
        let queue = queue.clone();
        thread::spawn(move || queue.push(item).unwrap())
    });
    let mut got = [queue.pop().unwrap(), queue.pop().unwrap()];
    (producers.into_iter()).for_each(|thread| thread.join().unwrap());
    got.sort_unstable();
    assert_eq!(got, [1, 2]);
}

/// One producer, two consumers: as [`two_to_one`].
fn one_to_two<Q: Kind>(queue: Q) {
    let other = queue.clone();
    let consumer = thread::spawn(move || other.pop().unwrap());
    let producer = {
        let queue = queue.clone();
        thread::spawn(move || queue.push_many(&mut [1, 2].into()).unwrap())
    };
    let got = queue.pop().unwrap() + consumer.join().unwrap();
    producer.join().unwrap();
    assert_eq!(got, 3);
}

/// Writes the tests: `model(capacity, preemption bound)` for each kind. The bound is the
/// largest that keeps a model within seconds; four threads explode above two, and a ring,
/// of many more steps than a lock, with three threads that wait above one.
macro_rules! models {
    ($($make:path as $module:ident: $($model:ident($capacity:expr, $bound:expr)),+;)+) => {$(
        mod $module {
            use super::*;
            $(#[test]
            fn $model() {
                let name = concat!(stringify!($module), "_", stringify!($model));
                check(name, Some($bound), || super::$model($make($capacity)));
            })+
        }
    )+};
}

fn unbounded(_: usize) -> LockFreeQueue<u32> {
    LockFreeQueue::unbounded()
}

models! {
    ThreadQueue::bounded as locked: two_by_two(1, 2), burst(2, 2), burst_and_one_more(3, 2), burst_beside_a_pop(3, 2), burst_less_one(3, 2), none_overtakes(3, 3), drain(2, 2), close(2, 2),
        close_while_full(1, 3), close_now_beside_push(1, 2), place_from_outbox(2, 3), close_wakes_all(1, 2), close_wakes_producers(1, 2),
        timeout(1, 2), cancel(1, 2), idle(3, 2), ends(2, 2), one_to_one(2, 3);
    LockFreeQueue::bounded as ring: burst(2, 1), none_overtakes(3, 3), drain(2, 1), close(2, 2),
        close_while_full(1, 2), close_now_beside_push(1, 2), place_from_outbox(2, 3), close_wakes_all(1, 2), close_wakes_producers(1, 2),
        timeout(1, 1), cancel(1, 2), idle(3, 1), ends(2, 2), one_to_one(2, 3), close_is_seen(1, 3),
        len_of_what_goes(1, 2), len_of_what_comes(1, 2), two_to_one(1, 1), one_to_two(1, 1);
    unbounded as chain: two_by_two(0, 1), burst(0, 1), close(0, 2), close_beside_push(0, 2), close_now_beside_push(0, 2), close_wakes_all(0, 2),
        timeout(0, 1), cancel(0, 1), idle(0, 1), ends(0, 2);
}
