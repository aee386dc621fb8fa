//! [`State`]: everything under the one lock.

use crate::line::{Line, Wakes};
use std::collections::VecDeque;

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Item,
    Place,
}

/// The queue was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// Storage for so many items is kept when fewer are inside.
const KEEP: usize = 1024;

/// See the module's page.
///
/// Whoever changes it calls [`settle`](Self::settle) before the lock is released. Then
/// in each line the first are granted, as many as there are items (or places).
#[derive(Debug)]
pub(crate) struct State<T> {
    items: VecDeque<T>,
    /// How many items may be inside; `usize::MAX` without a bound.
    capacity: usize,
    /// Places held by permits: taken, but empty.
    reserved: usize,
    closed: bool,
    poppers: Line,
    pushers: Line,
}

impl<T> State<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            items: VecDeque::new(),
            capacity,
            reserved: 0,
            closed: false,
            poppers: Line::new(),
            pushers: Line::new(),
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.places() == 0
    }

    /// How many could be served: once the queue is closed nobody waits any more.
    #[inline]
    pub(crate) fn available(&self, want: Want) -> usize {
        match want {
            _ if self.closed => usize::MAX,
            Want::Item => self.items.len(),
            Want::Place => self.places(),
        }
    }

    /// Whether one who comes now is served before all who stand in line are.
    #[inline]
    pub(crate) fn serves_newcomer(&self, want: Want) -> bool {
        self.available(want) > self.line(want).waiting()
    }

    #[inline]
    pub(crate) fn line(&self, want: Want) -> &Line {
        match want {
            Want::Item => &self.poppers,
            Want::Place => &self.pushers,
        }
    }

    #[inline]
    pub(crate) fn line_mut(&mut self, want: Want) -> &mut Line {
        match want {
            Want::Item => &mut self.poppers,
            Want::Place => &mut self.pushers,
        }
    }

    /// Free places.
    #[inline]
    fn places(&self) -> usize {
        self.capacity - self.items.len() - self.reserved
    }

    /// Pushes `item`; there is a place, or the queue is closed.
    #[inline]
    pub(crate) fn push(&mut self, item: T) -> Result<(), T> {
        if self.closed {
            return Err(item);
        }
        debug_assert!(self.places() > 0, "whoever pushes has looked for a place");
        self.items.push_back(item);
        Ok(())
    }

    /// Pops the oldest item; there is one, or the queue is closed.
    #[inline]
    pub(crate) fn pop(&mut self) -> Result<T, Closed> {
        let item = self.items.pop_front().ok_or(Closed)?;
        self.shrink();
        Ok(item)
    }

    /// Moves up to `max` items to the end of `into`; there is one to take, or the queue
    /// is closed. Leaves one for each waiter whose turn has come, unless it is `barging`.
    pub(crate) fn pop_many(
        &mut self,
        into: &mut Vec<T>,
        max: usize,
        barging: bool,
    ) -> Result<usize, Closed> {
        let spoken_for = self.spoken_for(Want::Item, barging);
        let count = max.min(self.items.len() - spoken_for);
        if count == 0 {
            return Err(Closed);
        }
        into.extend(self.items.drain(..count));
        self.shrink();
        Ok(count)
    }

    /// Moves items from the front of `items` into the queue; there is a place to take, or
    /// the queue is closed. Leaves one for each waiter whose turn has come, unless it is
    /// `barging`.
    pub(crate) fn push_many(
        &mut self,
        items: &mut VecDeque<T>,
        barging: bool,
    ) -> Result<usize, Closed> {
        if self.closed {
            return Err(Closed);
        }
        let spoken_for = self.spoken_for(Want::Place, barging);
        let count = items.len().min(self.places() - spoken_for);
        if count == items.len() {
            self.items.append(items);
        } else {
            self.items.extend(items.drain(..count));
        }
        Ok(count)
    }

    fn spoken_for(&self, want: Want, barging: bool) -> usize {
        if barging || self.closed {
            0
        } else {
            self.line(want).granted()
        }
    }

    /// Holds a place without filling it; there is one, or the queue is closed.
    pub(crate) fn reserve(&mut self) -> Result<(), Closed> {
        if self.closed {
            return Err(Closed);
        }
        self.reserved += 1;
        Ok(())
    }

    /// Gives up a place that was held.
    pub(crate) fn unreserve(&mut self) {
        self.reserved -= 1;
    }

    /// Closes: true for the call that did it.
    pub(crate) fn close(&mut self) -> bool {
        !std::mem::replace(&mut self.closed, true)
    }

    /// All that is inside.
    pub(crate) fn take_all(&mut self) -> VecDeque<T> {
        std::mem::take(&mut self.items)
    }

    /// Lets each line know what there is for it now.
    #[inline]
    pub(crate) fn settle(&mut self, wakes: &mut Wakes) {
        if self.poppers.waiting() != 0 {
            let available = self.available(Want::Item);
            self.poppers.settle(available, wakes);
        }
        if self.pushers.waiting() != 0 {
            let available = self.available(Want::Place);
            self.pushers.settle(available, wakes);
        }
    }

    /// Gives the memory of a burst back, in halves, so that it costs each item O(1).
    #[inline]
    fn shrink(&mut self) {
        let capacity = self.items.capacity();
        if capacity > KEEP && self.items.len() < capacity / 8 {
            self.items.shrink_to(capacity / 2);
        }
    }
}
