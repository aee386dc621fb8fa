//! The verbs of a [`Handle`] for several items at once.

use super::buffer::{keep, lend};
use super::engine::Refusal;
use super::frames::Frames;
use super::handle::Handle;
use super::storage::Storage;
use crate::codec::Codec;
use queue_core::{Failure, Side, TryPopError, TryPushError};
use std::collections::VecDeque;

/// How many bytes of a batch are pushed in one go.
const BATCH: usize = 256 << 10;

impl<T, C: Codec<T>, S: Storage + 'static> Handle<T, C, S> {
    /// All that there is place for, in one go under one lock.
    pub(crate) fn try_push_many(&self, items: &mut VecDeque<T>) -> Result<usize, TryPushError<()>> {
        if items.is_empty() {
            return Ok(0);
        }
        self.may(Side::Producers)
            .map_err(|failure| TryPushError::Failed((), failure))?;
        self.look_around();
        let mut frames = lend();
        let pushed = match self.gather(items, &mut frames) {
            Ok(()) => self.shared.engine.push_many(&frames),
            Err(failure) => Err(Refusal::Failed(failure)),
        };
        keep(frames);
        match pushed {
            Ok(count) => {
                items.drain(..count);
                Ok(count)
            }
            Err(refusal) => Err(self.push_refused((), refusal)),
        }
    }

    /// Makes bytes of as many of `items` as are pushed in one go, at least one.
    fn gather(&self, items: &VecDeque<T>, frames: &mut Frames) -> Result<(), Failure> {
        let places = self.shared.engine.places_for(items.len());
        for item in items.iter().take(places) {
            let encoded = frames.add(|bytes| {
                let before = bytes.len();
                C::encode(item, bytes)?;
                self.shared.check_size(bytes.len() - before)
            });
            match encoded {
                Ok(()) => {}
                Err(failure) if frames.len() == 0 => return Err(failure),
                // Those before it first.
                Err(_) => break,
            }
            if frames.bytes.len() >= BATCH {
                break;
            }
        }
        Ok(())
    }

    /// All that there is, in one go under one lock.
    pub(crate) fn try_pop_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        if max == 0 {
            return Ok(0);
        }
        self.before_pop()?;
        let max = u32::try_from(max).unwrap_or(u32::MAX);
        let mut frames = lend();
        let popped = match self.shared.engine.pop_many(max, &mut frames) {
            Ok(()) => self.decode_all(&frames, into),
            Err(refusal) => Err(self.pop_refused(refusal)),
        };
        keep(frames);
        popped
    }

    /// As the trait's default, but failures that are still to be told are of items that are
    /// gone already, and say nothing of those inside.
    pub(crate) fn close_now(&self) -> Vec<T> {
        self.shared.engine.close();
        let mut left = Vec::new();
        loop {
            let owes = self.shared.owed.is_some();
            let before = self.shared.engine.len();
            match self.try_pop_many(&mut left, usize::MAX) {
                Ok(_) => {}
                // A push that was under way when the queue closed is about to end.
                Err(TryPopError::Empty) => std::thread::yield_now(),
                Err(TryPopError::Failed(_)) if owes || self.shared.engine.len() < before => {}
                Err(TryPopError::Closed | TryPopError::Failed(_)) => return left,
            }
        }
    }

    /// Appends the items of `frames` to `into`: how many. Those that are none are owed as
    /// failures, of which the first is told at once if there was no item.
    fn decode_all(&self, frames: &Frames, into: &mut Vec<T>) -> Result<usize, TryPopError> {
        let before = into.len();
        let mut failures = Vec::new();
        for n in 0..frames.len() {
            match C::decode(frames.get(n)) {
                Ok(item) => into.push(item),
                Err(failure) => failures.push(failure),
            }
        }
        (self.shared.owed).after_batch(into.len() - before, failures)
    }
}
