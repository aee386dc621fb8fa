//! An item that does not come out, or whose own code panics, takes no other along: in no verb,
//! over any kind.

#![cfg(not(loom))]

use queue_core::work::Lend;
use queue_core::{Failure, Metered};
use queue_process::codec::Raw;
use queue_process::dynamic::DynQueue;
use queue_process::{
    Capacity, Delivery, FailureKind, IpcQueue, PopTimeoutError, Queue, TryPopError, TryPushError,
    WithCapacity, WorkQueue,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// A number. Of those that end in 2 the code panics on the way out, of those in 4 on the way in,
/// and of those in 6 as they are dropped; those in 8 cannot be brought out.
#[derive(Debug, PartialEq)]
struct Moody(u32);

thread_local! {
    /// What the next item of this thread does that panics on its way out.
    static BEFORE: Cell<Option<Box<dyn FnOnce()>>> = const { Cell::new(None) };
}

fn panics_if(number: u32, digit: u32) {
    if number % 10 == digit {
        BEFORE.take().into_iter().for_each(|before| before());
        // Without the hook's message.
        resume_unwind(Box::new(number));
    }
}

impl Serialize for Moody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        panics_if(self.0, 4);
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Moody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        panics_if(number, 2);
        match number % 10 {
            8 => Err(serde::de::Error::custom("an item that does not come out")),
            _ => Ok(Self(number)),
        }
    }
}

impl Drop for Moody {
    fn drop(&mut self) {
        if !thread::panicking() {
            panics_if(self.0, 6);
        }
    }
}

/// The number with which `act` panics.
#[track_caller]
fn panicked<R>(act: impl FnOnce() -> R) -> u32 {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(_) => panic!("it did not panic"),
        Err(panic) => *panic.downcast::<u32>().expect("an item's own panic"),
    }
}

fn fill(queue: &impl Queue<Item = Moody>, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        queue.push(Moody(number)).unwrap();
    }
}

fn filled<Q: Queue<Item = Moody>>(queue: Q, numbers: impl IntoIterator<Item = u32>) -> Q {
    fill(&queue, numbers);
    queue
}

/// Takes the numbers out of them, so that none is dropped as one that panics.
fn numbers(items: impl IntoIterator<Item = Moody>) -> Vec<u32> {
    let number = |mut item: Moody| std::mem::replace(&mut item.0, 0);
    items.into_iter().map(number).collect()
}

/// A way to pop several.
type PopMany<Q> = fn(&Q, &mut Vec<Moody>, usize) -> Option<usize>;

fn pop_many<Q: Queue<Item = Moody>>() -> [PopMany<Q>; 3] {
    [
        |queue, into, max| queue.try_pop_many(into, max).ok(),
        |queue, into, max| queue.pop_many(into, max).ok(),
        |queue, into, max| {
            let popped = pin!(queue.pop_many_async(into, max));
            match popped.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(popped) => popped.ok(),
                Poll::Pending => panic!("it waits"),
            }
        },
    ]
}

fn what_is_behind_a_panic_still_comes<Q: Queue<Item = Moody>>(make: &impl Fn() -> Q) {
    for many in pop_many() {
        let queue = filled(make(), 0..4);
        let mut got = Vec::new();
        assert_eq!(panicked(|| many(&queue, &mut got, 10)), 2);
        assert_eq!(got, [Moody(0), Moody(1)]);
        assert_eq!((queue.len(), queue.is_empty()), (1, false));
        // In their order, before what is younger; one by one, and in batches with that.
        fill(&queue, [5, 7]);
        assert_eq!(queue.len(), 3);
        assert_eq!(queue.try_pop(), Ok(Moody(3)));
        assert_eq!(queue.len(), 2);
        fill(&queue, [12, 13, 15]);
        got.clear();
        assert_eq!(panicked(|| many(&queue, &mut got, 10)), 12);
        assert_eq!(got, [Moody(5), Moody(7)]);
        fill(&queue, [17, 19]);
        got.clear();
        assert_eq!(many(&queue, &mut got, 3), Some(3));
        assert_eq!(got, [Moody(13), Moody(15), Moody(17)]);
        assert_eq!(queue.try_pop(), Ok(Moody(19)));
        assert_eq!((queue.try_pop(), queue.len()), (Err(TryPopError::Empty), 0));
        // Two in one batch.
        fill(&queue, [0, 2, 3, 22, 5]);
        got.clear();
        assert_eq!(panicked(|| many(&queue, &mut got, 10)), 2);
        assert_eq!(panicked(|| many(&queue, &mut got, 10)), 22);
        assert_eq!(many(&queue, &mut got, 10), Some(1));
        assert_eq!(got, [Moody(0), Moody(3), Moody(5)]);
    }
}

fn what_is_behind_a_panic_takes_no_slot<Q: Queue<Item = Moody>>(make: &impl Fn() -> Q) {
    let queue = filled(make(), [2, 3, 5, 7, 9, 11, 13, 15, 17]);
    assert_eq!(panicked(|| queue.try_pop_many(&mut Vec::new(), 9)), 2);
    assert_eq!((queue.len(), queue.is_full()), (8, false));
    fill(&queue, [1; 8]);
    assert!(!queue.is_full());
    fill(&queue, [1]);
    assert_eq!(queue.is_full(), queue.capacity().is_some());
    assert!(queue.capacity().is_none_or(|most| queue.len() <= most));
}

fn failures_and_panics_in_one_batch<Q: Queue<Item = Moody>>(make: &impl Fn() -> Q) {
    let queue = filled(make(), [8, 1, 2, 18, 3]);
    let mut got = Vec::new();
    assert_eq!(panicked(|| queue.try_pop_many(&mut got, 10)), 2);
    assert_eq!(got, [Moody(1)]);
    queue.close();
    let came: Vec<_> = queue
        .results()
        .map(|item| item.map_err(|why| why.kind()))
        .collect();
    let lost = || Err(FailureKind::Codec);
    assert_eq!(came, [lost(), lost(), Ok(Moody(3))]);
    // And a batch that meets a failure that was deferred.
    let queue = filled(make(), [8, 2, 3]);
    assert_eq!(panicked(|| queue.try_pop_many(&mut got, 10)), 2);
    assert!(
        queue
            .try_pop_many(&mut got, 10)
            .unwrap_err()
            .failure()
            .unwrap()
            .consumed_item()
    );
    assert_eq!(queue.try_pop_many(&mut got, 10), Ok(1));
}

fn closing_at_once_loses_the_bad_one_alone<Q: Queue<Item = Moody>>(make: &impl Fn() -> Q) {
    let queue = filled(make(), [0, 8, 1, 2, 3, 12, 5]);
    assert_eq!(panicked(|| queue.close_now()), 2);
    assert!(queue.is_closed());
    assert_eq!(queue.try_pop(), Ok(Moody(0)));
    assert_eq!(panicked(|| queue.close_now()), 12);
    assert_eq!(queue.close_now(), [1, 3, 5].map(Moody));
    // Who is left without it is told.
    let told = queue.try_pop().unwrap_err();
    assert!(told.failure().is_some_and(Failure::consumed_item));
    assert_eq!(
        (queue.try_pop(), queue.len()),
        (Err(TryPopError::Closed), 0)
    );
    assert_eq!(queue.close_now(), []);
    // With some that were deferred already.
    let queue = filled(make(), [2, 3, 5]);
    assert_eq!(panicked(|| queue.try_pop_many(&mut Vec::new(), 9)), 2);
    fill(&queue, [7]);
    assert_eq!(queue.close_now(), [3, 5, 7].map(Moody));
}

fn what_cannot_be_pushed_stays_with_its_owner<Q: Queue<Item = Moody>>(make: &impl Fn() -> Q) {
    let queue = make();
    let items = || -> VecDeque<_> { [0, 1, 4, 5].map(Moody).into() };
    let push: [fn(&Q, &mut VecDeque<Moody>); 3] = [
        |queue, items| drop(queue.try_push_many(items)),
        |queue, items| drop(queue.push_many(items)),
        |queue, items| {
            let pushed = pin!(queue.push_many_async(items));
            let _ = pushed.poll(&mut Context::from_waker(Waker::noop()));
        },
    ];
    for push in push {
        let mut items = items();
        assert_eq!(panicked(|| push(&queue, &mut items)), 4);
        let inside = numbers(queue.try_iter());
        let all: Vec<_> = inside.into_iter().chain(numbers(items)).collect();
        assert_eq!(all, [0, 1, 4, 5], "each is inside or with its owner");
    }
    // Those that are in are dropped here, and one of them panics at that.
    let mut items: VecDeque<_> = [5, 6, 7].map(Moody).into();
    assert_eq!(panicked(|| queue.try_push_many(&mut items)), 6);
    assert_eq!((items.len(), queue.len()), (0, 3));
    assert_eq!(numbers(queue.try_iter()), [5, 6, 7]);
    assert!(!matches!(
        queue.try_push(Moody(1)),
        Err(TryPushError::Failed(..))
    ));
    queue.close();
}

/// Waits until `holds`.
#[track_caller]
fn soon(holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "in vain");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a task was woken.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn pop_as_task(queue: &impl Queue<Item = Moody>) -> Moody {
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = woken.clone().into();
    let mut pop = pin!(queue.pop_async());
    loop {
        soon(|| woken.0.swap(false, Ordering::SeqCst));
        if let Poll::Ready(item) = pop.as_mut().poll(&mut Context::from_waker(&waker)) {
            return item.unwrap();
        }
    }
}

fn pop_as_thread(queue: &impl Queue<Item = Moody>) -> Moody {
    queue.pop_timeout(Duration::from_secs(30)).unwrap()
}

/// Whoever waits in this process, as a thread or a task, gets what is behind a panic.
fn who_waits_gets_what_is_behind_a_panic<Q: Queue<Item = Moody> + 'static>(make: &impl Fn() -> Q) {
    for pop in [pop_as_thread, pop_as_task] {
        let queue = filled(make(), [2, 3, 5]);
        let mut got = thread::scope(|scope| {
            // They come when all is out of the queue, and sleep when the panic comes.
            let is_out = Arc::new(AtomicBool::new(false));
            let waiting = [(); 2].map(|()| {
                let (queue, is_out) = (&queue, is_out.clone());
                scope.spawn(move || {
                    soon(|| is_out.load(Ordering::SeqCst));
                    pop(queue)
                })
            });
            BEFORE.set(Some(Box::new(move || {
                is_out.store(true, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(50));
            })));
            assert_eq!(panicked(|| queue.try_pop_many(&mut Vec::new(), 9)), 2);
            numbers(waiting.map(|waiting| waiting.join().unwrap()))
        });
        got.sort_unstable();
        assert_eq!(got, [3, 5]);
    }
}

/// A job that is given back each time must not look new each time: whoever gives up on it after a
/// few attempts would never do so.
fn what_was_deferred_counts_its_attempts<Q: WorkQueue<Item = Moody>>(queue: &Q) {
    fill(queue, [2, 3, 5]);
    assert_eq!(panicked(|| queue.try_pop_many(&mut Vec::new(), 9)), 2);
    for attempt in 1..4 {
        let delivery = queue.try_receive().unwrap();
        assert_eq!((delivery.0, delivery.attempt()), (3, attempt));
        delivery.nack().unwrap();
    }
    drop(queue.try_receive().unwrap());
    let delivery = queue.try_receive().unwrap();
    assert_eq!((delivery.0, delivery.attempt()), (3, 5));
    delivery.ack().unwrap();
    let next = queue.try_receive().unwrap();
    assert_eq!((next.0, next.attempt()), (5, 1));
    next.ack().unwrap();
    assert!(queue.is_empty());
    // Whatever the order in which they come back.
    for back in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        fill(queue, [2, 3, 5, 7]);
        assert_eq!(panicked(|| queue.try_pop_many(&mut Vec::new(), 9)), 2);
        let mut held = [(); 3].map(|()| queue.try_receive().ok());
        for which in back {
            held[which].take().unwrap().nack().unwrap();
        }
        assert_eq!(numbers(queue.try_iter()), [3, 5, 7]);
    }
}

/// A way to receive several.
type ReceiveMany<Q> = fn(&Q, &mut Vec<Delivery<Q>>) -> Result<usize, bool>;

fn receive_many<Q: WorkQueue>() -> [ReceiveMany<Q>; 3] {
    fn is_gone(failure: Option<&Failure>) -> bool {
        failure.is_some_and(Failure::consumed_item)
    }
    [
        |queue, into| (queue.try_receive_many(into, 9)).map_err(|why| is_gone(why.failure())),
        |queue, into| (queue.receive_many(into, 9)).map_err(|why| is_gone(why.failure())),
        |queue, into| {
            let received = pin!(queue.receive_many_async(into, 9));
            match received.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(received) => received.map_err(|why| is_gone(why.failure())),
                Poll::Pending => panic!("it waits"),
            }
        },
    ]
}

/// An item that does not come out is told of, wherever in a batch it stood.
fn a_failure_in_a_received_batch_is_told<Q: WorkQueue<Item = Moody>>(queue: &Q) {
    for receive in receive_many() {
        fill(queue, [8, 1, 3, 18, 28, 5]);
        let mut got = Vec::new();
        assert_eq!(receive(queue, &mut got), Err(true));
        assert_eq!(receive(queue, &mut got), Ok(2));
        assert_eq!(receive(queue, &mut got), Err(true));
        // By a pop too.
        let told = queue.try_pop().unwrap_err();
        assert!(told.failure().is_some_and(Failure::consumed_item));
        assert_eq!(receive(queue, &mut got), Ok(1));
        let numbers: Vec<_> = got.iter().map(|job| job.0).collect();
        assert_eq!(numbers, [1, 3, 5]);
        got.into_iter().for_each(|job| job.ack().unwrap());
        assert_eq!(queue.try_receive().unwrap_err(), TryPopError::Empty);
        assert!(queue.is_empty());
    }
}

/// Behind a panic as without one: each failure is told, and in its place.
fn a_failure_behind_a_panic_is_told<Q: WorkQueue<Item = Moody>>(queue: &Q) {
    let lost = |why: Option<&Failure>| why.is_some_and(Failure::consumed_item);
    for pop in pop_many() {
        fill(queue, [2, 3, 8, 5]);
        assert_eq!(panicked(|| queue.try_pop_many(&mut Vec::new(), 9)), 2);
        fill(queue, [7]);
        let mut got = Vec::new();
        assert_eq!(pop(queue, &mut got, 9), Some(1));
        assert!(lost(queue.try_pop().unwrap_err().failure()));
        assert_eq!(pop(queue, &mut got, 9), Some(2));
        assert_eq!(numbers(got), [3, 5, 7]);
    }
    fill(queue, [2, 3, 8, 5]);
    assert_eq!(panicked(|| queue.try_pop_many(&mut Vec::new(), 9)), 2);
    let mut jobs = queue.deliveries();
    let mut next = || match jobs.next().unwrap() {
        Ok(job) => Some(job.take().unwrap()),
        Err(failure) => {
            assert!(failure.consumed_item());
            None
        }
    };
    assert_eq!(
        [next(), next(), next()],
        [Some(Moody(3)), None, Some(Moody(5))]
    );
}

/// An item whose code panics as it is received is gone, and nothing is left of it.
fn a_panic_in_a_receive_ends_the_delivery<Q: WorkQueue<Item = Moody>>(queue: &Q) {
    fill(queue, [2, 3, 12, 22]);
    assert_eq!(panicked(|| drop(queue.try_receive())), 2);
    assert_eq!((queue.in_flight(), queue.len()), (0, 3));
    let mut got = Vec::new();
    assert_eq!(panicked(|| drop(queue.receive_many(&mut got, 9))), 12);
    assert_eq!(got.len(), 1);
    got.remove(0).ack().unwrap();
    assert_eq!(panicked(|| drop(queue.receive())), 22);
    assert!(queue.join_timeout(Duration::from_secs(30)));
}

/// Who gives back what was deferred wakes who waits for it in this process.
fn what_was_deferred_is_given_back_to_who_waits<Q: WorkQueue<Item = Moody>>(queue: &Q) {
    for pop in [pop_as_thread, pop_as_task] {
        fill(queue, [2, 3]);
        assert_eq!(panicked(|| queue.try_pop_many(&mut Vec::new(), 9)), 2);
        let job = queue.try_receive().unwrap();
        let begun = Instant::now();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| pop(queue));
            thread::sleep(Duration::from_millis(50));
            job.nack().unwrap();
            assert_eq!(waiting.join().unwrap(), Moody(3));
        });
        assert!(begun.elapsed() < Duration::from_secs(20), "it slept on");
    }
}

/// Also to whoever waits already.
fn who_waits_is_told_of_a_failure<Q: Lend<Item = Moody>>(queue: &Q) {
    thread::scope(|scope| {
        let waiting = scope.spawn(|| queue.pop_timeout(Duration::from_secs(30)));
        thread::sleep(Duration::from_millis(50));
        let failure = Failure::new(FailureKind::Codec, "it is gone").with_item_consumed();
        queue.tell_later(failure.clone());
        let told = waiting.join().unwrap();
        assert_eq!(told, Err(PopTimeoutError::Failed(failure)));
    });
}

/// A failure is counted once, and neither it nor a close is a wait.
#[test]
fn a_metered_batch_that_fails_has_not_waited() {
    #[derive(Debug, Deserialize)]
    struct Unserializable;
    impl Serialize for Unserializable {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("as it is meant to be"))
        }
    }
    let queue = Metered::new("metered", IpcQueue::bounded(9));
    let mut items = VecDeque::from([Unserializable]);
    let counted = || {
        let activity = queue.stats().activity.expect("it is metered");
        (activity.failed, activity.push_waits.count)
    };
    let failed = queue.push_many(&mut items).unwrap_err();
    assert!(failed.failure().is_some(), "{failed}");
    assert_eq!((items.len(), counted()), (1, (1, 0)));
    queue.close();
    let closed = queue.push_many(&mut items).unwrap_err();
    assert!(closed.failure().is_none(), "{closed}");
    assert_eq!((items.len(), counted()), (1, (1, 0)));
}

/// What does not come out is gone all the same.
#[test]
fn a_metered_queue_counts_what_is_gone() {
    let queue = Metered::new("metered", IpcQueue::bounded(99));
    let (mut some, mut jobs) = (Vec::new(), Vec::new());
    for out in 0..4 {
        fill(&queue, [8, 1, 18, 3, 28]);
        while !queue.is_empty() {
            match out {
                0 => drop(queue.try_pop()),
                1 => drop(queue.pop_many(&mut some, 9)),
                2 => drop(queue.receive().map(|job| job.ack())),
                _ => {
                    let _ = queue.receive_many(&mut jobs, 9);
                    jobs.drain(..).for_each(|job| job.ack().unwrap());
                }
            }
        }
        while queue.try_pop() != Err(TryPopError::Empty) {}
    }
    let stats = queue.stats();
    assert_eq!((stats.pushed, stats.popped), (Some(20), Some(20)));
    assert_eq!(stats.activity.map(|activity| activity.failed), Some(12));
}

fn all<Q: Queue<Item = Moody> + 'static>(make: impl Fn() -> Q) {
    what_is_behind_a_panic_still_comes(&make);
    what_is_behind_a_panic_takes_no_slot(&make);
    failures_and_panics_in_one_batch(&make);
    closing_at_once_loses_the_bad_one_alone(&make);
    what_cannot_be_pushed_stays_with_its_owner(&make);
    who_waits_gets_what_is_behind_a_panic(&make);
}

/// The failures that [`all_of_work`] is told of.
#[cfg(target_os = "linux")]
const FAILURES: u64 = 13;

fn all_of_work<Q: WorkQueue<Item = Moody>>(queue: &Q) {
    what_was_deferred_counts_its_attempts(queue);
    a_failure_in_a_received_batch_is_told(queue);
    a_failure_behind_a_panic_is_told(queue);
    a_panic_in_a_receive_ends_the_delivery(queue);
    what_was_deferred_is_given_back_to_who_waits(queue);
    who_waits_is_told_of_a_failure(queue);
}

/// A guest of that queue, in this process. It is the only handle that is left.
fn guest<T, C>(host: &IpcQueue<T, C>) -> IpcQueue<T, C>
where
    IpcQueue<T, C>: Clone + Serialize + for<'de> Deserialize<'de>,
{
    let (sender, receiver) = ipc_channel::ipc::channel().unwrap();
    sender.send(host.clone()).unwrap();
    receiver.recv().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn pipe_queue() {
    all(|| queue_process::PipeQueue::<Moody>::bounded(9));
    all_of_work(&queue_process::PipeQueue::bounded(9));
    let metered = Metered::new("metered", queue_process::PipeQueue::bounded(9));
    all_of_work(&metered);
    let failed = metered.stats().activity.map(|activity| activity.failed);
    assert_eq!(failed, Some(FAILURES), "each is counted once");
}

#[cfg(target_os = "linux")]
#[test]
fn shm_queue() {
    all(|| queue_process::ShmQueue::<Moody>::bounded(9));
    all_of_work(&queue_process::ShmQueue::bounded(9));
    all_of_work(&DynQueue::new(queue_process::ShmQueue::bounded(9)));
    all(|| DynQueue::without_deliveries(queue_process::ShmQueue::<Moody>::unbounded()));
}

#[test]
fn ipc_queue() {
    all(|| IpcQueue::<Moody>::bounded(9));
    all_of_work(&IpcQueue::bounded(9));
}

#[test]
fn guest_of_an_ipc_queue() {
    // The hosts live as long as the test.
    let hosts = Mutex::new(Vec::new());
    all(|| {
        let host = IpcQueue::<Moody>::bounded(9);
        let guest = guest(&host);
        hosts.lock().unwrap().push(host);
        guest
    });
    let host = IpcQueue::bounded(9);
    all_of_work(&guest(&host));
}

/// However fast others push, a batch has no more than were inside at once, and than were on the shelf.
#[test]
fn a_batch_of_a_guest_beside_a_fast_producer_ends() {
    const INSIDE: usize = 50;
    let host = IpcQueue::<Vec<u8>, Raw>::with_capacity(Capacity::Unbounded);
    let guest = guest(&host);
    thread::scope(|scope| {
        let producer = scope.spawn(|| {
            for _ in 0..300 {
                while host.len() >= INSIDE {
                    thread::yield_now();
                }
                // So large that few are on the shelf.
                let mut items = (0..10).map(|_| vec![7; 10_000]).collect();
                host.push_many(&mut items).unwrap();
            }
        });
        let mut most = 0;
        while !producer.is_finished() {
            let mut popped = Vec::new();
            if guest.try_pop_many(&mut popped, usize::MAX).is_ok() {
                most = most.max(popped.len());
            }
        }
        assert!(most < 2 * INSIDE, "{most} at once");
    });
}
