//! Tests of the limits of a [`ShmQueue`].

use crate::codec::Raw;
use crate::linux::queue::format::Limits;
use crate::linux::queue::open::Shareable;
use crate::linux::shm::arena::Mapped;
use crate::linux::shm::queue::{MAX_WORDS, ShmQueue, WINDOW};
use crate::linux::shm::storage::Ring;
use queue_core::Capacity;

fn memory(item: usize, memory: usize, bound: Capacity) -> u64 {
    let options = ShmQueue::<Vec<u8>, Raw>::options().max_item_bytes(item);
    options.memory_limit(memory).limits(bound).memory
}

/// What a ring takes for so many records of two words.
const fn records(count: u64) -> u64 {
    (2 * (count + 4) * 2 + 2 * WINDOW as u64 + 2) * 8
}

#[test]
fn a_queue_has_room_for_all_that_it_takes() {
    assert_eq!(memory(8, 0, Capacity::bounded(3)), records(3));
    assert_eq!(memory(8, 8000, Capacity::Unbounded), records(1000));
    assert_eq!(memory(1, 8000, Capacity::Unbounded), records(1000));
    assert_eq!(memory(8, usize::MAX, Capacity::Unbounded), MAX_WORDS * 8);
}

#[test]
fn memory_that_makes_no_sense_is_refused() {
    let mapped = |memory| {
        let (bound, item) = (Capacity::Unbounded, 8);
        Ring::<Mapped>::mapped(&Limits {
            bound,
            item,
            memory,
        })
        .ok()
    };
    let least = records(1);
    assert_eq!(mapped(least), Some(least as usize));
    assert_eq!(
        mapped(least + 8 + 7),
        Some(least as usize + 8),
        "whole words"
    );
    assert_eq!(mapped(least - 1), None);
    assert_eq!(mapped(16 << 30), Some(16 << 30));
    assert_eq!(mapped((16 << 30) + 8), None);
}
