//! [`State`]: everything under the one lock.

use crate::poppers::Poppers;
use crate::pushers::{Pushers, Wish};
use queue_core::waiters::WaiterId as Key;
use std::collections::VecDeque;
use std::task::Waker;

/// The queue was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// Storage for so many items is kept when fewer are inside.
const KEEP: usize = 1024;

/// See the module's page.
///
/// Whoever changes it [`settle`](Self::settle)s it before the lock is released. Then no
/// pusher waits while a place is free, and as many poppers are granted as there are items.
#[repr(C)] // What every push and pop looks at stands together, at the front.
pub(crate) struct State<T> {
    items: VecDeque<T>,
    /// How many items may be inside; `usize::MAX` without a bound.
    capacity: usize,
    /// Places that are held: taken, but empty.
    held: usize,
    closed: bool,
    poppers: Poppers,
    pushers: Pushers<T>,
}

// What is inside.
impl<T> State<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            items: VecDeque::new(),
            capacity,
            held: 0,
            closed: false,
            poppers: Poppers::new(),
            pushers: Pushers::new(),
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

    /// Places that are neither filled nor held: none while anybody waits for one.
    #[inline]
    pub(crate) fn places(&self) -> usize {
        self.capacity - self.items.len() - self.held
    }

    /// Items that are not spoken for.
    #[inline]
    pub(crate) fn spare(&self) -> usize {
        self.items.len().saturating_sub(self.poppers.waiting())
    }

    /// How many poppers may come: all of them once the queue is closed, to take what is
    /// left or to hear the end.
    #[inline]
    fn servable(&self) -> usize {
        if self.closed {
            usize::MAX
        } else {
            self.items.len()
        }
    }

    /// Closes: true for the call that did it.
    pub(crate) fn close(&mut self) -> bool {
        !std::mem::replace(&mut self.closed, true)
    }

    /// Takes all that is inside.
    pub(crate) fn take_all(&mut self) -> VecDeque<T> {
        std::mem::take(&mut self.items)
    }

    /// Whether [`settle`](Self::settle) has nothing to do.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        let settled = self.pushers.waiting() == 0 || (self.places() == 0 && !self.closed);
        settled && self.poppers.is_settled(self.servable())
    }

    /// [`is_settled`](Self::is_settled), cheaply, after a push or pop by one whose turn it
    /// was, or who came new and found enough: whoever is granted still has an item then.
    /// May say no where there is nothing to do.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.pushers.waiting() == 0 && self.poppers.waiting() == self.poppers.granted()
    }

    /// Serves who can be served now, up to the first who sleeps: its waker. `None` once
    /// all is settled.
    #[inline]
    pub(crate) fn settle(&mut self) -> Option<Waker> {
        if self.pushers.waiting() != 0 {
            let waker = self.settle_pushers();
            if waker.is_some() {
                return waker;
            }
        }
        self.poppers.grant(self.servable())
    }

    #[inline(never)]
    fn settle_pushers(&mut self) -> Option<Waker> {
        let mut waker = None;
        while self.pushers.waiting() != 0 && waker.is_none() {
            if self.closed {
                waker = self.pushers.dismiss_first();
                continue;
            }
            if self.places() == 0 {
                break;
            }
            let wish;
            (wish, waker) = self.pushers.serve_first();
            match wish {
                Wish::Push(item) => self.items.push_back(item),
                Wish::Hold => self.held += 1,
                // It is only told: the place may go to the next in line, or to anybody.
                Wish::Notice => {}
                Wish::Granted => unreachable!("who is granted has left the line"),
            }
        }
        waker
    }

    /// Gives the memory of a burst back, in halves, so that it costs each item O(1).
    #[inline]
    fn shrink(&mut self) {
        let capacity = self.items.capacity();
        if capacity > KEEP && self.items.len() < capacity / 8 {
            shrink(&mut self.items);
        }
    }
}

// Pushing.
impl<T> State<T> {
    /// Pushes `item` into a place that is there.
    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        debug_assert!(self.places() > 0);
        self.items.push_back(item);
    }

    /// Pushes from the front of `items` into up to `places` places that are there.
    pub(crate) fn push_many(&mut self, items: &mut VecDeque<T>, places: usize) -> usize {
        let count = items.len().min(places);
        if count == items.len() {
            self.items.append(items);
        } else {
            self.items.extend(items.drain(..count));
        }
        count
    }

    /// Holds a place that is there.
    pub(crate) fn hold(&mut self) {
        debug_assert!(self.places() > 0);
        self.held += 1;
    }

    /// Gives up a place that was held.
    pub(crate) fn unhold(&mut self) {
        self.held -= 1;
    }
}

// Popping.
impl<T> State<T> {
    /// Pops the oldest item; there is one, or the queue is closed.
    #[inline]
    pub(crate) fn pop(&mut self) -> Result<T, Closed> {
        let item = self.items.pop_front().ok_or(Closed)?;
        self.shrink();
        Ok(item)
    }

    /// Moves up to `max` items to the end of `into`, but leaves one to each popper that
    /// is granted, unless those are all. There is an item, or the queue is closed.
    pub(crate) fn pop_many(&mut self, into: &mut Vec<T>, max: usize) -> Result<usize, Closed> {
        let granted = if self.closed {
            0
        } else {
            self.poppers.granted()
        };
        let spare = match self.items.len() - granted {
            // One whose time ran out behind others goes past them, as a `try_` verb does.
            0 => usize::MAX,
            spare => spare,
        };
        self.pop_up_to(into, max.min(spare))
    }

    /// [`pop_many`](Self::pop_many) that leaves nothing to anybody.
    pub(crate) fn pop_up_to(&mut self, into: &mut Vec<T>, max: usize) -> Result<usize, Closed> {
        let count = max.min(self.items.len());
        if count == 0 {
            return Err(Closed);
        }
        into.extend(self.items.drain(..count));
        self.shrink();
        Ok(count)
    }
}

#[cold]
#[inline(never)]
fn shrink<T>(items: &mut VecDeque<T>) {
    items.shrink_to(items.capacity() / 2);
}

/// What somebody stands in line for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Item,
    /// To have an item pushed.
    Push,
    /// To hold a place.
    Hold,
    /// To be told of a place.
    Notice,
}

// Waiting.
impl<T> State<T> {
    pub(crate) fn join_poppers(&mut self, waker: Option<Waker>) -> Key {
        self.poppers.join(waker)
    }

    pub(crate) fn join_pushers(&mut self, wish: Wish<T>, waker: Option<Waker>) -> Key {
        self.pushers.join(wish, waker)
    }

    /// Whether the turn of `key` has come: it need not wait any more.
    #[inline]
    pub(crate) fn is_turn(&self, want: Want, key: Key) -> bool {
        match want {
            Want::Item => self.poppers.is_granted(key),
            _ => self.closed || self.pushers.is_granted(key),
        }
    }

    /// How `key`, whose turn has not come, is woken.
    pub(crate) fn waker_mut(&mut self, want: Want, key: Key) -> &mut Option<Waker> {
        match want {
            Want::Item => self.poppers.waker_mut(key),
            _ => self.pushers.waker_mut(key),
        }
    }

    /// Takes `key` out, wherever it stands, and frees the place that may be held for it.
    /// Gives what is to be dropped after the lock: its item, if that was not pushed, and
    /// its waker.
    #[inline(always)]
    pub(crate) fn leave(&mut self, want: Want, key: Key) -> (Option<T>, Option<Waker>) {
        if want == Want::Item {
            return (None, self.poppers.leave(key));
        }
        self.leave_pushers(want, key)
    }

    /// Takes a popper out whose turn has come.
    #[inline(always)]
    pub(crate) fn leave_granted(&mut self, key: Key) {
        self.poppers.leave_granted(key);
    }

    fn leave_pushers(&mut self, want: Want, key: Key) -> (Option<T>, Option<Waker>) {
        // Whoever is in line when the queue is closed has been sent out of it.
        let (wish, waker) = self.pushers.leave(key, !self.closed);
        match (want, wish) {
            (_, Wish::Push(item)) => (Some(item), waker),
            (Want::Hold, Wish::Granted) => {
                self.held -= 1;
                (None, waker)
            }
            _ => (None, waker),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{KEEP, State};

    #[test]
    fn a_burst_gives_its_memory_back_and_a_few_items_keep_theirs() {
        let mut state = State::new(usize::MAX);
        state.items.reserve_exact(KEEP);
        state.push(0);
        state.pop().unwrap();
        assert_eq!(state.items.capacity(), KEEP);

        (0..16 * KEEP).for_each(|n| state.push(n));
        let burst = state.items.capacity();
        while state.len() > burst / 8 {
            state.pop().unwrap();
        }
        assert_eq!(state.items.capacity(), burst);
        state.pop().unwrap();
        assert_eq!(state.items.capacity(), burst / 2);
        while state.pop().is_ok() {}
        assert!(state.items.capacity() <= KEEP);
    }
}
