//! The verbs of a [`Handle`]: items into bytes, refusals into errors.
//!
//! An item becomes bytes in the thread that pushes it, before any lock; bytes become an
//! item in the thread that pops them, after. Both in a buffer that the thread keeps.

use super::engine::Refusal;
use super::frames::Frames;
use super::handle::{Handle, Shared};
use super::layout::End;
use super::listener::Listener;
use super::storage::Storage;
use crate::codec::Codec;
use queue_core::event::Listen;
use queue_core::sync::{Deadline, spin};
use queue_core::{
    Failure, FailureKind, PushError, PushTimeoutError, Side, TryPopError, TryPushError,
};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// How many bytes a thread's buffer may keep, and a batch may gather.
const BUFFER: usize = 4 << 20;

/// How many bytes of a batch are pushed in one go.
const BATCH: usize = 256 << 10;

thread_local! {
    static FRAMES: RefCell<Frames> = const { RefCell::new(Frames::new()) };
    /// How often this thread has pushed.
    static PUSHES: Cell<u8> = const { Cell::new(0) };
}

/// Calls `f` with this thread's buffer, empty.
#[inline(always)]
fn with_buffer<R>(f: impl FnOnce(&mut Frames) -> R) -> R {
    FRAMES.with(|frames| match frames.try_borrow_mut() {
        Ok(mut frames) => {
            frames.clear();
            let result = f(&mut frames);
            if frames.bytes.capacity() > BUFFER {
                *frames = Frames::new();
            }
            result
        }
        // An item whose own code uses a queue finds the buffer in use.
        Err(_) => f(&mut Frames::new()),
    })
}

/// Where the party waits that wants to get on `side`.
fn awaited(side: Side) -> End {
    match side {
        Side::Producers => End::Head,
        Side::Consumers => End::Tail,
    }
}

impl<T, C: Codec<T>, S: Storage + 'static> Handle<T, C, S> {
    fn may(&self, side: Side) -> Result<(), Failure> {
        if self.shared.rights.contain(side) {
            return Ok(());
        }
        Err(denied(side))
    }

    /// Who pushes always finds a place in a queue that is large enough, and so would never
    /// learn that all consumers were killed: it looks at some of its pushes.
    #[inline]
    fn look_around(&self) {
        let pushes = PUSHES.get();
        PUSHES.set(pushes.wrapping_add(1));
        if pushes.is_multiple_of(16) {
            self.shared.patrol_now_and_then();
        }
    }

    /// Calls `push` with the bytes of `item`.
    #[inline]
    fn with_bytes<R>(
        &self,
        item: &T,
        push: impl FnOnce(&[u8]) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        self.may(Side::Producers)?;
        self.look_around();
        with_buffer(|frames| {
            C::with_bytes(item, &mut frames.bytes, |bytes| {
                self.shared.check_size(bytes.len())?;
                push(bytes)
            })?
        })
    }

    pub(crate) fn listen(&self, side: Side) -> Listener<'_> {
        Listener::new(&self.shared, awaited(side))
    }

    #[inline]
    pub(crate) fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        match self.with_bytes(&item, |bytes| self.shared.engine.push(bytes)) {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.push_refused(item, refusal)),
        }
    }

    #[cold]
    fn push_refused<U>(&self, item: U, refusal: Refusal) -> TryPushError<U> {
        match refusal {
            Refusal::NotNow => {
                self.shared.patrol_now_and_then();
                match self.shared.engine.is_closed() {
                    true => TryPushError::Closed(item),
                    false => TryPushError::Full(item),
                }
            }
            Refusal::Closed => TryPushError::Closed(item),
            Refusal::Failed(failure) => TryPushError::Failed(item, failure),
        }
    }

    /// As the trait's default, but the item becomes bytes only once.
    #[inline]
    pub(crate) fn push_until(
        &self,
        item: T,
        deadline: Deadline,
    ) -> Result<(), PushTimeoutError<T>> {
        let pushed = self.with_bytes(&item, |bytes| match self.shared.engine.push(bytes) {
            Err(Refusal::NotNow) => self.push_bytes(bytes, deadline),
            done => done,
        });
        match pushed {
            Ok(()) => Ok(()),
            Err(Refusal::NotNow) => Err(PushTimeoutError::Timeout(item)),
            Err(Refusal::Closed) => Err(PushTimeoutError::Closed(item)),
            Err(Refusal::Failed(failure)) => Err(PushTimeoutError::Failed(item, failure)),
        }
    }

    /// Pushes `bytes`, which were just refused for want of a place.
    #[cold]
    fn push_bytes(&self, bytes: &[u8], deadline: Deadline) -> Result<(), Refusal> {
        let shared = &self.shared;
        loop {
            while spin::until_some(deadline, || shared.glance(End::Head)) {
                match shared.engine.push(bytes) {
                    Err(Refusal::NotNow) if !deadline.has_passed() => {}
                    done => return done,
                }
            }
            let woken = self.listen(Side::Producers).wait(deadline);
            match shared.engine.push(bytes) {
                Err(Refusal::NotNow) if woken => {}
                done => return done,
            }
        }
    }

    /// As the trait's default, but the item becomes bytes only once.
    pub(crate) async fn push_async(&self, item: T) -> Result<(), PushError<T>> {
        let item = match self.try_push(item) {
            Ok(()) => return Ok(()),
            Err(TryPushError::Full(item)) => item,
            Err(TryPushError::Closed(item)) => return Err(PushError::Closed(item)),
            Err(TryPushError::Failed(item, failure)) => {
                return Err(PushError::Failed(item, failure));
            }
        };
        let mut bytes = Vec::new();
        if let Err(failure) = C::encode(&item, &mut bytes) {
            return Err(PushError::Failed(item, failure));
        }
        loop {
            self.listen(Side::Producers).await;
            match self.shared.engine.push(&bytes) {
                Ok(()) => return Ok(()),
                Err(Refusal::NotNow) => {}
                Err(Refusal::Closed) => return Err(PushError::Closed(item)),
                Err(Refusal::Failed(failure)) => return Err(PushError::Failed(item, failure)),
            }
        }
    }

    #[inline]
    pub(crate) fn try_pop(&self) -> Result<T, TryPopError> {
        self.before_pop()?;
        with_buffer(|frames| match self.shared.engine.pop(&mut frames.bytes) {
            Ok(()) => C::decode_from(&mut frames.bytes).map_err(TryPopError::Failed),
            Err(refusal) => Err(self.pop_refused(refusal)),
        })
    }

    #[inline]
    fn before_pop(&self) -> Result<(), TryPopError> {
        self.may(Side::Consumers).map_err(TryPopError::Failed)?;
        // Relaxed: told by whichever pop sees it.
        if self.shared.owes.load(Ordering::Relaxed) {
            self.shared.tell()?;
        }
        Ok(())
    }

    #[cold]
    fn pop_refused(&self, refusal: Refusal) -> TryPopError {
        match refusal {
            Refusal::NotNow => {
                self.shared.patrol_now_and_then();
                TryPopError::Empty
            }
            Refusal::Closed => TryPopError::Closed,
            Refusal::Failed(failure) => TryPopError::Failed(failure),
        }
    }

    /// All that there is place for, in one go under one lock.
    pub(crate) fn try_push_many(&self, items: &mut VecDeque<T>) -> Result<usize, TryPushError<()>> {
        if items.is_empty() {
            return Ok(0);
        }
        self.may(Side::Producers)
            .map_err(|failure| TryPushError::Failed((), failure))?;
        self.look_around();
        let pushed = with_buffer(|frames| {
            let engine = &self.shared.engine;
            for item in items.iter().take(engine.places_for(items.len())) {
                let encoded = frames.add(|bytes| {
                    let before = bytes.len();
                    C::encode(item, bytes)?;
                    self.shared.check_size(bytes.len() - before)
                });
                match encoded {
                    Ok(()) => {}
                    Err(failure) if frames.len() == 0 => return Err(Refusal::Failed(failure)),
                    // Those before it first.
                    Err(_) => break,
                }
                if frames.bytes.len() >= BATCH {
                    break;
                }
            }
            engine.push_many(frames)
        });
        match pushed {
            Ok(count) => {
                items.drain(..count);
                Ok(count)
            }
            Err(refusal) => Err(self.push_refused((), refusal)),
        }
    }

    /// All that there is, in one go under one lock.
    pub(crate) fn try_pop_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        if max == 0 {
            return Ok(0);
        }
        self.before_pop()?;
        with_buffer(|frames| {
            let max = u32::try_from(max).unwrap_or(u32::MAX);
            let popped = self.shared.engine.pop_many(max, frames);
            popped.map_err(|refusal| self.pop_refused(refusal))?;
            let before = into.len();
            let mut failures = Vec::new();
            for n in 0..frames.len() {
                match C::decode(frames.get(n)) {
                    Ok(item) => into.push(item),
                    Err(failure) => failures.push(failure),
                }
            }
            if !failures.is_empty() {
                self.shared.owe(failures);
                if into.len() == before {
                    self.shared.tell()?;
                }
            }
            Ok(into.len() - before)
        })
    }
}

#[cold]
fn denied(side: Side) -> Failure {
    let message = match side {
        Side::Producers => "this process was given the consuming half alone",
        Side::Consumers => "this process was given the producing half alone",
    };
    Failure::new(FailureKind::Denied, message)
}

impl<S: Storage> Shared<S> {
    #[inline(always)]
    fn check_size(&self, len: usize) -> Result<(), Failure> {
        if len <= self.limits.item as usize {
            return Ok(());
        }
        Err(too_large(len, self.limits.item))
    }

    /// The next pops of this process will fail with these.
    #[cold]
    fn owe(&self, failures: Vec<Failure>) {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        owed.extend(failures);
        self.owes.store(true, Ordering::Relaxed);
    }

    /// Fails with the first failure that is owed.
    #[cold]
    fn tell(&self) -> Result<(), TryPopError> {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let first = (!owed.is_empty()).then(|| owed.remove(0));
        self.owes.store(!owed.is_empty(), Ordering::Relaxed);
        first.map_or(Ok(()), |failure| Err(TryPopError::Failed(failure)))
    }
}

#[cold]
fn too_large(len: usize, limit: u32) -> Failure {
    let message = format!("an item of {len} bytes, the limit of this queue is {limit}");
    Failure::new(FailureKind::TooLarge, message)
}
