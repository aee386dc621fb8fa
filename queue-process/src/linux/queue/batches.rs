//! The verbs of a [`Handle`] for several items at once.

use super::buffer::{recycle, take_buffer};
use super::handle::Handle;
use crate::codec::Codec;
use crate::linux::engine::Refusal;
use crate::linux::engine::batch::Batch;
use crate::linux::engine::storage::Storage;
use crate::owed::Due;
use queue_core::{Failure, Side, TryPopError, TryPushError};
use std::collections::VecDeque;

/// How many bytes of a batch are pushed in one go.
const BATCH: usize = 256 << 10;

impl<T, C: Codec<T>, S: Storage + 'static> Handle<T, C, S> {
    /// All that there are slots for, in one go under one lock.
    pub(crate) fn try_push_many(&self, items: &mut VecDeque<T>) -> Result<usize, TryPushError<()>> {
        if items.is_empty() {
            return Ok(0);
        }
        self.may(Side::Producers)
            .map_err(|failure| TryPushError::Failed((), failure))?;
        self.check_peers_at_times();
        let mut batch = take_buffer();
        let pushed = match self.gather(items, &mut batch) {
            Ok(()) => self.shared.engine.push_many(&batch),
            Err(failure) => Err(Refusal::Failed(failure)),
        };
        recycle(batch);
        match pushed {
            Ok(count) => {
                items.drain(..count);
                Ok(count)
            }
            Err(refusal) => Err(self.push_refused((), refusal)),
        }
    }

    /// Makes bytes of as many of `items` as are pushed in one go, at least one.
    fn gather(&self, items: &VecDeque<T>, batch: &mut Batch) -> Result<(), Failure> {
        let slots = self.shared.engine.slots_for(items.len());
        for item in items.iter().take(slots) {
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
            if batch.bytes.len() >= BATCH {
                break;
            }
        }
        Ok(())
    }

    /// All that there is, in one go under one lock; before that, what is owed.
    pub(crate) fn try_pop_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        if max == 0 {
            return Ok(0);
        }
        self.may(Side::Consumers).map_err(TryPopError::Failed)?;
        let owed = &self.shared.owed;
        let before = owed.pop_many::<T, C>(into, max)?;
        if before == max || owed.is_some() {
            return Ok(before);
        }
        let max = u32::try_from(max - before).unwrap_or(u32::MAX);
        let mut batch = take_buffer::<Batch>();
        let popped = match self.shared.engine.pop_many(max, &mut batch) {
            Ok(()) => {
                let wake = || self.shared.wake_consumers();
                owed.decode::<T, C>(batch.iter(), into, before, wake)
            }
            Err(_) if before > 0 => Ok(before),
            Err(refusal) => Err(self.pop_refused(refusal)),
        };
        recycle(batch);
        popped
    }

    /// As the trait's default, but nothing becomes an item before all of it is out: if the
    /// code of one panics the others are still there.
    pub(crate) fn close_now(&self) -> Vec<T> {
        self.shared.engine.close();
        if self.may(Side::Consumers).is_err() {
            return Vec::new();
        }
        let mut left = self.shared.owed.take();
        loop {
            let before = self.shared.engine.len();
            let mut batch = take_buffer::<Batch>();
            let popped = self.shared.engine.pop_many(u32::MAX, &mut batch);
            left.extend(batch.iter().map(|bytes| Due::Item(bytes.to_vec())));
            recycle(batch);
            match popped.map_err(|refusal| self.pop_refused(refusal)) {
                Ok(()) => {}
                // A push that was under way when the queue closed is about to end.
                Err(TryPopError::Empty) => std::thread::yield_now(),
                Err(TryPopError::Failed(_)) if self.shared.engine.len() < before => {}
                Err(TryPopError::Closed | TryPopError::Failed(_)) => break,
            }
        }
        self.shared.owed.decode_all::<T, C>(left)
    }
}
