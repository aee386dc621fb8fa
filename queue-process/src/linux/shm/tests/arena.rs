//! Tests of [`arena`](crate::linux::shm::arena).

use crate::linux::queue::header::Header;
use crate::linux::shm::arena::*;
use crate::sys::Mapping;
use std::sync::Arc;

#[test]
fn what_is_written_to_a_word_is_read_from_there() {
    for len in 0..5 * MAX_COPIED_BY_WORDS {
        let bytes: Vec<u8> = (1..=len as u8).collect();
        let size = Header::END + 64 * 8;
        let mapping = Arc::new(Mapping::create("arena", size, size, 0).unwrap());
        let arena = Mapped::new(mapping.clone(), 64);
        arena.write(3, &bytes);
        let mut read = b"> ".to_vec();
        arena.read(3, len, &mut read);
        assert_eq!(read, [b"> ", &bytes[..]].concat());
        let mut there = Vec::new();
        mapping.read(Header::END + 3 * 8, len, &mut there);
        assert_eq!(there, bytes);
        let around = [2, 3 + len.div_ceil(8)].map(|at| arena.get(at));
        assert_eq!(around, [0, 0], "{len} bytes");
    }
}

#[test]
fn words_lie_one_behind_the_other() {
    let size = Header::END + 4 * 8;
    let arena = Mapped::new(
        Arc::new(Mapping::create("arena", size, size, 0).unwrap()),
        4,
    );
    assert_eq!(arena.words(), 4);
    arena.set(0, 7);
    arena.set_two(2, [8, 9]);
    assert_eq!([0, 1, 2, 3].map(|at| arena.get(at)), [7, 0, 8, 9]);
}

#[test]
fn memory_comes_and_goes_by_words() {
    let words = 4 * 4096 / 8;
    let size = Header::END + words * 8;
    let mapping = Arc::new(Mapping::create("arena", size, Header::END, 0).unwrap());
    let arena = Mapped::new(mapping.clone(), words);
    let pages = || {
        let blocks = rustix::fs::fstat(mapping.file()).unwrap().st_blocks as usize;
        (blocks * 512 - Header::END) / 4096
    };
    assert_eq!(pages(), 0);
    arena.grow(0, words / 4 + 1).unwrap();
    assert_eq!(pages(), 2);
    arena.grow(words / 4 + 1, words).unwrap();
    assert_eq!(pages(), 4);
    arena.shrink(words / 4, words / 2);
    assert_eq!(pages(), 3);
    arena.shrink(words / 4, words);
    assert_eq!(pages(), 1);
    assert!(arena.grow(words, words + 1).is_err());
}

#[test]
#[should_panic(expected = "len()")]
fn an_arena_is_no_larger_than_its_mapping() {
    let size = Header::END + 8;
    let mapping = Mapping::create("arena", size, size, 0).unwrap();
    let _ = Mapped::new(Arc::new(mapping), 2);
}
