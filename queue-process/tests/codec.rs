//! Every codec: what goes in comes out, and any bytes get an answer.

use proptest::prelude::*;
use queue_process::FailureKind;
use queue_process::codec::{Codec, Postcard, Raw};
use serde::{Deserialize, Serialize, Serializer};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

/// Remembers the largest allocation of each thread.
struct Watched;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(size: usize) {
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

// SAFETY: hands every call through to the system's allocator as it came.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Item {
    Nothing,
    Numbers(u8, u16, i32, i64, u64, u128),
    Text { title: String, mark: char },
    Bytes(#[serde(with = "as_bytes")] Vec<u8>),
    Many(Vec<Option<f64>>, BTreeMap<String, u32>),
}

/// A byte buffer as serde's bytes, not as a sequence of numbers.
mod as_bytes {
    use serde::{Deserializer, Serializer, de::Error, de::Visitor};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        d.deserialize_byte_buf(Bytes)
    }
}

fn item() -> impl Strategy<Value = Item> {
    let text = ".{0,40}";
    let float = prop::option::of(-1e300..1e300f64);
    prop_oneof![
        Just(Item::Nothing),
        any::<(u8, u16, i32, i64, u64, u128)>()
            .prop_map(|(a, b, c, d, e, f)| Item::Numbers(a, b, c, d, e, f)),
        (text, any::<char>()).prop_map(|(title, mark)| Item::Text { title, mark }),
        prop::collection::vec(any::<u8>(), 0..5000).prop_map(Item::Bytes),
        (
            prop::collection::vec(float, 0..300),
            prop::collection::btree_map(text, any::<u32>(), 0..9)
        )
            .prop_map(|(many, map)| Item::Many(many, map)),
    ]
}

/// Cannot be serialized.
#[derive(Debug, Deserialize)]
struct Stubborn;

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no"))
    }
}

fn encoded<T, C: Codec<T>>(item: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    C::encode(item, &mut bytes).unwrap();
    bytes
}

fn comes_back<C: Codec<Item>>(item: &Item) {
    let bytes = encoded::<_, C>(item);
    assert_eq!(&C::decode(&bytes).unwrap(), item);

    let mut behind = b"before".to_vec();
    C::encode(item, &mut behind).unwrap();
    assert_eq!(behind, [b"before", &bytes[..]].concat(), "encode appends");
}

fn refuses_what_is_cut_or_too_long<C: Codec<Item>>(item: &Item) {
    let mut bytes = encoded::<_, C>(item);
    for cut in (0..bytes.len()).take(64) {
        let failure = C::decode(&bytes[..cut]).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Codec);
    }
    bytes.extend([0; 3]);
    let failure = C::decode(&bytes).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Codec);
    assert!(failure.to_string().contains("3 bytes"), "{failure}");
}

/// Decodes whatever it is given, within `factor` times its size and serde's own caution
/// (1 MiB).
fn survives<C: Codec<Item> + Codec<String> + Codec<Vec<u64>>>(bytes: &[u8], factor: usize) {
    LARGEST.set(0);
    let _ = <C as Codec<Item>>::decode(bytes);
    let _ = <C as Codec<String>>::decode(bytes);
    let _ = <C as Codec<Vec<u64>>>::decode(bytes);
    let limit = (bytes.len() * factor).max(0x10_0000) + 64;
    assert!(LARGEST.get() <= limit, "allocated {}", LARGEST.get());
}

fn answers_a_stubborn_item<C: Codec<Stubborn>>() {
    let failure = C::encode(&Stubborn, &mut Vec::new()).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Codec);
    assert!(std::error::Error::source(&failure).is_some());
}

macro_rules! serde_codec {
    ($name:ident, $codec:ty, $factor:expr) => {
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(500))]

                #[test]
                fn an_item_comes_back(item in item()) {
                    comes_back::<$codec>(&item);
                }

                #[test]
                fn cut_or_too_long_is_refused(item in item()) {
                    refuses_what_is_cut_or_too_long::<$codec>(&item);
                }

                #[test]
                fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
                    survives::<$codec>(&bytes, $factor);
                }

                #[test]
                fn any_damage_gets_an_answer(
                    item in item(), at in any::<prop::sample::Index>(), to in any::<[u8; 9]>(),
                ) {
                    let mut bytes = encoded::<_, $codec>(&item);
                    let at = at.index(bytes.len());
                    for (byte, to) in bytes[at..].iter_mut().zip(to) {
                        *byte = to;
                    }
                    survives::<$codec>(&bytes, $factor);
                }
            }

            #[test]
            fn an_item_that_does_not_serialize_is_a_failure() {
                answers_a_stubborn_item::<$codec>();
            }
        }
    };
}

serde_codec!(postcard, Postcard, 64);
#[cfg(feature = "bincode")]
serde_codec!(bincode, queue_process::codec::Bincode, 256);

#[test]
fn the_names_differ() {
    assert_eq!(<Postcard as Codec<u8>>::NAME, "postcard");
    assert_eq!(Raw::NAME, "raw");
}

#[cfg(feature = "bincode")]
#[test]
fn bincode_speaks_its_frozen_format() {
    use queue_process::codec::Bincode;
    let bytes = encoded::<_, Bincode>(&(1u8, 300u16, "hi".to_string()));
    assert_eq!(bytes, [1, 251, 44, 1, 2, b'h', b'i']);
    // Dense in memory, sparse on the wire, in every size class of the limit.
    for n in [1, 200, 3_000, 50_000, 800_000, 1_100_000] {
        let many = vec![1u128; n];
        let bytes = encoded::<_, Bincode>(&many);
        let back: Vec<u128> = Bincode::decode(&bytes).unwrap();
        assert_eq!(back.len(), n);
        let text = "x".repeat(n);
        let back: String = Bincode::decode(&encoded::<_, Bincode>(&text)).unwrap();
        assert_eq!(back.len(), n);
    }
}

#[cfg(feature = "bincode")]
#[test]
fn bincode_reserves_no_forged_length() {
    use queue_process::codec::Bincode;
    // "A string of 2^60 bytes": what a length in eight bytes looks like.
    let mut bytes = vec![253];
    bytes.extend((1u64 << 60).to_le_bytes());
    survives::<Bincode>(&bytes, 256);
    assert!(<Bincode as Codec<String>>::decode(&bytes).is_err());
    // "8 GiB" and more, in every size class of the limit. The zeros are never touched.
    let sizes = [
        9,
        3_000,
        50_000,
        800_000,
        10_000_000,
        20_000_000,
        300_000_000,
    ];
    for (size, claimed) in sizes.map(|size| (size, (size as u64 * 500).max(1 << 33))) {
        let mut bytes = vec![0; size];
        bytes[0] = 253;
        bytes[1..9].copy_from_slice(&claimed.to_le_bytes());
        LARGEST.set(0);
        assert!(<Bincode as Codec<String>>::decode(&bytes).is_err());
        assert!(LARGEST.get() <= 256 * size, "allocated {}", LARGEST.get());
    }
}

#[test]
fn raw_moves_bytes_untouched() {
    let bytes = vec![0, 255, 1];
    assert_eq!(encoded::<_, Raw>(&bytes), bytes);
    assert_eq!(Raw::decode(&bytes).unwrap(), bytes);
    assert_eq!(Raw::decode(&[]).unwrap(), Vec::<u8>::new());
}

#[test]
fn raw_gives_its_buffer_away_unless_that_is_too_roomy() {
    let buffer = |capacity| {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.resize(100, 7u8);
        bytes
    };
    let mut bytes = buffer(200);
    let at = bytes.as_ptr();
    let item = Raw::decode_from(&mut bytes).unwrap();
    assert_eq!((item.as_ptr(), item.len()), (at, 100));
    let mut bytes = buffer(2000);
    let item = Raw::decode_from(&mut bytes).unwrap();
    assert_eq!(item, [7; 100]);
    assert!(item.capacity() < 200 && bytes.capacity() == 2000);
}
