//! [`AsyncQueue`]: the kind, and every verb of it.

use crate::future::{Pop, Push};
use crate::permit::Permit;
use crate::producer_list::Request;
use crate::shared::Shared;
use crate::state::{Closed, State, WaitFor};
use crate::turn::Turn;
use queue_core::coop;
use queue_core::sync::{Arc, Deadline};
use queue_core::waiters::ignore_panic;
use queue_core::{
    Capacity, EndpointCounts, Failure, Kind, PopError, PopTimeoutError, PushError,
    PushTimeoutError, Queue, Side, TryPopError, TryPushError, WithCapacity,
};
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::task::{Context, Poll};
use std::time::Duration;

/// A fair queue between async tasks, on any executor; threads may use it as well.
///
/// A value is a handle: its clones are the same queue. The verbs are those of
/// [`Queue`]; the crate's page says how they are served.
///
/// ```
/// use futures::StreamExt;
/// use queue_async::{AsyncQueue, Queue};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let jobs = AsyncQueue::bounded(64);
/// let worker = {
///     let jobs = jobs.clone();
///     tokio::spawn(async move { jobs.stream().fold(0, async |sum, job| sum + job).await })
/// };
/// for job in 1..=1000 {
///     jobs.push_async(job).await.unwrap();
/// }
/// jobs.close();
/// assert_eq!(worker.await.unwrap(), 500_500);
/// # });
/// ```
#[doc(alias("channel", "mpmc", "mpsc"))]
pub struct AsyncQueue<T> {
    pub(crate) shared: Arc<Shared<T>>,
    capacity: Option<usize>,
}

impl<T> AsyncQueue<T> {
    queue_core::constructors!();

    fn new(bound: Capacity) -> Self {
        let capacity = bound.capacity();
        Self {
            shared: Arc::new(Shared::new(capacity.unwrap_or(usize::MAX))),
            capacity,
        }
    }

    /// A slot in the queue, held until the [`Permit`] is used or dropped. Waits in the
    /// same line as pushes do.
    ///
    /// A producer that makes its item only once it has a slot loses nothing when it is
    /// cancelled while it waits.
    ///
    /// ```
    /// use queue_async::{AsyncQueue, Queue};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let queue = AsyncQueue::bounded(1);
    /// let permit = queue.reserve_async().await.unwrap();
    /// assert!(queue.is_full() && queue.is_empty());
    /// permit.push("made to order").unwrap();
    /// assert_eq!(queue.pop_async().await.unwrap(), "made to order");
    /// # });
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future gives up its position in line, and its turn goes to the next.
    ///
    /// # Errors
    /// `Closed`.
    pub fn reserve_async(&self) -> impl Future<Output = Result<Permit<'_, T>, PushError<()>>> + Send
    where
        T: Send,
    {
        let mut turn = None;
        poll_fn(move |cx| self.poll_reserve(&mut turn, cx))
    }

    /// [`reserve_async`](Self::reserve_async), blocking the thread.
    ///
    /// # Errors
    /// `Closed`.
    pub fn reserve(&self) -> Result<Permit<'_, T>, PushError<()>> {
        match self.shared.wait_with_slot(State::hold) {
            Ok(()) => Ok(Permit::new(&self.shared)),
            Err(Closed) => Err(PushError::Closed(())),
        }
    }

    /// [`reserve_async`](Self::reserve_async) without waiting.
    ///
    /// # Errors
    /// `Full` or `Closed`.
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TryPushError<()>> {
        match self.shared.try_with_slot(State::hold) {
            Some(Ok(())) => Ok(Permit::new(&self.shared)),
            Some(Err(Closed)) => Err(TryPushError::Closed(())),
            None => Err(TryPushError::Full(())),
        }
    }

    pub(crate) fn poll_reserve<'a>(
        &'a self,
        turn: &mut Option<Turn<'a, T>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Permit<'a, T>, PushError<()>>> {
        (self.shared)
            .poll_with_slot(turn, cx, State::hold)
            .map(|held| match held {
                Ok(()) => Ok(Permit::new(&self.shared)),
                Err(Closed) => Err(PushError::Closed(())),
            })
    }
}

impl<T> Clone for AsyncQueue<T> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            capacity: self.capacity,
        }
    }
}

impl<T> fmt::Debug for AsyncQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, closed) = {
            let state = self.shared.lock();
            (state.len(), state.is_closed())
        };
        f.debug_struct("AsyncQueue")
            .field("len", &len)
            .field("capacity", &self.capacity)
            .field("closed", &closed)
            .finish()
    }
}

impl<T> WithCapacity for AsyncQueue<T> {
    fn try_with_capacity(bound: Capacity) -> Result<Self, Failure> {
        Ok(Self::new(bound))
    }
}

impl<T: Send> Kind for AsyncQueue<T> {
    type Item = T;
    type Listener<'a>
        = Turn<'a, T>
    where
        Self: 'a;

    fn endpoints(&self) -> &EndpointCounts {
        &self.shared.ends
    }

    fn ready_hint(&self, side: Side) -> usize {
        let state = self.shared.lock();
        match side {
            Side::Consumers if state.has_ended() => usize::MAX,
            Side::Consumers => state.len(),
            Side::Producers if state.is_closed() => usize::MAX,
            Side::Producers => state.free_slots(),
        }
    }

    fn is_spoken_for(&self) -> bool {
        let state = self.shared.lock();
        state.len() != 0 && state.spare() == 0 && !state.has_ended()
    }

    fn listen(&self, side: Side) -> Turn<'_, T> {
        match side {
            Side::Consumers => {
                let key = self.shared.change(|state| state.enqueue_consumer(None));
                Turn::new(&self.shared, WaitFor::Item, key)
            }
            Side::Producers => {
                let join = |state: &mut State<T>| state.enqueue_producer(Request::Notice, None);
                Turn::new(&self.shared, WaitFor::Notice, self.shared.change(join))
            }
        }
    }
}

impl<T: Send> Queue for AsyncQueue<T> {
    #[inline]
    fn push_until(&self, item: T, deadline: Deadline) -> Result<(), PushTimeoutError<T>> {
        self.shared.wait_push(item, || deadline)
    }

    #[inline]
    fn pop_until(&self, deadline: Deadline) -> Result<T, PopTimeoutError> {
        pop_until(self, || deadline)
    }

    #[inline]
    fn poll_pop<'a>(
        &'a self,
        turn: &mut Option<Turn<'a, T>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, PopError>> {
        (self.shared)
            .poll_with_item(turn, cx, State::pop)
            .map_err(|Closed| PopError::Closed)
    }

    #[inline]
    fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        self.shared.try_push(item)
    }

    #[inline]
    fn try_pop(&self) -> Result<T, TryPopError> {
        match self.shared.try_with_item(State::pop) {
            Some(Ok(item)) => Ok(item),
            Some(Err(Closed)) => Err(TryPopError::Closed),
            None => Err(TryPopError::Empty),
        }
    }

    fn len(&self) -> usize {
        self.shared.lock().len()
    }

    fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    fn close(&self) -> bool {
        self.shared.change(|state| state.close())
    }

    fn is_closed(&self) -> bool {
        self.shared.lock().is_closed()
    }

    /// Whether no slot is left: those that a [`Permit`] holds count as taken.
    fn is_full(&self) -> bool {
        self.shared.lock().free_slots() == 0
    }

    fn push_timeout(&self, item: T, timeout: Duration) -> Result<(), PushTimeoutError<T>> {
        self.shared.wait_push(item, || Deadline::after(timeout))
    }

    #[inline]
    fn push_async(&self, item: T) -> impl Future<Output = Result<(), PushError<T>>> + Send {
        Push::new(&self.shared, item)
    }

    fn try_push_many(&self, items: &mut VecDeque<T>) -> Result<usize, TryPushError<()>> {
        if items.is_empty() {
            return Ok(0);
        }
        let push = |state: &mut State<T>| state.push_many(items, state.free_slots());
        match self.shared.try_with_slot(push) {
            Some(Ok(count)) => Ok(count),
            Some(Err(Closed)) => Err(TryPushError::Closed(())),
            None => Err(TryPushError::Full(())),
        }
    }

    fn push_many(&self, items: &mut VecDeque<T>) -> Result<(), PushError<()>> {
        while !items.is_empty() {
            let push = |state: &mut State<T>| state.push_many(items, state.free_slots());
            if let Err(Closed) = self.shared.wait_with_slot(push) {
                return Err(PushError::Closed(()));
            }
        }
        Ok(())
    }

    async fn push_many_async(&self, items: &mut VecDeque<T>) -> Result<(), PushError<()>> {
        while !items.is_empty() {
            let mut turn = None;
            let pushed = poll_fn(|cx| {
                (self.shared).poll_with_slot(&mut turn, cx, |state| {
                    state.push_many(items, state.free_slots())
                })
            });
            match pushed.await {
                Ok(count) => coop::spend(count),
                Err(Closed) => return Err(PushError::Closed(())),
            }
        }
        Ok(())
    }

    fn pop_timeout(&self, timeout: Duration) -> Result<T, PopTimeoutError> {
        pop_until(self, || Deadline::after(timeout))
    }

    #[inline]
    fn pop_async(&self) -> impl Future<Output = Result<T, PopError>> + Send {
        Pop::new(&self.shared)
    }

    fn try_pop_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        if max == 0 {
            return Ok(0);
        }
        match self
            .shared
            .try_with_item(|state| state.pop_up_to(into, max))
        {
            Some(Ok(count)) => Ok(count),
            Some(Err(Closed)) => Err(TryPopError::Closed),
            None => Err(TryPopError::Empty),
        }
    }

    fn pop_many_until(
        &self,
        into: &mut Vec<T>,
        max: usize,
        deadline: Deadline,
    ) -> Result<usize, PopTimeoutError> {
        if max == 0 {
            return Ok(0);
        }
        match (self.shared).wait_with_item(|| deadline, |state| state.pop_many(into, max)) {
            Some(Ok(count)) => Ok(count),
            Some(Err(Closed)) => Err(PopTimeoutError::Closed),
            None => Err(PopTimeoutError::Timeout),
        }
    }

    fn pop_many_async(
        &self,
        into: &mut Vec<T>,
        max: usize,
    ) -> impl Future<Output = Result<usize, PopError>> + Send {
        let mut turn = None;
        poll_fn(move |cx| {
            if max == 0 {
                return Poll::Ready(Ok(0));
            }
            (self.shared)
                .poll_with_item(&mut turn, cx, |state| state.pop_many(into, max))
                .map_ok(|count| {
                    coop::spend(count);
                    count
                })
                .map_err(|Closed| PopError::Closed)
        })
    }

    fn close_now(&self) -> Vec<T> {
        // Whom that wakes runs foreign code, that may panic: with nothing taken yet. Who is woken
        // and comes first takes what is its.
        self.close();
        let mut left = VecDeque::new();
        ignore_panic(|| self.shared.change(|state| left = state.take_all()));
        left.into()
    }
}

#[inline(always)]
fn pop_until<T>(
    queue: &AsyncQueue<T>,
    deadline: impl FnOnce() -> Deadline,
) -> Result<T, PopTimeoutError> {
    match queue.shared.wait_with_item(deadline, State::pop) {
        Some(Ok(item)) => Ok(item),
        Some(Err(Closed)) => Err(PopTimeoutError::Closed),
        None => Err(PopTimeoutError::Timeout),
    }
}
