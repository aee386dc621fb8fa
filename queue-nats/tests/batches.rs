//! Batches that are longer than what is on its way at once, against a real server.

mod server;

use futures_core::Stream;
use queue_core::work::Lend;
use queue_nats::{
    Capacity, Delivery, Failure, FailureKind, Mode, NatsOptions, NatsQueue, PopError,
    PopTimeoutError, Queue, TryPopError, WorkQueue,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use server::{Network, Proxy, Server};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

fn queue(server: &Server) -> NatsQueue<u64> {
    let options = server.options().capacity(Capacity::bounded(100_000));
    NatsQueue::open("jobs", &options).unwrap()
}

fn all_of(jobs: &NatsQueue<u64>) -> Vec<u64> {
    let mut all = Vec::new();
    while jobs.try_pop_many(&mut all, 1000).is_ok() {}
    all
}

/// Two producers part each other's batches: each item goes in once, and each one's are in order.
#[test]
fn batches_beside_batches() {
    let Some(server) = Server::start("batches") else {
        return;
    };
    let jobs = queue(&server);
    let producers = [0, 10_000].map(|first| {
        let jobs = queue(&server);
        std::thread::spawn(move || jobs.push_many(&mut (first..first + 4000).collect()))
    });
    for producer in producers {
        producer.join().unwrap().unwrap();
    }
    let all = all_of(&jobs);
    let (low, high): (Vec<_>, Vec<_>) = all.into_iter().partition(|n| *n < 10_000);
    assert!(low.into_iter().eq(0..4000));
    assert!(high.into_iter().eq(10_000..14_000));
}

/// Batches beside each other in a queue that is full now and then, whose network is cut in the midst: each
/// item goes in once, and each one's are in order.
#[test]
fn batches_across_cuts() {
    let Some(server) = Server::start("cut batches") else {
        return;
    };
    for capacity in [Capacity::bounded(700), Capacity::Unbounded] {
        let name = format!("jobs{}", capacity.capacity().unwrap_or(0));
        let jobs = NatsQueue::<u64>::open(&name, &server.options().capacity(capacity)).unwrap();
        let proxy = Proxy::to(server.port);
        const EACH: u64 = 10_000;
        let producers = [0, EACH].map(|first| {
            let options = NatsOptions::new(proxy.url()).mode(Mode::Open);
            let jobs = NatsQueue::<u64>::open(&name, &options).unwrap();
            std::thread::spawn(move || {
                jobs.push_many(&mut (first..first + EACH).collect())
                    .unwrap()
            })
        });
        let consumer = std::thread::spawn(move || {
            let mut all = Vec::new();
            while all.len() < 2 * EACH as usize {
                let end = Duration::from_secs(30);
                jobs.pop_many_timeout(&mut all, 500, end).unwrap();
            }
            // Whatever came twice comes now.
            let _ = jobs.pop_many_timeout(&mut all, 1, Duration::from_millis(300));
            all
        });
        let mut cuts = 0;
        while !producers.iter().all(JoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(60 + 10 * cuts));
            proxy.be(Network::Cut);
            std::thread::sleep(Duration::from_millis(20));
            proxy.be(Network::Works);
            cuts += 1;
        }
        assert!(cuts > 1, "{cuts} cuts");
        let all = consumer.join().unwrap();
        for (producer, first) in producers.into_iter().zip([0, EACH]) {
            producer.join().unwrap();
            let its: Vec<_> = all
                .iter()
                .copied()
                .filter(|n| n / EACH == first / EACH)
                .collect();
            let wrong = its.iter().zip(first..).find(|(is, should)| *is != should);
            assert_eq!((its.len(), wrong), (EACH as usize, None), "{capacity:?}");
        }
    }
}

/// Whenever the queue is closed in the midst of a batch, what is in it and what is handed back make up the
/// batch.
#[test]
fn a_batch_that_is_closed() {
    let Some(server) = Server::start("closed batches") else {
        return;
    };
    const COUNT: u64 = 3_000;
    let mut parted = false;
    for round in 0..16 {
        let name = format!("jobs{round}");
        let jobs = NatsQueue::<u64>::open(&name, &server.options()).unwrap();
        let producers = [0, COUNT].map(|first| {
            let jobs = jobs.clone();
            std::thread::spawn(move || {
                let mut items: VecDeque<u64> = (first..first + COUNT).collect();
                let closed = jobs.push_many(&mut items);
                assert!(closed.is_ok() || closed.is_err_and(|error| error.is_closed()));
                items
            })
        });
        std::thread::sleep(Duration::from_millis(2 + 3 * round));
        jobs.close();
        let left = producers.map(|producer| producer.join().unwrap());
        let all = all_of(&jobs);
        parted |= !all.is_empty() && left.iter().any(|left| !left.is_empty());
        for (left, first) in left.into_iter().zip([0, COUNT]) {
            let its = all.iter().copied().filter(|n| n / COUNT == first / COUNT);
            let whole: Vec<_> = its.chain(left).collect();
            let wrong = whole.iter().zip(first..).find(|(is, should)| *is != should);
            assert_eq!(
                (whole.len(), wrong),
                (COUNT as usize, None),
                "round {round}"
            );
        }
    }
    assert!(parted, "it was never closed in the midst");
}

/// Whenever the future of a batch is dropped, what is in the queue and what is left make up the batch.
#[test]
fn a_batch_that_is_dropped() {
    let Some(server) = Server::start("dropped batches") else {
        return;
    };
    let jobs = queue(&server);
    let mut parted = false;
    for round in 0..20 {
        let mut items: VecDeque<u64> = (0..3000).collect();
        let end = Instant::now() + Duration::from_millis(2 * round);
        {
            let mut push = pin!(jobs.push_many_async(&mut items));
            let mut cx = Context::from_waker(Waker::noop());
            while push.as_mut().poll(&mut cx).is_pending() {
                if Instant::now() > end {
                    break;
                }
                std::thread::yield_now();
            }
        }
        let inside = all_of(&jobs);
        parted |= !inside.is_empty() && !items.is_empty();
        assert!(inside.into_iter().chain(items).eq(0..3000), "round {round}");
    }
    assert!(parted, "it was never dropped in the midst");
}

/// Also if the connection breaks while what is not known to be in is taken out again.
#[test]
fn a_batch_that_is_dropped_and_cut() {
    let Some(server) = Server::start("dropped and cut") else {
        return;
    };
    let proxy = Proxy::to(server.port);
    let (direct, jobs) = (
        queue(&server),
        NatsQueue::<u64>::open("jobs", &NatsOptions::new(proxy.url())).unwrap(),
    );
    let mut parted = false;
    for round in 0..10 {
        let mut items: VecDeque<u64> = (0..3000).collect();
        {
            let mut push = pin!(jobs.push_many_async(&mut items));
            let mut cx = Context::from_waker(Waker::noop());
            let end = Instant::now() + Duration::from_millis(4 + round);
            while push.as_mut().poll(&mut cx).is_pending() && Instant::now() < end {
                std::thread::yield_now();
            }
        }
        std::thread::sleep(Duration::from_millis(round % 5));
        proxy.be(Network::Cut);
        std::thread::sleep(Duration::from_millis(20));
        proxy.be(Network::Works);
        // Waits until what is in and not wanted is taken out, or for as long as the server may take.
        let _ = jobs.len();
        let end = Instant::now() + Duration::from_secs(20);
        while direct.len() != 3000 - items.len() {
            assert!(
                Instant::now() < end,
                "round {round}: {} and {}",
                direct.len(),
                items.len()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        parted |= !items.is_empty();
        let inside = all_of(&direct);
        let (popped, left) = (inside.len(), items.len());
        assert!(
            inside.into_iter().chain(items).eq(0..3000),
            "round {round}: {popped} and {left}"
        );
    }
    assert!(parted, "it was never dropped in the midst");
}

/// What did not arrive before a batch was dropped does not go in later, where a consumer might take it.
#[test]
fn a_batch_that_was_dropped_is_not_put_later() {
    let Some(server) = Server::start("dropped and silent") else {
        return;
    };
    let proxy = Proxy::to(server.port);
    let open = |options| NatsQueue::<u64>::open("jobs", &options).unwrap();
    let (direct, jobs) = (open(server.options()), open(NatsOptions::new(proxy.url())));
    proxy.be(Network::Silent);
    let mut items: VecDeque<u64> = (0..100).collect();
    {
        let mut push = pin!(jobs.push_many_async(&mut items));
        let mut cx = Context::from_waker(Waker::noop());
        let end = Instant::now() + Duration::from_millis(50);
        while Instant::now() < end {
            assert!(push.as_mut().poll(&mut cx).is_pending());
            std::thread::yield_now();
        }
    }
    std::thread::scope(|scope| {
        let popped = scope.spawn(|| direct.pop_timeout(Duration::from_millis(500)));
        proxy.be(Network::Works);
        assert_eq!(popped.join().unwrap(), Err(PopTimeoutError::Timeout));
    });
    assert_eq!(items.len(), 100);
}

/// How many messages of the queue's items are sent to the server, in or not, until it is stopped.
fn sent(server: &Server, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut sent = runtime.block_on(async {
        let client = async_nats::connect(server.url()).await.unwrap();
        let sent = client.subscribe("q.jobs.items").await.unwrap();
        client.flush().await.unwrap();
        sent
    });
    let stop = stop.clone();
    std::thread::spawn(move || {
        runtime.block_on(async {
            let mut count = 0;
            while !stop.load(Ordering::SeqCst) {
                let next = poll_fn(|cx| Pin::new(&mut sent).poll_next(cx));
                let next = tokio::time::timeout(Duration::from_millis(300), next);
                count += usize::from(next.await.is_ok());
            }
            count
        })
    })
}

/// What follows an item that is refused is refused too: it is not even sent, once that is known.
#[test]
fn a_refusal_ends_a_batch() {
    let config = "jetstream { store_dir: {folder}, max_file_store: 200000 }";
    let Some(server) = Server::start_as("refused batches", config) else {
        return;
    };
    let jobs = NatsQueue::<Vec<u8>>::open("jobs", &server.options()).unwrap();
    let stop = Arc::default();
    let sent = sent(&server, &stop);
    let mut items: VecDeque<_> = (0..4000).map(|_| vec![7; 400]).collect();
    let failure = jobs.push_many(&mut items).unwrap_err();
    let kind = failure.failure().map(|failure| failure.kind());
    assert_eq!(kind, Some(FailureKind::Io), "{failure}");
    let inside = 4000 - items.len();
    assert_eq!(jobs.len(), inside);
    // What was sent has come.
    std::thread::sleep(Duration::from_millis(300));
    stop.store(true, Ordering::SeqCst);
    let sent = sent.join().unwrap();
    assert!(inside > 256, "{inside} are in");
    // In a first go, in one that begins with those that no answer spoke for, and in a third that begins
    // with the item that is refused.
    assert!(
        sent <= inside + 3 * 512,
        "{inside} are in, {sent} were sent"
    );
}

/// A number. Those that end in 8 cannot be brought out, and of those in 2 the code panics at that.
#[derive(Debug, PartialEq)]
struct Moody(u32);

impl Serialize for Moody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Moody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            number if number % 10 == 8 => Err(serde::de::Error::custom("it does not come out")),
            number if number % 10 == 2 => resume_unwind(Box::new(number)),
            number => Ok(Self(number)),
        }
    }
}

fn fill(jobs: &Jobs, numbers: impl IntoIterator<Item = u32>) {
    jobs.push_many(&mut numbers.into_iter().map(Moody).collect())
        .unwrap();
}

fn is_gone(failure: Option<&Failure>) -> bool {
    failure.is_some_and(Failure::consumed_item)
}

/// The number with which `act` panics.
#[track_caller]
fn panicked<R>(act: impl FnOnce() -> R) -> u32 {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(_) => panic!("it did not panic"),
        Err(panic) => *panic.downcast::<u32>().expect("an item's own panic"),
    }
}

/// A way to receive several, and one to pop them.
type ReceiveMany = fn(&Jobs, &mut Vec<Delivery<Jobs>>) -> Result<usize, bool>;
type PopMany = fn(&Jobs, &mut Vec<Moody>) -> Option<usize>;
type Jobs = NatsQueue<Moody>;

/// An item that does not come out is told of, wherever in a batch it stood.
#[test]
fn a_failure_in_a_batch_is_told() {
    let Some(server) = Server::start("moody batches") else {
        return;
    };
    let jobs = NatsQueue::<Moody>::open("jobs", &server.options()).unwrap();
    let ways: [ReceiveMany; 3] = [
        |jobs, into| (jobs.try_receive_many(into, 9)).map_err(|why| is_gone(why.failure())),
        |jobs, into| (jobs.receive_many(into, 9)).map_err(|why| is_gone(why.failure())),
        |jobs, into| {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let received = runtime.unwrap().block_on(jobs.receive_many_async(into, 9));
            received.map_err(|why| is_gone(why.failure()))
        },
    ];
    for receive in ways {
        fill(&jobs, [8, 1, 3, 18, 28, 5]);
        let mut got = Vec::new();
        let told = [(); 4].map(|()| receive(&jobs, &mut got));
        assert_eq!(told, [Err(true), Ok(2), Err(true), Err(true)]);
        assert_eq!(receive(&jobs, &mut got), Ok(1));
        let numbers: Vec<_> = got.iter().map(|job| job.0).collect();
        assert_eq!(numbers, [1, 3, 5]);
        got.into_iter().for_each(|job| job.ack().unwrap());
    }
    // By the pop that follows one that has waited for its first item.
    let mut popped = Vec::new();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| jobs.pop_many(&mut popped, 9));
        std::thread::sleep(Duration::from_millis(50));
        fill(&jobs, [7, 38]);
        assert_eq!(waits.join().unwrap(), Ok(1));
    });
    let told = jobs.pop_timeout(Duration::from_secs(30)).unwrap_err();
    assert!(is_gone(told.failure()), "{told:?}");
    // Who waits already is told too.
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn({
        let jobs = jobs.clone();
        move || tell.send(jobs.pop())
    });
    std::thread::sleep(Duration::from_millis(50));
    let failure = Failure::new(FailureKind::Codec, "it is gone").with_item_consumed();
    jobs.tell_later(failure.clone());
    let told = told.recv_timeout(Duration::from_secs(30));
    assert_eq!(told, Ok(Err(PopError::Failed(failure))));
    assert_eq!((popped, jobs.len()), (vec![Moody(7)], 0));
}

/// Of what a `close_now` cannot bring out the next pops tell, and what panics takes nothing along.
#[test]
fn closing_at_once_loses_the_bad_one_alone() {
    let Some(server) = Server::start("moody closes") else {
        return;
    };
    let open = |name| NatsQueue::<Moody>::open(name, &server.options()).unwrap();
    let jobs = open("jobs");
    fill(&jobs, [0, 8, 1, 2, 3, 12, 5, 18]);
    assert_eq!(panicked(|| jobs.close_now()), 2);
    assert!(is_gone(jobs.try_pop().unwrap_err().failure()));
    assert_eq!(jobs.try_pop(), Ok(Moody(0)));
    assert_eq!(panicked(|| jobs.close_now()), 12);
    assert_eq!(jobs.close_now(), [1, 3, 5].map(Moody));
    assert!(is_gone(jobs.receive().unwrap_err().failure()));
    assert_eq!(jobs.try_pop(), Err(TryPopError::Closed));
    // What was to be told before is told still.
    let jobs = open("told");
    let told = |text| Failure::new(FailureKind::Codec, text).with_item_consumed();
    jobs.tell_later(told("an older one"));
    fill(&jobs, [8, 1]);
    assert_eq!(jobs.close_now(), [Moody(1)]);
    assert_eq!(jobs.pop(), Err(PopError::Failed(told("an older one"))));
    assert!(is_gone(jobs.pop().unwrap_err().failure()));
    assert_eq!(jobs.pop(), Err(PopError::Closed));
    // More than are asked for at once.
    let jobs = open("many");
    let numbers = || (0..400).map(|n| 10 * n + 1);
    fill(&jobs, numbers().chain([2]));
    assert_eq!(panicked(|| jobs.close_now()), 2);
    assert!(jobs.close_now().into_iter().eq(numbers().map(Moody)));
    assert_eq!(jobs.try_pop(), Err(TryPopError::Closed));
}

/// An item whose code panics as it is popped or received is gone, and nothing else is.
#[test]
fn a_panic_in_a_pop_or_a_receive_takes_nothing_along() {
    let Some(server) = Server::start("panics") else {
        return;
    };
    let jobs = NatsQueue::<Moody>::open("jobs", &server.options()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.unwrap();
    fill(&jobs, [2, 3, 12, 22, 32]);
    assert_eq!(panicked(|| drop(jobs.try_receive())), 2);
    assert_eq!((jobs.in_flight(), jobs.len()), (0, 4));
    let mut got = Vec::new();
    assert_eq!(panicked(|| jobs.receive_many(&mut got, 9)), 12);
    assert_eq!(got.len(), 1);
    got.remove(0).ack().unwrap();
    assert_eq!(panicked(|| drop(jobs.receive())), 22);
    let received = || runtime.block_on(jobs.receive_async());
    assert_eq!(panicked(|| drop(received())), 32);
    assert!(jobs.join_timeout(Duration::from_secs(30)));
    let ways: [PopMany; 3] = [
        |jobs, into| jobs.try_pop_many(into, 9).ok(),
        |jobs, into| jobs.pop_many(into, 9).ok(),
        |jobs, into| {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let popped = jobs.pop_many_async(into, 9);
            runtime.unwrap().block_on(popped).ok()
        },
    ];
    for pop in ways {
        fill(&jobs, [1, 2, 3]);
        let mut popped = Vec::new();
        assert_eq!(panicked(|| pop(&jobs, &mut popped)), 2);
        assert_eq!(pop(&jobs, &mut popped), Some(1));
        assert_eq!(popped, [1, 3].map(Moody));
    }
    // A stream goes on behind it.
    fill(&jobs, [2, 3]);
    let mut stream = jobs.stream();
    let mut next = || runtime.block_on(poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)));
    assert_eq!(panicked(&mut next), 2);
    assert_eq!(next(), Some(Moody(3)));
    assert_eq!(jobs.len(), 0);
}

/// However fast others push, and though pops of this process end meanwhile, a batch ends: it has no more
/// than were inside at once.
#[test]
fn a_batch_beside_fast_producers_ends() {
    let Some(server) = Server::start("endless batches") else {
        return;
    };
    const INSIDE: usize = 50;
    let jobs = NatsQueue::<u64>::open("jobs", &server.options()).unwrap();
    let is_over = AtomicBool::new(false);
    let mut most = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for first in (0..1500).step_by(25) {
                while jobs.len() > INSIDE - 25 {}
                jobs.push_many(&mut (first..first + 25).collect()).unwrap();
            }
            is_over.store(true, Ordering::SeqCst);
        });
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let runtime = runtime.unwrap();
            while !is_over.load(Ordering::SeqCst) {
                let _ = runtime.block_on(jobs.pop_many_async(&mut Vec::new(), 1));
            }
        });
        while !is_over.load(Ordering::SeqCst) {
            let mut popped = Vec::new();
            if jobs.try_pop_many(&mut popped, usize::MAX).is_ok() {
                most = most.max(popped.len());
            }
        }
        // Who waits for one more.
        let _ = jobs.push(0);
    });
    assert!(most < 2 * INSIDE, "{most} at once");
}
