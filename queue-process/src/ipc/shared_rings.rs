//! What a host and its guests settle without a message, by memory that they share.
//!
//! * [`Pushes`], one for each guest: the host grants slots ahead, the guest takes them, and writes what
//!   fills them into a ring, where the host finds it when it looks next.
//! * [`Shelf`], one for the queue: the host puts items on it, from the oldest on, and any guest takes the
//!   first ones. It also numbers the pushes of all guests.
//!
//! A slot and an item are taken by a change of a word, and by a change of the same word the host
//! takes back what is left. So either of the two has it, at once, and nobody waits for the other.

use queue_core::sync::CachePadded;
use queue_core::sync::atomic::{AtomicU64, Ordering, fence};

/// As many words a ring has.
const RING: usize = if cfg!(loom) { 8 } else { 1 << 13 };

/// A larger item does not go through a ring.
pub const LARGEST: usize = RING * size_of::<u64>() / 4;

/// In `greeting`: the guest sees these words.
const SHARED: u64 = 0x7175_6575_6521;

/// In `looked_at`: a guest looks, and the host is not told.
const LOOKED_AT: u64 = 1;

/// The same, and the host is told, or soon will be.
const TOLD: u64 = 2;

/// In `slots`: the queue is closed.
const CLOSED: u64 = 1 << 63;

/// What one guest pushes. Zeros are a guest's that has not begun.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Pushes {
    greeting: CachePadded<AtomicU64>,
    /// The question that may be withdrawn until the host begins with it, twice its number; one more since
    /// it has.
    question: CachePadded<AtomicU64>,
    /// How many slots the guest may fill, and [`CLOSED`].
    slots: CachePadded<AtomicU64>,
    /// Whether the host wants to be told when something is written.
    wanted: CachePadded<AtomicU64>,
    /// How many words of the ring were ever written, and how many read.
    written: CachePadded<AtomicU64>,
    read: CachePadded<AtomicU64>,
    ring: Ring,
}

/// What guests pop. Zeros are an empty one.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Shelf {
    /// How many items were ever pushed by words: their order, whoever pushes.
    tickets: CachePadded<AtomicU64>,
    /// Between which places of the ring there are items: a [`Range`].
    items: CachePadded<AtomicU64>,
    /// Whether the host wants to be told when an item is taken.
    wanted: CachePadded<AtomicU64>,
    /// Whether a guest looks for an item here for a moment before it sleeps: zero, [`LOOKED_AT`] or [`TOLD`].
    looked_at: CachePadded<AtomicU64>,
    ring: Ring,
}

/// What came of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// All is in.
    Done,
    /// So many slots are not granted, or the ring has no room.
    TooFew,
    /// The queue is closed.
    Closed,
}

/// Words whose places are counted on and on. Each record begins with a word of its writer's and
/// the length of what follows, in bytes.
#[derive(Debug)]
#[repr(C)]
struct Ring([AtomicU64; RING]);

impl Default for Ring {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::default()))
    }
}

/// As many words come before the bytes of a record.
const HEADER: u64 = 2;

/// As many words a record with so many bytes has.
fn words_of(bytes: usize) -> u64 {
    HEADER + bytes.div_ceil(8) as u64
}

impl Ring {
    /// Writes a record at a place: where it ends. Relaxed: who publishes the place orders it.
    fn write(&self, mut at: u64, head: u64, bytes: &[u8]) -> u64 {
        let mut write = |word| {
            self.0[at as usize % RING].store(word, Ordering::Relaxed);
            at += 1;
        };
        write(head);
        write(bytes.len() as u64);
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            write(u64::from_le_bytes(word.try_into().expect("8 bytes")));
        }
        let rest = words.remainder();
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            write(u64::from_le_bytes(word));
        }
        at
    }

    /// The record at a place, the first of so many words: its first word, where it ends, and its bytes,
    /// unless it makes no sense.
    fn read(&self, at: u64, words: u64) -> Option<(u64, u64, Vec<u8>)> {
        let word = |at: u64| self.0[at as usize % RING].load(Ordering::Relaxed);
        let len = usize::try_from(word(at.wrapping_add(1))).ok()?;
        if words > RING as u64 || len > RING * size_of::<u64>() || words_of(len) > words {
            return None;
        }
        let mut next = at.wrapping_add(HEADER);
        let mut bytes = vec![0; len.next_multiple_of(8)];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&word(next).to_le_bytes());
            next = next.wrapping_add(1);
        }
        bytes.truncate(len);
        Some((word(at), next, bytes))
    }
}

impl Pushes {
    // For the guest.

    /// Shows the host that the memory is shared.
    pub fn greet(&self) {
        // Relaxed: it says nothing of other words.
        self.greeting.store(SHARED, Ordering::Relaxed);
    }

    /// Is about to ask the question of this number, which is not zero.
    pub fn ask(&self, number: u64) {
        // Relaxed: the message that follows orders it.
        self.question.store(2 * number, Ordering::Relaxed);
    }

    /// Withdraws that question: whether the host had not begun with it, and never will.
    pub fn withdraw(&self, number: u64) -> bool {
        // Relaxed: all is in this word.
        let order = Ordering::Relaxed;
        (self.question.compare_exchange(2 * number, 0, order, order)).is_ok()
    }

    /// Whether the host has begun with the last one: so it sees these words.
    pub fn is_answered(&self) -> bool {
        self.question.load(Ordering::Relaxed) % 2 == 1
    }

    /// Takes a slot for each of `items`, at least one, and writes them down. One thread at a time.
    pub fn push(&self, items: &[&[u8]], shelf: &Shelf) -> Pushed {
        let mut at = self.written.load(Ordering::Relaxed);
        // Acquire: what is written now was read before.
        let used = at.wrapping_sub(self.read.load(Ordering::Acquire));
        let words: u64 = items.iter().map(|item| words_of(item.len())).sum();
        if words > (RING as u64).saturating_sub(used) {
            return Pushed::TooFew;
        }
        match self.take_slots(items.len() as u64) {
            Pushed::Done => {}
            refused => return refused,
        }
        // Relaxed: a push that had returned when this one began has a smaller one.
        let first = (shelf.tickets).fetch_add(items.len() as u64, Ordering::Relaxed);
        for (ticket, item) in (first..).zip(items) {
            at = self.ring.write(at, ticket, item);
        }
        // Release: who sees it can read, and who hears that this push has returned sees it.
        self.written.store(at, Ordering::Release);
        Pushed::Done
    }

    /// Takes `count` slots, or none.
    pub fn take_slots(&self, count: u64) -> Pushed {
        // Relaxed: a slot is no more than permission.
        let order = Ordering::Relaxed;
        let mut word = self.slots.load(order);
        loop {
            if word & CLOSED != 0 {
                return Pushed::Closed;
            } else if word < count {
                return Pushed::TooFew;
            }
            match (self.slots).compare_exchange_weak(word, word - count, order, order) {
                Ok(_) => return Pushed::Done,
                Err(changed) => word = changed,
            }
        }
    }

    /// Whether the host is to be told that something was written just now. True for one who asks,
    /// and tells before another of its process writes.
    pub fn must_tell(&self) -> bool {
        // Pairs with the fence in `want`: either this sees the wish, or the host what was written.
        fence(Ordering::SeqCst);
        self.wanted.load(Ordering::Relaxed) != 0 && self.wanted.swap(0, Ordering::Relaxed) != 0
    }

    // For the host.

    /// Whether the guest sees these words.
    pub fn is_shared(&self) -> bool {
        self.greeting.load(Ordering::Relaxed) == SHARED
    }

    /// Begins with the question of this number: whether it is not withdrawn.
    pub fn begin(&self, number: u64) -> bool {
        let (asked, begun) = (2 * number, 2 * number + 1);
        // Relaxed: as in `withdraw`.
        let order = Ordering::Relaxed;
        (self.question.compare_exchange(asked, begun, order, order)).is_ok()
    }

    /// Grants so many slots more.
    pub fn grant(&self, count: usize) {
        self.slots.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Takes the slots back that the guest has not taken: how many.
    pub fn take_back(&self) -> usize {
        let word = self.slots.fetch_and(CLOSED, Ordering::Relaxed);
        (word & !CLOSED) as usize
    }

    /// Lets the guest take no more slots, whatever is granted.
    pub fn close(&self) {
        self.slots.fetch_or(CLOSED, Ordering::Relaxed);
    }

    /// Has the guest tell when it writes. Look after this for what it wrote before.
    pub fn want(&self) {
        want(&self.wanted);
    }

    /// Reads what was written with tickets below `end`: `take` gets the ticket and the bytes of each item.
    /// What makes no sense is skipped.
    fn pop(&self, end: u64, mut take: impl FnMut(u64, Vec<u8>)) {
        let written = self.written.load(Ordering::Acquire);
        let mut at = self.read.load(Ordering::Relaxed);
        while at != written {
            let left = written.wrapping_sub(at);
            match self.ring.read(at, left) {
                Some((ticket, ..)) if ticket >= end => break,
                Some((ticket, next, bytes)) => {
                    take(ticket, bytes);
                    at = next;
                }
                None => at = written,
            }
        }
        // Release: what was read may be written over.
        self.read.store(at, Ordering::Release);
    }
}

/// What guests have pushed, each item with its guest, in the order of their pushes: a push that began
/// after another had returned comes after it, and not without it.
pub fn collect<'a, G: Copy>(
    guests: impl Iterator<Item = (G, &'a Pushes)> + Clone,
) -> Vec<(G, Vec<u8>)> {
    let (mut found, mut last) = (Vec::new(), 0);
    for (guest, pushes) in guests.clone() {
        pushes.pop(u64::MAX, |ticket, bytes| {
            last = last.max(ticket);
            found.push((ticket, guest, bytes));
        });
    }
    // What was looked for too early: whoever had pushed when one of these began.
    for (guest, pushes) in guests {
        pushes.pop(last, |ticket, bytes| found.push((ticket, guest, bytes)));
    }
    found.sort_by_key(|(ticket, ..)| *ticket);
    (found.into_iter())
        .map(|(_, guest, bytes)| (guest, bytes))
        .collect()
}

/// Between which places of a shelf's ring there are items, modulo 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: u32,
    end: u32,
}

impl Range {
    fn of(word: u64) -> Self {
        Self {
            start: (word >> 32) as u32,
            end: word as u32,
        }
    }

    fn word(self) -> u64 {
        u64::from(self.start) << 32 | u64::from(self.end)
    }

    fn len(self) -> u32 {
        self.end.wrapping_sub(self.start)
    }
}

impl Shelf {
    // For guests.

    /// Takes up to `most` items, the first ones.
    pub fn pop(&self, most: usize) -> Vec<Vec<u8>> {
        // Acquire: what is on the shelf was written before.
        let mut word = self.items.load(Ordering::Acquire);
        loop {
            let (mut items, mut rest) = (Vec::new(), Range::of(word));
            while items.len() < most && rest.len() > 0 {
                // If others take it meanwhile it may be written over: then the change below fails.
                match (self.ring).read(rest.start.into(), rest.len().into()) {
                    Some((_, end, bytes)) => {
                        rest.start = end as u32;
                        items.push(bytes);
                    }
                    // What makes no sense is skipped.
                    None if items.is_empty() => rest.start = rest.end,
                    None => break,
                }
            }
            if rest.word() == word {
                return items;
            }
            // Release: who finds a slot free sees what its taker did before, and this has read.
            let (release, acquire) = (Ordering::Release, Ordering::Acquire);
            match (self.items).compare_exchange(word, rest.word(), release, acquire) {
                Ok(_) if !items.is_empty() => return items,
                Ok(_) => word = rest.word(),
                Err(changed) => word = changed,
            }
        }
    }

    /// Whether there are items.
    pub fn has_items(&self) -> bool {
        Range::of(self.items.load(Ordering::Relaxed)).len() > 0
    }

    /// Whether there are items, for a guest that looks again and again: whoever pushes meanwhile has them
    /// put here. It asks before it sleeps, so nothing but speed rests on it.
    pub fn look(&self) -> bool {
        // Relaxed: at worst it looks in vain.
        if self.looked_at.load(Ordering::Relaxed) == 0 {
            self.looked_at.store(LOOKED_AT, Ordering::Relaxed);
        }
        self.has_items()
    }

    /// Whether the host is to be told that a guest looks. True for one who asks, and tells.
    pub fn must_feed(&self) -> bool {
        let order = Ordering::Relaxed;
        self.looked_at.load(order) == LOOKED_AT
            && (self
                .looked_at
                .compare_exchange(LOOKED_AT, TOLD, order, order))
            .is_ok()
    }

    /// Whether the host is to be told that items were taken just now. True for the first who asks,
    /// and for fewer and fewer after it, for that one may be stopped or killed before it tells.
    pub fn must_tell(&self) -> bool {
        // Pairs with the fence in `want`: either this sees the wish, or the host what was taken.
        fence(Ordering::SeqCst);
        let wanted = &self.wanted;
        wanted.load(Ordering::Relaxed) != 0
            && wanted.fetch_add(1, Ordering::Relaxed).is_power_of_two()
    }

    /// Where as much as that has been taken already.
    #[cfg(test)]
    pub fn start_at(&self, start: u32) {
        let word = Range { start, end: start }.word();
        self.items.store(word, Ordering::Relaxed);
    }

    // For the host.

    /// Puts an item on the shelf, behind the others: the place behind it, unless there is no room.
    pub fn put(&self, item: &[u8]) -> Option<u32> {
        // Acquire: what is written over was read before.
        let shelf = Range::of(self.items.load(Ordering::Acquire));
        let room = (RING as u64).saturating_sub(shelf.len().into());
        if item.len() > LARGEST || words_of(item.len()) > room {
            return None;
        }
        let end = self.ring.write(shelf.end.into(), 0, item) as u32;
        let longer = |word| {
            let Range { start, .. } = Range::of(word);
            Some(Range { start, end }.word())
        };
        // Release: who sees it can read. It cannot fail.
        let (release, relaxed) = (Ordering::Release, Ordering::Relaxed);
        let _ = self.items.fetch_update(release, relaxed, longer);
        Some(end)
    }

    /// The place before the first item.
    pub fn start(&self) -> u32 {
        // Acquire: who finds a slot free sees what its taker did before.
        Range::of(self.items.load(Ordering::Acquire)).start
    }

    /// Takes the items off between two places, of which the first is the start: whether it still was.
    pub fn take(&self, from: u32, to: u32) -> bool {
        let taken = |word| {
            let Range { start, end } = Range::of(word);
            (start == from).then_some(Range { start: to, end }.word())
        };
        // Relaxed: the host has the item, and the place is its own.
        let order = Ordering::Relaxed;
        self.items.fetch_update(order, order, taken).is_ok()
    }

    /// Takes all items off: the place before the first.
    pub fn clear(&self) -> u32 {
        let none = |word| {
            let Range { end, .. } = Range::of(word);
            Some(Range { start: end, end }.word())
        };
        // Acquire: as for `start`. It cannot fail.
        let (acquire, relaxed) = (Ordering::Acquire, Ordering::Relaxed);
        let before = self.items.fetch_update(acquire, relaxed, none);
        Range::of(before.unwrap_or_default()).start
    }

    /// Whether a guest has begun to look since this was last asked.
    pub fn was_looked_at(&self) -> bool {
        self.looked_at.load(Ordering::Relaxed) != 0
            && self.looked_at.swap(0, Ordering::Relaxed) != 0
    }

    /// Has guests tell when they take items. Look after this for those that were taken before.
    pub fn want(&self) {
        want(&self.wanted);
    }

    /// The host was told: guests need not tell any more.
    pub fn heed(&self) {
        self.wanted.store(0, Ordering::Relaxed);
    }
}

fn want(word: &AtomicU64) {
    word.store(1, Ordering::Relaxed);
    // Pairs with the fences in `must_tell`.
    fence(Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that can be read.
    fn read(pushes: &Pushes, end: u64) -> Vec<(u64, Vec<u8>)> {
        let mut read = Vec::new();
        pushes.pop(end, |ticket, bytes| read.push((ticket, bytes)));
        read
    }

    fn has_written(pushes: &Pushes) -> bool {
        pushes.written.load(Ordering::Relaxed) != pushes.read.load(Ordering::Relaxed)
    }

    #[test]
    fn slots_are_taken_or_taken_back() {
        let (pushes, shelf) = (Pushes::default(), Shelf::default());
        let push = |count| pushes.push(&vec![&b"x"[..]; count], &shelf);
        assert!(!pushes.is_shared());
        pushes.greet();
        assert!(pushes.is_shared());
        assert_eq!(push(1), Pushed::TooFew);
        pushes.grant(2);
        pushes.grant(3);
        assert_eq!(push(3), Pushed::Done);
        assert_eq!(push(3), Pushed::TooFew);
        assert_eq!(push(2), Pushed::Done);
        pushes.grant(4);
        assert_eq!(pushes.take_back(), 4);
        assert_eq!(push(1), Pushed::TooFew);
        pushes.grant(1);
        pushes.close();
        assert_eq!(push(1), Pushed::Closed);
        assert_eq!(pushes.take_back(), 1);
        assert_eq!(push(1), Pushed::Closed);
        assert_eq!(read(&pushes, u64::MAX).len(), 5);
    }

    #[test]
    fn what_is_pushed_is_read_in_the_order_of_tickets() {
        let (pushes, other, shelf) = (Pushes::default(), Pushes::default(), Shelf::default());
        for pushes in [&pushes, &other] {
            pushes.grant(1 << 20);
        }
        let mut next = 0;
        // Several times around the ring.
        for size in (0..LARGEST).step_by(99) {
            let item = vec![size as u8; size];
            assert_eq!(pushes.push(&[&item, b"x"], &shelf), Pushed::Done);
            assert_eq!(other.push(&[b""], &shelf), Pushed::Done);
            let expected = [(next, item), (next + 1, b"x".to_vec())];
            assert_eq!(read(&pushes, next), []);
            assert_eq!(read(&pushes, next + 1), expected[..1]);
            assert_eq!(read(&pushes, u64::MAX), expected[1..]);
            assert_eq!(read(&other, u64::MAX), [(next + 2, vec![])]);
            assert!(!has_written(&pushes));
            next += 3;
        }
        // No more than there is room for.
        let item = vec![7; LARGEST];
        let push = || pushes.push(&[&item], &shelf);
        assert_eq!((0..9).take_while(|_| push() == Pushed::Done).count(), 3);
        assert_eq!(read(&pushes, u64::MAX).len(), 3);
        assert_eq!(push(), Pushed::Done);
    }

    #[test]
    fn pushes_of_all_guests_are_collected_in_order() {
        let shelf = Shelf::default();
        let guests: Vec<_> = (0..3).map(|_| Pushes::default()).collect();
        for n in 0..9_u8 {
            let guest = &guests[usize::from(n * n) % 3];
            guest.grant(1);
            assert_eq!(guest.push(&[&[n]], &shelf), Pushed::Done);
        }
        let collected = collect((0..).zip(&guests));
        let numbers = collected.iter().map(|(guest, item)| (*guest, item[0]));
        assert!(numbers.eq((0..9).map(|n: u8| (u32::from(n) * u32::from(n) % 3, n))));
        assert_eq!(collect((0..).zip(&guests)), []);
    }

    #[test]
    fn items_are_taken_or_taken_back() {
        let shelf = Shelf::default();
        // The places begin again after the last.
        let start = !4_u32;
        shelf.start_at(start);
        assert!(!shelf.has_items() && shelf.pop(9).is_empty());
        let put = |n: u8| shelf.put(&[n; 9]).unwrap();
        let places: Vec<_> = (0..5).map(put).collect();
        assert_eq!(
            places,
            [1, 2, 3, 4, 5].map(|n: u32| start.wrapping_add(4 * n))
        );
        assert!(shelf.has_items());
        assert_eq!(shelf.pop(2), [[0; 9], [1; 9]]);
        assert_eq!(shelf.start(), places[1]);
        assert!(!shelf.take(start, places[2]), "it is gone");
        assert!(shelf.take(places[1], places[2]));
        assert_eq!(shelf.clear(), places[2]);
        assert!(!shelf.has_items() && shelf.pop(1).is_empty());
        assert_eq!(shelf.put(b""), Some(places[4] + 2));
        assert_eq!(shelf.pop(9), [b""]);
        // As many as there is room for.
        assert_eq!(shelf.put(&[0; LARGEST + 1]), None);
        assert_eq!(
            (0..9)
                .take_while(|_| shelf.put(&[7; LARGEST]).is_some())
                .count(),
            3
        );
        assert_eq!(shelf.pop(9), [[7; LARGEST]; 3]);
    }

    #[test]
    fn a_wish_is_told_once() {
        let (pushes, shelf) = (Pushes::default(), Shelf::default());
        assert!(!pushes.must_tell() && !shelf.must_tell());
        pushes.want();
        shelf.want();
        assert!(pushes.must_tell() && !pushes.must_tell());
        let told: Vec<_> = (1..9).filter(|_| shelf.must_tell()).collect();
        assert_eq!(told.len(), 4, "the first, second, fourth and eighth");
        shelf.heed();
        assert!(!shelf.must_tell());
    }

    #[test]
    fn one_has_the_host_feed_who_looks() {
        let shelf = Shelf::default();
        assert!(!shelf.must_feed() && !shelf.was_looked_at());
        assert!(!shelf.look());
        assert!(shelf.must_feed() && !shelf.must_feed());
        assert!(!shelf.look() && !shelf.must_feed(), "it is told");
        assert!(shelf.was_looked_at() && !shelf.was_looked_at());
        shelf.put(b"x");
        assert!(shelf.look() && shelf.was_looked_at() && !shelf.must_feed());
    }

    #[test]
    fn nonsense_is_skipped() {
        let too_many = RING as u64 + 1;
        for (len, written) in [
            (1 << 40, 9),
            (8, 2),
            (0, 1),
            (0, too_many),
            (0, u64::MAX),
            (u64::MAX, 9),
        ] {
            let (pushes, shelf) = (Pushes::default(), Shelf::default());
            pushes.ring.0[1].store(len, Ordering::Relaxed);
            pushes.written.store(written, Ordering::Relaxed);
            assert_eq!(read(&pushes, u64::MAX), []);
            assert!(!has_written(&pushes));
            shelf.ring.0[1].store(len, Ordering::Relaxed);
            shelf.items.store(written as u32 as u64, Ordering::Relaxed);
            assert!(shelf.pop(usize::MAX).is_empty());
        }
    }
}
