//! A hostile participant scribbles over the shared memory: whatever it writes, every verb
//! answers, without a panic and without an access outside.
//!
//! `PROPTEST_CASES=1000000` makes it long.

use crate::codec::Raw;
use crate::linux::queue::header::Header;
use crate::linux::shm::queue::ShmQueue;
use proptest::prelude::*;
use queue_core::{Capacity, Queue};
use std::collections::VecDeque;
use std::mem::offset_of;
use std::sync::atomic::{AtomicU64, Ordering};

type Bytes = ShmQueue<Vec<u8>, Raw>;

const ITEM: usize = 100;

fn queue() -> Bytes {
    Bytes::options()
        .max_item_bytes(ITEM)
        .create(Capacity::bounded(8))
        .unwrap()
}

/// Writes `word` over the shared memory, `at` words from its beginning.
fn scribble(queue: &Bytes, at: usize, word: u64) {
    queue
        .mapping()
        .at::<AtomicU64>(at * 8)
        .store(word, Ordering::Relaxed);
}

/// Tries everything that does not wait.
fn try_all(queue: &Bytes) {
    let check = |popped: &[Vec<u8>]| assert!(popped.iter().all(|item| item.len() <= ITEM));
    assert!(queue.len() <= 8);
    for n in 0..10 {
        let _ = queue.try_push(vec![n; n as usize * 10]);
        check(&queue.try_pop().into_iter().collect::<Vec<_>>());
    }
    let mut items: VecDeque<_> = (0..20).map(|n| vec![n; n as usize * 5]).collect();
    let _ = queue.try_push_many(&mut items);
    let mut popped = Vec::new();
    let _ = queue.try_pop_many(&mut popped, 1000);
    check(&popped);
    queue.close();
    let _ = queue.try_pop();
}

/// Words that mean something here and there, or nothing.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0..64u64,
        // A cursor near the end of the arena; a record and a jump, plausible or not.
        (0..20_000u64, 0..20u64).prop_map(|(position, count)| position << 32 | count),
        (0..200u64).prop_map(|len| 0x7265_636f << 32 | len),
        (0..20_000u64).prop_map(|to| 0x6a75_6d70 << 32 | to),
    ]
}

proptest! {
    #[test]
    fn scribbled_memory_does_no_harm(
        before in 0..8u8,
        ends in prop::collection::vec((0..100usize, word()), 0..6),
        ring in prop::collection::vec((0..40usize, word()), 0..6),
    ) {
        let queue = queue();
        for n in 0..before {
            queue.try_push(vec![n; 20]).unwrap();
            if n % 3 == 0 {
                queue.try_pop().unwrap();
            }
        }
        // The locks are left alone: whoever holds one can make others wait, for it seems
        // to be alive.
        let control = offset_of!(Header, control) / 8;
        let line = |word: usize| word % 48 == 16;
        for (at, word) in ends {
            let masked = if line(at) { word & !u64::from(u32::MAX) } else { word };
            scribble(&queue, control + at, masked);
        }
        for (at, word) in ring {
            scribble(&queue, Header::END / 8 + at, word);
        }
        try_all(&queue);
    }
}

/// A garbled lock word is nobody alive: it is taken over.
#[test]
fn a_garbled_lock_is_taken_over() {
    for garbage in [u64::MAX, 1 << 31, 0xdead_beef] {
        let queue = queue();
        let control = offset_of!(Header, control) / 8;
        for line in [16, 16 + 48] {
            scribble(&queue, control + line, garbage & u64::from(u32::MAX));
        }
        queue.push(vec![1]).unwrap();
        assert_eq!(queue.pop().unwrap(), [1]);
    }
}
