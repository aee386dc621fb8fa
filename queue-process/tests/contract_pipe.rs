//! The contract over `PipeQueue`.

#![cfg(all(target_os = "linux", not(loom)))]

use queue_core::contract::Item;
use queue_process::PipeQueue;
use queue_process::codec::Raw;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error, Serialize, Serializer};

/// A number that refuses to be serialized, or panics.
#[derive(Debug, PartialEq)]
struct Moody(u64);

const REFUSES: u64 = u64::MAX;
const PANICS: u64 = u64::MAX - 1;

impl Serialize for Moody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            REFUSES => Err(S::Error::custom("not today")),
            PANICS => panic!("an item that panics"),
            number => number.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Moody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Self)
    }
}

impl Item for Moody {
    fn new(number: u64) -> Self {
        Self(number)
    }
    fn number(&self) -> u64 {
        self.0
    }
}

queue_core::contract! {
    mod pipe;
    kind: PipeQueue;
    items: Moody;
    refused: Moody(REFUSES);
    explosive: Moody(PANICS);
}

type RawQueue<T> = PipeQueue<T, Raw>;

queue_core::contract! {
    mod pipe_raw;
    kind: RawQueue;
    items: Vec<u8>;
}
