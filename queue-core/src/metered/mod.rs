//! [`Metered`]: any kind of queue, and what is done with it counted.

mod meter;
mod work;

use crate::coop;
use crate::sync::{Deadline, TimeLimit};
use crate::{
    Capacity, EndpointCounts, Failure, Kind, PopError, PopTimeoutError, PushError,
    PushTimeoutError, Queue, QueueId, Side, Stats, TryPopError, TryPushError, WithCapacity,
};
use meter::Meter;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A queue of any kind whose pushes, pops, deliveries and waits are counted: [`Queue::stats`] has
/// them as an [`Activity`](crate::Activity).
///
/// A queue that is not wrapped pays nothing for it. Through a wrapped one each verb costs an atomic
/// addition more, and one that has to wait some looks at the clock. It counts what is done through
/// this handle and its clones; other processes count for themselves. Of streams and of `select` it
/// counts the items, and not how long they wait. An item whose own code panics as it comes out is not
/// counted as gone.
///
/// With the feature `tracing` of `queue-core` it also tells `tracing`, as events with the target
/// `queue` and the field `queue`, its name: each verb at the level `trace`; who waited, and what is
/// delivered once more or given back, at `debug`; the close at `info`; failures at `warn`.
///
/// ```
/// use queue_core::{Metered, Queue, WorkQueue};
/// # use queue_core::{Failure, work::Lend};
/// fn work<Q: WorkQueue<Item = u32>>(jobs: Q) -> Result<(), Failure> {
///     let jobs = Metered::new("jobs", jobs);
///     jobs.push(1).unwrap();
///     jobs.receive().unwrap().nack()?;
///     jobs.receive().unwrap().ack()?;
///     let activity = jobs.stats().activity.unwrap();
///     assert_eq!((activity.pushed, activity.received, activity.redelivered), (1, 2, 1));
///     assert_eq!((activity.nacked, activity.acked, activity.in_flight()), (1, 1, 0));
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
#[doc(alias("metrics", "instrumented", "tracing"))]
pub struct Metered<Q> {
    queue: Q,
    meter: Arc<Meter>,
}

impl<Q> Metered<Q> {
    /// Counts what is done with `queue` through this and its clones. The name is for `tracing`.
    pub fn new(name: impl Into<String>, queue: Q) -> Self {
        Self {
            queue,
            meter: Arc::new(Meter::new(name.into())),
        }
    }

    /// The name that it was given.
    pub fn name(&self) -> &str {
        &self.meter.name
    }

    /// The queue itself. What is done with it is not counted.
    pub fn get_ref(&self) -> &Q {
        &self.queue
    }

    /// Does what may wait, and counts the wait.
    fn waiting<R>(&self, side: Side, wait: impl FnOnce() -> R) -> R {
        let _wait = Wait::new(&self.meter, side);
        wait()
    }

    /// As `verb`, and counts the wait, if it has to, also of one that is dropped.
    async fn counting_waits<R>(&self, side: Side, verb: impl Future<Output = R> + Send) -> R {
        let (mut verb, mut wait) = (pin!(verb), None);
        let result = poll_fn(|cx| {
            let yields = coop::yields();
            let polled = verb.as_mut().poll(cx);
            if polled.is_pending() && coop::yields() == yields {
                wait.get_or_insert_with(|| Wait::new(&self.meter, side));
            }
            polled
        });
        result.await
    }

    /// Counts what becomes of a verb of `side` that moves one item.
    fn count_one<R, E: MayFail>(&self, side: Side, result: Result<R, E>) -> Result<R, E> {
        if result.is_ok() {
            self.meter.passed(side, 1);
        }
        self.count_failure(result)
    }

    fn count_failure<R, E: MayFail>(&self, result: Result<R, E>) -> Result<R, E> {
        if let Some(failure) = result.as_ref().err().and_then(MayFail::failure) {
            self.meter.failed(failure);
        }
        result
    }
}

/// The errors of the verbs.
trait MayFail {
    fn failure(&self) -> Option<&Failure>;
}

macro_rules! may_fail {
    ($([$($generic:tt)*] $error:ty),* $(,)?) => {$(
        impl $($generic)* MayFail for $error {
            fn failure(&self) -> Option<&Failure> {
                self.failure()
            }
        }
    )*};
}

may_fail! {
    [<T>] TryPushError<T>, [<T>] PushError<T>, [<T>] PushTimeoutError<T>,
    [] TryPopError, [] PopError, [] PopTimeoutError,
}

/// A wait, which is counted when it ends.
struct Wait<'a> {
    meter: &'a Meter,
    side: Side,
    start: Instant,
}

impl<'a> Wait<'a> {
    fn new(meter: &'a Meter, side: Side) -> Self {
        let start = Instant::now();
        Self { meter, side, start }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.meter.waited(self.side, self.start);
    }
}

/// Counts the items of a batch when the verb ends, also one that is cancelled or panics.
struct Batch<'a, C: Items> {
    meter: &'a Meter,
    side: Side,
    before: usize,
    items: &'a mut C,
}

/// Where a batch comes from, or goes to.
trait Items {
    fn count(&self) -> usize;
}

impl<T> Items for VecDeque<T> {
    fn count(&self) -> usize {
        self.len()
    }
}

impl<T> Items for Vec<T> {
    fn count(&self) -> usize {
        self.len()
    }
}

impl<'a, C: Items> Batch<'a, C> {
    fn new<Q>(queue: &'a Metered<Q>, side: Side, items: &'a mut C) -> Self {
        Self {
            meter: &queue.meter,
            side,
            before: items.count(),
            items,
        }
    }
}

impl<C: Items> Drop for Batch<'_, C> {
    fn drop(&mut self) {
        let moved = self.before.abs_diff(self.items.count());
        self.meter.passed(self.side, moved);
    }
}

impl<Q: WithCapacity> WithCapacity for Metered<Q> {
    /// Its name is that of the type.
    fn try_with_capacity(capacity: Capacity) -> Result<Self, Failure> {
        let queue = Q::try_with_capacity(capacity)?;
        Ok(Self::new(std::any::type_name::<Q>(), queue))
    }
}

impl<Q: Queue> Kind for Metered<Q> {
    type Item = Q::Item;
    type Listener<'a>
        = Q::Listener<'a>
    where
        Self: 'a;

    fn listen(&self, side: Side) -> Q::Listener<'_> {
        self.queue.listen(side)
    }

    fn endpoints(&self) -> &EndpointCounts {
        self.queue.endpoints()
    }

    fn id(&self) -> QueueId {
        self.queue.id()
    }

    fn ready_hint(&self, side: Side) -> usize {
        self.queue.ready_hint(side)
    }

    fn is_spoken_for(&self) -> bool {
        self.queue.is_spoken_for()
    }

    fn on_first_endpoint(&self, side: Side) {
        self.queue.on_first_endpoint(side);
    }

    fn on_last_endpoint(&self, side: Side) {
        self.queue.on_last_endpoint(side);
        if self.queue.is_closed() {
            self.meter.closed();
        }
    }
}

impl<Q: Queue> Queue for Metered<Q> {
    fn try_push(&self, item: Q::Item) -> Result<(), TryPushError<Q::Item>> {
        self.count_one(Side::Producers, self.queue.try_push(item))
    }

    fn try_pop(&self) -> Result<Q::Item, TryPopError> {
        self.count_one(Side::Consumers, self.queue.try_pop())
    }

    fn len(&self) -> usize {
        self.queue.len()
    }

    fn capacity(&self) -> Option<usize> {
        self.queue.capacity()
    }

    fn close(&self) -> bool {
        let closed = self.queue.close();
        if closed {
            self.meter.closed();
        }
        closed
    }

    fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn is_full(&self) -> bool {
        self.queue.is_full()
    }

    fn stats(&self) -> Stats {
        let activity = self.meter.activity();
        let mut stats = self.queue.stats();
        // What the queue counts itself counts others too.
        stats.pushed.get_or_insert(activity.pushed as u32);
        stats.popped.get_or_insert(self.meter.gone_out() as u32);
        stats.activity = Some(activity);
        stats
    }

    fn push_until(
        &self,
        item: Q::Item,
        deadline: Deadline,
    ) -> Result<(), PushTimeoutError<Q::Item>> {
        self.push_within(item, || deadline)
    }

    fn push_timeout(
        &self,
        item: Q::Item,
        timeout: Duration,
    ) -> Result<(), PushTimeoutError<Q::Item>> {
        let limit = TimeLimit::within(timeout);
        self.push_within(item, || limit.deadline())
    }

    fn pop_until(&self, deadline: Deadline) -> Result<Q::Item, PopTimeoutError> {
        self.pop_within(|| deadline)
    }

    fn pop_timeout(&self, timeout: Duration) -> Result<Q::Item, PopTimeoutError> {
        let limit = TimeLimit::within(timeout);
        self.pop_within(|| limit.deadline())
    }

    async fn push_async(&self, item: Q::Item) -> Result<(), PushError<Q::Item>> {
        let pushing = self.queue.push_async(item);
        let result = self.counting_waits(Side::Producers, pushing).await;
        self.count_one(Side::Producers, result)
    }

    async fn pop_async(&self) -> Result<Q::Item, PopError> {
        let popping = self.queue.pop_async();
        let result = self.counting_waits(Side::Consumers, popping).await;
        self.count_one(Side::Consumers, result)
    }

    fn poll_pop<'a>(
        &'a self,
        listener: &mut Option<Q::Listener<'a>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Q::Item, PopError>> {
        self.queue
            .poll_pop(listener, cx)
            .map(|result| self.count_one(Side::Consumers, result))
    }

    fn try_push_many(&self, items: &mut VecDeque<Q::Item>) -> Result<usize, TryPushError<()>> {
        let batch = Batch::new(self, Side::Producers, items);
        self.count_failure(self.queue.try_push_many(batch.items))
    }

    fn push_many(&self, items: &mut VecDeque<Q::Item>) -> Result<(), PushError<()>> {
        let batch = Batch::new(self, Side::Producers, items);
        let result = match self.queue.try_push_many(batch.items) {
            Ok(_) if batch.items.is_empty() => Ok(()),
            Err(TryPushError::Closed(())) => Err(PushError::Closed(())),
            Err(TryPushError::Failed((), failure)) if !failure.may_pass() => {
                Err(PushError::Failed((), failure))
            }
            _ => self.waiting(Side::Producers, || self.queue.push_many(batch.items)),
        };
        self.count_failure(result)
    }

    async fn push_many_async(&self, items: &mut VecDeque<Q::Item>) -> Result<(), PushError<()>> {
        let batch = Batch::new(self, Side::Producers, items);
        let pushing = self.queue.push_many_async(batch.items);
        let result = self.counting_waits(Side::Producers, pushing).await;
        self.count_failure(result)
    }

    fn try_pop_many(&self, into: &mut Vec<Q::Item>, max: usize) -> Result<usize, TryPopError> {
        let batch = Batch::new(self, Side::Consumers, into);
        self.count_failure(self.queue.try_pop_many(batch.items, max))
    }

    fn pop_many_until(
        &self,
        into: &mut Vec<Q::Item>,
        max: usize,
        deadline: Deadline,
    ) -> Result<usize, PopTimeoutError> {
        let batch = Batch::new(self, Side::Consumers, into);
        let result = self.popped_within(
            || deadline,
            &mut *batch.items,
            |into| self.queue.try_pop_many(into, max),
            |into, deadline| self.queue.pop_many_until(into, max, deadline),
        );
        self.count_failure(result)
    }

    async fn pop_many_async(&self, into: &mut Vec<Q::Item>, max: usize) -> Result<usize, PopError> {
        let batch = Batch::new(self, Side::Consumers, into);
        let popping = self.queue.pop_many_async(batch.items, max);
        let result = self.counting_waits(Side::Consumers, popping).await;
        self.count_failure(result)
    }

    fn close_now(&self) -> Vec<Q::Item> {
        let left = self.queue.close_now();
        self.meter.closed();
        self.meter.passed(Side::Consumers, left.len());
        left
    }
}

/// The verbs that block: a first try tells whether they have to wait, unless it would overtake who
/// stands in line.
impl<Q: Queue> Metered<Q> {
    fn push_within(
        &self,
        item: Q::Item,
        deadline: impl Fn() -> Deadline,
    ) -> Result<(), PushTimeoutError<Q::Item>> {
        let is_late = || deadline().has_passed();
        let result = match self.queue.try_push(item) {
            Ok(()) => Ok(()),
            Err(TryPushError::Closed(item)) => Err(PushTimeoutError::Closed(item)),
            Err(TryPushError::Full(item)) if is_late() => Err(PushTimeoutError::Timeout(item)),
            Err(TryPushError::Failed(item, failure)) if !failure.may_pass() || is_late() => {
                Err(PushTimeoutError::Failed(item, failure))
            }
            Err(TryPushError::Full(item) | TryPushError::Failed(item, _)) => {
                let wait = || self.queue.push_until(item, deadline());
                self.waiting(Side::Producers, wait)
            }
        };
        self.count_one(Side::Producers, result)
    }

    fn pop_within(&self, deadline: impl Fn() -> Deadline) -> Result<Q::Item, PopTimeoutError> {
        let result = self.popped_within(
            deadline,
            (),
            |()| self.queue.try_pop(),
            |(), deadline| self.queue.pop_until(deadline),
        );
        self.count_one(Side::Consumers, result)
    }

    /// Pops by `attempt`, or, if that may change, by `wait`; both have `with`.
    fn popped_within<R, W>(
        &self,
        deadline: impl Fn() -> Deadline,
        mut with: W,
        attempt: impl FnOnce(&mut W) -> Result<R, TryPopError>,
        wait: impl FnOnce(&mut W, Deadline) -> Result<R, PopTimeoutError>,
    ) -> Result<R, PopTimeoutError> {
        let is_late = || deadline().has_passed();
        if self.queue.is_spoken_for() {
            return match is_late() {
                true => wait(&mut with, Deadline::AT_ONCE),
                false => self.waiting(Side::Consumers, || wait(&mut with, deadline())),
            };
        }
        match attempt(&mut with) {
            Ok(popped) => Ok(popped),
            Err(TryPopError::Closed) => Err(PopTimeoutError::Closed),
            Err(TryPopError::Empty) if is_late() => Err(PopTimeoutError::Timeout),
            Err(TryPopError::Failed(failure)) if !failure.may_pass() || is_late() => {
                Err(PopTimeoutError::Failed(failure))
            }
            Err(TryPopError::Empty | TryPopError::Failed(_)) => {
                self.waiting(Side::Consumers, || wait(&mut with, deadline()))
            }
        }
    }
}
