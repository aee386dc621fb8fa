use super::*;
use futures_sink::Sink;
use std::pin::Pin;

/// **C9 cancel**: a dropped `pop_async` loses no item and no wake. A `push_async` that is dropped before
/// it was ready has not pushed. Of a dropped `push_many_async` exactly what is no longer in the batch
/// went in.
///
/// Futures are dropped that were never polled, are pending, or were already woken; so are batches,
/// streams, and sinks that hold an item. A crowd cancels at random. (The wakes are tried by
/// [C5](c5_wake).)
///
/// # Panics
/// If the clause does not hold.
pub fn c9_cancel<S: Subject>() {
    run(Clause::C9, |watchdog| {
        watchdog.step("futures that were never polled");
        let queue = bounded::<S>(2);
        drop(queue.push_async(item::<S>(1)));
        assert_eq!(queue.len(), 0, "a push that was never polled went in");
        assert!(queue.try_push(item::<S>(2)).is_ok(), "a slot was left");
        drop(queue.pop_async());
        assert_eq!(drain(&queue), [2], "after a pop that was never polled");

        watchdog.step("pops that are pending");
        drop_pops::<S>(|queue| drop(pending(queue.pop_async())));
        drop_pops::<S>(|queue| drop(pending(queue.pop_many_async(&mut Vec::new(), 2))));
        watchdog.step("pops that were woken");
        for many in [false, true] {
            let queue = bounded::<S>(2);
            let mut into = Vec::new();
            if many {
                let pop = pending(queue.pop_many_async(&mut into, 2));
                assert!(queue.try_push(item::<S>(1)).is_ok(), "a slot was left");
                drop(pop);
            } else {
                let pop = pending(queue.pop_async());
                assert!(queue.try_push(item::<S>(1)).is_ok(), "a slot was left");
                drop(pop);
            }
            let mut left: Vec<u64> = into.iter().map(S::Item::number).collect();
            left.extend(drain(&queue));
            assert_eq!(left, [1], "the item after a cancelled pop");
            refill(&queue, 2);
        }
        watchdog.step("a stream");
        let queue = bounded::<S>(2);
        let mut stream = Box::pin(queue.stream());
        let next = std::future::poll_fn(|cx| futures_core::Stream::poll_next(stream.as_mut(), cx));
        drop(pending(next));
        assert!(queue.try_push(item::<S>(1)).is_ok(), "a slot was left");
        drop(stream);
        assert_eq!(drain(&queue), [1], "the item after a dropped stream");

        watchdog.step("pushes that are pending");
        let queue = full::<S>(3);
        drop(pending(queue.push_async(item::<S>(9))));
        assert_eq!(drain(&queue), [0, 1, 2], "after a cancelled push");
        refill(&queue, 3);
        watchdog.step("pushes that were woken");
        let push = pending(queue.push_async(item::<S>(9)));
        assert!(queue.try_pop().is_ok(), "an item was inside");
        drop(push);
        assert_eq!(drain(&queue), [1, 2], "after a cancelled push");
        refill(&queue, 3);
        watchdog.step("a woken push behind a woken push");
        let [first, second] = [8, 9].map(|number| pending(queue.push_async(item::<S>(number))));
        assert!(queue.try_pop().is_ok(), "an item was inside");
        drop(first);
        assert!(second.finish("a push behind a cancelled one").is_ok());
        assert_eq!(drain(&queue), [1, 2, 9], "after a cancelled push");
        refill(&queue, 3);
        watchdog.step("a push that was woken by the close");
        let push = pending(queue.push_async(item::<S>(9)));
        queue.close();
        drop(push);
        assert_eq!(drain(&queue), [0, 1, 2], "after a cancelled push");
        let queue = full::<S>(3);
        watchdog.step("batches that were woken");
        let mut batch: VecDeque<S::Item> = (3..6).map(S::Item::new).collect();
        let push = pending(queue.push_many_async(&mut batch));
        assert!(queue.try_pop().is_ok(), "an item was inside");
        drop(push);
        let mut all = drain(&queue);
        assert_eq!(all, [1, 2], "after a cancelled batch");
        all.extend(batch.iter().map(S::Item::number));
        assert_eq!(all, [1, 2, 3, 4, 5], "inside, and what did not go in");
        refill(&queue, 3);
        watchdog.step("batches that are half in");
        let mut batch: VecDeque<S::Item> = (3..6).map(S::Item::new).collect();
        let mut push = pending(queue.push_many_async(&mut batch));
        assert!(queue.try_pop().is_ok(), "an item was inside");
        assert!(push.poll().is_none(), "three do not fit into one slot");
        drop(push);
        let mut all = drain(&queue);
        all.extend(batch.iter().map(S::Item::number));
        assert_eq!(all, [1, 2, 3, 4, 5], "inside, and what did not go in");
        refill(&queue, 3);
        for capacity in [1, 4] {
            watchdog.step(format!("a crowd that cancels, capacity {capacity}"));
            let queue = bounded::<S>(capacity);
            let crowd = StressRun {
                cancel: true,
                each: 600,
                ..StressRun::PLAIN
            };
            let history = crowd.run_under(watchdog, &queue);
            check(&history, |violation| {
                use Violation::{Fresh, Lost, Repeated};
                matches!(violation, Fresh(_) | Lost(_) | Repeated(_))
            });
        }
        watchdog.step("streams that keep their half");
        owned_streams::<S>();
        watchdog.step("a sink that is dropped with an item");
        dropped_sinks::<S>();
    });
}

/// Streams that keep their half, dropped while they wait, and after they were woken.
fn owned_streams<S: Subject>() {
    let queue = bounded::<S>(2);
    let keep = queue.consumer();
    for polls in [1, 2] {
        let mut first = queue.consumer().into_stream();
        let mut second = queue.consumer().into_results_stream();
        let mut waiting = PolledFuture::new(c12_loops::next(&mut first));
        let behind = pending(async { c12_loops::next(&mut second).await });
        assert!(waiting.poll().is_none(), "no item yet");
        for number in 0..2 {
            assert!(queue.try_push(item::<S>(number)).is_ok(), "a slot was left");
        }
        let mut got: Vec<u64> = Vec::new();
        if polls == 2 {
            got.extend(waiting.poll().flatten().map(|item| item.number()));
        }
        drop(waiting);
        drop(first);
        let popped = behind.finish("a stream behind a dropped one");
        got.extend(popped.map(|result| result.map_or(99, |item| item.number())));
        drop(second);
        got.extend(drain(&queue));
        got.sort_unstable();
        assert_eq!(got, [0, 1], "the items after a dropped stream");
    }
    refill(&queue, 2);
    drop(keep);
}

/// A sink that is dropped drops the item that waits in it, which has not been pushed.
fn dropped_sinks<S: Subject>() {
    for (owned, woken) in [(false, false), (false, true), (true, false), (true, true)] {
        let queue = full::<S>(2);
        let keep = queue.producer();
        let mut kept = queue.producer().into_sink();
        let mut borrowed = queue.sink();
        let sink: &mut (dyn Sink<S::Item, Error = PushError<S::Item>> + Send + Unpin) = match owned
        {
            true => &mut kept,
            false => &mut borrowed,
        };
        assert!(
            Pin::new(&mut *sink).start_send(item::<S>(9)).is_ok(),
            "a sink takes an item"
        );
        let flush = pending(std::future::poll_fn(|cx| {
            Pin::new(&mut *sink).poll_flush(cx)
        }));
        let mut left = vec![0, 1];
        if woken {
            assert!(queue.try_pop().is_ok(), "an item was inside");
            left.remove(0);
        }
        drop(flush);
        drop(borrowed);
        drop(kept);
        assert_eq!(drain(&queue), left, "after a dropped sink");
        refill(&queue, 2);
        drop(keep);
    }
}

/// A future that was polled once and is pending.
fn pending<'a, R>(future: impl Future<Output = R> + Send + 'a) -> PolledFuture<'a, R> {
    let mut future = PolledFuture::new(future);
    assert!(future.poll().is_none(), "ready where it had to wait");
    future
}

/// Drops pops before and between items. Every item must come out all the same.
fn drop_pops<S: Subject>(cancelled: impl Fn(&S::Queue)) {
    let queue = bounded::<S>(2);
    for number in 0..10 {
        cancelled(&queue);
        cancelled(&queue);
        assert!(queue.try_push(item::<S>(number)).is_ok(), "a slot was left");
        assert_eq!(drain(&queue), [number], "the item after cancelled pops");
    }
    refill(&queue, 2);
}

/// Fails unless exactly `n` items go in. They stay inside, numbered from 0.
fn refill<T: Item, Q: Queue<Item = T>>(queue: &Q, n: u64) {
    assert_eq!(queue.len(), 0, "len() of a drained queue");
    for number in 0..n {
        assert!(queue.try_push(T::new(number)).is_ok(), "a slot was lost");
    }
    assert!(queue.try_push(T::new(n)).is_err(), "a slot was won");
}
