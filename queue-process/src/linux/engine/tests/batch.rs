//! Tests of [`batch`](crate::linux::engine::batch).

use crate::linux::engine::batch::{Batch, RECORD};

fn word(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(bytes[..8].try_into().unwrap())
}

#[test]
fn each_item_is_a_header_and_its_bytes_in_whole_words() {
    let mut batch = Batch::default();
    for item in [&b"three"[..], b"", b"eight by"] {
        let append = |into: &mut Vec<u8>| {
            into.extend_from_slice(item);
            Ok::<_, ()>(())
        };
        batch.add(append).unwrap();
        let fails = |into: &mut Vec<u8>| {
            into.push(1);
            Err(())
        };
        assert_eq!(batch.add(fails), Err(()));
    }
    assert_eq!(batch.len(), 3);
    assert_eq!(
        [0, 1, 2].map(|n| batch.get(n)),
        [&b"three"[..], b"", b"eight by"]
    );
    let records = batch.records(0, 3);
    assert_eq!(records.len(), 8 + 8 + 8 + 8 + 8);
    assert_eq!(
        [0, 16, 24].map(|at| word(&records[at..])),
        [5, 0, 8].map(|len| RECORD | len)
    );
    assert_eq!(batch.records(1, 2), &records[16..24]);
    assert_ne!(RECORD, 0, "memory that was given back is no record");

    let mut found = Batch::default();
    found.bytes.extend_from_slice(records);
    [5, 0, 8].into_iter().for_each(|len| found.found(len));
    assert_eq!(
        [0, 1, 2].map(|n| found.get(n)),
        [0, 1, 2].map(|n| batch.get(n))
    );
    found.clear();
    assert_eq!((found.len(), found.bytes.len()), (0, 0));
}
