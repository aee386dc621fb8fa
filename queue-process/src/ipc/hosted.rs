//! [`Hosted`]: the queue itself, in the process that created it.

use super::page::Page;
use super::shared_rings::Pushes;
use super::state::{Guest, Lent, News, State, Who};
use super::wire::{self, Call, Filling, Item, Role, Watch};
use crate::try_error::TryError;
use crate::unwind::ignore_panic;
use ipc_channel::ipc::{IpcBytesSender, IpcSharedMemory};
use queue_core::event::Event;
use queue_core::sync::Lock;
use queue_core::work::Idle;
use queue_core::{Capacity, Failure, Side};
use std::mem;

/// What a guest gets that pops.
#[derive(Debug)]
pub(super) enum Offer {
    /// These, of so many more that are inside.
    Items(Vec<Item>, usize),
    /// What it can take from the shelf, of so many that are inside.
    Shelved(usize),
}

/// The deque, who is present, and who waits.
#[derive(Debug)]
pub(super) struct Hosted {
    state: Lock<State>,
    pub(super) capacity: Option<usize>,
    /// For waiters of this process; those elsewhere are called through `State::guests`.
    items: Event,
    places: Event,
    pub(super) idle: Idle,
}

impl Hosted {
    /// An empty, open queue where the host's process is present on both sides.
    pub(super) fn new(bound: Capacity) -> Self {
        let capacity = bound.capacity();
        Self {
            state: Lock::new(State::new(capacity)),
            capacity,
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

    pub(super) fn state(&self) -> Filling {
        self.with(State::filling)
    }

    /// What all guests share.
    ///
    /// # Errors
    /// `Io` if the system has no memory.
    pub(super) fn shelf(&self) -> Result<IpcSharedMemory, Failure> {
        let known = self.with(|state| state.shelf.as_ref().map(Page::memory));
        if let Some(shelf) = known {
            return Ok(shelf);
        }
        let new = Page::new()?;
        Ok(self.with(|state| state.shelf.get_or_insert(new).memory()))
    }

    /// As [`state`](Self::state), for a guest in which somebody waits until the queue is idle, and
    /// which heard so many calls of that.
    pub(super) fn join_state(&self, number: u64, heard: u64) -> Filling {
        self.with(|state| {
            if let Some(guest) = state.guests.get_mut(&number) {
                // Otherwise a call is on its way, and it asks again.
                guest.joining = guest.told_idle == heard;
            }
            state.filling()
        })
    }

    /// Whether a push would be refused now.
    pub(super) fn refuses(&self) -> Option<TryError> {
        self.with(|state| match state.room_for(1) {
            _ if state.closed => Some(TryError::Closed),
            0 => Some(TryError::WouldBlock),
            _ => None,
        })
    }

    /// How many items, or places, those of `side` would find now; `usize::MAX` at the
    /// end.
    pub(super) fn ready_hint(&self, side: Side) -> usize {
        self.with(|state| match side {
            Side::Producers if state.closed => usize::MAX,
            Side::Producers => state.room_for(usize::MAX),
            Side::Consumers => match state.filling().len {
                0 if state.is_drained() => usize::MAX,
                some => some,
            },
        })
    }

    /// Pushes of `items` as many as find a place: how many, and how many slots are still free.
    pub(super) fn push(
        &self,
        who: Who,
        items: impl ExactSizeIterator<Item = Item>,
    ) -> Result<(usize, usize), TryError> {
        self.with(|state| {
            // Behind all pushes that have returned.
            state.collect();
            // What guests took has left free slots: who may push more is told how many there are.
            if items.len() > 1 || !matches!(who, Who::Host) {
                state.look();
            }
            if state.closed {
                return Err(TryError::Closed);
            }
            let room = state.room_for(items.len().max(1));
            let count = room.min(items.len());
            state.items.extend(items.take(count));
            if room == count {
                state.watch(who, Side::Producers);
            }
            state.comes(count, Side::Consumers);
            if let Who::Guest(number, _) = who {
                state.pushed.push(number);
            }
            match (count, room) {
                (0, 0) => Err(TryError::WouldBlock),
                _ => Ok((count, state.free())),
            }
        })
    }

    /// Takes up to `max` of the oldest items for the host, for good: these, and how many are still inside.
    pub(super) fn pop(&self, max: usize) -> Result<(Vec<Item>, usize), TryError> {
        self.draw(Who::Host, max, |state| {
            let popped = state.pop(max);
            (!popped.is_empty()).then(|| (popped, state.to_be_had()))
        })
    }

    /// Takes the oldest item, until [`settle`](Self::settle) or [`give_back`](Self::give_back).
    pub(super) fn deliver(&self, who: Who) -> Result<Lent, TryError> {
        self.draw(who, 1, |state| {
            let delivered = state.take_first()?;
            state.in_flight += 1;
            Some(delivered)
        })
    }

    /// Gives up to `max` of the oldest items to a guest that pops, and offers some more: on the shelf, for
    /// all guests, unless the first is too large for that, or this guest cannot see it.
    pub(super) fn offer(&self, number: u64, watch: Watch, max: usize) -> Result<Offer, TryError> {
        self.draw(Who::Guest(number, watch), max, |state| {
            if state.guests.get(&number)?.pushes.is_shared() && state.shelve(max) {
                return Some(Offer::Shelved(state.to_be_had()));
            }
            let popped = state.pop(max);
            (!popped.is_empty()).then(|| Offer::Items(popped, state.to_be_had()))
        })
    }

    /// What `take` takes of the items that can be had: up to `max`.
    fn draw<R>(
        &self,
        who: Who,
        max: usize,
        take: impl FnOnce(&mut State) -> Option<R>,
    ) -> Result<R, TryError> {
        self.with(|state| {
            state.look();
            if state.to_be_had() < max {
                state.collect();
            }
            let drawn = take(state);
            if state.to_be_had() == 0 {
                state.watch(who, Side::Consumers);
            }
            match drawn {
                Some(drawn) => Ok(drawn),
                None if state.is_drained() => Err(TryError::Closed),
                None => Err(TryError::WouldBlock),
            }
        })
    }

    /// Begins with a question of the guest: whether it is not withdrawn. If it is, who asked may sleep
    /// by now although nobody was going to call: so the guest is called.
    pub(super) fn begins(&self, number: u64, question: u64) -> bool {
        self.with(|state| {
            let Some(guest) = state.guests.get(&number) else {
                return false;
            };
            let begun = !guest.pushes.is_shared() || guest.pushes.begin(question);
            if !begun {
                state.news.calls.push((guest.calls.clone(), Call::Retry));
            }
            begun
        })
    }

    /// The guest has taken or pushed something, and was to tell.
    pub(super) fn look(&self, number: u64) {
        self.with(|state| {
            if let Some(guest) = state.guests.get_mut(&number) {
                guest.wanted = false;
            }
            state.heed();
            state.collect();
        });
    }

    /// A delivery is done.
    pub(super) fn settle(&self) {
        self.with(|state| {
            state.in_flight -= 1;
            state.leaves(1);
        });
    }

    /// Deliveries come back to the front, `counted` or not.
    pub(super) fn give_back(&self, items: impl IntoIterator<Item = Lent>, counted: bool) {
        self.with(|state| {
            // What is on the shelf may be younger.
            state.clear_shelf();
            let before = state.in_flight;
            for (item, lease) in items {
                state.in_flight -= 1;
                state.returned.insert(lease, item, counted);
            }
            state.comes(before - state.in_flight, Side::Consumers);
        });
    }

    /// Closes the queue: whether this call did.
    pub(super) fn close(&self) -> bool {
        self.with(|state| {
            let first = !mem::replace(&mut state.closed, true);
            if first {
                state.guests.values().for_each(|guest| guest.pushes.close());
                state.take_back_slots();
                state.end();
            }
            first
        })
    }

    /// One more process stands on the sides of `role`.
    pub(super) fn join(&self, role: Role) {
        self.with(|state| {
            (role.sides()).for_each(|side| state.present[side as usize] += 1);
        });
    }

    /// One process less stands on `side`; with the last one the queue closes.
    pub(super) fn leave(&self, side: Side) {
        let left = self.with(|state| {
            state.present[side as usize] -= 1;
            state.present[side as usize]
        });
        if left == 0 {
            self.close();
        }
    }

    /// A guest that pushes by these, and can be called through `calls`: its number.
    pub(super) fn enroll(&self, pushes: Page<Pushes>, calls: IpcBytesSender) -> u64 {
        self.with(|state| {
            if state.closed {
                pushes.close();
            }
            let number = state.next;
            state.next += 1;
            let guest = Guest::new(pushes, calls);
            state.guests.insert(number, guest);
            number
        })
    }

    /// The guest is gone. Every other watching guest was called when it was, so a call
    /// that it did not heed was nobody else's.
    pub(super) fn dismiss(&self, number: u64) {
        let guest = self.with(|state| {
            // What it had pushed is not its any more.
            state.collect();
            // It may have been the one to tell.
            state.heed();
            let guest = state.guests.remove(&number)?;
            state.granted -= guest.granted;
            state.comes(guest.granted, Side::Producers);
            if state.is_drained() {
                state.end();
            }
            Some(guest)
        });
        // Closing its channel is the system's work: not under the lock.
        drop(guest);
    }

    /// A guest heard its calls so far, and somebody there still sleeps: how many more
    /// items or places have come. After none it will be called again.
    pub(super) fn watch(&self, number: u64, side: Side, heard: u64) -> u64 {
        self.with(|state| {
            let came = state.came[side as usize];
            match state.guests.get_mut(&number) {
                Some(guest) if guest.called[side as usize] == heard => {
                    let told = mem::replace(&mut guest.told[side as usize], came);
                    if told == came {
                        state.watch(Who::Guest(number, Some(heard)), side);
                    }
                    came - told
                }
                // The next call is on its way already.
                _ => 0,
            }
        })
    }

    /// Changes the state, and tells whom that concerns. In this order: who pushed is granted slots anew,
    /// the shelf is filled if a guest looks or is called, guests are asked to tell what somebody here
    /// waits for; and then, without the lock, those are called that were waiting for the change.
    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock();
        let result = change(&mut state);
        // Who waits in this process listened before it came here and was refused.
        let waits = |state: &State, side| self.event(side).has_waiting() || state.is_watched(side);
        let for_places = waits(&state, Side::Producers);
        for number in mem::take(&mut state.pushed) {
            if !for_places {
                state.grant(number);
            }
        }
        if state.news.called[Side::Consumers as usize] || state.is_looked_for() {
            // Who is called, or looks, finds them without asking.
            state.shelve(0);
        }
        // If it is closed, it is for the end that somebody waits.
        let for_taken = || self.idle.has_waiting() || state.is_joined() || state.closed;
        if !state.shelved.is_empty() && (for_places || for_taken()) {
            state.want_taken();
        }
        if state.granted > 0 && waits(&state, Side::Consumers) {
            state.want_pushed();
        }
        let news = mem::take(&mut state.news);
        drop(state);
        self.tell(news);
        result
    }

    fn tell(&self, news: News) {
        let mut buffer = Vec::new();
        for (guest, call) in news.calls {
            // One that is gone needs no call.
            let _ = wire::send(&guest, &call, &mut buffer);
        }
        for side in [Side::Producers, Side::Consumers] {
            let event = self.event(side);
            if news.ended {
                ignore_panic(|| event.notify_all());
            }
            for _ in 0..news.came[side as usize] {
                ignore_panic(|| event.notify());
                if !event.has_waiting() {
                    break;
                }
            }
        }
        if news.idle && self.idle.has_waiting() {
            ignore_panic(|| self.idle.notify());
        }
    }
}
