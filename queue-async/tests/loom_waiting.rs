//! Models of the waiting: threads and tasks in both lines, against everything that may
//! happen to them meanwhile. A lost wake is a deadlock, which loom reports.
//!
//! What a model catches was tried by making the change that is named.
#![cfg(loom)]

use loom::future::block_on;
use queue_async::{
    AsyncQueue, PopError, PopTimeoutError, PushError, PushTimeoutError, Queue, TryPopError,
};
use queue_core::model::check;
use queue_core::sync::thread::{self, JoinHandle};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Under loom every deadline has passed once it is looked at.
const AT_ONCE: Duration = Duration::from_nanos(1);

fn join<R>(threads: impl IntoIterator<Item = JoinHandle<R>>) -> Vec<R> {
    (threads.into_iter().map(|thread| thread.join().unwrap())).collect()
}

/// Polls once, for a task that nobody wakes.
fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Two producers and two consumers of one item each, tasks and threads mixed, over one
/// place. Catches: who is granted an item not woken; whose item was moved in not woken.
/// Four threads: a bound of 3 takes 167,323 interleavings, and most of a minute.
#[test]
fn two_by_two() {
    check("async_two_by_two", Some(2), || {
        let queue = AsyncQueue::bounded(1);
        let other = queue.clone();
        let task = thread::spawn(move || block_on(other.push_async(1)).unwrap());
        let other = queue.clone();
        let producer = thread::spawn(move || other.push(2).unwrap());
        let other = queue.clone();
        let consumer = thread::spawn(move || other.pop().unwrap());
        let mut got = [
            block_on(queue.pop_async()).unwrap(),
            consumer.join().unwrap(),
        ];
        join([task, producer]);
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
        assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
    });
}

/// Two sleepers, and a burst of two items. Catches: a grant that is still counted when the
/// granted has left.
#[test]
fn burst() {
    check("async_burst", Some(3), || {
        let queue = AsyncQueue::bounded(2);
        let tasks = [0, 1].map(|_| {
            let queue = queue.clone();
            thread::spawn(move || block_on(queue.pop_async()).unwrap())
        });
        queue.push_many(&mut [1, 2].into()).unwrap();
        assert_eq!(join(tasks).iter().sum::<u32>(), 3);
    });
}

/// Two sleeping producers, one of a batch, and one consumer that takes two at once.
/// Catches: a grant that is still counted when the granted has left.
#[test]
fn drain() {
    check("async_drain", Some(3), || {
        let queue = AsyncQueue::bounded(2);
        queue.push_many(&mut [1, 2].into()).unwrap();
        let other = queue.clone();
        let one = thread::spawn(move || block_on(other.push_async(3)).unwrap());
        let other = queue.clone();
        let batch = thread::spawn(move || {
            block_on(other.push_many_async(&mut [4, 5].into())).unwrap();
        });
        let mut got = Vec::new();
        while got.len() < 5 {
            queue.pop_many(&mut got, 2).unwrap();
        }
        join([one, batch]);
        assert_eq!(got[..2], [1, 2]);
        got.sort_unstable();
        assert_eq!(got, [1, 2, 3, 4, 5]);
    });
}

/// Everybody hears of the close, and no item is left behind it. Catches: a close that
/// serves no popper who waits, or sends no pusher away.
#[test]
fn close() {
    check("async_close", Some(3), || {
        let queue = AsyncQueue::bounded(1);
        let other = queue.clone();
        let producer = thread::spawn(move || {
            [1, 2].map(|item| match block_on(other.push_async(item)) {
                Ok(()) => true,
                Err(error) => {
                    assert_eq!(error, PushError::Closed(item));
                    false
                }
            })
        });
        let other = queue.clone();
        let closer = thread::spawn(move || assert!(other.close()));
        let mut got = Vec::new();
        let end = loop {
            match block_on(queue.pop_async()) {
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
    });
}

/// Two wait for items, and the queue closes with one inside.
#[test]
fn close_with_two_poppers() {
    check("async_close_poppers", Some(3), || {
        let queue = AsyncQueue::bounded(1);
        let poppers = [0, 1].map(|_| {
            let queue = queue.clone();
            thread::spawn(move || block_on(queue.pop_async()))
        });
        queue.try_push(1).unwrap();
        queue.close();
        let mut got = join(poppers);
        got.sort_by_key(Result::is_err);
        assert_eq!(got, [Ok(1), Err(PopError::Closed)]);
    });
}

/// Two wait for places that never come, and get their items back. Catches: those in line
/// for places not sent away, or not woken.
#[test]
fn close_with_two_pushers() {
    check("async_close_pushers", Some(3), || {
        let queue = AsyncQueue::bounded(1);
        queue.try_push(1).unwrap();
        let other = queue.clone();
        let task = thread::spawn(move || block_on(other.push_async(2)));
        let other = queue.clone();
        let blocked = thread::spawn(move || other.push(2));
        queue.close();
        let refused = Err(PushError::Closed(2));
        assert_eq!(join([task, blocked]), [refused.clone(), refused]);
        assert_eq!(queue.close_now(), [1]);
    });
}

/// The future of a pop is dropped after one poll, at any moment, while another waits for
/// the only item. Catches: who leaves the line not settling it; a grant that goes with
/// the one who leaves; the next to be granted not passed on by one who leaves.
#[test]
fn cancelled_pop() {
    check("async_cancelled_pop", Some(3), || {
        let queue = AsyncQueue::bounded(1);
        let other = queue.clone();
        let quitter = thread::spawn(move || {
            if let Poll::Ready(item) = poll_once(pin!(other.pop_async())) {
                other.try_push(item.unwrap()).unwrap();
            }
        });
        let other = queue.clone();
        let producer = thread::spawn(move || other.try_push(1).unwrap());
        assert_eq!(block_on(queue.pop_async()), Ok(1));
        join([quitter, producer]);
    });
}

/// As above, polled a second time before it is dropped: between the two a `try_pop` may
/// take what was granted. Catches: a grant not taken back when another took the item.
#[test]
fn overtaken_pop() {
    check("async_overtaken_pop", Some(3), || {
        let queue = AsyncQueue::bounded(1);
        let other = queue.clone();
        let waiting = thread::spawn(move || {
            let mut pop = Box::pin(other.pop_async());
            match poll_once(pop.as_mut()) {
                Poll::Pending => block_on(pop),
                Poll::Ready(done) => done,
            }
        });
        let other = queue.clone();
        let overtaker = thread::spawn(move || {
            if let Ok(item) = other.try_pop() {
                other.push(item).unwrap();
            }
        });
        queue.push(1).unwrap();
        assert_eq!(join([waiting]), [Ok(1)]);
        join([overtaker]);
    });
}

/// The future of a push is dropped after one poll, beside a pop: its item is inside if it
/// was ready and else not, and the one behind it gets in. Catches: one who left still in line;
/// an item that goes in before its future is ready; a held place that goes with the one who
/// leaves.
#[test]
fn cancelled_push() {
    check("async_cancelled_push", Some(3), || {
        let queue = AsyncQueue::bounded(1);
        queue.try_push(0).unwrap();
        let other = queue.clone();
        let quitter = thread::spawn(move || poll_once(pin!(other.push_async(1))).is_ready());
        let other = queue.clone();
        let producer = thread::spawn(move || block_on(other.push_async(2)).unwrap());
        let mut got = Vec::new();
        while got.last() != Some(&2) {
            got.push(queue.pop().unwrap());
        }
        let pushed = quitter.join().unwrap();
        producer.join().unwrap();
        got.extend(queue.try_iter());
        let ones = got.iter().filter(|item| **item == 1).count();
        assert_eq!(ones, usize::from(pushed), "inside: {got:?}");
        assert_eq!(got.len(), 2 + ones);
        assert!(!queue.is_full());
    });
}

/// As above, polled a second time before it is dropped, with the queue closing: the item is
/// inside if it was ready, and comes back if it was refused. Catches: a push into a closed
/// queue by one who waited; an item that goes in before its future is ready.
#[test]
fn cancelled_push_at_close() {
    check("async_cancelled_push_at_close", Some(3), || {
        let queue = AsyncQueue::bounded(1);
        queue.try_push(0).unwrap();
        let other = queue.clone();
        let quitter = thread::spawn(move || {
            let mut push = pin!(other.push_async(1));
            for _ in 0..2 {
                if let Poll::Ready(pushed) = poll_once(push.as_mut()) {
                    return pushed.map_err(|error| assert_eq!(error, PushError::Closed(1)));
                }
            }
            Err(())
        });
        let other = queue.clone();
        let closer = thread::spawn(move || assert!(other.close()));
        let got: Vec<_> = queue.iter().collect();
        join([closer]);
        let pushed = quitter.join().unwrap().is_ok();
        assert_eq!(got, if pushed { vec![0, 1] } else { vec![0] });
    });
}

/// The same of a batch: what did not go in is what is left in it.
#[test]
fn cancelled_batch_of_pushes() {
    check("async_cancelled_batch_of_pushes", Some(3), || {
        let queue = AsyncQueue::bounded(1);
        queue.try_push(0).unwrap();
        let other = queue.clone();
        let quitter = thread::spawn(move || {
            let mut items = [1, 2].into();
            let mut push = Box::pin(other.push_many_async(&mut items));
            for _ in 0..2 {
                if poll_once(push.as_mut()).is_ready() {
                    break;
                }
            }
            drop(push);
            items
        });
        let mut got = vec![queue.pop().unwrap()];
        let left = quitter.join().unwrap();
        got.extend(queue.try_iter());
        got.extend(left);
        assert_eq!(got, [0, 1, 2]);
        assert!(!queue.is_full());
    });
}

/// One of two who wait runs out of time; the only item reaches one of them. Catches: the
/// next to be granted not passed on by one who leaves.
#[test]
fn timeout() {
    check("async_timeout", Some(3), || {
        let queue = AsyncQueue::bounded(1);
        let other = queue.clone();
        let impatient = thread::spawn(move || match other.pop_timeout(AT_ONCE) {
            Ok(item) => other.try_push(item).unwrap(),
            Err(error) => assert_eq!(error, PopTimeoutError::Timeout),
        });
        let other = queue.clone();
        let patient = thread::spawn(move || assert_eq!(other.pop(), Ok(1)));
        queue.try_push(1).unwrap();
        join([impatient, patient]);
    });
}

/// A push that runs out of time while its place comes: pushed, or handed back. Catches:
/// one who left still in line.
#[test]
fn push_timeout() {
    check("async_push_timeout", None, || {
        let queue = AsyncQueue::bounded(1);
        queue.try_push(1).unwrap();
        let other = queue.clone();
        let impatient = thread::spawn(move || match other.push_timeout(2, AT_ONCE) {
            Ok(()) => vec![2],
            Err(error) => {
                assert_eq!(error, PushTimeoutError::Timeout(2));
                vec![]
            }
        });
        assert_eq!(queue.pop(), Ok(1));
        assert_eq!(impatient.join().unwrap(), queue.close_now());
    });
}

/// A future that was polled by one task goes on in another. Catches: the first waker
/// kept.
#[test]
fn waker_replaced() {
    check("async_waker_replaced", None, || {
        let queue = AsyncQueue::bounded(1);
        let other = queue.clone();
        let producer = thread::spawn(move || block_on(other.push_many_async(&mut [1, 2].into())));
        let mut pop = Box::pin(queue.pop_async());
        let first = match poll_once(pop.as_mut()) {
            Poll::Pending => block_on(pop),
            Poll::Ready(done) => done,
        };
        assert_eq!((first, queue.pop()), (Ok(1), Ok(2)));
        producer.join().unwrap().unwrap();
    });
}

/// The last producer goes while a consumer waits: it drains, and is told.
#[test]
fn ends() {
    check("async_ends", Some(3), || {
        let (producer, consumer) = AsyncQueue::bounded(1).into_ends();
        let second = producer.clone();
        let threads = [(producer, 1), (second, 2)].map(|(producer, item)| {
            thread::spawn(move || block_on(producer.push_async(item)).unwrap())
        });
        let got: u32 = block_on(async {
            let mut sum = 0;
            while let Ok(item) = consumer.pop_async().await {
                sum += item;
            }
            sum
        });
        assert_eq!(got, 3);
        join(threads);
    });
}

/// The last consumer goes while a producer waits for a place.
#[test]
fn consumer_gone() {
    check("async_consumer_gone", None, || {
        let (producer, consumer) = AsyncQueue::bounded(1).into_ends();
        producer.try_push(1).unwrap();
        let waiting = thread::spawn(move || block_on(producer.push_async(2)));
        drop(consumer);
        assert_eq!(waiting.join().unwrap(), Err(PushError::Closed(2)));
    });
}
