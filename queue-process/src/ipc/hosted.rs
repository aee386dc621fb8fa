//! [`Hosted`]: the queue itself, in the process that created it.

use super::wire::{self, BATCH_BYTES, Call, Role, Watch};
use crate::unwind::ignore_panic;
use ipc_channel::ipc::IpcBytesSender;
use queue_core::event::Event;
use queue_core::sync::Lock;
use queue_core::{Capacity, Side};
use std::collections::{BTreeMap, VecDeque};

/// Why the queue took or gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Full or empty, and open.
    Wait,
    Closed,
}

/// Who asks: the host's own process, or a guest, which may want to be called.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who {
    Host,
    Guest(u64, Watch),
}

/// The deque, who is present, and who waits.
#[derive(Debug)]
pub(super) struct Hosted {
    state: Lock<State>,
    capacity: Option<usize>,
    /// For waiters of this process; those elsewhere are called through `State::guests`.
    items: Event,
    places: Event,
}

#[derive(Debug)]
struct State {
    items: VecDeque<Vec<u8>>,
    /// Items that are on their way to a guest: out of the deque, but their places are
    /// not free and the queue is not drained until the guest has confirmed them, for if
    /// it dies they come back.
    lent: usize,
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
}

/// The guests to be called once the lock is free again.
#[must_use]
struct Calls(Vec<(IpcBytesSender, Call)>);

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
                lent: 0,
                closed: false,
                present: [1, 1],
                guests: BTreeMap::new(),
                next: 0,
                came: [0; 2],
            }),
            capacity: bound.capacity(),
            items: Event::new(),
            places: Event::new(),
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

    /// How many items are inside or on their way out, and whether the queue is closed.
    pub(super) fn state(&self) -> (usize, bool) {
        let state = self.state.lock();
        (state.len(), state.closed)
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
            Side::Consumers if state.closed && state.len() == 0 => usize::MAX,
            Side::Consumers => state.items.len(),
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

    /// Takes up to `max` of the oldest items. To a guest they
    /// are lent until [`settle`](Self::settle) or [`take_back`](Self::take_back).
    pub(super) fn pop(&self, who: Who, max: usize) -> Result<Vec<Vec<u8>>, Refusal> {
        let mut state = self.state.lock();
        let mut bytes = 0;
        let fits = |item: &&Vec<u8>| {
            bytes += item.len();
            bytes <= BATCH_BYTES
        };
        let first = state.items.len().min(1);
        let count = state.items.iter().take(max).take_while(fits).count();
        let count = count.max(first).min(max);
        let items: Vec<_> = state.items.drain(..count).collect();
        if state.items.is_empty() {
            state.watch(who, Side::Consumers);
        }
        if items.is_empty() && max > 0 {
            let drained = state.closed && state.lent == 0;
            return Err(if drained {
                Refusal::Closed
            } else {
                Refusal::Wait
            });
        }
        match who {
            Who::Host => {
                let calls = state.comes(count, Side::Producers);
                let ended = state.end_if_drained();
                drop(state);
                self.announce(count, Side::Producers, calls);
                self.announce_end(ended);
            }
            Who::Guest(..) => state.lent += count,
        }
        Ok(items)
    }

    /// `count` items that were lent have arrived.
    pub(super) fn settle(&self, count: usize) {
        let mut state = self.state.lock();
        state.lent -= count;
        let calls = state.comes(count, Side::Producers);
        let ended = state.end_if_drained();
        drop(state);
        self.announce(count, Side::Producers, calls);
        self.announce_end(ended);
    }

    /// Items that were lent to a guest which died come back to the front.
    pub(super) fn take_back(&self, items: Vec<Vec<u8>>) {
        let mut state = self.state.lock();
        let count = items.len();
        state.lent -= count;
        for item in items.into_iter().rev() {
            state.items.push_front(item);
        }
        let calls = state.comes(count, Side::Consumers);
        drop(state);
        self.announce(count, Side::Consumers, calls);
    }

    /// Closes the queue: whether this call did.
    pub(super) fn close(&self) -> bool {
        let mut state = self.state.lock();
        let first = !std::mem::replace(&mut state.closed, true);
        let ended = first.then(|| state.end());
        drop(state);
        self.announce_end(ended);
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

    fn announce_end(&self, ended: Option<Calls>) {
        if let Some(calls) = ended {
            ignore_panic(|| self.items.notify_all());
            ignore_panic(|| self.places.notify_all());
            calls.make();
        }
    }
}

impl State {
    fn len(&self) -> usize {
        self.items.len() + self.lent
    }

    fn room(&self, capacity: Option<usize>) -> usize {
        capacity.map_or(usize::MAX, |capacity| capacity.saturating_sub(self.len()))
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

    /// The last item of a closed queue has gone: consumers that had to wait for it, for
    /// it might have come back, learn of the end.
    fn end_if_drained(&mut self) -> Option<Calls> {
        let drained = self.closed && self.len() == 0;
        drained.then(|| self.end())
    }
}
