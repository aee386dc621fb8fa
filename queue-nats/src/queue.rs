//! [`Queue`] for [`NatsQueue`]; and items as bytes.

use crate::NatsQueue;
use crate::get::NotGot;
use crate::lease::{Delivered, Several};
use crate::put::NotPut;
use crate::supply::WINDOW;
use crate::watch::{Waiting, Who};
use crate::window::{Known, SHORTEST, STRETCH, STRETCH_BYTES};
use bytes::Bytes;
use queue_codec::Codec;
use queue_core::event::{Listen, Listener};
use queue_core::sync::Deadline;
use queue_core::{
    EndpointCounts, Failure, FailureKind, Kind, PopError, PopTimeoutError, PushError,
    PushTimeoutError, Queue, QueueId, Side, Stats, TryPopError, TryPushError,
};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

/// A `close_now` takes at most so many items out at once: half of what the server lets be in flight.
const HELD: usize = 500_000;

/// A waiter of a [`NatsQueue`].
pub struct NatsListener<'a, T>(Sort<'a, T>);

enum Sort<'a, T> {
    Event(Listener<'a>, #[allow(dead_code)] Waiting),
    /// Of `poll_pop`: a pop that goes on from poll to poll.
    Pop(Pin<Box<dyn Future<Output = Result<T, PopError>> + Send + 'a>>),
}

impl<T> fmt::Debug for NatsListener<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NatsListener(..)")
    }
}

impl<T> Future for NatsListener<'_, T> {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Sort::Event(listener, _) => Pin::new(listener).poll(cx),
            Sort::Pop(_) => Poll::Ready(()),
        }
    }
}

impl<T> Listen for NatsListener<'_, T> {
    fn wait(self, deadline: Deadline) -> bool {
        match self.0 {
            Sort::Event(listener, _waiting) => listener.wait(deadline),
            Sort::Pop(_) => true,
        }
    }
}

impl<T: Send, C: Codec<T>> Kind for NatsQueue<T, C> {
    type Item = T;
    type Listener<'a>
        = NatsListener<'a, T>
    where
        Self: 'a;

    fn listen(&self, side: Side) -> NatsListener<'_, T> {
        let shared = &self.shared;
        // What the first look of the watch sees wakes this listener.
        let (event, who) = match side {
            Side::Consumers => (&shared.items, Who::Listen),
            Side::Producers => (&shared.room, Who::Push),
        };
        let listener = event.listen();
        NatsListener(Sort::Event(listener, shared.watch_for(who)))
    }

    fn endpoints(&self) -> &EndpointCounts {
        &self.shared.ends
    }

    fn id(&self) -> QueueId {
        self.shared.id()
    }

    /// Looking costs as much as trying.
    fn ready_hint(&self, _: Side) -> usize {
        0
    }

    fn on_first_endpoint(&self, side: Side) {
        let shared = &self.shared;
        shared.link.block_on(shared.hold_half(side));
    }

    /// Closes the queue, unless another process has a half of that side.
    fn on_last_endpoint(&self, side: Side) {
        let shared = &self.shared;
        shared.link.block_on(async {
            if shared.drop_half(side).await {
                let _ = shared.close().await;
            }
        });
    }
}

/// An item as bytes.
fn encode<T, C: Codec<T>>(item: &T) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    C::encode(item, &mut bytes)?;
    Ok(bytes.into())
}

/// Bytes as an item, which is gone if they are not one.
pub(crate) fn decode<T, C: Codec<T>>(bytes: &[u8]) -> Result<T, Failure> {
    C::decode(bytes).map_err(Failure::with_item_consumed)
}

/// As many of the first items as are put in one go, as bytes; the first must have some.
fn encode_some<T, C: Codec<T>>(items: &VecDeque<T>, most: usize) -> Result<Vec<Bytes>, Failure> {
    let mut stretch: Vec<Bytes> = Vec::new();
    let mut size = 0;
    for item in items.iter().take(most) {
        match encode::<T, C>(item) {
            Ok(bytes) => {
                size += bytes.len();
                if size > STRETCH_BYTES && !stretch.is_empty() {
                    break;
                }
                stretch.push(bytes);
            }
            Err(failure) if stretch.is_empty() => return Err(failure),
            // It is told when it is the first.
            Err(_) => break,
        }
    }
    Ok(stretch)
}

/// Items that are being put. Those that are known to be in leave it, whenever it is dropped.
struct Going<'a, T> {
    items: &'a mut VecDeque<T>,
    known: Arc<Known>,
}

impl<T> Drop for Going<'_, T> {
    fn drop(&mut self) {
        let count = self.known.settle();
        self.items.drain(..count);
    }
}

impl<T: Send, C: Codec<T>> NatsQueue<T, C> {
    async fn put_until(&self, item: T, deadline: Deadline) -> Result<(), PushTimeoutError<T>> {
        let bytes = match encode::<T, C>(&item) {
            Ok(bytes) => bytes,
            Err(failure) => return Err(PushTimeoutError::Failed(item, failure)),
        };
        match self.shared.put(bytes, deadline).await {
            Ok(()) => Ok(()),
            Err(NotPut::Full | NotPut::Timeout) => Err(PushTimeoutError::Timeout(item)),
            Err(NotPut::Closed) => Err(PushTimeoutError::Closed(item)),
            Err(NotPut::Failed(failure)) => Err(PushTimeoutError::Failed(item, failure)),
        }
    }

    /// Puts what goes in at once. `items` has what did not go in, whenever it is dropped.
    async fn put_some(
        &self,
        items: &mut VecDeque<T>,
        deadline: Deadline,
    ) -> Result<usize, TryPushError<()>> {
        let failed = |failure| TryPushError::Failed((), failure);
        let mut slots = match self.shared.capacity {
            None => items.len(),
            Some(capacity) => {
                self.shared.undone().await;
                let info = self.shared.info().await;
                let info = match info {
                    Ok(info) => info.messages(),
                    // What waits waits by trying.
                    Err(why) if why.kind() == FailureKind::Unavailable => capacity,
                    Err(why) => return Err(failed(why)),
                };
                capacity.saturating_sub(info).max(1)
            }
        };
        let (mut pushed, mut parted) = (0, 0);
        while slots > 0 && !items.is_empty() {
            // Relaxed: a hint.
            let most = self.shared.stretch.load(Ordering::Relaxed);
            let stretch = match encode_some::<T, C>(items, slots.min(most)) {
                Ok(stretch) => stretch,
                Err(_) if pushed > 0 => break,
                Err(failure) => return Err(failed(failure)),
            };
            let asked = stretch.len();
            let known = Arc::default();
            let going = Going {
                items: &mut *items,
                known: Arc::clone(&known),
            };
            // Where others come in between, an answer for each is one question less.
            let together = match most {
                STRETCH => self.shared.together,
                _ => 1,
            };
            let went = (self.shared.put_stretch(stretch, together, deadline, &known)).await;
            drop(going);
            let count = went.numbers.len();
            pushed += count;
            slots -= count;
            match went.why {
                // Nobody knows whether the next one is in: that must be told now.
                Some(NotPut::Failed(failure)) if failure.kind() == FailureKind::Ambiguous => {
                    return Err(failed(failure));
                }
                Some(_) if pushed > 0 => break,
                Some(NotPut::Full | NotPut::Timeout) => return Err(TryPushError::Full(())),
                Some(NotPut::Closed) => return Err(TryPushError::Closed(())),
                Some(NotPut::Failed(failure)) => return Err(failed(failure)),
                // Another producer's item came in between. A shorter stretch is less likely to be parted, and
                // less of it is sent in vain; and two that would part each other again and again do not keep
                // in step.
                None if count < asked => {
                    self.shared
                        .stretch
                        .store((asked / 2).max(SHORTEST), Ordering::Relaxed);
                    parted = (parted + 1).min(5);
                    let pause = RandomState::new().hash_one(count) % (1 << parted);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                None => {
                    parted = 0;
                    self.shared
                        .stretch
                        .store((2 * most).min(STRETCH), Ordering::Relaxed);
                }
            }
        }
        Ok(pushed)
    }

    async fn put_all(&self, items: &mut VecDeque<T>) -> Result<(), PushError<()>> {
        while !items.is_empty() {
            match self.put_some(items, Deadline::NEVER).await {
                Ok(_) => continue,
                Err(TryPushError::Full(())) => {}
                Err(TryPushError::Failed((), why)) if why.kind() == FailureKind::Unavailable => {}
                Err(TryPushError::Closed(())) => return Err(PushError::Closed(())),
                Err(TryPushError::Failed((), why)) => return Err(PushError::Failed((), why)),
            }
            // The first one alone, once there is a slot and a server.
            let Some(first) = items.front() else { break };
            let failed = |failure| PushError::Failed((), failure);
            let bytes = encode::<T, C>(first).map_err(failed)?;
            match self.shared.put(bytes, Deadline::NEVER).await {
                Ok(()) => drop(items.pop_front()),
                Err(NotPut::Closed) => return Err(PushError::Closed(())),
                Err(NotPut::Failed(failure)) => return Err(failed(failure)),
                Err(NotPut::Full | NotPut::Timeout) => {}
            }
        }
        Ok(())
    }

    /// As a verb that blocks, which knows when it returns that the item is out.
    async fn get_until(&self, deadline: Deadline) -> Result<T, PopTimeoutError> {
        loop {
            let delivered = self.next(deadline).await?;
            let bytes = delivered.payload.clone();
            let done = delivered.done().await;
            match done.acked {
                Err(why) if !done.is_out => {
                    // It comes again.
                    let passing = why.kind() == FailureKind::Unavailable;
                    if !passing || !self.shared.link.try_again(deadline).await {
                        return Err(PopTimeoutError::Failed(why));
                    }
                }
                // Who does not know whether it is out takes it: better twice than never.
                Ok(()) | Err(_) => return decode::<T, C>(&bytes).map_err(PopTimeoutError::Failed),
            }
        }
    }

    /// As a future, which may be dropped as long as it has not returned the item.
    async fn get(&self, deadline: Deadline) -> Result<T, PopTimeoutError> {
        let delivered = self.next(deadline).await?;
        self.take_out_soon(delivered)
            .map_err(PopTimeoutError::Failed)
    }

    pub(crate) async fn next(&self, deadline: Deadline) -> Result<Delivered, PopTimeoutError> {
        let delivered = self.shared.get(deadline).await;
        let delivered = delivered.map_err(pop_timeout_error)?;
        delivered.ok_or(PopTimeoutError::Timeout)
    }

    fn take_out_soon(&self, delivered: Delivered) -> Result<T, Failure> {
        let bytes = delivered.payload.clone();
        // First: by a panic of its own code too it is gone.
        self.shared.take_out_soon(delivered);
        decode::<T, C>(&bytes)
    }

    async fn try_get(&self) -> Result<T, TryPopError> {
        let shared = &self.shared;
        shared.undone().await;
        shared.untold().map_err(TryPopError::Failed)?;
        let delivered = shared.try_get().await.map_err(not_got)?;
        let bytes = delivered.payload.clone();
        let done = delivered.done().await;
        match done.acked {
            Err(why) if !done.is_out => Err(TryPopError::Failed(why)),
            Ok(()) | Err(_) => decode::<T, C>(&bytes).map_err(TryPopError::Failed),
        }
    }

    /// Takes what waits, up to `max`. `into` has what is out, whenever it is dropped.
    async fn try_get_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        self.shared.undone().await;
        self.shared.untold().map_err(TryPopError::Failed)?;
        self.try_get_more(into, max).await
    }

    /// The same, for a pop that may have items: what is untold is for the next one.
    async fn try_get_more(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        let mut all = self.shared.try_get_many(max).await.map_err(not_got)?;
        let mut count = 0;
        while let Some(delivered) = all.0.pop_front() {
            match self.take_out_soon(delivered) {
                Ok(item) => into.push(item),
                Err(failure) if count == 0 => return Err(TryPopError::Failed(failure)),
                Err(failure) => {
                    self.shared.tell_next(failure);
                    break;
                }
            }
            count += 1;
        }
        Ok(count)
    }

    async fn get_many(
        &self,
        into: &mut Vec<T>,
        max: usize,
        deadline: Deadline,
    ) -> Result<usize, PopTimeoutError> {
        if max == 0 {
            return Ok(0);
        }
        match self.try_get_many(into, max).await {
            Ok(count) => return Ok(count),
            Err(TryPopError::Closed) => return Err(PopTimeoutError::Closed),
            Err(TryPopError::Failed(why)) if why.kind() != FailureKind::Unavailable => {
                return Err(PopTimeoutError::Failed(why));
            }
            Err(TryPopError::Empty | TryPopError::Failed(_)) => {}
        }
        into.push(self.get(deadline).await?);
        if max == 1 {
            return Ok(1);
        }
        match self.try_get_more(into, max - 1).await {
            Ok(more) => Ok(1 + more),
            Err(TryPopError::Failed(failure)) if failure.consumed_item() => {
                self.shared.tell_next(failure);
                Ok(1)
            }
            // The next pop meets it itself.
            Err(_) => Ok(1),
        }
    }

    /// A verb that blocks: when it returns, its items are out.
    async fn taken_out<R>(&self, verb: impl Future<Output = R>) -> R {
        let output = verb.await;
        self.shared.undone().await;
        output
    }

    /// What is inside, in order; what is damaged the next pops tell of. All of it stays in the queue until the
    /// last one has come out of its bytes, whose own code may panic.
    async fn take_rest(&self) -> Vec<T> {
        let (mut left, mut held) = (Vec::new(), Several::default());
        loop {
            let several = self.shared.try_get_many(usize::MAX).await;
            let is_over = several.is_err();
            let mut several = several.unwrap_or_default();
            while let Some(delivered) = several.0.pop_front() {
                match self.lent(delivered).await {
                    Ok((item, lease)) => {
                        left.push(item);
                        held.0.push_back(lease.0);
                    }
                    Err(failure) => self.shared.tell_next(failure),
                }
            }
            if is_over || held.0.len() >= HELD {
                while !held.0.is_empty() {
                    let some = held.0.drain(..held.0.len().min(WINDOW));
                    some.for_each(|delivered| self.shared.take_out_soon(delivered));
                    self.shared.undone().await;
                }
            }
            if is_over {
                return left;
            }
        }
    }
}

fn push_error<T>(error: PushTimeoutError<T>) -> PushError<T> {
    match error {
        PushTimeoutError::Closed(item) => PushError::Closed(item),
        PushTimeoutError::Failed(item, failure) => PushError::Failed(item, failure),
        PushTimeoutError::Timeout(_) => unreachable!("never has not come"),
    }
}

pub(crate) fn pop_error(error: PopTimeoutError) -> PopError {
    match error {
        PopTimeoutError::Closed => PopError::Closed,
        PopTimeoutError::Failed(failure) => PopError::Failed(failure),
        PopTimeoutError::Timeout => unreachable!("never has not come"),
    }
}

fn pop_timeout_error(why: NotGot) -> PopTimeoutError {
    match why {
        NotGot::Empty => PopTimeoutError::Timeout,
        NotGot::Closed => PopTimeoutError::Closed,
        NotGot::Failed(failure) => PopTimeoutError::Failed(failure),
    }
}

pub(crate) fn not_got(why: NotGot) -> TryPopError {
    match why {
        NotGot::Empty => TryPopError::Empty,
        NotGot::Closed => TryPopError::Closed,
        NotGot::Failed(failure) => TryPopError::Failed(failure),
    }
}

impl<T: Send, C: Codec<T>> Queue for NatsQueue<T, C> {
    fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        let bytes = match encode::<T, C>(&item) {
            Ok(bytes) => bytes,
            Err(failure) => return Err(TryPushError::Failed(item, failure)),
        };
        let shared = &self.shared;
        match shared.link.block_on(shared.try_put(bytes)) {
            Ok(()) => Ok(()),
            Err(NotPut::Full | NotPut::Timeout) => Err(TryPushError::Full(item)),
            Err(NotPut::Closed) => Err(TryPushError::Closed(item)),
            Err(NotPut::Failed(failure)) => Err(TryPushError::Failed(item, failure)),
        }
    }

    fn try_pop(&self) -> Result<T, TryPopError> {
        self.shared.link.block_on(self.try_get())
    }

    /// Those that wait. None if the server does not answer.
    fn len(&self) -> usize {
        let shared = &self.shared;
        let counts = shared.link.block_on(shared.counts());
        counts.map_or(0, |(waiting, _)| waiting)
    }

    fn is_full(&self) -> bool {
        let shared = &self.shared;
        let Some(capacity) = shared.capacity else {
            return false;
        };
        let info = shared.link.block_on(shared.info_after_all());
        info.is_ok_and(|info| info.messages() >= capacity)
    }

    fn capacity(&self) -> Option<usize> {
        self.shared.capacity
    }

    /// False also if the server does not answer for two [`timeout`](crate::NatsOptions::timeout)s:
    /// [`try_close`](NatsQueue::try_close) tells.
    fn close(&self) -> bool {
        self.try_close().unwrap_or(false)
    }

    /// As the server says; what was known, if it does not answer.
    fn is_closed(&self) -> bool {
        let shared = &self.shared;
        if !shared.is_known_closed() {
            let _ = shared.link.block_on(shared.info());
        }
        shared.is_known_closed()
    }

    /// What the server counts, of all machines; `popped` are those that were popped or are done.
    /// Nothing, if it does not answer.
    fn stats(&self) -> Stats {
        let shared = &self.shared;
        let mut stats = Stats::default();
        let info = shared.link.block_on(shared.info_after_all());
        if let Ok(info) = info {
            let gone = info.last() - info.messages() as u64;
            stats.pushed = Some(info.last() as u32);
            stats.popped = Some(gone as u32);
        }
        stats
    }

    /// # Panics
    /// If the code of an item panics. That item is gone; of more than 500,000, so is each half million that had
    /// come out before.
    fn close_now(&self) -> Vec<T> {
        self.close();
        self.shared.link.block_on(self.take_rest())
    }

    fn push_until(&self, item: T, deadline: Deadline) -> Result<(), PushTimeoutError<T>> {
        let pushed = self.put_until(item, deadline);
        self.shared.link.block_on(pushed)
    }

    fn pop_until(&self, deadline: Deadline) -> Result<T, PopTimeoutError> {
        self.shared.link.block_on(self.get_until(deadline))
    }

    fn pop_many_until(
        &self,
        into: &mut Vec<T>,
        max: usize,
        deadline: Deadline,
    ) -> Result<usize, PopTimeoutError> {
        let popped = self.get_many(into, max, deadline);
        self.shared.link.block_on(self.taken_out(popped))
    }

    fn try_push_many(&self, items: &mut VecDeque<T>) -> Result<usize, TryPushError<()>> {
        if items.is_empty() {
            return Ok(0);
        }
        let deadline = Deadline::after(self.shared.timeout);
        let pushed = self.put_some(items, deadline);
        self.shared.link.block_on(pushed)
    }

    fn push_many(&self, items: &mut VecDeque<T>) -> Result<(), PushError<()>> {
        self.shared.link.block_on(self.put_all(items))
    }

    fn try_pop_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        if max == 0 {
            return Ok(0);
        }
        let popped = self.try_get_many(into, max);
        self.shared.link.block_on(self.taken_out(popped))
    }

    /// # Cancel safety
    /// If it is dropped while the item is on its way, the item is taken out of the queue again,
    /// unless a consumer was faster.
    fn push_async(&self, item: T) -> impl Future<Output = Result<(), PushError<T>>> + Send {
        let pushed = self.put_until(item, Deadline::NEVER);
        self.on_any_executor(async { pushed.await.map_err(push_error) })
    }

    /// # Cancel safety
    /// If it is dropped, it has taken nothing out. When it returns an item, that is taken out behind it: the
    /// verbs of this process that follow wait for it.
    fn pop_async(&self) -> impl Future<Output = Result<T, PopError>> + Send {
        let popped = self.get(Deadline::NEVER);
        self.on_any_executor(async { popped.await.map_err(pop_error) })
    }

    /// # Cancel safety
    /// If it is dropped, `items` has what did not go in, and what is taken out again; of that a consumer
    /// may have got some before, and gets it twice if it is pushed again.
    fn push_many_async(
        &self,
        items: &mut VecDeque<T>,
    ) -> impl Future<Output = Result<(), PushError<()>>> + Send {
        self.on_any_executor(self.put_all(items))
    }

    fn pop_many_async(
        &self,
        into: &mut Vec<T>,
        max: usize,
    ) -> impl Future<Output = Result<usize, PopError>> + Send {
        let popped = self.get_many(into, max, Deadline::NEVER);
        self.on_any_executor(async { popped.await.map_err(pop_error) })
    }

    fn poll_pop<'a>(
        &'a self,
        listener: &mut Option<NatsListener<'a, T>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, PopError>> {
        // A pop that panics is over too.
        let mut pop = match listener.take() {
            Some(NatsListener(Sort::Pop(pop))) => pop,
            _ => Box::pin(self.pop_async()),
        };
        let popped = pop.as_mut().poll(cx);
        if popped.is_pending() {
            *listener = Some(NatsListener(Sort::Pop(pop)));
        }
        popped
    }
}

impl<T: Send, C: Codec<T>> NatsQueue<T, C> {
    /// A verb as a future, on any executor.
    pub(crate) async fn on_any_executor<R>(&self, verb: impl Future<Output = R>) -> R {
        self.shared.link.enter(verb).await
    }
}
