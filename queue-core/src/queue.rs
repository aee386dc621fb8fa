//! [`Queue`]: the one trait.

use crate::iter::{Iter, Results, TryIter, TryResults};
use crate::sink::ItemSink;
use crate::stream::{ItemStream, ResultStream};
use crate::sync::{Deadline, TimeLimit};
use crate::{
    Consumer, Kind, PopError, PopTimeoutError, Producer, PushError, PushTimeoutError, Side, Stats,
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

    /// Pushes `item` if there is a free slot. It never waits for another party to act.
    ///
    /// # Errors
    /// `Full`, `Closed` or `Failed`, each with the item.
    ///
    /// ```
    /// # use queue_core::{Queue, TryPushError};
    /// /// Drops a sample rather than wait.
    /// fn sample<Q: Queue<Item = f32>>(samples: &Q, value: f32) -> bool {
    ///     match samples.try_push(value) {
    ///         Ok(()) => true,
    ///         Err(TryPushError::Full(_) | TryPushError::Closed(_)) => false,
    ///         Err(TryPushError::Failed(_, why)) => panic!("{why:#}"),
    ///     }
    /// }
    /// ```
    #[doc(alias("try_send", "put_nowait", "offer"))]
    fn try_push(&self, item: Self::Item) -> Result<(), TryPushError<Self::Item>>;

    /// Pops the oldest item if there is one. It never waits for another party to act.
    ///
    /// # Errors
    /// `Empty`; `Closed` once the queue is closed and drained; `Failed`.
    ///
    /// ```
    /// # use queue_core::{Queue, TryPopError};
    /// /// Looks for a command between two frames.
    /// fn next<Q: Queue<Item = String>>(commands: &Q) -> Option<String> {
    ///     match commands.try_pop() {
    ///         Ok(command) => Some(command),
    ///         Err(TryPopError::Empty) => None,
    ///         Err(TryPopError::Closed) => Some("quit".to_string()),
    ///         Err(TryPopError::Failed(why)) => panic!("{why:#}"),
    ///     }
    /// }
    /// ```
    #[doc(alias("try_recv", "try_receive", "get_nowait"))]
    fn try_pop(&self) -> Result<Self::Item, TryPopError>;

    /// How many items are inside. It is never above the capacity. It is exact when nobody else
    /// acts; otherwise it is a snapshot, which may be out of date when it is read.
    ///
    /// ```
    /// # use queue_core::Queue;
    /// fn report<Q: Queue>(jobs: &Q) -> String {
    ///     match jobs.capacity() {
    ///         Some(capacity) => format!("{} of {capacity}", jobs.len()),
    ///         None => format!("{}", jobs.len()),
    ///     }
    /// }
    /// ```
    #[doc(alias("qsize", "size"))]
    fn len(&self) -> usize;

    /// How many items the queue takes, or `None` if it has no bound. [`len`](Self::len) has an
    /// example.
    #[doc(alias("maxsize"))]
    fn capacity(&self) -> Option<usize>;

    /// Closes the queue for all its handles. From now on pushes fail, pops drain what is left, and
    /// every waiter wakes. Returns true for the call that closed it.
    ///
    /// ```
    /// # use queue_core::{PopError, PushError, Queue};
    /// fn finish<Q: Queue<Item = u32>>(jobs: &Q) {
    ///     jobs.close();
    ///     assert!(matches!(jobs.push(1), Err(PushError::Closed(1))));
    ///     for job in jobs.iter() {
    ///         println!("job {job} was left");
    ///     }
    ///     assert_eq!(jobs.pop(), Err(PopError::Closed));
    /// }
    /// ```
    #[doc(alias("shutdown", "disconnect"))]
    fn close(&self) -> bool;

    /// Whether the queue is closed. It may still hold items.
    ///
    /// ```
    /// # use queue_core::Queue;
    /// /// Whether nothing will ever come out again.
    /// fn is_over<Q: Queue>(jobs: &Q) -> bool {
    ///     jobs.is_closed() && jobs.is_empty()
    /// }
    /// ```
    #[doc(alias("is_disconnected", "is_shutdown"))]
    fn is_closed(&self) -> bool;

    /// Whether `other` is a handle of this very queue.
    ///
    /// Between processes, handles that came by different ways (a name, a parent, a message) are of
    /// one queue if it is.
    ///
    /// ```
    /// # use queue_core::Queue;
    /// /// A worker that feeds its own queue could fill it, and wait for itself.
    /// fn check<Q: Queue>(jobs: &Q, results: &Q) {
    ///     assert!(!jobs.same_queue(results), "the results are the jobs");
    /// }
    /// ```
    #[doc(alias("same_channel"))]
    fn same_queue(&self, other: &Self) -> bool {
        self.id() == other.id()
    }

    // State.

    /// Whether no item is inside. It is as exact as [`len`](Self::len).
    /// [`is_closed`](Self::is_closed) has an example.
    #[doc(alias("empty"))]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no slot is free. It is as exact as [`len`](Self::len), and never true without a
    /// bound.
    ///
    /// ```
    /// # use queue_core::Queue;
    /// /// Asks a client to come back later.
    /// fn is_overloaded<Q: Queue>(requests: &Q) -> bool {
    ///     requests.is_full() || requests.is_closed()
    /// }
    /// ```
    #[doc(alias("full"))]
    fn is_full(&self) -> bool {
        self.capacity()
            .is_some_and(|capacity| self.len() >= capacity)
    }

    /// Who takes part, and what has passed: for those who watch. A kind says `None` of what it does
    /// not count; of a queue between processes each process counts once.
    ///
    /// ```
    /// # use queue_core::Queue;
    /// fn workers<Q: Queue>(jobs: &Q) -> String {
    ///     match jobs.stats().consumers {
    ///         Some(processes) => format!("{processes} processes take jobs"),
    ///         None => format!("{} consumers here", jobs.consumer_count()),
    ///     }
    /// }
    /// ```
    fn stats(&self) -> Stats {
        Stats::default()
    }

    /// How many [`Producer`]s there are in this process.
    ///
    /// ```
    /// # use queue_core::{Producer, Queue};
    /// fn is_last<Q: Queue>(producer: &Producer<Q>) -> bool {
    ///     producer.producer_count() == 1 // dropping it closes the queue
    /// }
    /// ```
    #[doc(alias("sender_count"))]
    fn producer_count(&self) -> usize {
        self.endpoints().count(Side::Producers)
    }

    /// How many [`Consumer`]s there are in this process.
    ///
    /// ```
    /// # use queue_core::Queue;
    /// /// How many workers to start, so that there are `wanted`.
    /// fn missing<Q: Queue>(jobs: &Q, wanted: usize) -> usize {
    ///     wanted.saturating_sub(jobs.consumer_count())
    /// }
    /// ```
    #[doc(alias("receiver_count"))]
    fn consumer_count(&self) -> usize {
        self.endpoints().count(Side::Consumers)
    }

    // Pushing.

    /// Pushes `item`. Waits for a free slot for as long as it takes, and blocks the thread
    /// meanwhile.
    ///
    /// # Errors
    /// `Closed` or `Failed`, each with the item.
    ///
    /// ```
    /// # use queue_core::{PushError, Queue};
    /// fn submit<Q: Queue<Item = String>>(jobs: &Q, job: &str) -> Result<(), PushError<String>> {
    ///     jobs.push(job.to_string())
    /// }
    /// ```
    #[doc(alias("send", "put", "enqueue", "send_blocking"))]
    #[inline]
    fn push(&self, item: Self::Item) -> Result<(), PushError<Self::Item>> {
        self.push_until(item, Deadline::NEVER)
            .map_err(PushTimeoutError::without_timeout)
    }

    /// Pushes `item`, and waits up to `timeout` for a free slot. It tries once before it looks at
    /// the clock, so a timeout of zero is one try. A timeout too long to be represented waits for
    /// as long as it takes.
    ///
    /// # Errors
    /// `Timeout`, `Closed` or `Failed`, each with the item.
    ///
    /// ```
    /// # use queue_core::Queue;
    /// # use std::time::Duration;
    /// /// Hands the job back if nobody has room for it.
    /// fn offer<Q: Queue<Item = String>>(jobs: &Q, job: String) -> Option<String> {
    ///     let pushed = jobs.push_timeout(job, Duration::from_millis(100));
    ///     pushed.err().map(|error| error.into_item())
    /// }
    /// ```
    #[doc(alias("send_timeout", "put_timeout"))]
    fn push_timeout(
        &self,
        item: Self::Item,
        timeout: Duration,
    ) -> Result<(), PushTimeoutError<Self::Item>> {
        let limit = TimeLimit::within(timeout);
        match self.try_push(item) {
            Ok(()) => Ok(()),
            Err(TryPushError::Full(item)) if timeout.is_zero() => {
                Err(PushTimeoutError::Timeout(item))
            }
            Err(TryPushError::Full(item)) => self.push_until(item, limit.deadline()),
            Err(TryPushError::Closed(item)) => Err(PushTimeoutError::Closed(item)),
            Err(TryPushError::Failed(item, failure))
                if failure.may_pass() && !timeout.is_zero() =>
            {
                self.push_until(item, limit.deadline())
            }
            Err(TryPushError::Failed(item, failure)) => {
                Err(PushTimeoutError::Failed(item, failure))
            }
        }
    }

    /// Pushes `item`, and waits until `deadline` for a free slot. A deadline that has passed is
    /// one try.
    ///
    /// # Errors
    /// `Timeout`, `Closed` or `Failed`, each with the item.
    ///
    /// ```
    /// # use queue_core::{PushTimeoutError, Queue};
    /// # use std::time::{Duration, Instant};
    /// /// Has one second for all of them.
    /// fn offer<Q: Queue<Item = u32>>(jobs: &Q, all: &[u32]) -> Result<(), PushTimeoutError<u32>> {
    ///     let deadline = Instant::now() + Duration::from_secs(1);
    ///     all.iter().try_for_each(|job| jobs.push_deadline(*job, deadline))
    /// }
    /// ```
    #[doc(alias("send_deadline"))]
    fn push_deadline(
        &self,
        item: Self::Item,
        deadline: Instant,
    ) -> Result<(), PushTimeoutError<Self::Item>> {
        let limit = TimeLimit::until(Deadline::at(deadline));
        self.push_until(item, limit.deadline())
    }

    /// Pushes `item` as soon as there is a free slot.
    ///
    /// # Cancel safety
    /// A future that is dropped before it was ready has not pushed. The item is dropped with it,
    /// and a wake that was meant for it goes to another waiter. So whoever tries again pushes no
    /// item twice. To keep the item, hold the slot first (a permit of `AsyncQueue`), or push a
    /// batch of one by [`push_many_async`](Self::push_many_async).
    ///
    /// # Errors
    /// `Closed` or `Failed`, each with the item.
    ///
    /// ```
    /// # use queue_core::{PushError, Queue};
    /// async fn count_to<Q: Queue<Item = u32>>(n: u32, numbers: &Q) -> Result<(), PushError<u32>> {
    ///     for n in 1..=n {
    ///         numbers.push_async(n).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias("send", "send_async", "put"))]
    fn push_async(
        &self,
        item: Self::Item,
    ) -> impl Future<Output = Result<(), PushError<Self::Item>>> + Send {
        wait::push_async(self, item)
    }

    /// Pushes items from the front of `items` while there are free slots, and never waits. Returns
    /// how many it pushed: at least one unless `items` is empty, and no more than there were free
    /// slots when it looked, however fast others pop.
    ///
    /// # Errors
    /// `Full` if there is no free slot at all, `Closed`, or `Failed` if the first item failed.
    /// What did not go in stays in `items`.
    ///
    /// ```
    /// # use queue_core::Queue;
    /// # use std::collections::VecDeque;
    /// /// Pushes what fits, and keeps the rest for later.
    /// fn flush<Q: Queue<Item = u32>>(queue: &Q, kept: &mut VecDeque<u32>) -> usize {
    ///     queue.try_push_many(kept).unwrap_or(0)
    /// }
    /// ```
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

    /// Pushes all of `items` in order, and waits for free slots. Items of other producers may come
    /// in between.
    ///
    /// # Errors
    /// `Closed`, or `Failed` for the item at the front. What did not go in stays in `items`.
    ///
    /// ```
    /// # use queue_core::{PushError, Queue};
    /// fn count_to<Q: Queue<Item = u32>>(n: u32, numbers: &Q) -> Result<(), PushError<()>> {
    ///     numbers.push_many(&mut (1..=n).collect())
    /// }
    /// ```
    #[doc(alias("send_many", "send_all", "batch"))]
    fn push_many(&self, items: &mut VecDeque<Self::Item>) -> Result<(), PushError<()>> {
        wait::push_many(self, items)
    }

    /// [`push_many`](Self::push_many) as a future.
    ///
    /// # Cancel safety
    /// If the future is dropped, `items` holds exactly what did not go in. (Between machines it may hold what
    /// a consumer got meanwhile, too: push it again, and it comes twice.)
    ///
    /// # Errors
    /// `Closed`, or `Failed` for the item at the front. What did not go in stays in `items`.
    ///
    /// ```
    /// # use queue_core::{PushError, Queue};
    /// async fn count_to<Q: Queue<Item = u32>>(n: u32, numbers: &Q) -> Result<(), PushError<()>> {
    ///     numbers.push_many_async(&mut (1..=n).collect()).await
    /// }
    /// ```
    #[doc(alias("send_many", "batch"))]
    fn push_many_async(
        &self,
        items: &mut VecDeque<Self::Item>,
    ) -> impl Future<Output = Result<(), PushError<()>>> + Send {
        wait::push_many_async(self, items)
    }

    // Popping.

    /// Pops the oldest item. Waits for one for as long as it takes, and blocks the thread
    /// meanwhile.
    ///
    /// # Errors
    /// `Closed` once the queue is closed and drained; `Failed`.
    ///
    /// ```
    /// # use queue_core::{Failure, PopError, Queue};
    /// fn sum<Q: Queue<Item = u32>>(numbers: &Q) -> Result<u32, Failure> {
    ///     let mut sum = 0;
    ///     loop {
    ///         match numbers.pop() {
    ///             Ok(n) => sum += n,
    ///             Err(PopError::Closed) => return Ok(sum),
    ///             Err(PopError::Failed(why)) => return Err(why),
    ///         }
    ///     }
    /// }
    /// ```
    #[doc(alias("recv", "receive", "get", "dequeue", "recv_blocking"))]
    #[inline]
    fn pop(&self) -> Result<Self::Item, PopError> {
        self.pop_until(Deadline::NEVER)
            .map_err(PopTimeoutError::without_timeout)
    }

    /// Pops the oldest item, and waits up to `timeout` for one. It tries once before it looks at
    /// the clock, so a timeout of zero is one try. A timeout too long to be represented waits for
    /// as long as it takes.
    ///
    /// # Errors
    /// `Timeout`; `Closed` once the queue is closed and drained; `Failed`.
    ///
    /// ```
    /// # use queue_core::{PopTimeoutError, Queue};
    /// # use std::time::Duration;
    /// fn watch<Q: Queue<Item = String>>(beats: &Q) -> PopTimeoutError {
    ///     loop {
    ///         match beats.pop_timeout(Duration::from_secs(5)) {
    ///             Ok(beat) => println!("{beat}"),
    ///             Err(silent) => return silent, // `Timeout`, unless it is closed or failed
    ///         }
    ///     }
    /// }
    /// ```
    #[doc(alias("recv_timeout", "get_timeout"))]
    fn pop_timeout(&self, timeout: Duration) -> Result<Self::Item, PopTimeoutError> {
        let limit = TimeLimit::within(timeout);
        match self.try_pop() {
            Ok(item) => Ok(item),
            Err(TryPopError::Empty) if timeout.is_zero() => Err(PopTimeoutError::Timeout),
            Err(TryPopError::Empty) => self.pop_until(limit.deadline()),
            Err(TryPopError::Closed) => Err(PopTimeoutError::Closed),
            Err(TryPopError::Failed(failure)) if failure.may_pass() && !timeout.is_zero() => {
                self.pop_until(limit.deadline())
            }
            Err(TryPopError::Failed(failure)) => Err(PopTimeoutError::Failed(failure)),
        }
    }

    /// Pops the oldest item, and waits until `deadline` for one. A deadline that has passed is one
    /// try.
    ///
    /// # Errors
    /// `Timeout`; `Closed` once the queue is closed and drained; `Failed`.
    ///
    /// ```
    /// # use queue_core::{PopTimeoutError, Queue};
    /// # use std::time::{Duration, Instant};
    /// /// Two answers, within one second in all.
    /// fn two<Q: Queue<Item = u32>>(answers: &Q) -> Result<[u32; 2], PopTimeoutError> {
    ///     let deadline = Instant::now() + Duration::from_secs(1);
    ///     Ok([answers.pop_deadline(deadline)?, answers.pop_deadline(deadline)?])
    /// }
    /// ```
    #[doc(alias("recv_deadline"))]
    fn pop_deadline(&self, deadline: Instant) -> Result<Self::Item, PopTimeoutError> {
        let limit = TimeLimit::until(Deadline::at(deadline));
        self.pop_until(limit.deadline())
    }

    /// Pops the oldest item as soon as there is one.
    ///
    /// # Cancel safety
    /// If the future is dropped, no item is lost, and a wake that was meant for it goes to another
    /// waiter.
    ///
    /// # Errors
    /// `Closed` once the queue is closed and drained; `Failed`.
    ///
    /// ```
    /// # use queue_core::{PopError, Queue};
    /// async fn first_two<Q: Queue<Item = u32>>(numbers: &Q) -> Result<(u32, u32), PopError> {
    ///     Ok((numbers.pop_async().await?, numbers.pop_async().await?))
    /// }
    /// ```
    #[doc(alias("recv", "recv_async", "receive", "get", "select"))]
    fn pop_async(&self) -> impl Future<Output = Result<Self::Item, PopError>> + Send {
        wait::pop_async(self)
    }

    /// Pops up to `max` items at once into `into`, and never waits. Returns how many it popped: at
    /// least one unless `max` is zero, and all there are if nobody else acts. It pops no more than
    /// were inside when it looked, and so never more than the capacity, however fast others push:
    /// `usize::MAX` takes what is there, and ends.
    ///
    /// # Errors
    /// `Empty`; `Closed` once the queue is closed and drained; `Failed` if the first item failed.
    /// A later failure ends the batch at the latest, and a pop that follows returns it. (A kind
    /// whose failed pop consumes the item must store such a failure, for this default has nowhere
    /// to keep it.)
    ///
    /// # Panics
    /// If the code of an item panics as it is brought out, which is its `Deserialize` between
    /// processes. That item is gone. Those before it are in `into`, and this process can still pop
    /// those behind it.
    ///
    /// ```
    /// # use queue_core::{Queue, TryPopError};
    /// /// What is inside at this moment.
    /// fn take_all<Q: Queue<Item = u32>>(samples: &Q) -> Result<Vec<u32>, TryPopError> {
    ///     let mut taken = Vec::new();
    ///     samples.try_pop_many(&mut taken, usize::MAX)?;
    ///     Ok(taken)
    /// }
    /// ```
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

    /// Waits for one item, and takes up to `max` at once. It appends them to `into` and returns
    /// how many, but no more than [`try_pop_many`](Self::try_pop_many) would. A `max` of zero is
    /// `Ok(0)` at once.
    ///
    /// # Errors
    /// `Closed` once the queue is closed and drained; `Failed`.
    ///
    /// ```
    /// # use queue_core::{Failure, PopError, Queue};
    /// fn total<Q: Queue<Item = u64>>(sizes: &Q) -> Result<u64, Failure> {
    ///     let (mut total, mut some) = (0, Vec::new());
    ///     loop {
    ///         match sizes.pop_many(&mut some, 64) {
    ///             Ok(_) => total += some.drain(..).sum::<u64>(),
    ///             Err(PopError::Closed) => return Ok(total),
    ///             Err(PopError::Failed(why)) => return Err(why),
    ///         }
    ///     }
    /// }
    /// ```
    #[doc(alias("recv_many", "batch"))]
    fn pop_many(&self, into: &mut Vec<Self::Item>, max: usize) -> Result<usize, PopError> {
        self.pop_many_until(into, max, Deadline::NEVER)
            .map_err(PopTimeoutError::without_timeout)
    }

    /// [`pop_many`](Self::pop_many) that waits up to `timeout` for the first item. It tries once
    /// before it looks at the clock, so a timeout of zero is one try.
    ///
    /// # Errors
    /// `Timeout`; `Closed` once the queue is closed and drained; `Failed`.
    ///
    /// ```
    /// # use queue_core::{PopTimeoutError, Queue};
    /// # use std::time::Duration;
    /// /// Writes many lines at once, but leaves none waiting for more than a second.
    /// fn write<Q: Queue<Item = String>>(lines: &Q, write: fn(&[String])) {
    ///     let mut batch = Vec::new();
    ///     loop {
    ///         match lines.pop_many_timeout(&mut batch, 256, Duration::from_secs(1)) {
    ///             Ok(_) => write(&batch),
    ///             Err(PopTimeoutError::Timeout) => {}
    ///             Err(PopTimeoutError::Closed) => return,
    ///             Err(PopTimeoutError::Failed(why)) => panic!("{why:#}"),
    ///         }
    ///         batch.clear();
    ///     }
    /// }
    /// ```
    #[doc(alias("recv_many_timeout", "batch"))]
    fn pop_many_timeout(
        &self,
        into: &mut Vec<Self::Item>,
        max: usize,
        timeout: Duration,
    ) -> Result<usize, PopTimeoutError> {
        let limit = TimeLimit::within(timeout);
        self.pop_many_until(into, max, limit.deadline())
    }

    /// [`pop_many`](Self::pop_many) as a future.
    ///
    /// # Cancel safety
    /// If the future is dropped, no item is lost: those that were popped are in `into`.
    ///
    /// # Errors
    /// `Closed` once the queue is closed and drained; `Failed`.
    ///
    /// ```
    /// # use queue_core::{Failure, PopError, Queue};
    /// async fn total<Q: Queue<Item = u64>>(sizes: &Q) -> Result<u64, Failure> {
    ///     let (mut total, mut some) = (0, Vec::new());
    ///     loop {
    ///         match sizes.pop_many_async(&mut some, 64).await {
    ///             Ok(_) => total += some.drain(..).sum::<u64>(),
    ///             Err(PopError::Closed) => return Ok(total),
    ///             Err(PopError::Failed(why)) => return Err(why),
    ///         }
    ///     }
    /// }
    /// ```
    #[doc(alias("recv_many", "batch"))]
    fn pop_many_async(
        &self,
        into: &mut Vec<Self::Item>,
        max: usize,
    ) -> impl Future<Output = Result<usize, PopError>> + Send {
        wait::pop_many_async(self, into, max)
    }

    // The end.

    /// Closes the queue and takes what is left, in order: what was inside, and what pushes that
    /// were under way still put in. It skips an item that fails to come out (between processes: its
    /// bytes are damaged, or those of another type); a pop that follows says so, before it is `Closed`.
    /// (A kind whose items may fail stores such a failure; this default has nowhere to keep it.)
    ///
    /// What is in flight is not returned. A delivery that is given back afterwards is in the closed
    /// queue, for the next pop, receive or `close_now`.
    ///
    /// # Panics
    /// If the code of an item panics as it is brought out (between processes, its `Deserialize`).
    /// That item is gone. This process can still get all others, by a pop or another `close_now`.
    ///
    /// ```
    /// # use queue_core::Queue;
    /// /// Gives up, and says which jobs were never begun.
    /// fn abort<Q: Queue<Item = u32>>(jobs: &Q) -> Vec<u32> {
    ///     jobs.close_now() // a producer that waits in a `push` gets its own item back
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

    /// Makes two halves of this handle, which can be cloned. When the last half of a side is
    /// dropped the queue closes: then pops drain and are `Closed`, and pushes are `Closed` at
    /// once.
    ///
    /// All halves of one queue are counted together, by whichever handle they were made. In the
    /// process that made them they alone count: a handle that is left beside them does not keep
    /// the queue open.
    ///
    /// A half that is not wanted is dropped at once. If it is the only one of its side, the queue
    /// closes: after `let (_, consumer) = queue.into_ends();` nothing but draining is left. Name
    /// it (`_producer`) to keep it.
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

    /// The pushing half alone, of a clone of this handle. [`into_ends`](Self::into_ends) says what
    /// a half means.
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

    /// The popping half alone, of a clone of this handle. [`into_ends`](Self::into_ends) says what
    /// a half means.
    ///
    /// ```
    /// # use queue_core::Queue;
    /// fn start_worker<Q: Queue<Item = String> + Clone + 'static>(jobs: &Q) {
    ///     let consumer = jobs.consumer();
    ///     std::thread::spawn(move || {
    ///         for job in &consumer {
    ///             println!("{job}");
    ///         }
    ///     });
    /// } // pushes are `Closed` when the last worker has gone
    /// ```
    #[doc(alias("receiver"))]
    #[must_use = "a half that is dropped closes the queue, if it is the last of its side"]
    fn consumer(&self) -> Consumer<Self>
    where
        Self: Sized + Clone,
    {
        Consumer::new(self.clone())
    }

    /// This queue as a [`futures_sink::Sink`]. It pushes each item that is sent, and waits for a
    /// free slot.
    ///
    /// It borrows the queue, and leaves it open when it is closed or dropped.
    /// [`Producer::into_sink`] owns its half, and closes that; its page has an example.
    ///
    /// # Cancel safety
    /// See [`ItemSink`]: flush the sink before dropping it, or the item that waits in it is
    /// dropped.
    fn sink(&self) -> ItemSink<'_, Self>
    where
        Self: Sized,
    {
        ItemSink::new(self)
    }

    // Iteration.

    /// Pops until the queue is closed and drained, and blocks in between.
    ///
    /// # Panics
    /// The iterator panics with the failure if an item cannot be brought out (`Failed`), which
    /// happens between processes alone. Use [`results`](Self::results) there.
    ///
    /// ```
    /// # use queue_core::Queue;
    /// fn longest<Q: Queue<Item = String>>(words: &Q) -> usize {
    ///     words.iter().map(|word| word.len()).max().unwrap_or(0)
    /// }
    /// ```
    fn iter(&self) -> Iter<'_, Self>
    where
        Self: Sized,
    {
        Iter::new(self)
    }

    /// Pops what is inside, and ends where a pop would wait. Beside a producer that is as fast it
    /// need not end (as that of `std::sync::mpsc`). [`try_pop_many`](Self::try_pop_many) takes
    /// what was inside at one moment, and no more.
    ///
    /// # Panics
    /// The iterator panics with the failure if an item cannot be brought out (`Failed`), which
    /// happens between processes alone. Use [`try_results`](Self::try_results) there.
    ///
    /// ```
    /// # use queue_core::Queue;
    /// fn collect<Q: Queue<Item = u32>>(answers: &Q) -> Vec<u32> {
    ///     answers.try_iter().collect()
    /// }
    /// ```
    #[doc(alias("drain"))]
    fn try_iter(&self) -> TryIter<'_, Self>
    where
        Self: Sized,
    {
        TryIter::new(self)
    }

    /// Pops until the queue is closed and drained, as a [`futures_core::Stream`]. It borrows the
    /// queue; [`Consumer::into_stream`] owns its half. [`ItemStream`] has an example.
    ///
    /// # Cancel safety
    /// If the stream, or the future of its next item, is dropped, no item and no wake is lost.
    ///
    /// # Panics
    /// The stream panics with the failure if an item cannot be brought out (`Failed`), which
    /// happens between processes alone. Use [`results_stream`](Self::results_stream) there.
    fn stream(&self) -> ItemStream<'_, Self>
    where
        Self: Sized,
    {
        ItemStream::new(self)
    }

    /// As [`iter`](Self::iter), but yields the failure where an item cannot be brought out, and
    /// goes on behind it. It ends when the queue is closed and drained, and behind a failure that
    /// is not about one item ([`Failure::consumed_item`](crate::Failure::consumed_item)).
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
    /// out, and goes on behind it, as [`results`](Self::results) does.
    ///
    /// ```
    /// # use queue_core::{Failure, Queue};
    /// fn collect<Q: Queue<Item = u32>>(answers: &Q) -> Result<Vec<u32>, Failure> {
    ///     answers.try_results().collect()
    /// }
    /// ```
    fn try_results(&self) -> TryResults<'_, Self>
    where
        Self: Sized,
    {
        TryResults::new(self)
    }

    /// As [`stream`](Self::stream), but yields the failure where an item cannot be brought out,
    /// and goes on behind it, as [`results`](Self::results) does. [`ResultStream`] has an example.
    ///
    /// # Cancel safety
    /// If the stream, or the future of its next item, is dropped, no item and no wake is lost.
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
