//! [`Producer`] and [`Consumer`]: the two halves of a queue, counted.

use crate::iter::{IntoIter, IntoResults, Iter, Results, TryIter, TryResults};
use crate::sink::{IntoItemSink, ItemSink};
use crate::stream::{IntoItemStream, IntoResultStream, ItemStream, ResultStream};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::{
    PopError, PopTimeoutError, PushError, PushTimeoutError, Queue, TryPopError, TryPushError,
};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

/// One of the two sides of a queue.
///
/// ```
/// use queue_core::{Queue, Side};
/// /// How much a worker has before it, and its producers have room for.
/// fn load<Q: Queue<Item = u32>>(jobs: &Q) -> (usize, usize) {
///     (jobs.ready_hint(Side::Consumers), jobs.ready_hint(Side::Producers))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Those who push.
    Producers,
    /// Those who pop.
    Consumers,
}

/// Counts the [`Producer`]s and [`Consumer`]s of a queue in this process. Every kind keeps one beside
/// its storage. Only the halves change it.
///
/// ```
/// use queue_core::{EndpointCounts, Kind, Queue, Side};
/// /// Starts so many workers that there are `wanted` in all.
/// fn missing<Q: Queue<Item = u32>>(jobs: &Q, wanted: usize) -> usize {
///     wanted.saturating_sub(jobs.endpoints().count(Side::Consumers))
/// }
/// assert_eq!(EndpointCounts::new().count(Side::Producers), 0);
/// ```
#[derive(Debug, Default)]
pub struct EndpointCounts {
    producers: AtomicUsize,
    consumers: AtomicUsize,
}

impl EndpointCounts {
    /// No halves yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many halves of `side` there are in this process.
    pub fn count(&self, side: Side) -> usize {
        self.counter(side).load(Ordering::Relaxed)
    }

    fn counter(&self, side: Side) -> &AtomicUsize {
        match side {
            Side::Producers => &self.producers,
            Side::Consumers => &self.consumers,
        }
    }

    fn add(&self, side: Side) {
        // Relaxed: whoever clones a half holds one, so the count cannot reach zero meanwhile.
        self.counter(side).fetch_add(1, Ordering::Relaxed);
    }

    /// Returns true for the last one.
    fn remove(&self, side: Side) -> bool {
        // AcqRel: what every other half did happens before what the last one does next. The
        // Release of each pairs with the Acquire of the last.
        self.counter(side).fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// Writes what both halves have in common: the counting, and the state of the queue.
macro_rules! half {
    ($(#[$doc:meta])* $name:ident, $side:expr) => {
        $(#[$doc])*
        #[must_use = "the last half of a side that is dropped closes the queue"]
        pub struct $name<Q> {
            queue: Q,
            /// What dropping it does. As a function pointer it leaves the type without bounds, and so
            /// any type that holds it.
            leave: fn(&Q),
        }

        impl<Q: Queue> $name<Q> {
            /// A half of `queue`, counted from now on. Most users call
            /// [`into_ends`](Queue::into_ends).
            pub fn new(queue: Q) -> Self {
                queue.endpoints().add($side);
                queue.on_first_endpoint($side);
                let leave = |queue: &Q| {
                    if queue.endpoints().remove($side) {
                        queue.on_last_endpoint($side);
                    }
                };
                Self { queue, leave }
            }

            /// The queue, for a kind's own methods. In a process that was given this half alone the
            /// other side's verbs still fail.
            pub fn queue(&self) -> &Q {
                &self.queue
            }

            /// See [`Queue::len`].
            #[doc(alias("qsize", "size"))]
            pub fn len(&self) -> usize {
                self.queue.len()
            }

            /// See [`Queue::is_empty`].
            #[doc(alias("empty"))]
            pub fn is_empty(&self) -> bool {
                self.queue.is_empty()
            }

            /// See [`Queue::is_full`].
            #[doc(alias("full"))]
            pub fn is_full(&self) -> bool {
                self.queue.is_full()
            }

            /// See [`Queue::capacity`].
            #[doc(alias("maxsize"))]
            pub fn capacity(&self) -> Option<usize> {
                self.queue.capacity()
            }

            /// See [`Queue::producer_count`].
            #[doc(alias("sender_count"))]
            pub fn producer_count(&self) -> usize {
                self.queue.producer_count()
            }

            /// See [`Queue::consumer_count`].
            #[doc(alias("receiver_count"))]
            pub fn consumer_count(&self) -> usize {
                self.queue.consumer_count()
            }

            /// See [`Queue::same_queue`].
            #[doc(alias("same_channel"))]
            pub fn same_queue(&self, other: &Self) -> bool {
                self.queue.same_queue(&other.queue)
            }

            /// See [`Queue::close`].
            #[doc(alias("shutdown", "disconnect"))]
            pub fn close(&self) -> bool {
                self.queue.close()
            }

            /// See [`Queue::is_closed`].
            #[doc(alias("is_disconnected", "is_shutdown"))]
            pub fn is_closed(&self) -> bool {
                self.queue.is_closed()
            }
        }

        impl<Q: Queue + Clone> Clone for $name<Q> {
            fn clone(&self) -> Self {
                Self::new(self.queue.clone())
            }
        }

        impl<Q> Drop for $name<Q> {
            fn drop(&mut self) {
                (self.leave)(&self.queue);
            }
        }

        impl<Q: Queue> fmt::Debug for $name<Q> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("len", &self.len())
                    .field("capacity", &self.capacity())
                    .field("closed", &self.is_closed())
                    .finish()
            }
        }
    };
}

half! {
    /// The pushing half of a queue, from [`Queue::into_ends`].
    ///
    /// When the last one is dropped the queue is closed: pops drain, and are `Closed` then. A panic
    /// that unwinds through its owner drops it too, and a process that is killed drops all of its own.
    ///
    /// ```
    /// use queue_core::{Producer, Queue};
    /// fn count_to<Q: Queue<Item = u32>>(n: u32, numbers: Producer<Q>) {
    ///     (1..=n).all(|n| numbers.push(n).is_ok()); // until nobody takes them any more
    /// } // dropped here: if it was the last one, the consumers' loops end
    /// ```
    #[doc(alias("Sender", "sender"))]
    Producer, Side::Producers
}

half! {
    /// The popping half of a queue, from [`Queue::into_ends`].
    ///
    /// When the last one is dropped the queue is closed: pushes are `Closed` and hand their item back.
    /// What nobody popped stays inside until somebody takes it, or the last handle of any sort is gone,
    /// halves included.
    ///
    /// `for item in &consumer` and `for item in consumer` pop until the queue is closed and drained. They
    /// panic if an item cannot be brought out, which happens between processes alone: use
    /// [`results`](Self::results) there.
    ///
    /// So a request that nobody popped keeps the [`Producer`] of its reply, if it carries one, and its
    /// client waits on. A server that may end before its clients ends with
    /// [`close_now`](Self::close_now), which takes the requests out.
    ///
    /// ```
    /// use queue_core::{Consumer, Queue};
    /// fn longest<Q: Queue<Item = String>>(words: &Consumer<Q>) -> usize {
    ///     let mut longest = 0;
    ///     for word in words {
    ///         longest = longest.max(word.len());
    ///     }
    ///     longest
    /// }
    /// ```
    #[doc(alias("Receiver", "receiver"))]
    Consumer, Side::Consumers
}

#[allow(clippy::missing_errors_doc)] // Each says where to look.
impl<Q: Queue> Producer<Q> {
    /// See [`Queue::try_push`].
    #[doc(alias("try_send", "put_nowait", "offer"))]
    pub fn try_push(&self, item: Q::Item) -> Result<(), TryPushError<Q::Item>> {
        self.queue.try_push(item)
    }

    /// See [`Queue::push`].
    #[doc(alias("send", "put", "enqueue", "send_blocking"))]
    pub fn push(&self, item: Q::Item) -> Result<(), PushError<Q::Item>> {
        self.queue.push(item)
    }

    /// See [`Queue::push_timeout`].
    #[doc(alias("send_timeout", "put_timeout"))]
    pub fn push_timeout(
        &self,
        item: Q::Item,
        timeout: Duration,
    ) -> Result<(), PushTimeoutError<Q::Item>> {
        self.queue.push_timeout(item, timeout)
    }

    /// See [`Queue::push_deadline`].
    #[doc(alias("send_deadline"))]
    pub fn push_deadline(
        &self,
        item: Q::Item,
        deadline: Instant,
    ) -> Result<(), PushTimeoutError<Q::Item>> {
        self.queue.push_deadline(item, deadline)
    }

    /// See [`Queue::push_async`].
    #[doc(alias("send", "send_async", "put"))]
    pub fn push_async(
        &self,
        item: Q::Item,
    ) -> impl Future<Output = Result<(), PushError<Q::Item>>> + Send {
        self.queue.push_async(item)
    }

    /// See [`Queue::try_push_many`].
    #[doc(alias("try_send_many", "batch"))]
    pub fn try_push_many(&self, items: &mut VecDeque<Q::Item>) -> Result<usize, TryPushError<()>> {
        self.queue.try_push_many(items)
    }

    /// See [`Queue::push_many`].
    #[doc(alias("send_many", "send_all", "batch"))]
    pub fn push_many(&self, items: &mut VecDeque<Q::Item>) -> Result<(), PushError<()>> {
        self.queue.push_many(items)
    }

    /// See [`Queue::sink`].
    pub fn sink(&self) -> ItemSink<'_, Q> {
        self.queue.sink()
    }

    /// This half as a [`futures_sink::Sink`] that owns it: closing or dropping the sink drops the
    /// half.
    pub fn into_sink(self) -> IntoItemSink<Q> {
        IntoItemSink::new(self)
    }

    /// See [`Queue::push_many_async`].
    #[doc(alias("send_many", "batch"))]
    pub fn push_many_async(
        &self,
        items: &mut VecDeque<Q::Item>,
    ) -> impl Future<Output = Result<(), PushError<()>>> + Send {
        self.queue.push_many_async(items)
    }
}

#[allow(clippy::missing_errors_doc)] // Each says where to look.
impl<Q: Queue> Consumer<Q> {
    /// See [`Queue::try_pop`].
    #[doc(alias("try_recv", "try_receive", "get_nowait"))]
    pub fn try_pop(&self) -> Result<Q::Item, TryPopError> {
        self.queue.try_pop()
    }

    /// See [`Queue::pop`].
    #[doc(alias("recv", "receive", "get", "dequeue", "recv_blocking"))]
    pub fn pop(&self) -> Result<Q::Item, PopError> {
        self.queue.pop()
    }

    /// See [`Queue::pop_timeout`].
    #[doc(alias("recv_timeout", "get_timeout"))]
    pub fn pop_timeout(&self, timeout: Duration) -> Result<Q::Item, PopTimeoutError> {
        self.queue.pop_timeout(timeout)
    }

    /// See [`Queue::pop_deadline`].
    #[doc(alias("recv_deadline"))]
    pub fn pop_deadline(&self, deadline: Instant) -> Result<Q::Item, PopTimeoutError> {
        self.queue.pop_deadline(deadline)
    }

    /// See [`Queue::pop_async`].
    #[doc(alias("recv", "recv_async", "receive", "get", "select"))]
    pub fn pop_async(&self) -> impl Future<Output = Result<Q::Item, PopError>> + Send {
        self.queue.pop_async()
    }

    /// See [`Queue::try_pop_many`].
    #[doc(alias("try_recv_many", "drain", "batch"))]
    pub fn try_pop_many(&self, into: &mut Vec<Q::Item>, max: usize) -> Result<usize, TryPopError> {
        self.queue.try_pop_many(into, max)
    }

    /// See [`Queue::pop_many`].
    #[doc(alias("recv_many", "batch"))]
    pub fn pop_many(&self, into: &mut Vec<Q::Item>, max: usize) -> Result<usize, PopError> {
        self.queue.pop_many(into, max)
    }

    /// See [`Queue::pop_many_timeout`].
    #[doc(alias("recv_many_timeout", "batch"))]
    pub fn pop_many_timeout(
        &self,
        into: &mut Vec<Q::Item>,
        max: usize,
        timeout: Duration,
    ) -> Result<usize, PopTimeoutError> {
        self.queue.pop_many_timeout(into, max, timeout)
    }

    /// See [`Queue::pop_many_async`].
    #[doc(alias("recv_many", "batch"))]
    pub fn pop_many_async(
        &self,
        into: &mut Vec<Q::Item>,
        max: usize,
    ) -> impl Future<Output = Result<usize, PopError>> + Send {
        self.queue.pop_many_async(into, max)
    }

    /// See [`Queue::close_now`].
    #[doc(alias("shutdown", "drain", "clear"))]
    #[must_use = "what was left in the queue is dropped with it; `close` leaves it to be popped"]
    pub fn close_now(&self) -> Vec<Q::Item> {
        self.queue.close_now()
    }

    /// See [`Queue::iter`]: it panics where [`results`](Self::results) yields a failure.
    pub fn iter(&self) -> Iter<'_, Q> {
        self.queue.iter()
    }

    /// See [`Queue::try_iter`]: it panics where [`try_results`](Self::try_results) yields a
    /// failure.
    #[doc(alias("drain"))]
    pub fn try_iter(&self) -> TryIter<'_, Q> {
        self.queue.try_iter()
    }

    /// See [`Queue::stream`]: it panics where [`results_stream`](Self::results_stream) yields a
    /// failure.
    pub fn stream(&self) -> ItemStream<'_, Q> {
        self.queue.stream()
    }

    /// See [`Queue::results`].
    pub fn results(&self) -> Results<'_, Q> {
        self.queue.results()
    }

    /// See [`Queue::try_results`].
    pub fn try_results(&self) -> TryResults<'_, Q> {
        self.queue.try_results()
    }

    /// See [`Queue::results_stream`].
    pub fn results_stream(&self) -> ResultStream<'_, Q> {
        self.queue.results_stream()
    }

    /// [`stream`](Self::stream) that owns this half, for a task of its own: it panics where
    /// [`into_results_stream`](Self::into_results_stream) yields a failure.
    pub fn into_stream(self) -> IntoItemStream<Q> {
        IntoItemStream::new(self)
    }

    /// [`results_stream`](Self::results_stream) that owns this half.
    pub fn into_results_stream(self) -> IntoResultStream<Q> {
        IntoResultStream::new(self)
    }

    /// [`results`](Self::results) of a thread that keeps its consumer.
    pub fn into_results(self) -> IntoResults<Q> {
        IntoResults::new(self)
    }
}

/// `for job in jobs`, where a thread of its own keeps its [`Consumer`].
///
/// It panics where [`into_results`](Consumer::into_results) yields a failure.
impl<Q: Queue> IntoIterator for Consumer<Q> {
    type Item = Q::Item;
    type IntoIter = IntoIter<Q>;

    fn into_iter(self) -> IntoIter<Q> {
        IntoIter::new(self)
    }
}

/// `for job in &jobs`: it panics where [`results`](Consumer::results) yields a failure.
impl<'a, Q: Queue> IntoIterator for &'a Consumer<Q> {
    type Item = Q::Item;
    type IntoIter = Iter<'a, Q>;

    fn into_iter(self) -> Iter<'a, Q> {
        self.iter()
    }
}
