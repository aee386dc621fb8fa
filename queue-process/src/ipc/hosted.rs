//! [`Hosted`]: the queue itself, in the process that created it.

use super::wire::{self, BATCH_BYTES, Call, Role, Watch};
use crate::unwind::ignore_panic;
use ipc_channel::ipc::IpcBytesSender;
use queue_core::event::Event;
use queue_core::sync::Lock;
use queue_core::work::{Idle, Lease, Returned};
use queue_core::{Capacity, Failure, Side};
use std::collections::{BTreeMap, VecDeque};

/// Why the queue took or gave nothing.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    /// Full or empty, and open.
    Wait,
    /// Closed, or the host is gone, and the queue with it.
    Closed,
    /// Of a guest alone.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Who asks: the host's own process, or a guest, which may want to be called.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who {
    Host,
    Guest(u64, Watch),
}

/// An item that is out of the deque, and may come back.
pub(super) type Lent = (Vec<u8>, Lease);

/// What an item is lent for. Until that has ended its place is not free, and the queue not drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loan {
    /// It is on its way to a guest that pops it, and counts as inside until the guest has confirmed.
    Pop,
    /// It is in flight.
    Delivery,
}

/// How full the queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Filling {
    /// How many items are inside or on their way to who pops them.
    pub(super) len: usize,
    /// How many deliveries are in flight.
    pub(super) in_flight: usize,
    pub(super) closed: bool,
    /// How often the last item left.
    pub(super) moments: u64,
}

/// The deque, who is present, and who waits.
#[derive(Debug)]
pub(super) struct Hosted {
    state: Lock<State>,
    capacity: Option<usize>,
    /// For waiters of this process; those elsewhere are called through `State::guests`.
    items: Event,
    places: Event,
    pub(super) idle: Idle,
}

#[derive(Debug)]
struct State {
    /// What was never lent; all of it is younger than what was.
    items: VecDeque<Vec<u8>>,
    returned: Returned<Vec<u8>>,
    /// How many items were ever lent or popped.
    taken: u64,
    /// How many are lent, for each sort of [`Loan`].
    lent: [usize; 2],
    /// How often the last item left.
    moments: u64,
    closed: bool,
    /// How many processes stand on each side, lines handed out and not yet taken up
    /// included.
    present: [usize; 2],
    guests: BTreeMap<u64, Guest>,
    next: u64,
    /// How many places and items have come since the queue was made.
    came: [u64; 2],
}

/// How to call a guest. At most one call for each side is ever on its way: who hears it
/// asks what else has come, if somebody there still sleeps. So calling never blocks,
/// even if the guest has been stopped.
#[derive(Debug)]
struct Guest {
    calls: IpcBytesSender,
    watching: [bool; 2],
    called: [u64; 2],
    /// Of what has come, as much as this guest was told.
    told: [u64; 2],
    /// The same for who waits there until the queue is idle.
    joining: bool,
    told_idle: u64,
}

/// The guests to be called once the lock is free again.
#[must_use]
struct Calls(Vec<(IpcBytesSender, Call)>);

/// Nothing is inside and nothing is lent: whom to tell.
#[must_use]
struct Emptied {
    ended: bool,
    calls: Calls,
}

impl Calls {
    fn make(self) {
        let mut buffer = Vec::new();
        for (guest, call) in self.0 {
            // One that is gone needs no call.
            let _ = wire::send(&guest, &call, &mut buffer);
        }
    }
}

impl Hosted {
    /// An empty, open queue where the host's process is present on both sides.
    pub(super) fn new(bound: Capacity) -> Self {
        Self {
            state: Lock::new(State {
                items: VecDeque::new(),
                returned: Returned::new(),
                taken: 0,
                lent: [0; 2],
                moments: 0,
                closed: false,
                present: [1, 1],
                guests: BTreeMap::new(),
                next: 0,
                came: [0; 2],
            }),
            capacity: bound.capacity(),
            items: Event::new(),
            places: Event::new(),
            idle: Idle::new(),
        }
    }

    /// What those of `side` in this process wait for.
    pub(super) fn event(&self, side: Side) -> &Event {
        match side {
            Side::Producers => &self.places,
            Side::Consumers => &self.items,
        }
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    pub(super) fn state(&self) -> Filling {
        self.state.lock().filling()
    }

    /// As [`state`](Self::state), for a guest in which somebody waits until the queue is idle, and
    /// which heard so many calls of that.
    pub(super) fn join_state(&self, number: u64, heard: u64) -> Filling {
        let mut state = self.state.lock();
        if let Some(guest) = state.guests.get_mut(&number) {
            // Otherwise a call is on its way, and it asks again.
            guest.joining = guest.told_idle == heard;
        }
        state.filling()
    }

    /// Whether a push would be refused now.
    pub(super) fn refuses(&self) -> Option<Refusal> {
        let state = self.state.lock();
        match state.room(self.capacity) {
            _ if state.closed => Some(Refusal::Closed),
            0 => Some(Refusal::Wait),
            _ => None,
        }
    }

    /// How many items, or places, those of `side` would find now; `usize::MAX` at the
    /// end. Items that are lent are no more to be had, and their places not yet.
    pub(super) fn ready_hint(&self, side: Side) -> usize {
        let state = self.state.lock();
        match side {
            Side::Producers if state.closed => usize::MAX,
            Side::Producers => state.room(self.capacity),
            Side::Consumers if state.closed && state.is_idle() => usize::MAX,
            Side::Consumers => state.waiting(),
        }
    }

    /// Pushes of `items` as many as find a place: how many.
    pub(super) fn push(
        &self,
        who: Who,
        items: impl ExactSizeIterator<Item = Vec<u8>>,
    ) -> Result<usize, Refusal> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refusal::Closed);
        }
        let room = state.room(self.capacity);
        let count = room.min(items.len());
        state.items.extend(items.take(count));
        if room == count {
            state.watch(who, Side::Producers);
        }
        let calls = state.comes(count, Side::Consumers);
        drop(state);
        self.announce(count, Side::Consumers, calls);
        if count == 0 && room == 0 {
            return Err(Refusal::Wait);
        }
        Ok(count)
    }

    /// Takes up to `max` of the oldest items: for a loan, until [`settle`](Self::settle) or
    /// [`take_back`](Self::take_back), or for good.
    pub(super) fn take(
        &self,
        who: Who,
        max: usize,
        loan: Option<Loan>,
    ) -> Result<Vec<Lent>, Refusal> {
        let mut state = self.state.lock();
        let mut taken = Vec::new();
        let mut bytes = 0;
        while taken.len() < max {
            let Some(lent) = state.lend() else { break };
            bytes += lent.0.len();
            if bytes > BATCH_BYTES && !taken.is_empty() {
                let (item, lease) = lent;
                state.returned.insert(lease, item, false);
                break;
            }
            taken.push(lent);
        }
        let count = taken.len();
        if state.waiting() == 0 {
            state.watch(who, Side::Consumers);
        }
        if count == 0 && max > 0 {
            return Err(match state.closed && state.is_idle() {
                true => Refusal::Closed,
                false => Refusal::Wait,
            });
        }
        match loan {
            Some(loan) => state.lent[loan as usize] += count,
            None => {
                let calls = state.comes(count, Side::Producers);
                let emptied = state.emptied();
                drop(state);
                self.announce(count, Side::Producers, calls);
                self.announce_emptied(emptied);
            }
        }
        Ok(taken)
    }

    /// `count` items that were lent are gone for good.
    pub(super) fn settle(&self, count: usize, loan: Loan) {
        let mut state = self.state.lock();
        state.lent[loan as usize] -= count;
        let calls = state.comes(count, Side::Producers);
        let emptied = state.emptied();
        drop(state);
        self.announce(count, Side::Producers, calls);
        self.announce_emptied(emptied);
    }

    /// Items that were lent come back to the front, their deliveries `counted` or not.
    pub(super) fn take_back(&self, items: Vec<Lent>, loan: Loan, counted: bool) {
        let mut state = self.state.lock();
        let count = items.len();
        state.lent[loan as usize] -= count;
        for (item, lease) in items {
            state.returned.insert(lease, item, counted);
        }
        let calls = state.comes(count, Side::Consumers);
        drop(state);
        self.announce(count, Side::Consumers, calls);
    }

    /// Closes the queue: whether this call did.
    pub(super) fn close(&self) -> bool {
        let mut state = self.state.lock();
        let first = !std::mem::replace(&mut state.closed, true);
        let calls = match first {
            true => state.end(),
            false => Calls(Vec::new()),
        };
        drop(state);
        if first {
            self.wake_all();
        }
        calls.make();
        first
    }

    /// One more process stands on the sides of `role`.
    pub(super) fn join(&self, role: Role) {
        let mut state = self.state.lock();
        role.sides()
            .for_each(|side| state.present[side as usize] += 1);
    }

    /// One process less stands on `side`; with the last one the queue closes.
    pub(super) fn leave(&self, side: Side) {
        let mut state = self.state.lock();
        state.present[side as usize] -= 1;
        let last = state.present[side as usize] == 0;
        drop(state);
        if last {
            self.close();
        }
    }

    /// A guest that can be called through `calls`: its number.
    pub(super) fn enroll(&self, calls: IpcBytesSender) -> u64 {
        let mut state = self.state.lock();
        let number = state.next;
        state.next += 1;
        let guest = Guest {
            calls,
            watching: [false; 2],
            called: [0; 2],
            told: [0; 2],
            joining: false,
            told_idle: 0,
        };
        state.guests.insert(number, guest);
        number
    }

    /// The guest is gone. Every other watching guest was called when it was, so a call
    /// that it did not heed was nobody else's.
    pub(super) fn dismiss(&self, number: u64) {
        let mut state = self.state.lock();
        let guest = state.guests.remove(&number);
        // Closing its channel is the system's work: not under the lock.
        drop(state);
        drop(guest);
    }

    /// A guest heard its calls so far, and somebody there still sleeps: how many more
    /// items or places have come. After none it will be called again.
    pub(super) fn watch(&self, number: u64, side: Side, heard: u64) -> u64 {
        let mut state = self.state.lock();
        let came = state.came[side as usize];
        match state.guests.get_mut(&number) {
            Some(guest) if guest.called[side as usize] == heard => {
                let told = std::mem::replace(&mut guest.told[side as usize], came);
                if told == came {
                    state.watch(Who::Guest(number, Some(heard)), side);
                }
                came - told
            }
            // The next call is on its way already.
            _ => 0,
        }
    }

    /// `count` items or places came, which those of `side` wait for.
    fn announce(&self, count: usize, side: Side, calls: Calls) {
        let event = self.event(side);
        calls.make();
        for _ in 0..count {
            ignore_panic(|| event.notify());
            if !event.has_waiting() {
                break;
            }
        }
    }

    fn announce_emptied(&self, emptied: Option<Emptied>) {
        let Some(emptied) = emptied else { return };
        if emptied.ended {
            self.wake_all();
        }
        if self.idle.has_waiting() {
            ignore_panic(|| self.idle.notify());
        }
        emptied.calls.make();
    }

    fn wake_all(&self) {
        ignore_panic(|| self.items.notify_all());
        ignore_panic(|| self.places.notify_all());
    }
}

impl State {
    /// How many items can be had.
    fn waiting(&self) -> usize {
        self.items.len() + self.returned.len()
    }

    fn filling(&self) -> Filling {
        Filling {
            len: self.waiting() + self.lent[Loan::Pop as usize],
            in_flight: self.lent[Loan::Delivery as usize],
            closed: self.closed,
            moments: self.moments,
        }
    }

    /// How many places are taken.
    fn taken_places(&self) -> usize {
        self.waiting() + self.lent[0] + self.lent[1]
    }

    fn is_idle(&self) -> bool {
        self.taken_places() == 0
    }

    fn room(&self, capacity: Option<usize>) -> usize {
        capacity.map_or(usize::MAX, |capacity| {
            capacity.saturating_sub(self.taken_places())
        })
    }

    /// The oldest item.
    fn lend(&mut self) -> Option<Lent> {
        if let Some(lent) = self.returned.lend() {
            return Some(lent);
        }
        let item = self.items.pop_front()?;
        let number = self.taken;
        self.taken += 1;
        Some((item, Lease::first(number)))
    }

    /// Remembers to call this guest, if it wants to be and no call is on its way to it.
    fn watch(&mut self, who: Who, side: Side) {
        let side = side as usize;
        let Who::Guest(number, Some(heard)) = who else {
            return;
        };
        let Some(guest) = self.guests.get_mut(&number) else {
            return;
        };
        if !guest.watching[side] && guest.called[side] == heard {
            guest.watching[side] = true;
            guest.told[side] = self.came[side];
        }
    }

    /// `count` items or places come, which those of `side` wait for: all guests that
    /// watch for them are to be called.
    fn comes(&mut self, count: usize, side: Side) -> Calls {
        let mut calls = Vec::new();
        let at = side as usize;
        self.came[at] += count as u64;
        if count > 0 {
            for guest in self.guests.values_mut() {
                if std::mem::take(&mut guest.watching[at]) {
                    guest.called[at] += 1;
                    let told = std::mem::replace(&mut guest.told[at], self.came[at]);
                    let call = Call::Came(side, self.came[at] - told);
                    calls.push((guest.calls.clone(), call));
                }
            }
        }
        Calls(calls)
    }

    /// Nothing more will come: every guest is to be called, watching or not.
    fn end(&mut self) -> Calls {
        let guests = self.guests.values();
        Calls(
            guests
                .map(|guest| (guest.calls.clone(), Call::End))
                .collect(),
        )
    }

    /// The last item may have gone: who joins learns of it, and, if the queue is closed, consumers
    /// that had to wait for it, for it might have come back.
    fn emptied(&mut self) -> Option<Emptied> {
        if !self.is_idle() {
            return None;
        }
        self.moments += 1;
        let ended = self.closed;
        let mut calls = match ended {
            true => self.end(),
            false => Calls(Vec::new()),
        };
        for guest in self.guests.values_mut() {
            if std::mem::take(&mut guest.joining) {
                guest.told_idle += 1;
                let call = Call::Idle(self.moments);
                calls.0.push((guest.calls.clone(), call));
            }
        }
        Some(Emptied { ended, calls })
    }
}
