//! Fields that go one way only, and variants that decoding does not know.

use super::{comes_back, encode, refused_in_debug};
use queue_process::{Codec, Postcard};
use serde::{Deserialize, Deserializer, Serialize};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;
use std::num::NonZeroU8;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct First {
    #[serde(skip_serializing)]
    cache: u8,
    data: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Last {
    data: Vec<u8>,
    #[serde(skip_serializing)]
    cache: u8,
}

/// What is read in the place of another is refused by its own code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Invalid {
    #[serde(skip_serializing)]
    cache: u8,
    id: NonZeroU8,
    rest: u8,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Fewer {
    #[serde(skip_deserializing)]
    cache: u8,
    data: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FewerAtTheEnd {
    data: Vec<u8>,
    #[serde(skip_deserializing)]
    cache: u8,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tuple(#[serde(skip_serializing)] u8, Vec<u8>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Variants {
    Newtype(#[serde(skip_serializing)] u8),
    Tuple(#[serde(skip_serializing)] u8, Vec<u8>),
    Struct {
        #[serde(skip_deserializing)]
        cache: u8,
        data: Vec<u8>,
    },
    Fine {
        nothing: (),
        data: Vec<u8>,
    },
}

/// A field without bytes may go one way only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct NoBytes {
    #[serde(skip_serializing)]
    kind: PhantomData<u8>,
    sets: HashSet<u8>,
    #[serde(skip_deserializing)]
    nothing: (),
    maps: HashMap<u8, Vec<Inner>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    x: u8,
    pair: (u8, Option<[u8; 3]>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Aliased {
    #[serde(alias = "a", alias = "b", alias = "c")]
    Start,
    #[serde(skip)]
    #[allow(dead_code)]
    Internal,
    Stop(u8),
    Kill,
}

/// One whose place among the others shows it only, for its content is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shifted {
    Start,
    #[serde(skip_deserializing)]
    #[allow(dead_code)]
    Internal,
    Level(u8),
    Rate(NonZeroU8),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum SkippedWriting {
    Start,
    #[serde(skip_serializing)]
    Internal,
    Stop,
}

thread_local! {
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

/// Panics on its way out.
#[derive(Serialize)]
struct Panics(Option<u8>);

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        PANICS.set(PANICS.get() + 1);
        panic!("on purpose");
    }
}

macro_rules! codec {
    ($name:ident, $codec:ty) => {
        mod $name {
            use super::*;
            type C = $codec;

            #[test]
            fn a_field_that_is_only_read_is_refused() {
                let says = ["not come back", "skip_serializing"];
                for data in [vec![], vec![0], vec![1, 7], vec![9; 300]] {
                    let first = First {
                        cache: 1,
                        data: data.clone(),
                    };
                    refused_in_debug::<C, _>(&first, &says);
                    refused_in_debug::<C, _>(&vec![Some(first)], &says);
                    let last = Last {
                        data: data.clone(),
                        cache: 1,
                    };
                    refused_in_debug::<C, _>(&last, &["`Last`", "1 fields", "2 or more"]);
                    refused_in_debug::<C, _>(&Tuple(1, data.clone()), &says);
                    refused_in_debug::<C, _>(&Variants::Tuple(1, data), &says);
                }
                refused_in_debug::<C, _>(&Variants::Newtype(1), &["`Variants::Newtype`"]);
                let invalid = Invalid {
                    cache: 0,
                    id: 1.try_into().unwrap(),
                    rest: 0,
                };
                if let Ok(bytes) = encode::<C, _>(&invalid) {
                    assert!(<C as Codec<Invalid>>::decode(&bytes).is_err());
                }
            }

            #[test]
            fn a_field_that_is_only_written_is_refused() {
                let says = ["not come back", "skip_serializing"];
                for data in [vec![], vec![0], vec![1, 7]] {
                    for cache in [0, 1, 100] {
                        let fewer = Fewer {
                            cache,
                            data: data.clone(),
                        };
                        refused_in_debug::<C, _>(&fewer, &says);
                        let fewer = FewerAtTheEnd {
                            data: data.clone(),
                            cache,
                        };
                        refused_in_debug::<C, _>(&fewer, &["`FewerAtTheEnd`"]);
                        let fewer = Variants::Struct {
                            cache,
                            data: data.clone(),
                        };
                        refused_in_debug::<C, _>(&fewer, &says);
                    }
                    comes_back::<C, _>(&Variants::Fine { nothing: (), data });
                }
            }

            #[test]
            fn a_field_without_bytes_may_go_one_way_only() {
                let inner = |x| Inner {
                    x,
                    pair: (x, (x % 2 == 0).then_some([x; 3])),
                };
                comes_back::<C, _>(&NoBytes {
                    kind: PhantomData,
                    sets: (0..100).collect(),
                    nothing: (),
                    maps: (0..50).map(|n| (n, (0..n).map(inner).collect())).collect(),
                });
            }

            #[test]
            fn a_variant_that_decoding_does_not_know_is_refused() {
                let says = ["`Aliased::Kill`", "variant 3", "skip"];
                refused_in_debug::<C, _>(&Aliased::Kill, &says);
                refused_in_debug::<C, _>(&vec![(Aliased::Start, Aliased::Kill)], &says);
                comes_back::<C, _>(&Aliased::Start);
                refused_in_debug::<C, _>(&Aliased::Stop(1), &["`Aliased::Stop`"]);
            }

            #[test]
            fn a_variant_that_decoding_has_elsewhere_is_refused() {
                for level in [0, 1] {
                    let says = ["`Shifted::Level`", "skip"];
                    refused_in_debug::<C, _>(&Shifted::Level(level), &says);
                }
                // Its own code refuses to write that one: in all builds.
                assert!(encode::<C, _>(&SkippedWriting::Internal).is_err());
                comes_back::<C, _>(&SkippedWriting::Start);
                comes_back::<C, _>(&SkippedWriting::Stop);
            }

            #[test]
            fn code_that_panics_is_tried_once_in_a_thread() {
                for item in [Panics(None), Panics(Some(1)), Panics(None)] {
                    encode::<C, _>(&item).unwrap();
                }
                assert_eq!(PANICS.get(), u32::from(cfg!(debug_assertions)));
            }
        }
    };
}

codec!(postcard, Postcard);
#[cfg(feature = "bincode")]
codec!(bincode, queue_process::Bincode);
