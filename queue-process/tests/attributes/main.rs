//! What serde's attributes leave out or move around never turns one item into another in silence.

#![cfg(not(loom))]

mod each;
mod fields;

use queue_process::{Codec, FailureKind, IpcQueue, Postcard, Queue, TryPushError};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Command {
    Start,
    #[serde(skip)]
    #[allow(dead_code)]
    Internal,
    Stop,
    Kill,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Job {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    urgent: bool,
    id: u32,
    data: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Order {
    Take {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        id: u32,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    x: u8,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: u32,
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    Click { x: u8 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u32),
    Text(String),
}

/// The attributes that do no harm, and containers that come back in another order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Harmless {
    #[serde(alias = "one", alias = "Uno")]
    First,
    #[serde(rename(serialize = "out", deserialize = "in"))]
    Second(#[serde(skip)] u8, u32),
    Third {
        #[serde(skip, default)]
        cache: Option<u8>,
        #[serde(alias = "number", rename = "n")]
        id: u32,
        nested: Vec<Option<Box<Harmless>>>,
    },
    Sets(HashSet<Key>, HashMap<Key, Key>, BTreeMap<String, u8>),
    #[serde(skip)]
    #[allow(dead_code)]
    AtTheEnd,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Key {
    Number(u32),
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "what")]
enum Adjacent {
    Nothing,
    Some(u8),
}

/// Its own code refuses it on the way out: that is for whoever pops it.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Odd(u32);

impl<'de> Deserialize<'de> for Odd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            n if n % 2 == 0 => Err(serde::de::Error::custom("even")),
            n => Ok(Self(n)),
        }
    }
}

/// Serializes another item of that type on its way.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Within(Command);

impl Serialize for Within {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Postcard::encode(&Command::Start, &mut Vec::new()).unwrap();
        self.0.serialize(serializer)
    }
}

fn encode<C: Codec<T>, T>(item: &T) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    match C::encode(item, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(failure) => {
            assert_eq!(failure.kind(), FailureKind::Codec);
            Err(format!("{failure:#}"))
        }
    }
}

/// In every build, each time.
fn refused<C: Codec<T>, T>(item: &T, says: &[&str]) {
    for _ in 0..3 {
        let why = encode::<C, T>(item).unwrap_err();
        assert!(says.iter().all(|word| why.contains(word)), "{why}");
    }
}

/// In debug builds, each time; in others its pop must not succeed with another item.
fn refused_in_debug<C: Codec<T>, T>(item: &T, says: &[&str]) {
    match cfg!(debug_assertions) {
        true => refused::<C, T>(item, says),
        false => drop(encode::<C, T>(item).unwrap()),
    }
}

fn comes_back<C: Codec<T>, T: PartialEq + Debug>(item: &T) {
    assert_eq!(&C::decode(&encode::<C, T>(item).unwrap()).unwrap(), item);
}

macro_rules! codec {
    ($name:ident, $codec:ty) => {
        mod $name {
            use super::*;
            type C = $codec;

            #[test]
            fn a_skipped_field_is_refused() {
                let job = |urgent| Job {
                    urgent,
                    id: 1,
                    data: vec![2, 0, 0],
                };
                refused::<C, _>(&job(false), &["`urgent`", "skip_serializing_if"]);
                comes_back::<C, _>(&job(true));
                refused::<C, _>(&vec![Some((1, job(false)))], &["`urgent`"]);
                let order = |note| Order::Take { note, id: 1 };
                refused::<C, _>(&order(None), &["`note`"]);
                comes_back::<C, _>(&order(Some("x".into())));
                // That one was refused leaves no word for the next.
                let why = encode::<C, _>(&Borrowed(1.into())).unwrap_err();
                assert!(!why.contains("note"), "{why}");
                assert!(why.contains("already mutably borrowed"), "{why}");
            }

            #[test]
            fn what_has_no_length_is_refused() {
                refused::<C, _>(
                    &Flat {
                        id: 1,
                        inner: Inner { x: 1 },
                    },
                    &["flatten", "length"],
                );
            }

            #[test]
            fn a_variant_that_comes_back_as_another_is_refused() {
                let says = ["Command", "`Command::Stop`", "`Command::Kill`", "skip"];
                refused_in_debug::<C, _>(&Command::Stop, &says);
                comes_back::<C, _>(&Command::Start);
                refused_in_debug::<C, _>(&Command::Stop, &says);
                refused_in_debug::<C, _>(
                    &vec![Some(Command::Start), Some(Command::Stop)],
                    &["Stop"],
                );
                comes_back::<C, _>(&Within(Command::Start));
                refused_in_debug::<C, _>(&Within(Command::Stop), &["Stop"]);
                refused::<C, _>(&Command::Internal, &["Command::Internal"]);
                let says = ["`Command::Kill`", "variant 3", "skip"];
                refused_in_debug::<C, _>(&Command::Kill, &says);
            }

            #[test]
            fn what_wants_a_description_is_refused() {
                refused_in_debug::<C, _>(&Tagged::Click { x: 1 }, &["Tagged", "serde(tag)"]);
                refused_in_debug::<C, _>(&Untagged::Number(1), &["Untagged", "serde(untagged)"]);
                refused_in_debug::<C, _>(&Adjacent::Some(1), &["Adjacent", "serde(tag)"]);
                refused_in_debug::<C, _>(&Adjacent::Nothing, &["Adjacent", "serde(tag)"]);
                // Also where there was none of it at first.
                comes_back::<C, Option<Untagged>>(&None);
                let some = Some(Untagged::Text("x".into()));
                refused_in_debug::<C, Option<Untagged>>(&some, &["untagged"]);
                comes_back::<C, Vec<Tagged>>(&vec![]);
                refused_in_debug::<C, _>(&vec![Tagged::Click { x: 1 }], &["tag"]);
            }

            #[test]
            fn what_does_no_harm_goes_through() {
                let third = Harmless::Third {
                    cache: None,
                    id: 7,
                    nested: vec![None, Some(Box::new(Harmless::First))],
                };
                let keys = || (0..50).map(Key::Number).chain([Key::Nothing]);
                let map = keys().zip(keys().skip(25).chain(keys())).collect();
                let sets = Harmless::Sets(keys().collect(), map, BTreeMap::new());
                let second = Harmless::Second(0, 2);
                for item in [Harmless::First, second, third, sets] {
                    comes_back::<C, _>(&item);
                    comes_back::<C, _>(&(item.clone(), vec![item]));
                }
            }

            /// To read back millions of elements would take a test of the user's own minutes.
            #[test]
            fn what_is_large_is_not_read_back() {
                let large = (vec![0_u8; 2 << 20], Command::Stop);
                encode::<C, _>(&large).unwrap();
                refused_in_debug::<C, _>(&(vec![0_u8], Command::Stop), &["Stop"]);
            }

            #[test]
            fn what_its_own_code_refuses_is_told_by_the_pop() {
                for n in [2, 1, 4, 3] {
                    let bytes = encode::<C, _>(&Odd(n)).unwrap();
                    assert_eq!(<C as Codec<Odd>>::decode(&bytes).is_ok(), n % 2 == 1);
                }
            }
        }
    };
}

/// A cell that is borrowed does not serialize.
#[derive(Debug)]
struct Borrowed(std::cell::RefCell<i32>);

impl Serialize for Borrowed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let _borrowed = self.0.borrow_mut();
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Borrowed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(std::cell::RefCell::new(i32::deserialize(
            deserializer,
        )?)))
    }
}

codec!(postcard, Postcard);
#[cfg(feature = "bincode")]
codec!(bincode, queue_process::Bincode);

#[test]
fn the_item_comes_back_with_the_failure() {
    let queue = IpcQueue::<Job>::bounded(2);
    let job = || Job {
        urgent: false,
        id: 1,
        data: vec![2, 0, 0],
    };
    match queue.try_push(job()) {
        Err(TryPushError::Failed(item, why)) => {
            assert_eq!((item, why.kind()), (job(), FailureKind::Codec));
        }
        other => panic!("{other:?}"),
    }
    let mut jobs = [job()].into();
    assert!(queue.push_many(&mut jobs).is_err());
    assert_eq!((jobs.len(), queue.len()), (1, 0));
}
