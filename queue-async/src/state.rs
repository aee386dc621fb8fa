//! [`State`]: everything under the one lock.

use crate::consumer_list::ConsumerList;
use crate::joiner_list::JoinerList;
use crate::producer_list::{ProducerList, Request};
use queue_core::waiters::WaiterId as Key;
use queue_core::work::{Lease, Returned};
use std::collections::VecDeque;
use std::task::Waker;

/// The queue was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// Storage for so many items is kept when fewer are inside.
const KEEP: usize = 1024;

/// See the module's page.
///
/// Whoever changes it [`serve`](Self::serve)s it before the lock is released. Then no
/// producer waits while a slot is free, and as many consumers are granted as there are items.
#[repr(C)] // What every push and pop looks at stands together, at the front.
pub(crate) struct State<T> {
    items: VecDeque<T>,
    /// How many items may be inside; `usize::MAX` without a bound.
    capacity: usize,
    /// Slots that are taken by no item in `items`: held by permits, lent, or of what came back.
    held: usize,
    closed: bool,
    /// How many items are lent.
    in_flight: usize,
    /// Lent items that came back: in front of `items`.
    returned: Returned<T>,
    consumers: ConsumerList,
    producers: ProducerList<T>,
    joiners: JoinerList,
    /// That of the next item that is lent for the first time.
    next_number: u64,
}

// What is inside.
impl<T> State<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            items: VecDeque::new(),
            capacity,
            held: 0,
            closed: false,
            in_flight: 0,
            returned: Returned::new(),
            consumers: ConsumerList::new(),
            producers: ProducerList::new(),
            joiners: JoinerList::new(),
            next_number: 0,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.items.len() + self.returned.len()
    }

    /// How many items are lent.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether nothing waits and nothing is lent.
    pub(crate) fn is_idle(&self) -> bool {
        self.len() == 0 && self.in_flight == 0
    }

    /// Whether it is closed and nothing will come back any more: who finds nothing has come to
    /// the end.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.closed && self.in_flight == 0
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Slots that are neither filled nor held: none while anybody waits for one.
    #[inline]
    pub(crate) fn free_slots(&self) -> usize {
        self.capacity - self.items.len() - self.held
    }

    /// Items that are not spoken for.
    #[inline]
    pub(crate) fn spare(&self) -> usize {
        self.len().saturating_sub(self.consumers.waiting())
    }

    /// How many consumers may come: all of them once the queue has ended, to take what is
    /// left or to hear the end.
    #[inline]
    fn servable(&self) -> usize {
        if self.has_ended() {
            usize::MAX
        } else {
            self.len()
        }
    }

    /// Closes: true for the call that did it.
    pub(crate) fn close(&mut self) -> bool {
        !std::mem::replace(&mut self.closed, true)
    }

    /// Takes all that is inside.
    pub(crate) fn take_all(&mut self) -> VecDeque<T> {
        let returned: Vec<_> = std::iter::from_fn(|| self.returned.pop()).collect();
        self.held -= returned.len();
        // With its memory.
        let mut all = std::mem::take(&mut self.items);
        for item in returned.into_iter().rev() {
            all.push_front(item);
        }
        all
    }

    /// Whether all three lines are empty, as they mostly are: one jump for three counts.
    #[inline]
    fn nobody_waits(&self) -> bool {
        self.producers.waiting() | self.consumers.waiting() | self.joiners.waiting() == 0
    }

    /// Whether [`serve`](Self::serve) has nothing to do.
    #[inline]
    pub(crate) fn all_served(&self) -> bool {
        if self.nobody_waits() {
            return true;
        }
        let served = self.producers.waiting() == 0 || (self.free_slots() == 0 && !self.closed);
        let joined = self.joiners.waiting() == 0 || !self.is_idle();
        let consumed = self.consumers.all_served(self.servable());
        served && joined && consumed
    }

    /// [`all_served`](Self::all_served), cheaply, after a push or pop by one whose turn it
    /// was, or who came new and found enough: whoever is granted still has an item then.
    /// May say no where there is nothing to do.
    #[inline]
    pub(crate) fn nobody_to_serve(&self) -> bool {
        self.nobody_waits()
            || self.producers.waiting() == 0
                && self.consumers.waiting() == self.consumers.granted()
                && self.joiners.waiting() == 0
    }

    /// Serves who can be served now, up to the first who sleeps: its waker. `None` once
    /// all is served.
    #[inline]
    pub(crate) fn serve(&mut self) -> Option<Waker> {
        // First: what producers put in next is none of a joiner's business.
        if self.joiners.waiting() != 0 && self.is_idle() {
            let waker = self.joiners.serve();
            if waker.is_some() {
                return waker;
            }
        }
        if self.producers.waiting() != 0 {
            let waker = self.serve_producers();
            if waker.is_some() {
                return waker;
            }
        }
        self.consumers.grant(self.servable())
    }

    #[inline(never)]
    fn serve_producers(&mut self) -> Option<Waker> {
        let mut waker = None;
        while self.producers.waiting() != 0 && waker.is_none() {
            if self.closed {
                waker = self.producers.dismiss_first();
                continue;
            }
            if self.free_slots() == 0 {
                break;
            }
            let request;
            (request, waker) = self.producers.serve_first();
            match request {
                Request::Push(item) => self.items.push_back(item),
                Request::Hold => self.held += 1,
                // It is only told: the slot may go to the next in line, or to anybody.
                Request::Notice => {}
                Request::Granted => unreachable!("who is granted has left the line"),
            }
        }
        waker
    }

    /// Gives the memory of a burst back, but for a multiple of what is inside, so that it costs each
    /// item O(1).
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
    /// Pushes `item` into a slot that is there.
    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        debug_assert!(self.free_slots() > 0);
        self.items.push_back(item);
    }

    /// Pushes from the front of `items` into up to `slots` slots that are there.
    pub(crate) fn push_many(&mut self, items: &mut VecDeque<T>, slots: usize) -> usize {
        let count = items.len().min(slots);
        if count == items.len() {
            self.items.append(items);
        } else {
            self.items.extend(items.drain(..count));
        }
        count
    }

    /// Holds a slot that is there.
    pub(crate) fn hold(&mut self) {
        debug_assert!(self.free_slots() > 0);
        self.held += 1;
    }

    /// Gives up a slot that was held.
    pub(crate) fn unhold(&mut self) {
        self.held -= 1;
    }
}

// Popping.
impl<T> State<T> {
    /// Pops the oldest item; there is one, or the queue is closed.
    #[inline]
    pub(crate) fn pop(&mut self) -> Result<T, Closed> {
        if !self.returned.is_empty() {
            return self.pop_returned();
        }
        let item = self.items.pop_front().ok_or(Closed)?;
        self.shrink();
        Ok(item)
    }

    #[cold]
    fn pop_returned(&mut self) -> Result<T, Closed> {
        let item = self.returned.pop().ok_or(Closed)?;
        self.held -= 1;
        Ok(item)
    }

    /// Lends the oldest item, which keeps its slot; there is one, or the queue has ended.
    #[inline]
    pub(crate) fn lend(&mut self) -> Result<(T, Lease), Closed> {
        let lent = if let Some(lent) = self.returned.lend() {
            lent
        } else {
            let item = self.items.pop_front().ok_or(Closed)?;
            self.shrink();
            self.held += 1;
            self.next_number += 1;
            (item, Lease::first(self.next_number))
        };
        self.in_flight += 1;
        if self.closed {
            // It has not ended, for this one may come back: who was granted to hear the end waits on.
            self.consumers.take_back(self.len());
        }
        Ok(lent)
    }

    /// An item that was lent is done.
    #[inline]
    pub(crate) fn done(&mut self) {
        self.in_flight -= 1;
        self.held -= 1;
    }

    /// An item that was lent comes back.
    pub(crate) fn give_back(&mut self, lease: Lease, item: T, counted: bool) {
        self.in_flight -= 1;
        self.returned.insert(lease, item, counted);
    }

    /// Moves up to `max` items to the end of `into`, but leaves one to each consumer that
    /// is granted, unless those are all. There is an item, or the queue is closed.
    pub(crate) fn pop_many(&mut self, into: &mut Vec<T>, max: usize) -> Result<usize, Closed> {
        let granted = if self.has_ended() {
            0
        } else {
            self.consumers.granted()
        };
        let spare = match self.len() - granted {
            // One whose time ran out behind others goes past them, as a `try_` verb does.
            0 => usize::MAX,
            spare => spare,
        };
        self.pop_up_to(into, max.min(spare))
    }

    /// [`pop_many`](Self::pop_many) that leaves nothing to anybody.
    pub(crate) fn pop_up_to(&mut self, into: &mut Vec<T>, max: usize) -> Result<usize, Closed> {
        let count = max.min(self.len());
        if count == 0 {
            return Err(Closed);
        }
        let returned = count.min(self.returned.len());
        self.held -= returned;
        into.extend(std::iter::from_fn(|| self.returned.pop()).take(returned));
        into.extend(self.items.drain(..count - returned));
        self.shrink();
        Ok(count)
    }
}

#[cold]
#[inline(never)]
fn shrink<T>(items: &mut VecDeque<T>) {
    items.shrink_to(KEEP.max(4 * items.len()));
}

/// What somebody stands in line for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitFor {
    Item,
    /// To have an item pushed.
    Push,
    /// To hold a slot.
    Hold,
    /// To be told of a slot.
    Notice,
    /// For the queue to be idle.
    Idle,
}

// Waiting.
impl<T> State<T> {
    pub(crate) fn enqueue_consumer(&mut self, waker: Option<Waker>) -> Key {
        self.consumers.join(waker)
    }

    pub(crate) fn enqueue_producer(&mut self, request: Request<T>, waker: Option<Waker>) -> Key {
        self.producers.join(request, waker)
    }

    pub(crate) fn enqueue_joiner(&mut self) -> Key {
        self.joiners.enqueue()
    }

    /// Whether the turn of `key` has come: it need not wait any more.
    #[inline]
    pub(crate) fn is_turn(&self, wait_for: WaitFor, key: Key) -> bool {
        match wait_for {
            WaitFor::Item => self.consumers.is_granted(key),
            WaitFor::Idle => self.joiners.is_served(key),
            _ => self.closed || self.producers.is_granted(key),
        }
    }

    /// How `key`, whose turn has not come, is woken.
    pub(crate) fn waker_mut(&mut self, wait_for: WaitFor, key: Key) -> &mut Option<Waker> {
        match wait_for {
            WaitFor::Item => self.consumers.waker_mut(key),
            WaitFor::Idle => self.joiners.waker_mut(key),
            _ => self.producers.waker_mut(key),
        }
    }

    /// Takes `key` out, wherever it stands, and frees the slot that may be held for it.
    /// Gives what is to be dropped after the lock: its item, if that was not pushed, and
    /// its waker.
    #[inline(always)]
    pub(crate) fn leave(&mut self, wait_for: WaitFor, key: Key) -> (Option<T>, Option<Waker>) {
        if wait_for == WaitFor::Item {
            return (None, self.consumers.leave(key));
        }
        self.leave_producers(wait_for, key)
    }

    /// Takes a consumer out whose turn has come.
    #[inline(always)]
    pub(crate) fn leave_granted(&mut self, key: Key) {
        self.consumers.leave_granted(key);
    }

    fn leave_producers(&mut self, wait_for: WaitFor, key: Key) -> (Option<T>, Option<Waker>) {
        if wait_for == WaitFor::Idle {
            return (None, self.joiners.leave(key));
        }
        // Whoever is in line when the queue is closed has been sent out of it.
        let (request, waker) = self.producers.leave(key, !self.closed);
        match (wait_for, request) {
            (_, Request::Push(item)) => (Some(item), waker),
            (WaitFor::Hold, Request::Granted) => {
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
        assert!((burst / 4..=burst / 2).contains(&state.items.capacity()));
        while state.pop().is_ok() {}
        assert!(state.items.capacity() <= KEEP);

        (0..16 * KEEP).for_each(|n| state.push(n));
        state.pop_many(&mut Vec::new(), usize::MAX).unwrap();
        assert!(state.items.capacity() <= KEEP, "in one batch");
        (0..16 * KEEP).for_each(|n| state.push(n));
        assert_eq!(state.take_all().len(), 16 * KEEP);
        assert_eq!(state.items.capacity(), 0);
    }
}
