//! Halves and handles, for C12: their counts, the queue that they are of, and the sinks and streams
//! that borrow a queue or keep a half.

use super::*;
use futures_core::Stream;
use futures_sink::Sink;
use std::future::poll_fn;
use std::pin::Pin;

/// A task can be given it: everything that keeps a half, and every future of it, is `Send` and
/// borrows nothing.
fn for_a_task<T: Send + 'static>(value: T) -> T {
    value
}

/// The next item of a stream.
pub(super) fn next<T: Stream + Unpin>(stream: &mut T) -> impl Future<Output = Option<T::Item>> {
    poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx))
}

/// Closes a sink.
async fn close<T, K: Sink<T> + Unpin>(mut sink: K) -> Result<(), K::Error> {
    poll_fn(|cx| Pin::new(&mut sink).poll_close(cx)).await
}

/// Halves are counted, each side for itself, however they are made.
pub(super) fn counts<S: Subject>() {
    let queue = bounded::<S>(2);
    let of = |queue: &S::Queue| (queue.producer_count(), queue.consumer_count());
    assert_eq!(of(&queue), (0, 0), "halves counted before there are any");
    let producer = queue.producer();
    assert_eq!(of(&queue), (1, 0), "halves counted after producer()");
    let consumer = queue.clone().consumer();
    let second = consumer.clone();
    let both = queue.clone().into_ends();
    assert_eq!(of(&queue), (2, 3), "halves counted after into_ends()");
    assert_eq!(
        (producer.producer_count(), producer.consumer_count()),
        (2, 3),
        "halves counted by a half"
    );
    drop((both, second));
    assert_eq!(of(&queue), (1, 1), "halves counted after some were dropped");
    assert!(!queue.is_closed(), "closed while halves are left");

    assert!(producer.try_push(item::<S>(1)).is_ok(), "a slot was left");
    let popped = consumer.try_pop().map(|item| item.number());
    assert_eq!(popped, Ok(1), "what producer() pushed, out of consumer()");
    drop(consumer);
    assert!(queue.is_closed(), "open after the last consumer()");
    let queue = bounded::<S>(1);
    drop(queue.producer());
    assert!(queue.is_closed(), "open after the last producer()");
}

/// Handles and halves of one queue know each other, and no other queue's.
pub(super) fn same<S: Subject>() {
    let (queue, other) = (bounded::<S>(2), bounded::<S>(2));
    assert!(
        queue.same_queue(&queue.clone()),
        "not the same as its clone"
    );
    assert!(!queue.same_queue(&other), "the same as another queue");
    let (producer, consumer) = queue.clone().into_ends();
    let (second, third) = (queue.producer(), queue.consumer());
    assert!(
        producer.same_queue(&second) && consumer.same_queue(&third),
        "not the same as another half"
    );
    assert!(
        queue.same_queue(second.queue()) && queue.same_queue(third.queue()),
        "a half of another queue"
    );
    assert!(
        !producer.same_queue(&other.producer()) && !consumer.same_queue(&other.consumer()),
        "the same as a half of another queue"
    );
}

/// A sink that borrows its queue leaves it open; one that keeps its half closes that. Both have the
/// queue's order and bound.
pub(super) fn sinks<S: Subject>() {
    let queue = bounded::<S>(2);
    sends::<S>(&queue, queue.sink());
    assert!(!queue.is_closed(), "closed by a sink that borrows it");

    let queue = bounded::<S>(2);
    let (producer, last) = (queue.producer(), queue.producer());
    sends::<S>(&queue, for_a_task(producer.into_sink()));
    assert!(!queue.is_closed(), "closed while a producer is left");
    let sink = last.into_sink();
    assert_eq!(queue.producer_count(), 1, "a sink keeps its half");
    drop(sink);
    assert!(queue.is_closed(), "open after the last sink was dropped");

    let queue = full::<S>(1);
    let mut sink = queue.producer().into_sink();
    assert!(
        Pin::new(&mut sink).start_send(item::<S>(1)).is_ok(),
        "a sink takes an item"
    );
    let mut closing = PolledFuture::new(for_a_task(async move {
        let closed = poll_fn(|cx| Pin::new(&mut sink).poll_close(cx)).await;
        (closed, sink)
    }));
    assert!(closing.poll().is_none(), "closed over an item that waits");
    assert!(!queue.is_closed(), "closed before its last item is in");
    assert_eq!(queue.pop().map(|item| item.number()), Ok(0));
    let (closed, mut sink) = closing.finish("a sink that closes");
    assert!(closed.is_ok(), "closing came to {closed:?}");
    assert!(queue.is_closed(), "open after the last sink was closed");
    let refused = Pin::new(&mut sink).start_send(item::<S>(2));
    assert!(
        refused.is_err_and(|e| e.is_closed()),
        "sent after its close"
    );
    assert_eq!(drain(&queue), [1], "the item that waited");
}

/// Sends five items through `sink` into `queue`, which is empty and has room for two.
fn sends<S: Subject>(
    queue: &S::Queue,
    mut sink: impl Sink<S::Item, Error = PushError<S::Item>> + Send + Unpin,
) {
    // Two go in, and one more waits in the sink: that is the bound.
    for number in 0..3 {
        let ready = PolledFuture::new(poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx))).poll();
        assert!(
            matches!(ready, Some(Ok(()))),
            "a sink with a slot: {ready:?}"
        );
        let sent = Pin::new(&mut sink).start_send(item::<S>(number));
        assert!(sent.is_ok(), "a sink took {sent:?}");
    }
    assert_eq!(queue.len(), 2, "len() under a sink");
    let mut ready = PolledFuture::new(poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx)));
    assert!(ready.poll().is_none(), "a sink over a full queue is ready");
    let popped = queue.try_pop().map(|item| item.number());
    assert_eq!(popped, Ok(0), "in order through a sink");
    let ready = ready.finish("a sink over a queue with a slot");
    assert!(ready.is_ok(), "a sink with a slot: {ready:?}");
    let popped = queue.try_pop().map(|item| item.number());
    assert_eq!(popped, Ok(1), "in order through a sink");
    assert!(block_on(send(&mut sink, item::<S>(3))).is_ok(), "a slot");
    assert_eq!(drain(queue), [2, 3], "in order through a sink");
    assert!(block_on(close(sink)).is_ok(), "an open queue");
}

/// A stream that keeps its half yields what the queue does, ends with it, and closes it when it is
/// the last consumer.
pub(super) fn streams<S: Subject>() {
    let queue = bounded::<S>(3);
    let mut items = for_a_task(queue.consumer().into_stream());
    let mut results = for_a_task(queue.consumer().into_results_stream());
    assert_eq!(queue.consumer_count(), 2, "a stream keeps its half");
    for number in 0..3 {
        assert!(queue.try_push(item::<S>(number)).is_ok(), "a slot was left");
    }
    let popped = block_on(next(&mut items)).map(|item| item.number());
    assert_eq!(popped, Some(0), "in order out of a stream");
    let popped = block_on(next(&mut results));
    let popped = popped.map(|result| result.map(|item| item.number()));
    assert_eq!(popped, Some(Ok(1)), "in order out of a stream");
    drop(results);
    assert!(!queue.is_closed(), "closed while a stream is left");
    queue.close();
    let popped = block_on(next(&mut items)).map(|item| item.number());
    assert_eq!(popped, Some(2), "a stream drains a closed queue");
    for _ in 0..2 {
        let end = block_on(next(&mut items)).map(|item| item.number());
        assert_eq!(end, None, "a stream behind its end");
    }

    let queue = bounded::<S>(1);
    let mut items = queue.consumer().into_stream();
    let mut waiting = PolledFuture::new(next(&mut items));
    assert!(waiting.poll().is_none(), "no item yet");
    drop(waiting);
    drop(items);
    assert!(queue.is_closed(), "open after the last stream was dropped");
}

/// A task with the only sink feeds one with the only stream, and both end by themselves.
pub(super) fn pipeline<S: Subject>(watchdog: &Watchdog) {
    let (producer, consumer) = bounded::<S>(3).into_ends();
    let feed = for_a_task(async move {
        let mut sink = producer.into_sink();
        for number in 0..100 {
            let sent = send(&mut sink, item::<S>(number)).await;
            assert!(sent.is_ok(), "a consumer is left");
        }
        assert!(close(sink).await.is_ok(), "a consumer is left");
    });
    let drained = for_a_task(async move {
        let mut stream = consumer.into_results_stream();
        let mut out = Vec::new();
        while let Some(popped) = next(&mut stream).await {
            out.push(popped.map(|item| item.number()));
        }
        out
    });
    let feeder = watchdog.spawn(move || block_on(feed));
    let out = watchdog.spawn(move || block_on(drained)).join();
    feeder.join();
    assert!(
        out.into_iter().eq((0..100).map(Ok)),
        "in order through both"
    );
}
