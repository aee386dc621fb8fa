//! [`LinuxQueue`]: both Linux kinds, which differ in their storage alone: the verbs.
//!
//! An item becomes bytes in the thread that pushes it, before any lock; bytes become an
//! item in the thread that pops them, after. Both in a buffer that the thread keeps.

use super::open::Shareable;
use super::options::LinuxOptions;
use super::shared::Shared;
use crate::codec::{Codec, Postcard};
use crate::deferred::{Outcome, decode_from};
use crate::linux::engine::Storage;
use crate::linux::engine::batch::Batch;
use crate::linux::engine::control::End;
use crate::linux::engine::end_lock::Tries;
use crate::linux::wait::listener::Listener;
use crate::linux::wait::target::WaitTarget;
use crate::try_error::TryError;
use queue_core::event::Listen;
use queue_core::sync::{Deadline, spin};
use queue_core::{
    Capacity, EndpointCounts, Failure, FailureKind, Kind, PushError, PushTimeoutError, Queue,
    QueueId, Side, Stats, TryPopError, TryPushError, WithCapacity, coop,
};
use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;
use std::thread::LocalKey;

/// A queue between processes on one Linux machine: a [`PipeQueue`](crate::PipeQueue) or a
/// [`ShmQueue`](crate::ShmQueue). Its items `T` become bytes by the codec `C` and lie in the storage
/// `S`.
///
/// The pages of the two kinds say what each is good for. Both have the same verbs, which are
/// documented here.
pub struct LinuxQueue<T, C, S: Storage> {
    pub(crate) shared: Arc<Shared<S>>,
    pub(super) types: PhantomData<fn(T) -> (T, C)>,
}

/// With the codec [`Postcard`]; another comes through [`options`](Self::options).
impl<T: Send, S: Shareable> LinuxQueue<T, Postcard, S>
where
    Postcard: Codec<T>,
{
    queue_core::constructors!();
}

impl<T: Send, C: Codec<T>, S: Shareable> LinuxQueue<T, C, S> {
    /// Options of a new queue beside its bound.
    ///
    /// ```
    /// use queue_process::{Capacity, FailureKind, PipeQueue, Queue};
    /// let queue = PipeQueue::<String>::options().max_item_bytes(8).create(Capacity::bounded(4))?;
    /// queue.push("small".into()).unwrap();
    /// let error = queue.push("much too large".into()).unwrap_err();
    /// assert_eq!(error.failure().unwrap().kind(), FailureKind::TooLarge);
    /// assert_eq!(error.into_item(), "much too large");
    /// # Ok::<(), queue_process::Failure>(())
    /// ```
    pub fn options() -> LinuxOptions<T, C, S> {
        LinuxOptions::new()
    }
}

impl<T, C, S: Storage> Clone for LinuxQueue<T, C, S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            types: PhantomData,
        }
    }
}

impl<T, C, S: Shareable> fmt::Debug for LinuxQueue<T, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = &self.shared.limits;
        f.debug_struct(S::NAME)
            .field("len", &self.shared.len())
            .field("capacity", &limits.bound.capacity())
            .field("closed", &self.shared.engine.is_closed())
            .field("max_item_bytes", &limits.item)
            .field("memory_limit", &limits.memory)
            .finish_non_exhaustive()
    }
}

impl<T: Send, C: Codec<T>, S: Shareable> WithCapacity for LinuxQueue<T, C, S> {
    fn try_with_capacity(bound: Capacity) -> Result<Self, Failure> {
        Self::options().create(bound)
    }
}

impl<T: Send, C: Codec<T>, S: Shareable> Kind for LinuxQueue<T, C, S> {
    type Item = T;
    type Listener<'a>
        = Listener<'a>
    where
        Self: 'a;

    fn listen(&self, side: Side) -> Listener<'_> {
        Listener::new(&self.shared, awaited_end(side))
    }
    fn endpoints(&self) -> &EndpointCounts {
        &self.shared.ends
    }
    fn id(&self) -> QueueId {
        self.shared.id()
    }
    fn ready_hint(&self, side: Side) -> usize {
        self.shared.ready_hint(awaited_end(side))
    }
    fn on_last_endpoint(&self, side: Side) {
        self.shared.on_last_endpoint(side);
    }
    fn on_first_endpoint(&self, side: Side) {
        self.shared.on_first_endpoint(side);
    }
}

impl<T: Send, C: Codec<T>, S: Shareable> Queue for LinuxQueue<T, C, S> {
    #[inline]
    fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        match self.with_bytes(&item, |bytes| self.shared.engine.push(bytes)) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.push_error(item, error)),
        }
    }

    #[inline]
    fn try_pop(&self) -> Result<T, TryPopError> {
        self.check_half(Side::Consumers)
            .map_err(TryPopError::Failed)?;
        if let Some(popped) = self.shared.deferred.pop::<T, C>() {
            return popped;
        }
        self.shared.check_holders_if_due();
        let mut buffer = take_buffer();
        let popped = match self.shared.engine.pop(&mut buffer) {
            Ok(()) => decode_from::<T, C>(&mut buffer).map_err(TryPopError::Failed),
            Err(error) => Err(self.pop_error(error)),
        };
        recycle(buffer);
        popped
    }

    fn len(&self) -> usize {
        self.shared.len()
    }

    fn capacity(&self) -> Option<usize> {
        self.shared.limits.bound.capacity()
    }

    /// What is lent takes slots too.
    fn is_full(&self) -> bool {
        self.capacity().is_some() && self.shared.is_full()
    }

    fn close(&self) -> bool {
        self.shared.engine.close()
    }

    fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// As the trait's default, but the item becomes bytes only once.
    #[inline]
    fn push_until(&self, item: T, deadline: Deadline) -> Result<(), PushTimeoutError<T>> {
        let pushed = self.with_bytes(&item, |bytes| match self.shared.engine.push(bytes) {
            Err(TryError::WouldBlock) => self.push_waiting(bytes, deadline),
            done => done,
        });
        match pushed {
            Ok(()) => Ok(()),
            Err(TryError::WouldBlock) => Err(PushTimeoutError::Timeout(item)),
            Err(TryError::Closed) => Err(PushTimeoutError::Closed(item)),
            Err(TryError::Failed(failure)) => Err(PushTimeoutError::Failed(item, failure)),
        }
    }

    /// As the trait's default, but the item becomes bytes only once.
    async fn push_async(&self, item: T) -> Result<(), PushError<T>> {
        poll_fn(coop::poll_proceed).await;
        let mut waiting = Vec::new();
        let mut pushed = self.with_bytes(&item, |bytes| {
            let pushed = self.shared.engine.push(bytes);
            if let Err(TryError::WouldBlock) = pushed {
                waiting.extend_from_slice(bytes);
            }
            pushed
        });
        loop {
            match pushed {
                Ok(()) => return Ok(()),
                Err(TryError::WouldBlock) => {}
                Err(TryError::Closed) => return Err(PushError::Closed(item)),
                Err(TryError::Failed(failure)) => return Err(PushError::Failed(item, failure)),
            }
            self.listen(Side::Producers).await;
            pushed = self.shared.engine.push(&waiting);
        }
    }

    /// All that there are slots for, and so much under one lock that others do not wait long.
    fn try_push_many(&self, items: &mut VecDeque<T>) -> Result<usize, TryPushError<()>> {
        if items.is_empty() {
            return Ok(0);
        }
        self.check_half(Side::Producers)
            .map_err(|failure| TryPushError::Failed((), failure))?;
        self.shared.check_peers_if_due();
        let slots = self.shared.engine.slots_for(items.len()).min(items.len());
        let mut pushed = 0;
        while pushed < slots {
            let mut batch = take_buffer();
            let some = match self.encode_batch(items, slots - pushed, &mut batch) {
                Ok(()) => self.shared.engine.push_many(&batch),
                Err(failure) => Err(TryError::Failed(failure)),
            };
            recycle(batch);
            match some {
                Ok(count) => {
                    items.drain(..count);
                    pushed += count;
                }
                Err(_) if pushed > 0 => break,
                Err(error) => return Err(self.push_error((), error)),
            }
        }
        Ok(pushed)
    }

    /// All that there is, and so much under one lock that others do not wait long; before that,
    /// what was deferred.
    fn try_pop_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        if max == 0 {
            return Ok(0);
        }
        self.check_half(Side::Consumers)
            .map_err(TryPopError::Failed)?;
        let deferred = &self.shared.deferred;
        let mut popped = deferred.pop_many::<T, C>(into, max)?;
        let mut left = u32::try_from(max - popped).unwrap_or(u32::MAX);
        self.shared.check_holders_if_due();
        // What was deferred meanwhile is told by the next pop.
        while left != 0 && (popped == 0 || !deferred.is_some()) {
            let mut batch = take_buffer::<Batch>();
            let some = match self.shared.engine.pop_many(left, &mut batch) {
                Ok(more) => {
                    left = more;
                    let wake = || self.shared.wake_consumers();
                    deferred.decode::<T, C>(batch.iter(), into, popped, wake)
                }
                Err(error) => match self.pop_error(error) {
                    TryPopError::Failed(failure) if popped > 0 => {
                        deferred.tell_later(failure);
                        Ok(popped)
                    }
                    _ if popped > 0 => {
                        left = 0;
                        Ok(popped)
                    }
                    error => Err(error),
                },
            };
            recycle(batch);
            popped = some?;
        }
        Ok(popped)
    }

    /// As the trait's default, but nothing becomes an item before all of it is out: if the
    /// code of one panics the others are still there.
    fn close_now(&self) -> Vec<T> {
        self.shared.engine.close();
        if self.check_half(Side::Consumers).is_err() {
            return Vec::new();
        }
        // What the dead had is inside.
        self.shared.check_peers(Tries::Endless);
        let mut left = self.shared.deferred.take();
        loop {
            let before = self.shared.engine.len();
            let mut batch = take_buffer::<Batch>();
            let popped = self.shared.engine.pop_many(u32::MAX, &mut batch);
            left.extend(batch.iter().map(Outcome::item));
            recycle(batch);
            match popped {
                Ok(_) => {}
                // What is lent is left alone.
                Err(TryError::WouldBlock) if self.shared.engine.is_closed() => break,
                // A push that was under way when the queue closed is about to end.
                Err(TryError::WouldBlock) => std::thread::yield_now(),
                // What is damaged is gone, of a pipe once that is repaired.
                Err(TryError::Failed(failure)) if self.shared.engine.exact_len() < before => {
                    left.push_back(Outcome::Failure(failure.with_item_consumed()));
                }
                Err(TryError::Closed | TryError::Failed(_)) => break,
            }
        }
        self.shared.deferred.decode_all::<T, C>(left)
    }
}

impl<T: Send, C: Codec<T>, S: Shareable> LinuxQueue<T, C, S> {
    pub(super) fn check_half(&self, side: Side) -> Result<(), Failure> {
        match self.shared.half {
            Some(half) if half != side => Err(only_half(half)),
            _ => Ok(()),
        }
    }

    /// Calls `push` with the bytes of `item`.
    #[inline]
    fn with_bytes<R>(
        &self,
        item: &T,
        push: impl FnOnce(&[u8]) -> Result<R, TryError>,
    ) -> Result<R, TryError> {
        self.check_half(Side::Producers)?;
        // Who finds a slot each time would never learn that all consumers were killed.
        self.shared.check_peers_if_due();
        let mut buffer = take_buffer();
        let pushed = C::with_bytes(item, &mut buffer, |bytes| {
            self.shared.check_size(bytes.len())?;
            push(bytes)
        });
        recycle(buffer);
        pushed?
    }

    /// Pushes `bytes`, which were just refused for want of a slot.
    #[cold]
    fn push_waiting(&self, bytes: &[u8], deadline: Deadline) -> Result<(), TryError> {
        let shared = &self.shared;
        let batch_target = shared.batch_target();
        loop {
            if !spin::until_some(deadline, batch_target, || shared.ready_hint(End::Head)) {
                // Until the deadline at most: then this try is the last.
                self.listen(Side::Producers).wait(deadline);
            }
            match shared.engine.push(bytes) {
                Err(TryError::WouldBlock) if !deadline.has_passed() => {}
                done => return done,
            }
        }
    }

    #[cold]
    fn push_error<U>(&self, item: U, error: TryError) -> TryPushError<U> {
        match error {
            TryError::WouldBlock if self.shared.is_closed() => TryPushError::Closed(item),
            error => error.with_item(item),
        }
    }

    /// Makes bytes of as many of the first `most` of `items` as are pushed in one go, at least one.
    fn encode_batch(
        &self,
        items: &VecDeque<T>,
        most: usize,
        batch: &mut Batch,
    ) -> Result<(), Failure> {
        for item in items.iter().take(most) {
            let encoded = batch.add(|bytes| {
                let before = bytes.len();
                C::encode(item, bytes)?;
                self.shared.check_size(bytes.len() - before)
            });
            match encoded {
                Ok(()) => {}
                Err(failure) if batch.len() == 0 => return Err(failure),
                // Those before it first.
                Err(_) => break,
            }
            if batch.bytes.len() >= MAX_PUSH_BYTES {
                break;
            }
        }
        Ok(())
    }

    #[cold]
    pub(super) fn pop_error(&self, error: TryError) -> TryPopError {
        if matches!(error, TryError::WouldBlock) {
            self.shared.check_peers_if_due();
        }
        error.into()
    }
}

/// Where the party waits that wants to get on `side`.
fn awaited_end(side: Side) -> End {
    match side {
        Side::Producers => End::Head,
        Side::Consumers => End::Tail,
    }
}

#[cold]
pub(crate) fn only_half(given: Side) -> Failure {
    let given = match given {
        Side::Producers => "producing",
        Side::Consumers => "consuming",
    };
    let message = format!("this process was given the {given} half alone");
    Failure::new(FailureKind::Denied, message)
}

impl<S: Storage> Shared<S> {
    #[inline]
    fn check_size(&self, len: usize) -> Result<(), Failure> {
        if len <= self.limits.item as usize {
            return Ok(());
        }
        Err(too_large(len, self.limits.item))
    }
}

#[cold]
fn too_large(len: usize, limit: u32) -> Failure {
    let message = format!("an item of {len} bytes, the limit of this queue is {limit}");
    Failure::new(FailureKind::TooLarge, message)
}

/// How many bytes of a batch are pushed in one go.
const MAX_PUSH_BYTES: usize = 256 << 10;

// Buffers that a thread keeps, for items on their way to bytes or back. They are lent out in a box,
// for one word is moved faster than three: those would be read back in other pieces than they were
// just written in.

/// The capacity in bytes of the largest buffer that is kept.
pub(super) const MAX_RETAINED_BYTES: usize = 4 << 20;

thread_local! {
    static ITEM_BUFFER: Cache<Vec<u8>> = const { Cell::new(None) };
    static BATCH_BUFFER: Cache<Batch> = const { Cell::new(None) };
}

type Cache<B> = Cell<Option<Box<B>>>;

/// For the bytes of one item, or of several.
pub(super) trait Buffer: Default + 'static {
    /// Where this thread keeps one.
    const CACHE: &'static LocalKey<Cache<Self>>;

    /// Empties it, and says how many bytes it has room for.
    fn clear(&mut self) -> usize;
}

impl Buffer for Vec<u8> {
    const CACHE: &'static LocalKey<Cache<Self>> = &ITEM_BUFFER;

    #[inline]
    fn clear(&mut self) -> usize {
        self.clear();
        self.capacity()
    }
}

impl Buffer for Batch {
    const CACHE: &'static LocalKey<Cache<Self>> = &BATCH_BUFFER;

    fn clear(&mut self) -> usize {
        self.clear();
        self.bytes.capacity()
    }
}

/// This thread's buffer, empty. An item whose own code uses a queue gets a new one, and
/// so does a thread that is about to end.
#[inline]
pub(super) fn take_buffer<B: Buffer>() -> Box<B> {
    match B::CACHE.try_with(Cell::take) {
        Ok(Some(buffer)) => buffer,
        _ => new_buffer(),
    }
}

#[cold]
fn new_buffer<B: Buffer>() -> Box<B> {
    Box::default()
}

/// Keeps `buffer` for the next time, unless it is a large one.
#[inline]
pub(super) fn recycle<B: Buffer>(mut buffer: Box<B>) {
    if buffer.clear() <= MAX_RETAINED_BYTES {
        let _ = B::CACHE.try_with(|cache| cache.set(Some(buffer)));
    }
}
