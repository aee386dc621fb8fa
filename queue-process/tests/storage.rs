//! What both Linux kinds promise beside the contract: exact bounds, limits that fail, order.

#![cfg(all(target_os = "linux", not(loom)))]

use ipc_channel::ipc;
use queue_core::Side;
use queue_process::codec::{Codec, Raw};
use queue_process::{
    Capacity, Failure, FailureKind, IpcQueue, PipeQueue, Queue, ShmQueue, TryPopError,
    TryPushError, WithCapacity, WorkQueue,
};
use std::collections::VecDeque;
use std::fmt;
use std::ops::RangeInclusive;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

type Bytes = Vec<u8>;

fn items_of_all_sizes(queue: &impl Queue<Item = Bytes>) {
    let item = |n: usize| vec![n as u8; (n * n * 7919) % 200_001];
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..3000 {
                assert_eq!(queue.pop().unwrap(), item(n), "item {n}");
            }
        });
        for n in 0..3000 {
            queue.push(item(n)).unwrap();
        }
    });
    assert!(queue.is_empty());
}

/// Each popped before the next comes, which may be of another size, and come in a batch.
fn one_after_another(queue: &impl Queue<Item = Bytes>) {
    let mut popped = Vec::new();
    for n in 0..600_usize {
        let item = vec![n as u8; [8, 100, 3, 0, 9, 1][n * 7919 / 5 % 6]];
        match n / 7 % 2 {
            0 => queue.try_push(item.clone()).unwrap(),
            _ => assert_eq!(queue.try_push_many(&mut [item.clone()].into()), Ok(1)),
        }
        match n / 11 % 3 {
            0 => assert_eq!(queue.try_pop_many(&mut popped, 9), Ok(1)),
            _ => popped.push(queue.try_pop().unwrap()),
        }
        assert_eq!(popped.pop(), Some(item), "item {n}");
        assert!(queue.is_empty());
    }
}

/// More than goes in or out at once: none waits, and none is left. Some came back.
fn batches_without_an_end(queue: &impl WorkQueue<Item = Bytes>) {
    for (items, len) in [(100_000, 3), (60, 200_000)] {
        let mut batch: VecDeque<_> = (0..items).map(|n| vec![n as u8; len]).collect();
        assert_eq!(queue.try_push_many(&mut batch), Ok(items));
        let some: Vec<_> = (0..50).map(|_| queue.receive().unwrap()).collect();
        some.into_iter().for_each(|item| item.nack().unwrap());
        let mut popped = Vec::new();
        assert_eq!(queue.try_pop_many(&mut popped, items - 1), Ok(items - 1));
        assert_eq!(queue.try_pop_many(&mut popped, usize::MAX), Ok(1));
        let expected = (0..items).map(|n| vec![n as u8; len]);
        assert!(popped.into_iter().eq(expected));
    }
}

/// A worker that fails drops what it has in the order in which it received it.
fn many_come_back(queue: &impl WorkQueue<Item = Bytes>) {
    let item = |n: u32| n.to_ne_bytes().to_vec();
    let mut batch: VecDeque<_> = (0..20_000).map(item).collect();
    assert_eq!(queue.try_push_many(&mut batch), Ok(20_000));
    for attempt in 1..4 {
        let lent: Vec<_> = (0..20_000).map(|_| queue.try_receive().unwrap()).collect();
        for (n, lent) in (0..).zip(&lent) {
            assert_eq!((&**lent, lent.attempt()), (&item(n), attempt));
        }
        drop(lent);
    }
    let mut popped = Vec::new();
    assert_eq!(queue.try_pop_many(&mut popped, usize::MAX), Ok(20_000));
    assert!(popped.into_iter().eq((0..20_000).map(item)));
}

/// In batches on both sides, and on one side alone.
fn batches_of_all_sizes(queue: &impl Queue<Item = Bytes>) {
    let item = |n: usize| vec![n as u8; (n * n * 7919) % if n % 50 < 40 { 30 } else { 30_001 }];
    let batch = |n: usize| 1 + (n * 31) % 70;
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut popped, mut n) = (Vec::new(), 0);
            while n < 9000 {
                match n % 3 {
                    0 => popped.push(queue.pop().unwrap()),
                    _ => drop(queue.pop_many(&mut popped, batch(n)).unwrap()),
                }
                for popped in popped.drain(..) {
                    assert_eq!(popped, item(n), "item {n}");
                    n += 1;
                }
            }
        });
        let mut n = 0;
        while n < 9000 {
            let end = (n + batch(n)).min(9000);
            queue.push_many(&mut (n..end).map(item).collect()).unwrap();
            n = end;
        }
    });
    assert!(queue.is_empty());
}

/// A queue of seven items of 100,000 bytes.
fn bound_is_exact(queue: &impl Queue<Item = Bytes>) {
    for round in 0..50 {
        while let Ok(()) = queue.try_push(vec![round; 100_000]) {}
        assert_eq!((queue.len(), queue.is_full()), (7, true));
        for _ in 0..1 + round % 7 {
            queue.pop().unwrap();
        }
    }
}

/// A queue without a bound, in a megabyte.
fn memory_limit(queue: &impl Queue<Item = Bytes>, holds: RangeInclusive<u32>) {
    let mut inside = 0u32;
    let failure = loop {
        let mut item = vec![0; 1 << 16];
        item[..4].copy_from_slice(&inside.to_ne_bytes());
        match queue.try_push(item) {
            Ok(()) => inside += 1,
            Err(TryPushError::Failed(_, failure)) => break failure,
            Err(other) => panic!("{other:?}"),
        }
    };
    assert_eq!(failure.kind(), FailureKind::TooLarge);
    assert!(holds.contains(&inside), "{inside} of 64 KiB in 1 MiB");
    for n in 0..inside {
        assert_eq!(queue.pop().unwrap()[..4], n.to_ne_bytes());
    }
    queue.push(vec![1; 1 << 16]).unwrap();
}

/// A queue of strings of four bytes.
fn item_over_the_limit(queue: &impl Queue<Item = String>) {
    match queue.try_push("12345".into()) {
        Err(TryPushError::Failed(item, failure)) => {
            let expected = ("12345", FailureKind::TooLarge);
            assert_eq!((item.as_str(), failure.kind()), expected);
        }
        other => panic!("{other:?}"),
    }
    assert!(queue.is_empty());
}

/// Numbers, of which those from 100 on cannot be decoded, and those from 200 on not even
/// encoded.
enum Choosy {}

impl Codec<u8> for Choosy {
    const NAME: &'static str = "choosy";

    fn encode(item: &u8, into: &mut Vec<u8>) -> Result<(), Failure> {
        into.push(*item);
        Self::refuse(*item >= 200)
    }

    fn decode(bytes: &[u8]) -> Result<u8, Failure> {
        Self::refuse(bytes[0] >= 100)?;
        Ok(bytes[0])
    }
}

impl Codec<Bytes> for Choosy {
    const NAME: &'static str = "choosy";

    fn encode(item: &Bytes, into: &mut Vec<u8>) -> Result<(), Failure> {
        into.extend_from_slice(item);
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<Bytes, Failure> {
        Self::refuse(bytes[0] >= 100)?;
        Ok(bytes.into())
    }
}

impl Choosy {
    fn refuse(it: bool) -> Result<(), Failure> {
        let refusal = || Failure::new(FailureKind::Codec, "not that one");
        it.then(refusal).map_or(Ok(()), Err)
    }
}

/// Of a batch goes in what is before the first that fails, which fails if it is the first.
fn a_batch_that_fails(queue: &impl Queue<Item = u8>) {
    let mut items = VecDeque::from([1, 2, 200, 3]);
    assert_eq!(queue.try_push_many(&mut items), Ok(2));
    assert_eq!(items, [200, 3]);
    let error = queue.try_push_many(&mut items).unwrap_err();
    assert_eq!(error.failure().unwrap().kind(), FailureKind::Codec);
    assert_eq!(
        (items, queue.len()),
        ([200, 3].into(), 2),
        "as if not tried"
    );
    let mut out = Vec::new();
    assert_eq!(queue.try_pop_many(&mut out, 0), Ok(0));
    assert_eq!(queue.try_pop_many(&mut out, 9), Ok(2));
    assert_eq!(
        queue.try_pop_many(&mut out, 0),
        Ok(0),
        "even if it is empty"
    );
    assert_eq!(out, [1, 2]);
}

/// It was an item that cannot be decoded.
#[track_caller]
fn fails<R: fmt::Debug>(popped: Result<R, TryPopError>) {
    match popped {
        Err(TryPopError::Failed(failure)) => assert_eq!(failure.kind(), FailureKind::Codec),
        other => panic!("{other:?}"),
    }
}

/// What cannot be decoded is a failure each, after the good ones that came with it.
fn a_batch_with_bad_items(queue: &impl Queue<Item = u8>) {
    let mut out = vec![7];
    queue.push_many(&mut [1, 100, 2, 101].into()).unwrap();
    assert_eq!(queue.try_pop_many(&mut out, 9), Ok(2));
    assert_eq!(out, [7, 1, 2]);
    queue.push(3).unwrap();
    fails(queue.try_pop());
    fails(queue.try_pop_many(&mut out, 9));
    assert_eq!(queue.try_pop(), Ok(3), "all told");
    queue.push_many(&mut [102, 103].into()).unwrap();
    fails(queue.try_pop_many(&mut out, 9));
    fails(queue.try_pop());
    assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
    assert_eq!(out, [7, 1, 2]);
}

/// One that is received is told of and gone, and nobody waits for it to be settled.
fn a_bad_item_is_not_lent(queue: &impl WorkQueue<Item = u8>) {
    queue.push_many(&mut [100, 1].into()).unwrap();
    fails(queue.try_receive());
    assert_eq!((queue.in_flight(), queue.len()), (0, 1));
    let item = queue.try_receive().unwrap();
    assert_eq!((*item, queue.in_flight()), (1, 1));
    item.ack().unwrap();
    assert!(queue.join_timeout(Duration::from_secs(20)));
    assert_eq!(queue.len(), 0);
}

/// What lies behind the bad items of a batch is there for `close_now`.
fn closed_with_bad_items_to_tell(queue: &impl Queue<Item = u8>) {
    let mut out = Vec::new();
    queue
        .push_many(&mut [1, 100, 101, 2, 3, 102, 4].into())
        .unwrap();
    assert_eq!(queue.try_pop_many(&mut out, 4), Ok(2));
    assert_eq!((out, queue.close_now()), (vec![1, 2], vec![3, 4]));
    for _ in 100..=102 {
        fails(queue.try_pop());
    }
    assert_eq!(queue.try_pop(), Err(TryPopError::Closed));
}

/// More than is popped in one go, of which the first part is all bad.
fn closed_with_bad_items_first(queue: &impl Queue<Item = Bytes>) {
    let bad = vec![100; 4 << 20];
    queue
        .push_many(&mut [bad.clone(), bad, vec![1]].into())
        .unwrap();
    assert_eq!(queue.close_now(), [[1]]);
    for _ in 0..2 {
        let told = queue.try_pop().unwrap_err();
        assert!(told.failure().is_some_and(|why| why.consumed_item()));
    }
    assert_eq!(queue.try_pop(), Err(TryPopError::Closed));
}

#[test]
fn a_hosted_queue_tells_of_bad_items_too() {
    let queue = || IpcQueue::<u8, Choosy>::try_with_capacity(Capacity::bounded(9)).unwrap();
    a_bad_item_is_not_lent(&queue());
    a_batch_with_bad_items(&queue());
    closed_with_bad_items_to_tell(&queue());
    let guest = || {
        let (sender, receiver) = ipc::channel().unwrap();
        sender.send(queue()).unwrap();
        receiver.recv().unwrap()
    };
    a_bad_item_is_not_lent(&guest());
    a_batch_with_bad_items(&guest());
    closed_with_bad_items_to_tell(&guest());
}

/// A codec that counts how often it made bytes of an item: the item is the count.
enum Counting {}

impl Codec<Arc<AtomicU8>> for Counting {
    const NAME: &'static str = "counting";

    fn encode(item: &Arc<AtomicU8>, into: &mut Vec<u8>) -> Result<(), Failure> {
        into.push(item.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<Arc<AtomicU8>, Failure> {
        Ok(Arc::new(AtomicU8::new(bytes[0])))
    }
}

/// Of one place.
fn who_waits_as_a_future_makes_bytes_once(queue: &impl Queue<Item = Arc<AtomicU8>>) {
    queue.push(Arc::default()).unwrap();
    let item = Arc::new(AtomicU8::new(7));
    let mut push = pin!(queue.push_async(item.clone()));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(push.as_mut().poll(&mut cx).is_pending());
    queue.pop().unwrap();
    let late = Instant::now() + Duration::from_secs(20);
    while push.as_mut().poll(&mut cx).is_pending() {
        assert!(Instant::now() < late, "there is a place");
        thread::yield_now();
    }
    assert_eq!(item.load(Ordering::Relaxed), 8, "once");
    assert_eq!(queue.pop().unwrap().load(Ordering::Relaxed), 7);
}

/// Of items of up to 4 bytes.
fn a_batch_with_a_large_item(queue: &impl Queue<Item = Bytes>) {
    let mut items: VecDeque<_> = [4, 4, 5, 1].map(|len| vec![0; len]).into();
    assert_eq!(queue.try_push_many(&mut items), Ok(2));
    let error = queue.try_push_many(&mut items).unwrap_err();
    assert_eq!(error.failure().unwrap().kind(), FailureKind::TooLarge);
    assert_eq!((items.len(), queue.len()), (2, 2));
}

fn many_threads(queue: &impl Queue<Item = (u32, u32)>) {
    thread::scope(|scope| {
        for producer in 0..4 {
            scope.spawn(move || (0..5000).for_each(|n| queue.push((producer, n)).unwrap()));
        }
        for _ in 0..4 {
            scope.spawn(|| {
                let mut last = [None; 4];
                for _ in 0..5000 {
                    let (producer, n) = queue.pop().unwrap();
                    assert!(last[producer as usize].replace(n) < Some(n));
                }
            });
        }
    });
    assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
}

/// One place for many: who was woken for it, and comes too late, waits on.
fn one_place(queue: &impl Queue<Item = u32>) {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..5000 {
                    let pushed = queue.push_timeout(n, Duration::from_secs(60));
                    // Or the others would wait on, should that ever fail.
                    if pushed.is_err() {
                        queue.close();
                    }
                    pushed.unwrap();
                }
            });
        }
        for _ in 0..4 * 5000 {
            queue.pop().unwrap();
        }
    });
}

macro_rules! promises {
    ($module:ident: $kind:ident, $in_a_megabyte:expr) => {
        mod $module {
            use super::*;

            #[test]
            fn items_of_all_sizes_come_out_as_they_went_in() {
                let options = $kind::<Bytes, Raw>::options().max_item_bytes(200_000);
                items_of_all_sizes(&options.create(Capacity::bounded(1000)).unwrap());
            }

            #[test]
            fn items_that_come_one_after_another_come_out_as_they_went_in() {
                one_after_another(
                    &$kind::<Bytes, Raw>::try_with_capacity(Capacity::bounded(3)).unwrap(),
                );
            }

            #[test]
            fn batches_of_all_sizes_come_out_as_they_went_in() {
                let options = $kind::<Bytes, Raw>::options().max_item_bytes(200_000);
                batches_of_all_sizes(&options.create(Capacity::bounded(100)).unwrap());
            }

            #[test]
            fn a_batch_of_any_size_goes_in_and_out() {
                let options = $kind::<Bytes, Raw>::options().max_item_bytes(200_000);
                batches_without_an_end(&options.create(Capacity::Unbounded).unwrap());
            }

            #[test]
            fn many_items_come_back_in_order() {
                many_come_back(
                    &$kind::<Bytes, Raw>::try_with_capacity(Capacity::Unbounded).unwrap(),
                );
            }

            #[test]
            fn a_bound_is_exact_with_the_largest_items() {
                let options = $kind::<Bytes, Raw>::options().max_item_bytes(100_000);
                bound_is_exact(&options.create(Capacity::bounded(7)).unwrap());
            }

            #[test]
            fn the_memory_limit_is_a_failure_and_all_inside_stays() {
                let options = $kind::<Bytes, Raw>::options().max_item_bytes(1 << 16);
                let options = options.memory_limit(1 << 20);
                memory_limit(
                    &options.create(Capacity::Unbounded).unwrap(),
                    $in_a_megabyte,
                );
            }

            #[test]
            fn an_item_over_the_limit_comes_back() {
                let options = $kind::<String>::options().max_item_bytes(4);
                item_over_the_limit(&options.create(Capacity::Unbounded).unwrap());
            }

            #[test]
            fn a_batch_ends_where_an_item_fails() {
                a_batch_that_fails(
                    &$kind::<u8, Choosy>::try_with_capacity(Capacity::bounded(9)).unwrap(),
                );
                let options = $kind::<Bytes, Raw>::options().max_item_bytes(4);
                a_batch_with_a_large_item(&options.create(Capacity::bounded(9)).unwrap());
            }

            #[test]
            fn bad_items_in_a_batch_are_failures_later() {
                a_bad_item_is_not_lent(
                    &$kind::<u8, Choosy>::try_with_capacity(Capacity::bounded(9)).unwrap(),
                );
                a_batch_with_bad_items(
                    &$kind::<u8, Choosy>::try_with_capacity(Capacity::bounded(9)).unwrap(),
                );
                closed_with_bad_items_to_tell(
                    &$kind::<u8, Choosy>::try_with_capacity(Capacity::bounded(9)).unwrap(),
                );
                let options = $kind::<Bytes, Choosy>::options().max_item_bytes(4 << 20);
                closed_with_bad_items_first(&options.create(Capacity::bounded(9)).unwrap());
                // Who may not pop gets nothing, and that at once.
                let queue = $kind::<u8>::bounded(9);
                queue.push(1).unwrap();
                assert_eq!(queue.half(Side::Producers).unwrap().close_now(), []);
                assert_eq!(queue.close_now(), [1]);
            }

            #[test]
            fn a_push_makes_bytes_once() {
                let queue =
                    $kind::<Arc<AtomicU8>, Counting>::try_with_capacity(Capacity::bounded(1))
                        .unwrap();
                who_waits_as_a_future_makes_bytes_once(&queue);
            }

            #[test]
            fn options_say_their_limits() {
                let options = $kind::<String>::options().max_item_bytes(7);
                let said = format!("{:?}", options.memory_limit(9));
                assert!(said.ends_with("Options { max_item_bytes: 7, memory_limit: 9 }"));
            }

            #[test]
            fn many_threads_move_everything_in_order() {
                many_threads(&$kind::<(u32, u32)>::bounded(16));
            }

            #[test]
            fn many_threads_wait_for_one_place() {
                one_place(&$kind::<u32>::bounded(1));
            }
        }
    };
}

promises! { pipe: PipeQueue, 16..=16 }
promises! { shm: ShmQueue, 16..=48 }
