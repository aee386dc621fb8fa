//! Each attribute of serde's that can change what is written, as the codec's page lists them.

use super::{comes_back, encode, refused, refused_in_debug};
use queue_process::{Codec, Postcard};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::time::Duration;

/// Those of a container and of a field that leave the bytes alone, or change both ways alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    rename_all = "UPPERCASE",
    rename = "Other"
)]
struct Alike {
    #[serde(rename = "y", alias = "x")]
    renamed: u8,
    #[serde(rename(serialize = "out", deserialize = "in"))]
    renamed_apart: u8,
    #[serde(default)]
    default: u8,
    #[serde(skip)]
    skip: u8,
    #[serde(skip_serializing, skip_deserializing)]
    both: u8,
    #[serde(with = "text")]
    with: u16,
    #[serde(
        serialize_with = "text::serialize",
        deserialize_with = "text::deserialize"
    )]
    with_either: u16,
    transparent: Transparent,
    through: Through,
    #[serde(with = "SpanDef")]
    remote: Span,
}

/// A number as text.
mod text {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(n: &u16, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(n)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Transparent {
    inner: Vec<u8>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "(u8, u8)", try_from = "(u8, u8)")]
struct Through {
    low: u8,
    high: u8,
}

impl From<Through> for (u8, u8) {
    fn from(it: Through) -> Self {
        (it.low, it.high)
    }
}

impl TryFrom<(u8, u8)> for Through {
    type Error = &'static str;

    fn try_from((low, high): (u8, u8)) -> Result<Self, Self::Error> {
        match low <= high {
            true => Ok(Self { low, high }),
            false => Err("upside down"),
        }
    }
}

/// Of another crate, say.
#[derive(Clone, Debug, Default, PartialEq)]
struct Span(Duration);

impl Span {
    fn secs(&self) -> u64 {
        self.0.as_secs()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Span")]
struct SpanDef {
    #[serde(getter = "Span::secs")]
    secs: u64,
}

impl From<SpanDef> for Span {
    fn from(it: SpanDef) -> Self {
        Self(Duration::from_secs(it.secs))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum WithOther {
    Known,
    #[serde(other)]
    Other,
}

/// Decoding takes what it does not know for the last one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum OtherBehind {
    Known,
    #[serde(skip)]
    #[allow(dead_code)]
    Internal,
    Late,
    Full(u8),
    #[serde(other)]
    Other,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum PartlyUntagged {
    Known,
    #[serde(untagged)]
    Number(u8),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
struct TaggedStruct {
    x: u8,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FlatMap {
    id: u8,
    #[serde(flatten)]
    rest: std::collections::BTreeMap<String, u8>,
}

/// No item may borrow: `borrow` is for an owner that may hold either, and owns what it reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct MayBorrow {
    text: std::borrow::Cow<'static, str>,
}

macro_rules! codec {
    ($name:ident, $codec:ty) => {
        mod $name {
            use super::*;
            type C = $codec;

            #[test]
            fn what_changes_both_ways_alike_comes_back() {
                let item = Alike {
                    renamed: 1,
                    renamed_apart: 2,
                    default: 3,
                    with: 777,
                    with_either: 999,
                    transparent: Transparent { inner: vec![4, 5] },
                    through: Through { low: 6, high: 7 },
                    remote: Span(Duration::from_secs(8)),
                    ..Alike::default()
                };
                comes_back::<C, _>(&item);
                comes_back::<C, _>(&vec![(item.clone(), Some(item))]);
                comes_back::<C, _>(&MayBorrow { text: "x".into() });
            }

            #[test]
            fn a_skipped_field_comes_back_as_its_default() {
                let item = Alike {
                    skip: 1,
                    both: 2,
                    ..Alike::default()
                };
                let bytes = encode::<C, _>(&item).unwrap();
                assert_eq!(<C as Codec<Alike>>::decode(&bytes), Ok(Alike::default()));
            }

            #[test]
            fn what_the_own_code_of_an_item_refuses_is_told_by_the_pop() {
                let bytes = encode::<C, _>(&Through { low: 2, high: 1 }).unwrap();
                assert!(<C as Codec<Through>>::decode(&bytes).is_err());
            }

            #[test]
            fn other_takes_what_is_not_known() {
                comes_back::<C, _>(&WithOther::Known);
                comes_back::<C, _>(&WithOther::Other);
                comes_back::<C, _>(&OtherBehind::Known);
                comes_back::<C, _>(&OtherBehind::Other);
                refused_in_debug::<C, _>(&OtherBehind::Late, &["`OtherBehind::Late`", "move"]);
                refused_in_debug::<C, _>(&OtherBehind::Full(1), &["`OtherBehind::Full`", "move"]);
            }

            #[test]
            fn an_untagged_variant_is_refused() {
                refused_in_debug::<C, _>(&PartlyUntagged::Known, &["untagged"]);
                refused_in_debug::<C, _>(&PartlyUntagged::Number(1), &["untagged"]);
            }

            #[test]
            fn a_tag_on_a_struct_is_refused() {
                refused_in_debug::<C, _>(&TaggedStruct { x: 1 }, &["TaggedStruct"]);
            }

            #[test]
            fn a_flattened_map_is_refused() {
                let item = FlatMap {
                    id: 1,
                    rest: [("x".into(), 1)].into(),
                };
                refused::<C, _>(&item, &["flatten"]);
            }
        }
    };
}

codec!(postcard, Postcard);
#[cfg(feature = "bincode")]
codec!(bincode, queue_process::Bincode);
