//! Tests of [`format`](crate::linux::queue::format).

use crate::linux::engine::MAX_ITEMS;
use crate::linux::queue::format::*;
use crate::types::Types;
use queue_core::{Capacity, FailureKind};

fn types(item: &'static str) -> Types {
    Types {
        item: item.into(),
        codec: "raw".into(),
        word: 64,
    }
}

#[test]
fn what_was_written_is_read_by_who_means_the_same() {
    let of = |bound| Limits {
        bound,
        item: 9,
        memory: 99,
    };
    let bounds = [1, MAX_ITEMS as usize].map(Capacity::bounded);
    for bound in bounds.into_iter().chain([Capacity::Unbounded]) {
        let format = Format::default();
        format.write(2, &types("a::Job"), &of(bound));
        assert_eq!(format.read(2, &types("a::Job")).unwrap(), of(bound));
        assert_eq!(format.types(), types("a::Job"));
        for (kind, item, says) in [
            (1, "a::Job", "is a PipeQueue, and not a ShmQueue"),
            (2, "b::Job", "`a::Job` by the codec `raw`"),
        ] {
            let failure = format.read(kind, &types(item)).unwrap_err();
            assert_eq!(failure.kind(), FailureKind::Mismatch);
            assert!(failure.to_string().contains(says), "{failure}");
        }
    }
    let format = Format::default();
    format.write(
        2,
        &types("a"),
        &of(Capacity::bounded(MAX_ITEMS as usize + 1)),
    );
    let failure = format.read(2, &types("a")).unwrap_err();
    assert_eq!(
        failure.kind(),
        FailureKind::Corrupt,
        "no engine counts so far"
    );
    assert_eq!(of(Capacity::Unbounded).capacity(), MAX_ITEMS);
    assert_eq!(of(Capacity::bounded(7)).capacity(), 7);
}

#[test]
fn an_item_may_be_as_long_as_the_longest_and_no_longer() {
    let read = |item| {
        let limits = Limits {
            bound: Capacity::Unbounded,
            item,
            memory: 99,
        };
        let format = Format::default();
        format.write(2, &types("a"), &limits);
        format.read(2, &types("a")).map(|limits| limits.item)
    };
    assert_eq!(read(Limits::MAX_ITEM).unwrap(), Limits::MAX_ITEM);
    let failure = read(Limits::MAX_ITEM + 1).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Corrupt);
}

#[test]
fn a_long_name_is_cut_and_a_hostile_one_is_text() {
    let limits = Limits {
        bound: Capacity::Unbounded,
        item: 9,
        memory: 99,
    };
    let long: &'static str = "n".repeat(1000).leak();
    let format = Format::default();
    format.write(2, &types(long), &limits);
    format.read(2, &types(long)).unwrap();
    assert_eq!(format.types().item.len(), 512 - "raw\n".len());
    // Cut or not, it is told apart by all of it.
    assert!(format.read(2, &types(&long[1..])).is_err());
    format.write(2, &types("\x1b[2J\u{202e}"), &limits);
    let shown = format.read(2, &types("a")).unwrap_err().to_string();
    assert!(shown.contains("\\u{1b}[2J\\u{202e}"), "{shown}");
}
