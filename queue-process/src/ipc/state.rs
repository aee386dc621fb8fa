//! [`State`]: the items of a queue, in its host, what else that knows of it, and what may be done with it
//! under its lock. Items come here by [`hosted`](super::hosted), or from a guest by
//! [`shared_rings`](super::shared_rings), by which they go to one, too. It says whom a change concerns;
//! `hosted` wakes those of the host, and [`guest`](super::guest) those of a guest.

use super::page::Page;
use super::shared_rings::{self, Pushes, Shelf};
use super::wire::{BATCH_BYTES, Call, Filling, Item, Watch};
use ipc_channel::ipc::IpcBytesSender;
use queue_core::Side;
use queue_core::work::{Lease, Returned};
use std::collections::{BTreeMap, VecDeque};
use std::mem;

/// As many slots a guest is granted ahead.
const SLOTS_AHEAD: usize = 256;

/// As many items are put on the shelf for guests that pop.
const ITEMS_AHEAD: usize = 256;

/// Who asks: the host's own process, or a guest, which may want to be called.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who {
    Host,
    Guest(u64, Watch),
}

/// An item that is out of the deque, and may come back.
pub(super) type Lent = (Item, Lease);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) capacity: Option<usize>,
    /// What was never lent; all of it is younger than what was.
    pub(super) items: VecDeque<Item>,
    pub(super) returned: Returned<Item>,
    /// How many items were ever lent or popped.
    pub(super) taken: u64,
    /// From where guests pop, once there was one.
    pub(super) shelf: Option<Page<Shelf>>,
    /// What is there, each with the place behind it.
    pub(super) shelved: VecDeque<(Lent, u32)>,
    /// The place before the first of these.
    pub(super) shelved_from: u32,
    /// Whether guests have been asked to tell when they take something.
    pub(super) wanted: bool,
    /// How many deliveries are in flight.
    pub(super) in_flight: usize,
    /// How many slots are granted to guests, and neither filled nor taken back.
    pub(super) granted: usize,
    /// How often the last item left.
    pub(super) moments: u64,
    pub(super) closed: bool,
    /// How many processes stand on each side, lines handed out and not yet taken up
    /// included.
    pub(super) present: [usize; 2],
    pub(super) guests: BTreeMap<u64, Guest>,
    pub(super) next: u64,
    /// How many places and items have come since the queue was made.
    pub(super) came: [u64; 2],
    /// Guests that have pushed, and might be granted slots.
    pub(super) pushed: Vec<u64>,
    /// What is to be told once the lock is free again.
    pub(super) news: News,
}

/// A guest as its host knows it.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) pushes: Page<Pushes>,
    /// How many slots it was granted, as in `State::granted`.
    pub(super) granted: usize,
    /// Whether it has been asked to tell when it fills one.
    pub(super) wanted: bool,
    /// How to call it. At most one call for each side is ever on its way: who hears it
    /// asks what else has come, if somebody there still sleeps. So calling never blocks,
    /// even if the guest has been stopped.
    pub(super) calls: IpcBytesSender,
    pub(super) watching: [bool; 2],
    pub(super) called: [u64; 2],
    /// Of what has come, as much as this guest was told.
    pub(super) told: [u64; 2],
    /// The same for who waits there until the queue is idle.
    pub(super) joining: bool,
    pub(super) told_idle: u64,
}

/// Whom to tell what.
#[derive(Debug, Default)]
pub(super) struct News {
    /// How many places and items have come.
    pub(super) came: [usize; 2],
    /// Whether guests are called because of that.
    pub(super) called: [bool; 2],
    /// Nothing more will come.
    pub(super) ended: bool,
    /// The last item left.
    pub(super) idle: bool,
    pub(super) calls: Vec<(IpcBytesSender, Call)>,
}

impl State {
    /// Of an empty, open queue where the host's process is present on both sides.
    pub(super) fn new(capacity: Option<usize>) -> Self {
        Self {
            capacity,
            present: [1, 1],
            ..Self::default()
        }
    }

    /// How many items can be had, as far as is known.
    pub(super) fn to_be_had(&self) -> usize {
        self.shelved.len() + self.returned.len() + self.items.len()
    }

    pub(super) fn filling(&mut self) -> Filling {
        self.collect();
        self.look();
        Filling {
            len: self.to_be_had(),
            in_flight: self.in_flight,
            closed: self.closed,
            moments: self.moments,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.to_be_had() + self.in_flight == 0
    }

    /// It is closed, and nothing will come any more: no slot is on its way to be filled.
    pub(super) fn is_drained(&self) -> bool {
        self.closed && self.is_idle() && self.granted == 0
    }

    pub(super) fn room(&self) -> usize {
        let taken = self.to_be_had() + self.in_flight + self.granted;
        (self.capacity).map_or(usize::MAX, |capacity| capacity.saturating_sub(taken))
    }

    /// As [`room`](Self::room), after all that guests have no need of was taken back, if there is not
    /// enough for `count` items.
    pub(super) fn room_for(&mut self, count: usize) -> usize {
        if self.room() < count {
            self.take_back_slots();
            self.look();
        }
        self.room()
    }

    /// How many slots are free, those that guests were granted and have not filled included.
    pub(super) fn free(&self) -> usize {
        self.room().saturating_add(self.granted)
    }

    /// Pops up to `max` of the oldest items, of so many bytes as one message carries.
    pub(super) fn pop(&mut self, max: usize) -> Vec<Item> {
        let (mut popped, mut size) = (Vec::new(), 0);
        while popped.len() < max {
            let Some((item, lease)) = self.take_first() else {
                break;
            };
            size += item.len();
            if size > BATCH_BYTES && !popped.is_empty() {
                self.clear_shelf();
                self.returned.insert(lease, item, false);
                break;
            }
            popped.push(item);
        }
        self.leaves(popped.len());
        popped
    }

    /// Takes the oldest item.
    pub(super) fn take_first(&mut self) -> Option<Lent> {
        while let (Some(shelf), Some((_, end))) = (&self.shelf, self.shelved.front()) {
            if shelf.take(self.shelved_from, *end) {
                self.shelved_from = *end;
                return self.shelved.pop_front().map(|(lent, _)| lent);
            }
            self.look();
        }
        self.take_behind()
    }

    /// Takes the oldest item that is not on the shelf.
    pub(super) fn take_behind(&mut self) -> Option<Lent> {
        if let Some(lent) = self.returned.lend() {
            return Some(lent);
        }
        let item = self.items.pop_front()?;
        let number = self.taken;
        self.taken += 1;
        Some((item, Lease::first(number)))
    }

    /// Puts items on the shelf, `count` of them and some more if there is room: whether there are any.
    pub(super) fn shelve(&mut self, count: usize) -> bool {
        self.look();
        while self.shelved.len() < count.max(ITEMS_AHEAD) {
            let Some((item, lease)) = self.take_behind() else {
                break;
            };
            match self.shelf.as_ref().and_then(|shelf| shelf.put(&item)) {
                Some(end) => self.shelved.push_back(((item, lease), end)),
                None => {
                    self.returned.insert(lease, item, false);
                    break;
                }
            }
        }
        !self.shelved.is_empty()
    }

    /// Whether a guest looks at the shelf, and there is something to put on it.
    pub(super) fn is_looked_for(&self) -> bool {
        let looked_at = |shelf: &Page<Shelf>| shelf.was_looked_at();
        self.returned.len() + self.items.len() > 0 && self.shelf.as_ref().is_some_and(looked_at)
    }

    /// Looks what guests have taken from the shelf.
    pub(super) fn look(&mut self) {
        if let (Some(shelf), false) = (&self.shelf, self.shelved.is_empty()) {
            self.shelved_from = shelf.start();
            self.forget_taken();
        }
    }

    /// Items on the shelf before the known place are gone for good.
    pub(super) fn forget_taken(&mut self) {
        let from = self.shelved_from;
        let is_before = |end: u32| from.wrapping_sub(end) <= u32::MAX / 2;
        let taken = self.shelved.partition_point(|(_, end)| is_before(*end));
        self.shelved.drain(..taken);
        self.leaves(taken);
    }

    /// Takes all off the shelf. Nobody has to be told: it could be had there.
    pub(super) fn clear_shelf(&mut self) {
        if let (Some(shelf), false) = (&self.shelf, self.shelved.is_empty()) {
            self.shelved_from = shelf.clear();
            self.forget_taken();
            for ((item, lease), end) in mem::take(&mut self.shelved) {
                self.shelved_from = end;
                self.returned.insert(lease, item, false);
            }
        }
    }

    /// Takes back the slots that were granted ahead.
    pub(super) fn take_back_slots(&mut self) {
        if self.granted == 0 {
            return;
        }
        for guest in self.guests.values_mut() {
            let back = guest.pushes.take_back().min(guest.granted);
            guest.granted -= back;
            self.granted -= back;
        }
    }

    /// Grants slots ahead to a guest that pushes.
    pub(super) fn grant(&mut self, number: u64) {
        let room = self.room();
        let Some(guest) = self.guests.get_mut(&number) else {
            return;
        };
        if self.closed || !guest.pushes.is_shared() {
            return;
        }
        let count = SLOTS_AHEAD.saturating_sub(guest.granted).min(room / 2);
        guest.pushes.grant(count);
        guest.granted += count;
        self.granted += count;
    }

    /// Collects what guests have written, in the order of their pushes.
    pub(super) fn collect(&mut self) {
        // Who was granted nothing writes nothing.
        if self.granted == 0 {
            return;
        }
        let guests = self.guests.iter();
        let pushed = shared_rings::collect(guests.map(|(number, guest)| (*number, &*guest.pushes)));
        let before = self.items.len();
        for (number, item) in pushed {
            let Some(guest) = self
                .guests
                .get_mut(&number)
                .filter(|guest| guest.granted > 0)
            else {
                continue; // It has no right to more.
            };
            guest.granted -= 1;
            self.granted -= 1;
            if self.pushed.last() != Some(&number) {
                self.pushed.push(number);
            }
            self.items.push_back(item.into());
        }
        self.comes(self.items.len() - before, Side::Consumers);
    }

    /// Whether a guest wants to be called for what those of `side` wait for.
    pub(super) fn is_watched(&self, side: Side) -> bool {
        (self.guests.values()).any(|guest| guest.watching[side as usize])
    }

    /// Whether somebody in a guest waits until the queue is idle.
    pub(super) fn is_joined(&self) -> bool {
        self.guests.values().any(|guest| guest.joining)
    }

    /// Has guests tell when they take items.
    pub(super) fn want_taken(&mut self) {
        if let (Some(shelf), false) = (&self.shelf, self.wanted) {
            self.wanted = true;
            shelf.want();
        }
        self.look();
    }

    /// Looks what guests have taken, which need not tell any more.
    pub(super) fn heed(&mut self) {
        if let (Some(shelf), true) = (&self.shelf, mem::take(&mut self.wanted)) {
            shelf.heed();
        }
        self.look();
    }

    /// Has guests tell when they push.
    pub(super) fn want_pushed(&mut self) {
        for guest in self.guests.values_mut() {
            if guest.granted > 0 && !mem::replace(&mut guest.wanted, true) {
                guest.pushes.want();
            }
        }
        self.collect();
    }

    /// Remembers to call this guest, if it wants to be and no call is on its way to it.
    pub(super) fn watch(&mut self, who: Who, side: Side) {
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
    pub(super) fn comes(&mut self, count: usize, side: Side) {
        let at = side as usize;
        self.came[at] += count as u64;
        self.news.came[at] += count;
        if count == 0 {
            return;
        }
        for guest in self.guests.values_mut() {
            if mem::take(&mut guest.watching[at]) {
                self.news.called[at] = true;
                guest.called[at] += 1;
                let told = mem::replace(&mut guest.told[at], self.came[at]);
                let call = Call::Came(side, self.came[at] - told);
                self.news.calls.push((guest.calls.clone(), call));
            }
        }
    }

    /// Nothing more will come: every guest is to be called, watching or not.
    pub(super) fn end(&mut self) {
        self.news.ended = true;
        for guest in self.guests.values() {
            self.news.calls.push((guest.calls.clone(), Call::Retry));
        }
    }

    /// `count` items have left for good. If they were the last, who joins learns of it, and, if the
    /// queue is closed, consumers that had to wait for it, for it might have come back.
    pub(super) fn leaves(&mut self, count: usize) {
        self.comes(count, Side::Producers);
        if count == 0 || !self.is_idle() {
            return;
        }
        self.moments += 1;
        self.news.idle = true;
        if self.is_drained() {
            self.end();
        }
        for guest in self.guests.values_mut() {
            if mem::take(&mut guest.joining) {
                guest.told_idle += 1;
                let call = Call::Idle(self.moments);
                self.news.calls.push((guest.calls.clone(), call));
            }
        }
    }
}

impl Guest {
    /// One that has done nothing.
    pub(super) fn new(pushes: Page<Pushes>, calls: IpcBytesSender) -> Self {
        Self {
            pushes,
            granted: 0,
            wanted: false,
            calls,
            watching: [false; 2],
            called: [0; 2],
            told: [0; 2],
            joining: false,
            told_idle: 0,
        }
    }
}
