//! [`Record`]: any bytes are one, or none.

use super::super::storage::{BATCH, HEADER, INDIRECT_TAG, INLINE_TAG, MAX_INLINE, Record, SIZE};
use crate::PipeQueue;
use crate::codec::Raw;
use proptest::prelude::*;
use queue_core::{Capacity, Queue, WithCapacity};
use std::sync::atomic::Ordering::Relaxed;

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(
        bytes in prop::collection::vec(any::<u8>(), 0..=MAX_INLINE),
        at: u32,
        len in 0..=u32::MAX as usize,
    ) {
        for record in [Record::Inline(&bytes), Record::Indirect { at, len }] {
            let wire = record.encode();
            prop_assert_eq!(Record::decode(&wire), Some(record));
        }
    }

    /// Any bytes are a record or none; no length leads out of the record.
    #[test]
    fn any_bytes_are_answered(
        mut wire in prop::collection::vec(any::<u8>(), 0..=2 * SIZE),
        tag in prop::option::of(prop::sample::select(vec![INLINE_TAG, INDIRECT_TAG])),
    ) {
        if let (Some(tag), true) = (tag, wire.len() >= HEADER) {
            wire[..4].copy_from_slice(&tag.to_le_bytes());
        }
        let _ = Record::decode(&wire);
    }
}

#[test]
fn zeros_and_forged_lengths_are_no_record() {
    assert_eq!(Record::decode(&[0; SIZE]), None);
    assert_eq!(Record::decode(&[]), None);
    let mut wire = Record::Inline(b"abc").encode();
    assert_eq!(Record::decode(&wire[..HEADER + 2]), None, "cut off");
    wire[4..HEADER].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Record::decode(&wire), None, "longer than the record");
}

#[test]
fn damaged_records_take_no_other_along_when_all_is_taken() {
    let queue = PipeQueue::<Vec<u8>, Raw>::try_with_capacity(Capacity::Unbounded).unwrap();
    // As many as are read at once, and pushed by somebody who lies.
    let engine = &queue.shared.engine;
    let lies = [7; BATCH * SIZE];
    rustix::io::write(&engine.storage().pipe, &lies).unwrap();
    let tail = &engine.control().tail;
    tail.set_cursor(tail.cursor(Relaxed).advanced(BATCH as u32, 0));
    queue.push(vec![1]).unwrap();
    assert_eq!(queue.close_now(), [[1]]);
}
