//! [`Types`]: what a program says of the items of a queue, so that two which mean others do not
//! share one.

use crate::codec::Codec;
use queue_core::{Failure, FailureKind};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What the items of a queue are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Types {
    /// The name of their type.
    pub(crate) item: Cow<'static, str>,
    /// The name of the codec.
    pub(crate) codec: Cow<'static, str>,
    /// How many bits a word has in the program.
    pub(crate) word: u32,
}

impl Types {
    /// Items of type `T` by the codec `C`, in this program.
    pub(crate) fn of<T, C: Codec<T>>() -> Self {
        Self {
            item: C::item_name().into(),
            codec: C::NAME.into(),
            word: usize::BITS,
        }
    }

    /// A number that two programs agree on if, as far as we can tell, they mean the same items by
    /// the same bytes.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(crate) fn number(&self) -> u64 {
        let item = self.item.bytes().chain([0xff]);
        let bytes = item.chain(self.codec.bytes()).chain([0xff]);
        // FNV-1a: no secrets here, and the same in every build.
        bytes
            .chain([(self.word / 8) as u8])
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            })
    }

    /// The failure of a program of these types that opened a queue of `found`.
    #[cold]
    pub(crate) fn mismatch(&self, found: &Self) -> Failure {
        let (item, codec, word) = (&self.item, &self.codec, self.word);
        let what_to_do = if found.word != word {
            "build both programs for the same word size"
        } else if found.codec != *codec {
            "name the same codec in both programs"
        } else {
            "types are told apart by their full name, with crate and module: define the item in \
             one library that both programs use, or give it the same name in both by a codec of \
             your own (`Codec::item_name`)"
        };
        let message = format!(
            "the queue has items of type `{}` by the codec `{}`, in programs with words of {} bits; \
             this program opened it for `{item}` by `{codec}`, with words of {word} bits: \
             {what_to_do}",
            found.item, found.codec, found.word,
        );
        Failure::new(FailureKind::Mismatch, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Raw;

    fn types(item: &'static str, codec: &'static str, word: u32) -> Types {
        Types {
            item: item.into(),
            codec: codec.into(),
            word,
        }
    }

    #[test]
    fn other_items_another_codec_or_word_are_other_types() {
        let own = types("u8", "raw", 64);
        assert_eq!(own.number(), 0x63c3_7166_03b2_4266, "as in every build");
        for other in [
            types("i8", "raw", 64),
            types("u16", "raw", 64),
            types("u8", "row", 64),
            types("u8", "raw", 32),
        ] {
            assert_ne!(own.number(), other.number());
        }
        let bytes = Types::of::<Vec<u8>, Raw>();
        assert_eq!(
            (&*bytes.item, &*bytes.codec),
            ("alloc::vec::Vec<u8>", "raw")
        );
    }

    #[test]
    fn a_mismatch_names_both_and_says_what_to_do() {
        let own = types("b::Job", "postcard", 64);
        for (found, what_to_do) in [
            (
                types("a::Job", "postcard", 64),
                "one library that both programs use",
            ),
            (types("b::Job", "bincode", 64), "the same codec"),
            (types("b::Job", "postcard", 32), "the same word size"),
        ] {
            let failure = own.mismatch(&found);
            assert_eq!(failure.kind(), FailureKind::Mismatch);
            let text = failure.to_string();
            for part in [
                &*found.item,
                &*found.codec,
                "b::Job",
                "postcard",
                "64 bits",
                what_to_do,
            ] {
                assert!(text.contains(part), "{text}: {part}");
            }
            assert!(text.contains(&format!("{} bits", found.word)), "{text}");
        }
    }
}
