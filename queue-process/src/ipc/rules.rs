//! [`Rules`]: the queue itself, as its host keeps it: who has which slots and items, and who
//! waits. It neither sends nor waits: it is told what has arrived, and says what is to be sent.

use super::wire::{Answer, BATCH_BYTES, Body, Reply, Role};
use super::words::Words;
use queue_core::Side::{self, Consumers, Producers};
use std::collections::{BTreeMap, VecDeque};
use std::mem;

/// How many slots a client is granted ahead.
const AHEAD: usize = 64;

/// How many items are lent to a client that pops alone.
const LOOKAHEAD: usize = 64;

/// Why the queue took or gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Full or empty, and open.
    Wait,
    Closed,
}

/// An item, and how many were pushed before it.
type Numbered = (u64, Body);

/// A client as the host keeps it.
#[derive(Debug)]
struct Client {
    words: Words,
    /// Whether the client sees the words: else it asks for each item.
    shared: bool,
    role: Role,
    /// The sides on which its process stands.
    present: [bool; 2],
    /// Slots that were granted, until they are taken back or what fills them has arrived.
    granted: usize,
    /// It pushed and might push more, and there was no slot to grant it ahead.
    hungry: bool,
    /// Items that lie with it: they come back if it dies.
    lent: VecDeque<Numbered>,
    /// So many of them are kept for those who waited for them.
    kept: usize,
}

impl Client {
    /// Slots that it has taken and not filled yet, as far as is known here.
    fn on_the_way(&self) -> usize {
        self.granted.saturating_sub(self.words.slots())
    }
}

/// Who waits, in the order in which they came.
#[derive(Debug)]
enum Waiting {
    /// Somebody in that client's process, for slots or items.
    Client(u64),
    /// That client, until these items are accepted.
    Offer(u64, u32, Vec<Body>),
}

#[derive(Debug)]
pub(super) struct Rules {
    /// In the order in which they were pushed, each with its number.
    items: VecDeque<Numbered>,
    capacity: Option<usize>,
    closed: bool,
    /// How many processes stand on each side.
    present: [usize; 2],
    clients: BTreeMap<u64, Client>,
    waiting: [VecDeque<Waiting>; 2],
    /// How many items were ever pushed.
    count: u64,
    /// Slots that the host's own process has taken and not filled yet.
    own: usize,
    /// Whether all clients were told that the last item has gone.
    ended: bool,
    /// What is to be sent, in this order.
    pub(super) outbox: Vec<(u64, Reply)>,
    /// How many slots and items have come for those who wait in this process; `usize::MAX` for
    /// all of them.
    pub(super) news: [usize; 2],
    /// How many slots and items there were when somebody last looked, or fewer.
    seen: [usize; 2],
}

impl Rules {
    /// An empty, open queue where the host's process is present on both sides.
    pub(super) fn new(capacity: Option<usize>) -> Self {
        Self {
            items: VecDeque::new(),
            capacity,
            closed: false,
            present: [1, 1],
            clients: BTreeMap::new(),
            waiting: Default::default(),
            count: 0,
            own: 0,
            ended: false,
            outbox: Vec::new(),
            news: [0; 2],
            seen: [capacity.unwrap_or(usize::MAX / 2), 0],
        }
    }

    // Who is there.

    /// One more client, which is present on the sides of `role`.
    pub(super) fn enroll(&mut self, number: u64, words: Words, shared: bool, role: Role) {
        let present = [Producers, Consumers].map(|side| role.allows(side));
        if self.closed {
            words.close();
        }
        for side in [Producers, Consumers] {
            self.present[side as usize] += usize::from(present[side as usize]);
        }
        let client = Client {
            words,
            shared,
            role,
            present,
            granted: 0,
            hungry: false,
            lent: VecDeque::new(),
            kept: 0,
        };
        self.clients.insert(number, client);
    }

    /// The client has ended, and all that it sent has arrived.
    pub(super) fn bury(&mut self, number: u64) {
        self.take_back(number, 0);
        for waiting in &mut self.waiting {
            waiting.retain(|one| match one {
                Waiting::Client(other) | Waiting::Offer(other, ..) => *other != number,
            });
        }
        if let Some(client) = self.clients.remove(&number) {
            for side in [Producers, Consumers] {
                self.present[side as usize] -= usize::from(client.present[side as usize]);
            }
        }
        self.serve();
    }

    /// The host's own process leaves a side.
    pub(super) fn leave(&mut self, side: Side) {
        self.present[side as usize] -= 1;
    }

    /// The client's process leaves a side.
    pub(super) fn retire(&mut self, number: u64, side: Side) {
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        if mem::take(&mut client.present[side as usize]) {
            self.present[side as usize] -= 1;
        }
        self.give_back(number, side);
    }

    /// Whether nobody stands on one of the sides any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.present.contains(&0)
    }

    pub(super) fn has_clients(&self) -> bool {
        !self.clients.is_empty()
    }

    /// How many clients there are, each with its words.
    pub(super) fn words(&self) -> impl ExactSizeIterator<Item = &Words> {
        self.clients.values().map(|client| &client.words)
    }

    pub(super) fn words_of(&self, number: u64) -> Option<&Words> {
        self.clients.get(&number).map(|client| &client.words)
    }

    pub(super) fn role(&self, number: u64) -> Option<Role> {
        self.clients.get(&number).map(|client| client.role)
    }

    // What there is.

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// How many items are inside or on their way in or out.
    pub(super) fn len(&self) -> usize {
        let of = |client: &Client| {
            let lent = match client.shared {
                true => client.words.items().left().min(client.lent.len()),
                false => client.lent.len(),
            };
            lent + client.on_the_way()
        };
        self.items.len() + self.own + self.clients.values().map(of).sum::<usize>()
    }

    /// Whether somebody has taken a slot, and what fills it has not arrived.
    pub(super) fn is_moving(&self) -> bool {
        self.own > 0 || self.clients.values().any(|client| client.on_the_way() > 0)
    }

    /// How many items may be popped in this process at once, without taking any back.
    pub(super) fn ready(&self) -> usize {
        self.items.len()
    }

    /// How many slots are neither filled nor granted.
    fn free(&mut self) -> usize {
        let capacity = self.capacity.unwrap_or(usize::MAX / 2);
        let mut held = self.items.len() + self.own;
        for client in self.clients.values_mut() {
            client.settle();
            held += client.lent.len() + client.granted;
        }
        let free = capacity.saturating_sub(held);
        self.seen[0] = self.seen[0].min(free);
        free
    }

    /// The same; if that is fewer than are wanted, after taking back what was granted and not used.
    pub(super) fn room(&mut self, wanted: usize) -> usize {
        let free = self.free();
        if free >= wanted {
            return free;
        }
        self.clients.values_mut().for_each(Client::revoke);
        self.free()
    }

    fn is_drained(&mut self) -> bool {
        self.closed && self.items.is_empty() && self.len() == 0
    }

    // Pushing.

    fn append(&mut self, items: Vec<Body>) {
        for item in items {
            self.items.push_back((self.count, item));
            self.count += 1;
        }
    }

    /// Items that fill slots which were granted to the client. False if they were not.
    pub(super) fn pushed(&mut self, number: u64, items: Vec<Body>) -> bool {
        let Some(client) = self.clients.get_mut(&number) else {
            return false;
        };
        if client.granted < items.len() || !client.role.allows(Producers) {
            return false;
        }
        client.granted -= items.len();
        client.hungry = true;
        self.append(items);
        self.serve();
        true
    }

    /// Items for which the client has no slots.
    pub(super) fn offered(&mut self, number: u64, offer: u32, items: Vec<Body>, wait: bool) {
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        client.hungry = true;
        if self.closed {
            return self.answer(number, offer, Answer::Closed);
        }
        client.revoke();
        match self.room(items.len()) {
            0 if wait => {
                self.waiting[0].push_back(Waiting::Offer(number, offer, items));
                self.watch();
            }
            0 => self.answer(number, offer, Answer::Full),
            room => self.accept(number, offer, items, room),
        }
        self.serve();
    }

    fn accept(&mut self, number: u64, offer: u32, mut items: Vec<Body>, room: usize) {
        let Some(client) = self.clients.get(&number) else {
            return;
        };
        items.truncate(room);
        let count = items.len();
        // Unless it has given up.
        if !client.shared || client.words.accept(offer, count) {
            self.append(items);
            self.answer(number, offer, Answer::Accepted(count as u64));
        }
    }

    /// Pushes as many of this process' `items` as there are slots: how many. If some that others
    /// pushed earlier have not arrived yet, these are taken out to be sent after them, and come
    /// back by [`filled`](Self::filled).
    pub(super) fn push(&mut self, items: &mut Vec<Body>) -> Result<(usize, Vec<Body>), Refusal> {
        if self.closed {
            return Err(Refusal::Closed);
        }
        let moving = self.is_moving();
        let count = self.room(items.len()).min(items.len());
        if count == 0 {
            self.watch();
            return Err(Refusal::Wait);
        }
        self.own += count;
        let pushed: Vec<_> = items.drain(..count).collect();
        if moving {
            return Ok((count, pushed));
        }
        self.filled(pushed);
        Ok((count, Vec::new()))
    }

    /// What this process pushed has arrived.
    pub(super) fn filled(&mut self, items: Vec<Body>) {
        self.own -= items.len();
        self.append(items);
        self.serve();
    }

    // Popping.

    /// Items for the client, if there are any and none lie with it already.
    pub(super) fn asked(&mut self, number: u64, most: usize) -> Answer {
        if !self.role(number).is_some_and(|role| role.allows(Consumers)) {
            return Answer::Denied;
        }
        self.recall(number, false);
        let lies = |client: &Client| !client.lent.is_empty();
        if most > 1
            && self
                .clients
                .get(&number)
                .is_some_and(|client| client.shared)
        {
            // What lies with it and what is here go out together, in order.
            self.take_back(number, 0);
        }
        let answer = match self.clients.get(&number).is_some_and(lies) {
            true => Answer::Some,
            false if self.items.is_empty() => match self.is_drained() {
                true => Answer::Closed,
                false => Answer::Empty,
            },
            false => {
                let shared = self
                    .clients
                    .get(&number)
                    .is_some_and(|client| client.shared);
                self.lend(number, if shared { most.max(LOOKAHEAD) } else { most }, 0);
                Answer::Some
            }
        };
        self.serve();
        answer
    }

    /// Takes up to `max` of the oldest items for this process.
    pub(super) fn pop(&mut self, max: usize) -> Result<Vec<Body>, Refusal> {
        self.recall(0, false);
        let count = self.items.len().min(max);
        self.seen[1] = self.seen[1].min(self.items.len() - count);
        if count == 0 {
            return Err(match self.is_drained() {
                true => Refusal::Closed,
                false => Refusal::Wait,
            });
        }
        let items = self.items.drain(..count).map(|item| item.1).collect();
        self.serve();
        Ok(items)
    }

    /// Items that were lent have arrived, where no memory is shared.
    pub(super) fn arrived(&mut self, number: u64, count: usize) {
        if let Some(client) = self.clients.get_mut(&number) {
            client.lent.drain(..count.min(client.lent.len()));
        }
        self.serve();
    }

    /// Takes back what lies with others than `number`; of those who wait (`politely`) all but
    /// what they wait for.
    fn recall(&mut self, number: u64, politely: bool) {
        self.clients.values_mut().for_each(Client::settle);
        let lent = self.clients.iter().filter_map(|(other, client)| {
            let recalled = *other != number && client.shared && !client.lent.is_empty();
            recalled.then_some((*other, if politely { client.kept } else { 0 }))
        });
        for (other, keep) in lent.collect::<Vec<_>>() {
            self.take_back(other, keep);
        }
    }

    fn take_back(&mut self, number: u64, keep: usize) {
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        client.settle();
        let back = match client.shared {
            true => client.words.revoke_items(keep),
            false => client.lent.len(),
        };
        let kept = client.lent.len().saturating_sub(back);
        for item in client.lent.drain(kept..).rev() {
            let at = self.items.partition_point(|other| other.0 < item.0);
            self.items.insert(at, item);
        }
        client.settle();
    }

    /// Lends up to `most` items; with `waiting` to a client of which so many wait. False if
    /// it does not.
    fn lend(&mut self, number: u64, most: usize, waiting: usize) -> bool {
        let Some(client) = self.clients.get_mut(&number) else {
            return false;
        };
        let mut bytes = 0;
        let fits = |item: &&Numbered| {
            bytes += item.1.len();
            bytes <= BATCH_BYTES
        };
        let count = self.items.iter().take(most).take_while(fits).count();
        let count = count.max(usize::from(!self.items.is_empty())).min(1 << 14);
        if count == 0 {
            return false;
        }
        let Some((loan, left)) = client.words.lend(count, waiting > 0) else {
            return false;
        };
        let news = client.lent.len();
        if client.shared {
            client.settle_but(left);
        }
        client.lent.extend(self.items.drain(..count));
        if client.shared {
            // Older ones may have come back meanwhile.
            client
                .lent
                .make_contiguous()
                .sort_unstable_by_key(|item| item.0);
        }
        client.kept += waiting;
        // Where memory is shared a loan takes the place of what was left of the one before.
        let skipped = if client.shared { 0 } else { news };
        let copies = client
            .lent
            .iter()
            .skip(skipped)
            .map(|item| item.1.to_send())
            .collect();
        let items = copies;
        self.outbox.push((number, Reply::Lent { loan, items }));
        true
    }

    // Waiting.

    /// Somebody in the client's process waits.
    pub(super) fn wait(&mut self, number: u64, side: Side) {
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        if !client.role.allows(side) {
            return;
        }
        client.hungry |= side == Producers;
        if side == Consumers {
            self.recall(number, true);
        }
        if self.closed && (side == Producers || self.is_drained()) {
            let reply = if side == Producers {
                Reply::Look { closed: true }
            } else {
                Reply::Ended
            };
            return self.outbox.push((number, reply));
        }
        let line = &mut self.waiting[side as usize];
        let stands = |one: &Waiting| matches!(one, Waiting::Client(other) if *other == number);
        if !line.iter().any(stands) {
            line.push_back(Waiting::Client(number));
        }
        if side == Producers {
            self.room(1);
        }
        if let Some(client) = self.clients.get(&number).filter(|client| !client.shared) {
            client.words.wait(side);
        }
        self.serve();
    }

    /// Nobody in the client's process waits any more for what it was given.
    pub(super) fn give_back(&mut self, number: u64, side: Side) {
        match side {
            Producers => {
                if let Some(client) = self.clients.get_mut(&number) {
                    client.revoke();
                }
            }
            Consumers => self.take_back(number, 0),
        }
        self.serve();
    }

    /// Has clients tell when they take an item: somebody waits for its slot, or for the end.
    fn watch(&mut self) {
        for client in self.clients.values() {
            client.words.notify();
        }
    }

    /// Gives slots and items to who waits for them.
    pub(super) fn serve(&mut self) {
        self.serve_producers();
        self.serve_consumers();
        let free = self.free();
        let ready = self.items.len();
        for (side, now) in [free, ready].into_iter().enumerate() {
            let came = now - self.seen[side].min(now);
            self.news[side] = self.news[side].saturating_add(came);
            self.seen[side] = now;
        }
        if free == 0 || self.closed {
            self.watch();
        }
        if !self.ended && self.is_drained() {
            self.ended = true;
            self.tell_all(|| Reply::Ended);
        }
    }

    fn serve_producers(&mut self) {
        if self.closed {
            return;
        }
        let mut free = self.free();
        while free > 0 {
            match self.waiting[0].pop_front() {
                Some(Waiting::Offer(number, offer, items)) => {
                    self.accept(number, offer, items, free);
                }
                Some(Waiting::Client(number)) => {
                    let last = self.waiting[0].is_empty();
                    self.grant_waiting(number, if last { self.portion(free) } else { 1 });
                }
                None => break,
            }
            free = self.free();
        }
        if free > 0 {
            let portion = self.portion(free);
            for client in self.clients.values_mut() {
                let slots = client.words.slots();
                if client.hungry && client.shared && slots < AHEAD / 2 {
                    let more = portion.min(AHEAD - slots).min(free);
                    client.granted += more;
                    client.words.grant(more);
                    client.hungry = false;
                    free -= more;
                }
            }
        }
    }

    fn grant_waiting(&mut self, number: u64, count: usize) {
        if let Some(client) = self.clients.get_mut(&number) {
            if !client.shared {
                self.outbox.push((number, Reply::Granted(count as u64)));
            } else if client.words.grant_waiting(count) {
                client.granted += count;
                self.outbox.push((number, Reply::Granted(count as u64)));
            }
        }
    }

    /// How many of so many free slots one client is granted ahead.
    fn portion(&self, free: usize) -> usize {
        (free / self.clients.len().max(1)).clamp(1, AHEAD)
    }

    fn serve_consumers(&mut self) {
        while !self.items.is_empty() {
            let Some(Waiting::Client(number)) = self.waiting[1].pop_front() else {
                break;
            };
            let alone = self.waiting[1].is_empty();
            let shared = self
                .clients
                .get(&number)
                .is_some_and(|client| client.shared);
            self.lend(number, if alone && shared { LOOKAHEAD } else { 1 }, 1);
        }
    }

    // The end.

    /// Closes the queue: whether this call did.
    pub(super) fn close(&mut self) -> bool {
        let first = !mem::replace(&mut self.closed, true);
        if first {
            for client in self.clients.values_mut() {
                client.words.close();
                client.revoke();
            }
            for waiting in mem::take(&mut self.waiting[0]) {
                if let Waiting::Offer(number, offer, _) = waiting {
                    self.answer(number, offer, Answer::Closed);
                }
            }
            self.watch();
            self.tell_all(|| Reply::Look { closed: true });
            self.serve();
        }
        first
    }

    pub(super) fn answer(&mut self, number: u64, to: u32, answer: Answer) {
        self.outbox.push((number, Reply::To { number: to, answer }));
    }

    fn tell_all(&mut self, reply: impl Fn() -> Reply) {
        self.news = [usize::MAX; 2];
        self.outbox
            .extend(self.clients.keys().map(|number| (*number, reply())));
    }
}

impl Client {
    /// Forgets what the client has taken.
    fn settle(&mut self) {
        if self.shared {
            self.settle_but(self.words.items().left());
        }
    }

    /// The same, where so many are left.
    fn settle_but(&mut self, left: usize) {
        let taken = self.lent.len().saturating_sub(left);
        self.lent.drain(..taken);
        self.kept = self.kept.saturating_sub(taken);
    }

    /// Takes back the slots that it has not taken.
    fn revoke(&mut self) {
        let back = self.words.revoke_slots();
        self.granted = self.granted.saturating_sub(back);
    }
}
