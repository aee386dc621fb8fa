//! The list of what came back: its order, and how far somebody must look for a place in it.

use super::bytes::LeaseMemory;
use super::slot::{LeaseKey, Slot, State};
use super::table::{LeaseState, Table};
use crate::sys::FileRange;
use proptest::prelude::*;
use queue_core::Failure;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Slots in memory, and how often somebody looked at one.
struct Slots {
    slots: Vec<Slot>,
    looks: AtomicUsize,
}

impl LeaseMemory for Slots {
    fn slots(&self) -> u32 {
        self.slots.len() as u32
    }
    fn slot(&self, n: u32) -> &Slot {
        self.looks.fetch_add(1, Relaxed);
        &self.slots[n as usize]
    }
    fn grow(&self, _: u32, _: u32) -> Result<(), Failure> {
        Ok(())
    }
    fn outside(&self, _: u32) -> FileRange<'_> {
        unreachable!("no item is here")
    }
    fn all_outside(&self) -> FileRange<'_> {
        unreachable!("no item is here")
    }
}

fn slots(count: usize) -> (LeaseState, Slots) {
    let slots = Slots {
        slots: (0..count).map(|_| Slot::default()).collect(),
        looks: AtomicUsize::new(0),
    };
    (LeaseState::default(), slots)
}

const ME: u32 = 1;
const DEAD: u32 = 2;

impl Table<'_> {
    fn receive(&self, owner: u32) -> LeaseKey {
        self.lend(self.take(0).unwrap(), owner, 1)
    }

    fn receive_returned(&self, owner: u32) -> LeaseKey {
        let (lease, attempt) = self.oldest().unwrap();
        self.unlist(lease);
        self.lend(lease, owner, attempt)
    }

    fn nack(&self, key: &LeaseKey) {
        self.put_back(self.lease(key.slot).unwrap(), key.attempt(), true);
    }
}

/// Whatever somebody wrote.
#[test]
fn a_slot_that_has_no_memory_is_not_touched() {
    let (state, memory) = slots(1000);
    let table = Table {
        state: &state,
        memory: &memory,
    };
    table.receive(ME);
    let [_, committed, ..] = state.words().map(|word| word.load(Relaxed));
    assert!((1..1000).contains(&committed));
    assert!(table.lease(committed - 1).is_some() && table.lease(committed).is_none());
}

/// Items are received one after another, and come back in several orders.
#[test]
fn what_comes_back_finds_its_place_at_once() {
    const ITEMS: usize = 20_000;
    let (older, younger) = (0..ITEMS / 2, ITEMS / 2..ITEMS);
    let outwards = older.rev().zip(younger);
    let orders: [(&str, Vec<usize>); 4] = [
        ("as received", (0..ITEMS).collect()),
        ("the other way round", (0..ITEMS).rev().collect()),
        (
            "from the middle outwards",
            outwards
                .flat_map(|(older, younger)| [older, younger])
                .collect(),
        ),
        (
            "those of one of two workers first",
            (1..ITEMS).step_by(2).chain((0..ITEMS).step_by(2)).collect(),
        ),
    ];
    let (state, memory) = slots(ITEMS);
    let table = Table {
        state: &state,
        memory: &memory,
    };
    let mut lent: Vec<_> = (0..ITEMS).map(|_| table.receive(ME)).collect();
    for (name, order) in orders {
        memory.looks.store(0, Relaxed);
        order.into_iter().for_each(|n| table.nack(&lent[n]));
        let looks = memory.looks.load(Relaxed);
        assert!(looks <= 8 * ITEMS, "{name}: {looks} looks");
        let again: Vec<_> = (0..ITEMS).map(|_| table.receive_returned(ME)).collect();
        let numbers = again.iter().map(|key| key.number);
        assert!(numbers.eq(0..ITEMS as u64), "{name}: another order");
        assert!(table.oldest().is_err(), "{name}: more than came back");
        lent = again;
    }
}

/// What somebody does, to one of those that are lent if need be.
#[derive(Clone, Copy, Debug)]
enum Act {
    Receive(u32),
    ReceiveReturned(u32),
    Nack(usize),
    Ack(usize),
    /// A worker dies, and another has its work come back.
    PutBackOfDead,
    /// It dies before what it puts back is listed.
    DieInNack(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (ME..=DEAD).prop_map(Act::Receive),
        2 => (ME..=DEAD).prop_map(Act::ReceiveReturned),
        4 => any::<usize>().prop_map(Act::Nack),
        1 => any::<usize>().prop_map(Act::Ack),
        1 => Just(Act::PutBackOfDead),
        1 => any::<usize>().prop_map(Act::DieInNack),
    ]
}

proptest! {
    #[test]
    fn what_came_back_is_in_order(acts in prop::collection::vec(act(), 1..80)) {
        let (state, memory) = slots(100);
        let table = Table { state: &state, memory: &memory };
        let mut lent: Vec<LeaseKey> = Vec::new();
        let mut back = BTreeSet::new();
        for act in acts {
            match act {
                Act::Receive(owner) => lent.push(table.receive(owner)),
                Act::ReceiveReturned(owner) if !back.is_empty() => {
                    let key = table.receive_returned(owner);
                    prop_assert_eq!(Some(key.number), back.pop_first());
                    lent.push(key);
                }
                Act::PutBackOfDead => {
                    let (theirs, ours) = lent.iter().partition(|key| key.owner() == DEAD);
                    lent = ours;
                    let theirs: Vec<LeaseKey> = theirs;
                    let count = table.put_back_of(|owner| owner == DEAD);
                    prop_assert_eq!(count as usize, theirs.len());
                    back.extend(theirs.iter().map(|key| key.number));
                }
                Act::Nack(n) if !lent.is_empty() => {
                    let key = lent.swap_remove(n % lent.len());
                    table.nack(&key);
                    back.insert(key.number);
                }
                Act::Ack(n) if !lent.is_empty() => {
                    let key = lent.swap_remove(n % lent.len());
                    table.free(table.lease(key.slot).unwrap());
                }
                Act::DieInNack(n) if !lent.is_empty() => {
                    let key = lent.swap_remove(n % lent.len());
                    let back_again = State::returned(key.attempt(), true);
                    table.lease(key.slot).unwrap().slot.set_state(back_again);
                    back.insert(key.number);
                    let count = table.rebuild(|_| Ok(true)).unwrap();
                    prop_assert_eq!(count.returned as usize, back.len());
                }
                _ => {}
            }
        }
        while let Some(number) = back.pop_first() {
            prop_assert_eq!(table.receive_returned(ME).number, number);
        }
        prop_assert!(table.oldest().is_err(), "more than came back");
    }
}
