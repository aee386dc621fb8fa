//! The program. It is compiled once for each kind and knows it only by the name `Kind`, and
//! its crate by the name `home`: all that a program needs beside the kind is there too.

use super::Kind;
use super::home::dynamic::DynQueue;
use super::home::iter::{IntoIter, IntoResults, Iter, Results, TryIter, TryResults};
use super::home::{Capacity, Consumer, Failure, FailureKind, Producer, Queue, WithCapacity};
use super::home::{IntoItemSink, IntoItemStream, IntoResultStream, ItemSink};
use super::home::{ItemStream, ResultStream, TryPopError, TryPushError};
use super::home::{PopError, PopTimeoutError, PushError, PushTimeoutError};
use futures::{SinkExt as _, StreamExt as _};
use futures_core::Stream as _;
use pollster::block_on;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// An item like a program's own: nested, of any size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Job {
    Rest,
    Sum { of: Vec<u64>, name: String },
}

impl Job {
    fn sum(of: impl IntoIterator<Item = u64>, name: &str) -> Self {
        Self::Sum {
            of: of.into_iter().collect(),
            name: name.to_string(),
        }
    }
}

/// What was seen, in order.
struct Transcript(Vec<String>);

impl Transcript {
    fn see(&mut self, what: &str, seen: impl std::fmt::Debug) {
        self.0.push(format!("{what}: {seen:?}"));
    }
}

/// A queue of `n` places: the one way to get one that every kind has.
fn bounded<T: Send>(n: usize) -> Kind<T>
where
    Kind<T>: Queue<Item = T> + WithCapacity,
{
    Kind::try_with_capacity(Capacity::bounded(n)).expect("a queue can be made")
}

/// What the compiler knows of a handle, it knows of every kind's: what may be moved and
/// shared, and that a panic may be caught around it.
fn kept_anywhere<Q: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>(handle: Q) -> Q {
    handle
}

/// And of what waits: that a panic may be caught around it.
fn caught<W: Send + Unpin + UnwindSafe + RefUnwindSafe>(waiting: W) -> W {
    waiting
}

/// Does everything once, and says what it saw.
pub(crate) fn program() -> Vec<String> {
    let mut seen = Transcript(Vec::new());
    trying(&mut seen).expect("no kind fails here");
    waiting(&mut seen);
    futures(&mut seen);
    batches(&mut seen);
    ends(&mut seen);
    named(&mut seen);
    many(&mut seen);
    seen.see(
        "dynamic",
        dynamic(kept_anywhere(DynQueue::without_deliveries(bounded(2)))),
    );
    seen.0
}

fn trying(seen: &mut Transcript) -> Result<(), Failure> {
    assert!(Kind::<Job>::try_bounded(0).is_err());
    let queue = kept_anywhere(Kind::<Job>::bounded(2));
    let other: Kind<Job> = queue.clone();
    seen.see(
        "capacity",
        (queue.capacity(), queue.len(), queue.is_empty()),
    );
    seen.see("pop of nothing", queue.try_pop());
    seen.see("push", queue.try_push(Job::Rest));
    seen.see("push", other.try_push(Job::sum([1, 2], "three")));
    seen.see("state", (queue.len(), queue.is_full(), other.is_full()));
    match queue.try_push(Job::sum(0..20, "large")) {
        Err(TryPushError::Full(job)) => seen.see("handed back", job),
        other => seen.see("wrong", other),
    }
    seen.see("pop", other.try_pop());
    seen.see("close", (queue.close(), other.close(), queue.is_closed()));
    match queue.try_push(Job::Rest) {
        Err(TryPushError::Closed(job)) => seen.see("handed back", job),
        other => seen.see("wrong", other),
    }
    seen.see("drain", queue.try_iter().collect::<Vec<_>>());
    match queue.try_pop() {
        Err(TryPopError::Closed) => seen.see("closed", ()),
        other => seen.see("wrong", other),
    }

    let unbounded = Kind::<u64>::try_unbounded()?;
    let pushed = (0..1000).filter(|n| unbounded.try_push(*n).is_ok()).count();
    seen.see(
        "unbounded",
        (pushed, unbounded.capacity(), unbounded.is_full()),
    );
    let left = unbounded.close_now();
    seen.see("close now", (left.len(), left.is_sorted(), unbounded.len()));
    Ok(())
}

fn waiting(seen: &mut Transcript) {
    let queue = bounded::<u64>(1);
    let short = Duration::from_millis(20);
    let begun = Instant::now();
    match queue.pop_timeout(short) {
        Err(PopTimeoutError::Timeout) => seen.see("timeout not early", begun.elapsed() >= short),
        other => seen.see("wrong", other),
    }
    seen.see("push", queue.push_timeout(1, Duration::ZERO));
    match queue.push_deadline(2, Instant::now() + short) {
        Err(PushTimeoutError::Timeout(item)) => seen.see("handed back", item),
        other => seen.see("wrong", other),
    }
    thread::scope(|scope| {
        let pusher = scope.spawn(|| queue.push(3));
        seen.see("pop", (queue.pop(), queue.pop_timeout(Duration::MAX)));
        seen.see("waited for a place", pusher.join().unwrap());
        let popper = scope.spawn(|| queue.pop());
        queue.push(4).unwrap();
        seen.see("waited for an item", popper.join().unwrap());
        let popper = scope.spawn(|| queue.pop());
        queue.close();
        match popper.join().unwrap() {
            Err(PopError::Closed) => seen.see("waited for the end", ()),
            other => seen.see("wrong", other),
        }
    });
    match queue.push(5) {
        Err(PushError::Closed(item)) => seen.see("handed back", item),
        other => seen.see("wrong", other),
    }
}

fn futures(seen: &mut Transcript) {
    let queue = bounded::<String>(1);
    let mut nothing = Context::from_waker(Waker::noop());
    {
        let mut pop = pin!(queue.pop_async());
        let pending = pop.as_mut().poll(&mut nothing).is_pending();
        seen.see("a pop that is dropped waited", pending);
    }
    seen.see("push", block_on(queue.push_async("a".to_string())));
    {
        let mut push = pin!(queue.push_async("dropped".to_string()));
        let pending = push.as_mut().poll(&mut nothing).is_pending();
        seen.see("a push that is dropped waited", pending);
    }
    thread::scope(|scope| {
        let pusher = scope.spawn(|| block_on(queue.push_async("b".to_string())));
        seen.see("pop", block_on(queue.pop_async()));
        seen.see("push", pusher.join().unwrap());
    });
    seen.see("a thread pops what a future pushed", queue.pop());
    seen.see("nothing else is inside", queue.is_empty());
}

fn batches(seen: &mut Transcript) {
    let queue = bounded::<u64>(4);
    let mut items: VecDeque<u64> = (0..6).collect();
    seen.see("pushed many", queue.try_push_many(&mut items));
    seen.see("left", &items);
    let mut taken = Vec::new();
    seen.see("popped many", queue.pop_many(&mut taken, 3));
    seen.see("pushed many", queue.push_many(&mut items));
    seen.see("popped many", queue.pop_many(&mut taken, 100));
    seen.see("taken", (&taken, &items));
    seen.see("popped none", queue.pop_many(&mut taken, 0));
    queue.close();
    items.push_back(7);
    seen.see("closed", queue.push_many(&mut items));
    seen.see("kept", items);
}

fn ends(seen: &mut Transcript) {
    let (producer, consumer): (Producer<Kind<u64>>, Consumer<_>) = bounded(4).into_ends();
    let second = producer.clone();
    drop(producer);
    second.push(1).unwrap();
    drop(second);
    seen.see("last producer gone", consumer.iter().collect::<Vec<_>>());
    let (producer, consumer) = bounded::<u64>(4).into_ends();
    let producer = kept_anywhere(producer);
    drop(kept_anywhere(consumer));
    match producer.push(2) {
        Err(PushError::Closed(item)) => seen.see("last consumer gone", item),
        other => seen.see("wrong", other),
    }
}

/// What a program names in types and signatures of its own.
fn named(seen: &mut Transcript) {
    let queue = bounded::<u64>(4);
    queue.push_many(&mut (1..=4).collect()).unwrap();
    let mut stream: ItemStream<'_, Kind<u64>> = caught(queue.stream());
    let first = Pin::new(&mut stream).poll_next(&mut Context::from_waker(Waker::noop()));
    let mut what_is_there: TryIter<'_, Kind<u64>> = queue.try_iter();
    let mut until_the_end: Iter<'_, Kind<u64>> = queue.iter();
    let next = (what_is_there.next(), until_the_end.next());
    seen.see("taken one by one", (first, next));
    let (producer, consumer) = queue.clone().into_ends();
    let another = queue.producer();
    let count = (queue.producer_count(), consumer.consumer_count());
    seen.see(
        "the same",
        (producer.same_queue(&another), queue.same_queue(&bounded(4))),
    );
    drop((producer, another));
    let mut rest: IntoIter<Kind<u64>> = consumer.into_iter();
    seen.see("halves, and the rest", (count, rest.next(), rest.next()));
    results(seen);
    owned(seen);
}

/// What a task is given to keep.
fn owned(seen: &mut Transcript) {
    let queue = bounded::<u64>(2);
    let (producer, consumer) = (queue.producer(), queue.consumer());
    let mut batch = Vec::new();
    let nothing = consumer.pop_many_timeout(&mut batch, 9, Duration::from_millis(1));
    seen.see("no batch", nothing);
    let mut borrowed: ItemSink<'_, Kind<u64>> = caught(queue.sink());
    seen.see("sent", block_on(borrowed.send(1)).is_ok());
    drop(borrowed);
    seen.see(
        "a batch",
        (
            consumer.pop_many_timeout(&mut batch, 9, Duration::ZERO),
            batch,
        ),
    );
    let mut sink: IntoItemSink<Kind<u64>> = caught(producer.into_sink());
    let stream: IntoItemStream<Kind<u64>> = caught(consumer.clone().into_stream());
    let items = thread::spawn(move || block_on(stream.collect::<Vec<_>>()));
    let mut numbers = futures::stream::iter((1..=9).map(Ok));
    seen.see("all sent", block_on(sink.send_all(&mut numbers)).is_ok());
    seen.see(
        "closed",
        (block_on(sink.close()).is_ok(), queue.is_closed()),
    );
    seen.see("all came", items.join().expect("no panic"));
    let late = block_on(sink.send(10)).map_err(PushError::into_item);
    let mut results: IntoResultStream<Kind<u64>> = consumer.into_results_stream();
    seen.see("late", (late, block_on(results.next()).is_none()));
}

/// The loops that yield a failure where there is one.
fn results(seen: &mut Transcript) {
    let queue = bounded::<u64>(4);
    queue.push_many(&mut (1..=4).collect()).unwrap();
    let mut stream: ResultStream<'_, Kind<u64>> = caught(queue.results_stream());
    let first = Pin::new(&mut stream).poll_next(&mut Context::from_waker(Waker::noop()));
    let mut what_is_there: TryResults<'_, Kind<u64>> = caught(queue.try_results());
    let mut until_the_end: Results<'_, Kind<u64>> = caught(queue.results());
    seen.see(
        "results",
        (first, what_is_there.next(), until_the_end.next()),
    );
    let (producer, consumer) = queue.clone().into_ends();
    drop(producer);
    let rest: IntoResults<Kind<u64>> = caught(consumer.into_results());
    let rest: Result<Vec<u64>, FailureKind> = rest.map(|n| n.map_err(|why| why.kind())).collect();
    seen.see("the rest of them", rest);
}

/// Four producers and four consumers.
fn many(seen: &mut Transcript) {
    const EACH: u64 = 500;
    let queue = bounded::<(u64, u64)>(3);
    let (producer, consumer) = queue.into_ends();
    let taken: Vec<Vec<(u64, u64)>> = thread::scope(|scope| {
        for who in 0..4 {
            let producer = producer.clone();
            scope.spawn(move || (0..EACH).for_each(|n| producer.push((who, n)).unwrap()));
        }
        drop(producer);
        let consumers = [(); 4].map(|()| {
            let consumer = consumer.clone();
            scope.spawn(move || consumer.into_iter().collect())
        });
        consumers.map(|c| c.join().unwrap()).into()
    });
    let in_order = taken.iter().all(|taken| {
        let mut last = HashMap::new();
        taken.iter().all(|(who, n)| last.insert(who, n) < Some(n))
    });
    let mut all: Vec<_> = taken.into_iter().flatten().collect();
    all.sort_unstable();
    let expected: Vec<_> = (0..4)
        .flat_map(|who| (0..EACH).map(move |n| (who, n)))
        .collect();
    seen.see("each once, in order", (all == expected, in_order));
}

/// The same again, through the kind that is chosen at run time.
fn dynamic(queue: DynQueue<u64>) -> Vec<Result<u64, TryPopError>> {
    queue.push(1).unwrap();
    block_on(queue.push_async(2)).unwrap();
    queue.close();
    vec![queue.try_pop(), queue.try_pop(), queue.try_pop()]
}
