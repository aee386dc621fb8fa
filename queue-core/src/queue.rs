//! [`Queue`]: the one trait.

use crate::iter::{Iter, Results, TryIter, TryResults};
use crate::sink::ItemSink;
use crate::stream::{ItemStream, ResultStream};
use crate::sync::Deadline;
use crate::{
    Consumer, Kind, PopError, PopTimeoutError, Producer, PushError, PushTimeoutError, Side,
    TryPopError, TryPushError, wait,
};
use std::collections::VecDeque;
use std::future::Future;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A bounded or unbounded FIFO queue with any number of producers and consumers.
///
/// A value of a kind is a *handle*: its clones are the same queue. Dropping the last
/// handle drops what is left inside.
///
#[doc(alias("channel", "mpmc", "mpsc"))]
#[doc = include_str!("queue.md")]
pub trait Queue: Kind {
    // What a kind gives.

    /// Pushes `item` if there is a slot, and never waits for another party to act.
    ///
    /// # Errors
    /// `Full`, `Closed`, or `Failed`, each with the item.
    #[doc(alias("try_send", "put_nowait", "offer"))]
    fn try_push(&self, item: Self::Item) -> Result<(), TryPushError<Self::Item>>;

    /// Pops the oldest item if there is one, and never waits for another party to act.
    ///
    /// # Errors
    /// `Empty`; `Closed` once the queue is closed and drained; `Failed`.
    #[doc(alias("try_recv", "try_receive", "get_nowait"))]
    fn try_pop(&self) -> Result<Self::Item, TryPopError>;

    /// How many items are inside. Never above the capacity; exact when nobody else
    /// acts, else a snapshot that may be out of date when it is read.
    #[doc(alias("qsize", "size"))]
    fn len(&self) -> usize;

    /// How many items the queue takes, or `None` without a bound.
    #[doc(alias("maxsize"))]
    fn capacity(&self) -> Option<usize>;

    /// Closes the queue for all its handles: pushes fail from now on, pops drain what
    /// is left, every waiter wakes. True for the call that closed it.
    #[doc(alias("shutdown", "disconnect"))]
    fn close(&self) -> bool;

    /// Whether the queue was closed. It may still hold items.
    #[doc(alias("is_disconnected", "is_shutdown"))]
    fn is_closed(&self) -> bool;

    /// Whether `other` is a handle of this very queue.
    ///
    /// Between processes, handles that came by different ways (a name, a parent, a message) are of
    /// one queue if it is.
    #[doc(alias("same_channel"))]
    fn same_queue(&self, other: &Self) -> bool {
        self.id() == other.id()
    }

    // State.

    /// Whether no item is inside; as exact as [`len`](Self::len).
    #[doc(alias("empty"))]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no slot is left; as exact as [`len`](Self::len). Never true without a
    /// bound.
    #[doc(alias("full"))]
    fn is_full(&self) -> bool {
        self.capacity()
            .is_some_and(|capacity| self.len() >= capacity)
    }

    /// How many [`Producer`]s there are in this process.
    #[doc(alias("sender_count"))]
    fn producer_count(&self) -> usize {
        self.endpoints().count(Side::Producers)
    }

    /// How many [`Consumer`]s there are in this process.
    #[doc(alias("receiver_count"))]
    fn consumer_count(&self) -> usize {
        self.endpoints().count(Side::Consumers)
    }

    // Pushing.

    /// Pushes `item`, waiting for a slot as long as it takes.
    ///
    /// # Errors
    /// `Closed` or `Failed`, each with the item.
    #[doc(alias("send", "put", "enqueue", "send_blocking"))]
    #[inline]
    fn push(&self, item: Self::Item) -> Result<(), PushError<Self::Item>> {
        self.push_until(item, Deadline::NEVER)
            .map_err(PushTimeoutError::without_timeout)
    }

    /// Pushes `item`, waiting up to `timeout` for a slot. Tries once before it looks
    /// at the clock, so a zero timeout is one try; one too long to be represented
    /// waits as long as it takes.
    ///
    /// # Errors
    /// `Timeout`, `Closed` or `Failed`, each with the item.
    #[doc(alias("send_timeout", "put_timeout"))]
    fn push_timeout(
        &self,
        item: Self::Item,
        timeout: Duration,
    ) -> Result<(), PushTimeoutError<Self::Item>> {
        match self.try_push(item) {
            Ok(()) => Ok(()),
            Err(TryPushError::Full(item)) if timeout.is_zero() => {
                Err(PushTimeoutError::Timeout(item))
            }
            Err(TryPushError::Full(item)) => self.push_until(item, Deadline::after(timeout)),
            Err(TryPushError::Closed(item)) => Err(PushTimeoutError::Closed(item)),
            Err(TryPushError::Failed(item, failure)) => {
                Err(PushTimeoutError::Failed(item, failure))
            }
        }
    }

    /// Pushes `item`, waiting until `deadline` for a slot. A deadline that has passed
    /// is one try.
    ///
    /// # Errors
    /// `Timeout`, `Closed` or `Failed`, each with the item.
    #[doc(alias("send_deadline"))]
    fn push_deadline(
        &self,
        item: Self::Item,
        deadline: Instant,
    ) -> Result<(), PushTimeoutError<Self::Item>> {
        self.push_until(item, Deadline::at(deadline))
    }

    /// Pushes `item` as soon as there is a slot.
    ///
    /// # Cancel safety
    /// A future that is dropped before it was ready has not pushed: the item is dropped with
    /// it, and a wake meant for it goes to another. So whoever tries again pushes no item
    /// twice. To keep the item, hold the slot first (a permit of `AsyncQueue`), or push a
    /// batch of one by [`push_many_async`](Self::push_many_async).
    ///
    /// # Errors
    /// `Closed` or `Failed`, each with the item.
    #[doc(alias("send", "send_async", "put"))]
    fn push_async(
        &self,
        item: Self::Item,
    ) -> impl Future<Output = Result<(), PushError<Self::Item>>> + Send {
        wait::push_async(self, item)
    }

    /// Pushes from the front of `items` what finds a slot, and never waits: how many
    /// it pushed, at least one unless `items` is empty, and no more than there were slots
    /// when it looked, however fast others pop.
    ///
    /// # Errors
    /// `Full` if there is no slot at all, `Closed`, or `Failed` if the first item
    /// failed; what did not go in stays in `items`.
    #[doc(alias("try_send_many", "batch"))]
    fn try_push_many(&self, items: &mut VecDeque<Self::Item>) -> Result<usize, TryPushError<()>> {
        let slots = match self.capacity() {
            Some(capacity) => capacity.saturating_sub(self.len()).max(1),
            None => usize::MAX,
        };
        let most = items.len().min(slots);
        for pushed in 0..most {
            let Some(item) = items.pop_front() else { break };
            if let Err(error) = self.try_push(item) {
                let error = error.map(|item| items.push_front(item));
                return if pushed == 0 { Err(error) } else { Ok(pushed) };
            }
        }
        Ok(most)
    }

    /// Pushes all of `items` in order, waiting for slots. Other producers' items may
    /// come in between.
    ///
    /// # Errors
    /// `Closed`, or `Failed` for the item at the front; what did not go in stays in
    /// `items`.
    #[doc(alias("send_many", "send_all", "batch"))]
    fn push_many(&self, items: &mut VecDeque<Self::Item>) -> Result<(), PushError<()>> {
        wait::push_many(self, items)
    }

    /// [`push_many`](Self::push_many) as a future.
    ///
    /// # Cancel safety
    /// Dropping the future leaves in `items` exactly what did not go in.
    ///
    /// # Errors
    /// `Closed`, or `Failed` for the item at the front; what did not go in stays in
    /// `items`.
    #[doc(alias("send_many", "batch"))]
    fn push_many_async(
        &self,
        items: &mut VecDeque<Self::Item>,
    ) -> impl Future<Output = Result<(), PushError<()>>> + Send {
        wait::push_many_async(self, items)
    }

    // Popping.

    /// Pops the oldest item, waiting for one as long as it takes.
    ///
    /// # Errors
    /// `Closed` once the queue is closed and drained; `Failed`.
    #[doc(alias("recv", "receive", "get", "dequeue", "recv_blocking"))]
    #[inline]
    fn pop(&self) -> Result<Self::Item, PopError> {
        self.pop_until(Deadline::NEVER)
            .map_err(PopTimeoutError::without_timeout)
    }

    /// Pops the oldest item, waiting up to `timeout` for one. Tries once before it
    /// looks at the clock, so a zero timeout is one try; one too long to be
    /// represented waits as long as it takes.
    ///
    /// # Errors
    /// `Timeout`; `Closed` once the queue is closed and drained; `Failed`.
    #[doc(alias("recv_timeout", "get_timeout"))]
    fn pop_timeout(&self, timeout: Duration) -> Result<Self::Item, PopTimeoutError> {
        match self.try_pop() {
            Ok(item) => Ok(item),
            Err(TryPopError::Empty) if timeout.is_zero() => Err(PopTimeoutError::Timeout),
            Err(TryPopError::Empty) => self.pop_until(Deadline::after(timeout)),
            Err(TryPopError::Closed) => Err(PopTimeoutError::Closed),
            Err(TryPopError::Failed(failure)) => Err(PopTimeoutError::Failed(failure)),
        }
    }

    /// Pops the oldest item, waiting until `deadline` for one. A deadline that has
    /// passed is one try.
    ///
    /// # Errors
    /// `Timeout`; `Closed` once the queue is closed and drained; `Failed`.
    #[doc(alias("recv_deadline"))]
    fn pop_deadline(&self, deadline: Instant) -> Result<Self::Item, PopTimeoutError> {
        self.pop_until(Deadline::at(deadline))
    }

    /// Pops the oldest item as soon as there is one.
    ///
    /// # Cancel safety
    /// Dropping the future loses no item, and a wake meant for it goes to another.
    ///
    /// # Errors
    /// `Closed` once the queue is closed and drained; `Failed`.
    #[doc(alias("recv", "recv_async", "receive", "get", "select"))]
    fn pop_async(&self) -> impl Future<Output = Result<Self::Item, PopError>> + Send {
        wait::pop_async(self)
    }

    /// Pops up to `max` items at once into `into`, and never waits: how many it
    /// popped, at least one unless `max` is zero, and all there are if nobody else acts. No
    /// more than were inside when it looked, so never more than the capacity, however
    /// fast others push: `usize::MAX` takes what is there, and ends.
    ///
    /// # Errors
    /// `Empty`; `Closed` once the queue is closed and drained; `Failed` if the first
    /// item failed. A later one ends the batch at the latest, and is told by a pop that
    /// follows. (So must a kind see to it whose failed pops take their item along: this
    /// default has nowhere to keep a failure.)
    ///
    /// # Panics
    /// If the code of an item panics as it is brought out, which is that of its `Deserialize`,
    /// between processes. That item is gone; those before it are in `into`, and those behind it
    /// are still to be popped, by this process.
    #[doc(alias("try_recv_many", "drain", "batch"))]
    fn try_pop_many(&self, into: &mut Vec<Self::Item>, max: usize) -> Result<usize, TryPopError> {
        if max == 0 {
            return Ok(0);
        }
        let most = max.min(self.len().max(1));
        for popped in 0..most {
            match self.try_pop() {
                Ok(item) => into.push(item),
                Err(error) if popped == 0 => return Err(error),
                Err(_) => return Ok(popped),
            }
        }
        Ok(most)
    }

    /// Waits for one item, and takes up to `max` at once, appending them to `into`: how
    /// many, but no more than [`try_pop_many`](Self::try_pop_many) would. A `max` of zero is
    /// `Ok(0)` at once.
    ///
    /// # Errors
    /// `Closed` once the queue is closed and drained; `Failed`.
    #[doc(alias("recv_many", "batch"))]
    fn pop_many(&self, into: &mut Vec<Self::Item>, max: usize) -> Result<usize, PopError> {
        self.pop_many_until(into, max, Deadline::NEVER)
            .map_err(PopTimeoutError::without_timeout)
    }

    /// [`pop_many`](Self::pop_many), waiting up to `timeout` for the first item. Tries once before
    /// it looks at the clock, so a zero timeout is one try.
    ///
    /// # Errors
    /// `Timeout`; `Closed` once the queue is closed and drained; `Failed`.
    #[doc(alias("recv_many_timeout", "batch"))]
    fn pop_many_timeout(
        &self,
        into: &mut Vec<Self::Item>,
        max: usize,
        timeout: Duration,
    ) -> Result<usize, PopTimeoutError> {
        self.pop_many_until(into, max, Deadline::after(timeout))
    }

    /// [`pop_many`](Self::pop_many) as a future.
    ///
    /// # Cancel safety
    /// Dropping the future loses no item: those popped are in `into`.
    ///
    /// # Errors
    /// `Closed` once the queue is closed and drained; `Failed`.
    #[doc(alias("recv_many", "batch"))]
    fn pop_many_async(
        &self,
        into: &mut Vec<Self::Item>,
        max: usize,
    ) -> impl Future<Output = Result<usize, PopError>> + Send {
        wait::pop_many_async(self, into, max)
    }

    // The end.

    /// Closes the queue and takes what is left, in order: what was inside, and what pushes
    /// that were under way had still put in. An item that fails to come
    /// out (a process kind whose bytes were damaged) is skipped.
    ///
    /// # Panics
    /// If the code of an item panics as it is brought out (between processes, its
    /// `Deserialize`). That item is gone; all others are still to be had, by a pop or another
    /// `close_now` of this process.
    ///
    /// ```
    /// # use queue_core::Queue;
    /// /// Gives up, and says which jobs were never begun.
    /// fn abort<Q: Queue<Item = u32>>(jobs: &Q) -> Vec<u32> {
    ///     jobs.close_now() // whoever waits in a `push` gets its own item back
    /// }
    /// ```
    #[doc(alias("shutdown", "drain", "clear"))]
    #[must_use = "what was left in the queue is dropped with it; `close` leaves it to be popped"]
    fn close_now(&self) -> Vec<Self::Item> {
        self.close();
        let mut left = Vec::new();
        loop {
            let before = self.len();
            match self.try_pop() {
                Ok(item) => left.push(item),
                // A push that was under way when the queue closed is about to end.
                Err(TryPopError::Empty) => crate::sync::thread::yield_now(),
                Err(TryPopError::Failed(_)) if self.len() < before => {}
                Err(TryPopError::Closed | TryPopError::Failed(_)) => return left,
            }
        }
    }

    /// Two halves, each cloneable, that close the queue when the last one of a side is
    /// dropped: pops then drain and are `Closed`, pushes are `Closed` at once.
    ///
    /// Halves made by several calls on handles of one queue are counted together, and in
    /// the process that made them they alone count: a handle that is left beside them
    /// does not keep the queue open.
    ///
    /// A half that is not wanted is dropped at once, and if it is the only one of its side the
    /// queue closes: after `let (_, consumer) = queue.into_ends();` all that is left is to drain
    /// it. Name it (`_producer`) to keep it.
    ///
    /// ```
    /// # use queue_core::Queue;
    /// fn sum_of_squares<Q: Queue<Item = u64> + Clone>(queue: Q) -> u64 {
    ///     let (producer, consumer) = queue.into_ends();
    ///     std::thread::scope(|scope| {
    ///         for first in 0..4 {
    ///             let producer = producer.clone();
    ///             scope.spawn(move || {
    ///                 for n in (first..100).step_by(4) {
    ///                     producer.push(n * n).unwrap();
    ///                 }
    ///             });
    ///         }
    ///         drop(producer); // the last of the four closes the queue
    ///         consumer.into_iter().sum()
    ///     })
    /// }
    /// ```
    #[doc(alias("split", "sender", "receiver"))]
    #[must_use = "a half that is dropped closes the queue, if it is the last of its side"]
    fn into_ends(self) -> (Producer<Self>, Consumer<Self>)
    where
        Self: Sized + Clone,
    {
        (Producer::new(self.clone()), Consumer::new(self))
    }

    /// The pushing half alone, of a clone of this handle: see [`into_ends`](Self::into_ends) for
    /// what a half means.
    ///
    /// ```
    /// # use queue_core::Queue;
    /// fn count_to<Q: Queue<Item = u32> + Clone + 'static>(queue: &Q, n: u32) {
    ///     let producer = queue.producer();
    ///     std::thread::spawn(move || (1..=n).all(|n| producer.push(n).is_ok()));
    /// } // closed when the thread has ended, if it has the only producer
    /// ```
    #[doc(alias("sender"))]
    #[must_use = "a half that is dropped closes the queue, if it is the last of its side"]
    fn producer(&self) -> Producer<Self>
    where
        Self: Sized + Clone,
    {
        Producer::new(self.clone())
    }

    /// The popping half alone, of a clone of this handle: see [`into_ends`](Self::into_ends) for
    /// what a half means.
    #[doc(alias("receiver"))]
    #[must_use = "a half that is dropped closes the queue, if it is the last of its side"]
    fn consumer(&self) -> Consumer<Self>
    where
        Self: Sized + Clone,
    {
        Consumer::new(self.clone())
    }

    /// This queue as a [`futures_sink::Sink`]: each item that is sent is pushed, waiting for a slot.
    /// It borrows the queue; closing or dropping it leaves the queue open.
    /// [`Producer::into_sink`] owns its half, and closes that.
    fn sink(&self) -> ItemSink<'_, Self>
    where
        Self: Sized,
    {
        ItemSink::new(self)
    }

    // Iteration.

    /// Pops until the queue is closed and drained, blocking in between.
    ///
    /// # Panics
    /// The iterator panics with the failure if an item cannot be brought out (`Failed`), as it
    /// may happen between processes: use [`results`](Self::results) there.
    fn iter(&self) -> Iter<'_, Self>
    where
        Self: Sized,
    {
        Iter::new(self)
    }

    /// Pops what is inside, and ends where popping would wait: beside a producer that is
    /// as fast it need not end (as `std::sync::mpsc`'s). What was inside at one moment, and
    /// no more, is what [`try_pop_many`](Self::try_pop_many) takes.
    ///
    /// # Panics
    /// The iterator panics with the failure if an item cannot be brought out (`Failed`), as it
    /// may happen between processes: use [`try_results`](Self::try_results) there.
    #[doc(alias("drain"))]
    fn try_iter(&self) -> TryIter<'_, Self>
    where
        Self: Sized,
    {
        TryIter::new(self)
    }

    /// Pops until the queue is closed and drained, as a [`futures_core::Stream`]. It borrows
    /// the queue.
    ///
    /// # Cancel safety
    /// A stream that is dropped, or the future of its next item, loses no item and no
    /// wake.
    ///
    /// # Panics
    /// The stream panics with the failure if an item cannot be brought out (`Failed`), as it
    /// may happen between processes: use [`results_stream`](Self::results_stream) there.
    fn stream(&self) -> ItemStream<'_, Self>
    where
        Self: Sized,
    {
        ItemStream::new(self)
    }

    /// As [`iter`](Self::iter), but yields the failure where an item cannot be brought out, and
    /// goes on behind it. It ends when the queue is closed and drained, and behind a failure
    /// that is not about one item ([`Failure::consumed_item`](crate::Failure::consumed_item)).
    ///
    /// ```
    /// # use queue_core::Queue;
    /// fn work<Q: Queue<Item = String>>(jobs: &Q) {
    ///     for job in jobs.results() {
    ///         match job {
    ///             Ok(job) => println!("{job}"),
    ///             Err(failure) => eprintln!("a job is lost: {failure:#}"),
    ///         }
    ///     }
    /// }
    /// ```
    fn results(&self) -> Results<'_, Self>
    where
        Self: Sized,
    {
        Results::new(self)
    }

    /// As [`try_iter`](Self::try_iter), but yields the failure where an item cannot be brought
    /// out, and goes on behind it; as [`results`](Self::results) does.
    fn try_results(&self) -> TryResults<'_, Self>
    where
        Self: Sized,
    {
        TryResults::new(self)
    }

    /// As [`stream`](Self::stream), but yields the failure where an item cannot be brought out,
    /// and goes on behind it; as [`results`](Self::results) does.
    ///
    /// # Cancel safety
    /// A stream that is dropped, or the future of its next item, loses no item and no
    /// wake.
    fn results_stream(&self) -> ResultStream<'_, Self>
    where
        Self: Sized,
    {
        ResultStream::new(self)
    }

    // What waiting comes down to: for authors of kinds, who may know a faster way.

    /// Pushes `item`, waiting until `deadline` or as long as it takes: what the
    /// blocking verbs of pushing come down to. Tries once before it looks at the clock.
    ///
    /// # Errors
    /// `Timeout`, `Closed` or `Failed`, each with the item.
    #[doc(hidden)]
    #[inline]
    fn push_until(
        &self,
        item: Self::Item,
        deadline: Deadline,
    ) -> Result<(), PushTimeoutError<Self::Item>> {
        wait::push_until(self, item, deadline)
    }

    /// Pops the oldest item, waiting until `deadline` or as long as it takes: what the
    /// blocking verbs of popping come down to. Tries once before it looks at the clock.
    ///
    /// # Errors
    /// `Timeout`; `Closed` once the queue is closed and drained; `Failed`.
    #[doc(hidden)]
    #[inline]
    fn pop_until(&self, deadline: Deadline) -> Result<Self::Item, PopTimeoutError> {
        wait::pop_until(self, deadline)
    }

    /// Pops up to `max` items once there is one, waiting until `deadline` or as long as it takes:
    /// what [`pop_many`](Self::pop_many) comes down to.
    ///
    /// # Errors
    /// `Timeout`; `Closed` once the queue is closed and drained; `Failed`.
    #[doc(hidden)]
    fn pop_many_until(
        &self,
        into: &mut Vec<Self::Item>,
        max: usize,
        deadline: Deadline,
    ) -> Result<usize, PopTimeoutError> {
        wait::pop_many_until(self, into, max, deadline)
    }

    /// Pops the oldest item, or arranges that the task is woken when it is worth polling
    /// again: what [`stream`](Self::stream) comes down to, for futures written by hand.
    /// `listener` starts as `None` and belongs to this method from poll to poll; dropping
    /// it gives the waiting up.
    ///
    /// # Errors
    /// `Closed` once the queue is closed and drained; `Failed`.
    #[doc(hidden)]
    fn poll_pop<'a>(
        &'a self,
        listener: &mut Option<Self::Listener<'a>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Item, PopError>> {
        wait::poll_pop(self, listener, cx)
    }
}
