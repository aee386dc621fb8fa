//! [`Deliveries`]: receiving in a `for` loop.

use super::{Delivery, WorkQueue};
use crate::Failure;
use crate::iter::End;
use std::fmt;
use std::iter::FusedIterator;

/// Receives until the queue is closed, drained and nothing is in flight, from
/// [`WorkQueue::deliveries`]. It blocks the thread while the queue is empty.
#[must_use = "iterators are lazy: nothing is received unless it is consumed"]
pub struct Deliveries<'a, Q> {
    queue: &'a Q,
    end: End,
}

impl<'a, Q: WorkQueue> Deliveries<'a, Q> {
    pub(super) fn new(queue: &'a Q) -> Self {
        Self {
            queue,
            end: End::default(),
        }
    }
}

impl<Q: WorkQueue> Iterator for Deliveries<'_, Q> {
    type Item = Result<Delivery<Q>, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.end.is_reached() {
            return None;
        }
        self.end.next(self.queue.receive())
    }
}

impl<Q: WorkQueue> FusedIterator for Deliveries<'_, Q> {}

impl<Q> fmt::Debug for Deliveries<'_, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries")
            .field("ended", &self.end.is_reached())
            .finish_non_exhaustive()
    }
}
