//! [`Mutant`]: one change of one place, and its name.

use std::collections::HashMap;
use std::ops::Range;

/// One change of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// The name of the operator that found it.
    pub operator: &'static str,
    /// The file, relative to the root.
    pub file: String,
    /// The function, with the type that it belongs to. Empty for those of the list.
    pub function: String,
    /// The change in short: what stands there, and what becomes of it.
    pub change: String,
    /// The bytes of the file that are replaced.
    pub place: Range<usize>,
    /// What stands there.
    pub original: String,
    /// What they are replaced by.
    pub replacement: String,
    /// Which one it is of those that are otherwise named the same, from 1. 0 if it is alone.
    pub number: usize,
}

impl Mutant {
    /// Names it for as long as its function and the text that it changes stay the same,
    /// wherever in the file that stands.
    pub fn id(&self) -> String {
        let mut id = format!("{}: ", self.file);
        if !self.function.is_empty() {
            id += &format!("{}: ", self.function);
        }
        id += &format!("{}: {}", self.operator, self.change);
        if self.number > 0 {
            id += &format!(" #{}", self.number);
        }
        id
    }

    /// The id in ten digits.
    pub fn key(&self) -> String {
        key(&self.id())
    }

    /// `text`, the file's, with this change.
    pub fn apply(&self, text: &str) -> String {
        let Range { start, end } = self.place;
        format!("{}{}{}", &text[..start], self.replacement, &text[end..])
    }

    /// `text`, that of [`apply`](Self::apply), as it was before.
    pub fn take_back(&self, text: &str) -> String {
        let start = self.place.start;
        let end = start + self.replacement.len();
        format!("{}{}{}", &text[..start], self.original, &text[end..])
    }
}

/// `id` in ten digits.
pub fn key(id: &str) -> String {
    format!("{:010x}", hash(id.bytes()) >> 24)
}

/// FNV-1a with a last stirring: the same for ever, unlike the standard library's.
pub(crate) fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// Numbers those mutants that would have the same name.
pub(crate) fn number_repeated(mutants: &mut [Mutant]) {
    let mut seen: HashMap<String, Vec<usize>> = HashMap::new();
    for (n, mutant) in mutants.iter_mut().enumerate() {
        mutant.number = 0;
        seen.entry(mutant.id()).or_default().push(n);
    }
    for same in seen.into_values().filter(|same| same.len() > 1) {
        for (number, n) in (1..).zip(same) {
            mutants[n].number = number;
        }
    }
}
