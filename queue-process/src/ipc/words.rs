//! [`Words`]: what a host and one client agree on without a message.
//!
//! A client takes a slot that was granted to it, or an item that was sent ahead to it, by one
//! change of a word; and by one change of the same word the host takes back what is left. So
//! either of the two has it, and nobody waits for the other.

use super::page::Page;
use queue_core::Side;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// The slots that a client may fill: how many, and two flags.
const SLOTS: usize = 0;
/// The items that lie with a client: which loan it is, how many it was and how many of them the
/// client took, and two flags.
const ITEMS: usize = 1;
/// The push that the host is to accept, unless its client gives up: its number; then how many
/// items of it were accepted.
const OFFER: usize = 2;
/// What the host has received of the client's messages, in bytes.
const RECEIVED: usize = 3;
/// As many bytes of its messages may be on their way.
const SHARE: usize = 4;

/// In both words: somebody in the client's process waits, and is to be told.
const WAITING: u64 = 1 << 63;
/// Of the slots: the queue is closed.
const CLOSED: u64 = 1 << 62;
/// Of the items: the host is to be told when one is taken.
const NOTIFY: u64 = 1 << 62;
/// Of an offer: it was accepted.
const ACCEPTED: u64 = 1 << 63;
/// Loans are counted modulo 2^30.
const LOANS: u32 = (1 << 30) - 1;
/// How many slots.
const COUNT: u64 = (1 << 32) - 1;

#[derive(Debug)]
pub(super) struct Words(pub(super) Page);

/// What came of taking slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slots {
    Taken(usize),
    None,
    Closed,
}

/// The word of items, in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Items {
    flags: u64,
    /// Which loan it is, modulo 2^30.
    pub(super) loan: u32,
    lent: u16,
    taken: u16,
}

impl Items {
    fn of(word: u64) -> Self {
        Self {
            flags: word & (WAITING | NOTIFY),
            loan: (word >> 32) as u32 & LOANS,
            lent: (word >> 16) as u16,
            taken: word as u16,
        }
    }

    fn word(self) -> u64 {
        let loan = u64::from(self.loan & LOANS);
        self.flags | loan << 32 | u64::from(self.lent) << 16 | u64::from(self.taken)
    }

    /// How many lie with the client.
    pub(super) fn left(self) -> usize {
        self.lent.saturating_sub(self.taken).into()
    }
}

/// Changes `word` by `change`, which may refuse: what it was.
fn change(word: &AtomicU64, change: impl FnMut(u64) -> Option<u64>) -> Result<u64, u64> {
    word.fetch_update(SeqCst, SeqCst, change)
}

impl Words {
    fn of(&self, side: Side) -> &AtomicU64 {
        self.0.word(match side {
            Side::Producers => SLOTS,
            Side::Consumers => ITEMS,
        })
    }

    // For the client.

    /// Takes up to `most` slots.
    pub(super) fn take_slots(&self, most: usize) -> Slots {
        let most = most as u64;
        let before = change(self.0.word(SLOTS), |word| match word & COUNT {
            0 => None,
            _ if word & CLOSED != 0 => None,
            count => Some(word - count.min(most)),
        });
        match before {
            Ok(word) => Slots::Taken((word & COUNT).min(most) as usize),
            Err(word) if word & CLOSED != 0 => Slots::Closed,
            Err(_) => Slots::None,
        }
    }

    /// Takes up to `most` items of a loan: how many, and whether the host is to be told.
    pub(super) fn take_items(&self, loan: u32, most: usize) -> Option<(usize, bool)> {
        let before = change(self.0.word(ITEMS), |word| {
            let mut items = Items::of(word);
            if items.left() == 0 || items.loan != loan {
                return None;
            }
            items.taken += items.left().min(most) as u16;
            items.flags &= WAITING;
            Some(items.word())
        });
        let items = Items::of(before.ok()?);
        Some((items.left().min(most), items.flags & NOTIFY != 0))
    }

    /// Somebody waits from now on.
    pub(super) fn wait(&self, side: Side) {
        self.of(side).fetch_or(WAITING, SeqCst);
    }

    /// Nobody waits any more: false if the host knew of nobody, for it has granted or lent
    /// something meanwhile.
    pub(super) fn leave(&self, side: Side) -> bool {
        self.of(side).fetch_and(!WAITING, SeqCst) & WAITING != 0
    }

    /// Whether the host knows, or is about to, that somebody waits.
    pub(super) fn is_waiting(&self, side: Side) -> bool {
        self.of(side).load(SeqCst) & WAITING != 0
    }

    /// Offers a push.
    pub(super) fn offer(&self, number: u32) {
        self.0.word(OFFER).store(number.into(), SeqCst);
    }

    /// Takes the offer back: false if the host has accepted it.
    pub(super) fn withdraw(&self, number: u32) -> bool {
        self.settle(number, 0)
    }

    /// How much of the offer was accepted, if it was.
    pub(super) fn accepted(&self) -> Option<usize> {
        let word = self.0.word(OFFER).load(SeqCst);
        (word & ACCEPTED != 0).then_some((word & !ACCEPTED) as usize)
    }

    /// Whether a client that sent so many bytes in all may send `more` now, and surely need not
    /// wait for the host to receive. For what it must send to go on (`needed`) there is more room.
    pub(super) fn may_send(&self, sent: u64, more: u64, needed: bool) -> bool {
        let on_the_way = sent.wrapping_sub(self.0.word(RECEIVED).load(SeqCst));
        let share = self.0.word(SHARE).load(SeqCst);
        let share = if needed { share + share / 2 } else { share };
        on_the_way == 0 || on_the_way.saturating_add(more) <= share
    }

    // For the host.

    pub(super) fn received(&self, bytes: u64) {
        self.0.word(RECEIVED).fetch_add(bytes, SeqCst);
    }

    pub(super) fn set_share(&self, bytes: u64) {
        self.0.word(SHARE).store(bytes, SeqCst);
    }

    /// Accepts so many items of an offer: false if it was taken back.
    pub(super) fn accept(&self, number: u32, count: usize) -> bool {
        self.settle(number, ACCEPTED | count as u64)
    }

    fn settle(&self, number: u32, outcome: u64) -> bool {
        let offer = self.0.word(OFFER);
        let settled = offer.compare_exchange(number.into(), outcome, SeqCst, SeqCst);
        settled.is_ok()
    }

    /// Grants `count` more slots.
    pub(super) fn grant(&self, count: usize) {
        self.0.word(SLOTS).fetch_add(count as u64 & COUNT, SeqCst);
    }

    /// The same, to a client that waits: false if it does not.
    pub(super) fn grant_waiting(&self, count: usize) -> bool {
        let granted = |word| (word & WAITING != 0).then(|| (word & !WAITING) + count as u64);
        change(self.0.word(SLOTS), granted).is_ok()
    }

    /// Takes all slots back that are left: how many.
    pub(super) fn revoke_slots(&self) -> usize {
        let slots = self.0.word(SLOTS);
        (slots.fetch_and(!COUNT, SeqCst) & COUNT) as usize
    }

    pub(super) fn slots(&self) -> usize {
        (self.0.word(SLOTS).load(SeqCst) & COUNT) as usize
    }

    pub(super) fn close(&self) {
        self.0.word(SLOTS).fetch_or(CLOSED, SeqCst);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.word(SLOTS).load(SeqCst) & CLOSED != 0
    }

    /// Lends `count` items beside those that are left, all of them as a new loan; with `waiting`
    /// only to a client that waits, and is told. Which loan that is, and how many were left.
    pub(super) fn lend(&self, count: usize, waiting: bool) -> Option<(u32, usize)> {
        let before = change(self.0.word(ITEMS), |word| {
            let items = Items::of(word);
            if waiting && items.flags & WAITING == 0 {
                return None;
            }
            let lent = Items {
                flags: if waiting { 0 } else { items.flags & WAITING },
                loan: items.loan.wrapping_add(1),
                lent: (items.left() + count) as u16,
                taken: 0,
            };
            Some(lent.word())
        });
        let items = Items::of(before.ok()?);
        Some((items.loan.wrapping_add(1) & LOANS, items.left()))
    }

    /// Takes back all items but `keep` that are left: how many.
    pub(super) fn revoke_items(&self, keep: usize) -> usize {
        let back = |items: Items| items.left().saturating_sub(keep);
        let before = change(self.0.word(ITEMS), |word| {
            let mut items = Items::of(word);
            items.lent -= back(items) as u16;
            Some(items.word())
        });
        back(Items::of(before.unwrap_or_else(|word| word)))
    }

    /// What lies with the client.
    pub(super) fn items(&self) -> Items {
        Items::of(self.0.word(ITEMS).load(SeqCst))
    }

    /// Has the client tell when it takes one of the items that lie with it.
    pub(super) fn notify(&self) {
        let _ = change(self.0.word(ITEMS), |word| {
            let wanted = Items::of(word).left() != 0 && word & NOTIFY == 0;
            wanted.then_some(word | NOTIFY)
        });
    }
}
