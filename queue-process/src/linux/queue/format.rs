//! [`Format`]: what a queue is, written once when it is created.
//!
//! It lies in shared memory, so whoever opens the queue copies it, checks the copy, and
//! never looks at the original again.

use crate::linux::engine::MAX_ITEMS;
use crate::sys::{Word64, corrupt, shared_safe};
use crate::types::Types;
use queue_core::sync::atomic::Ordering;
use queue_core::{Capacity, Failure, FailureKind};
use std::borrow::Cow;

const MAGIC: u64 = u64::from_ne_bytes(*b"rqfamily");

/// Changes with the meaning of anything in shared memory.
const VERSION: u64 = 8;

/// The shared form: magic, version, kind, types, capacity (0: unbounded), item, memory, bits of a
/// word; and the names of codec and item type, as far as there is room, to be told to people.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Format {
    words: [Word64; 8],
    names: [[Word64; 32]; 2],
}

shared_safe! { Format { words, names } }

/// How much a queue takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How many items.
    pub(crate) bound: Capacity,
    /// How many bytes one item may have.
    pub(crate) item: u32,
    /// How many bytes the storage may take.
    pub(crate) memory: u64,
}

impl Limits {
    /// The largest item that can be allowed: 1 GiB.
    pub(crate) const MAX_ITEM: u32 = 1 << 30;

    /// The capacity as the engine takes it.
    pub(crate) fn capacity(&self) -> u32 {
        let capacity = self.bound.capacity().and_then(|n| u32::try_from(n).ok());
        capacity.unwrap_or(MAX_ITEMS).min(MAX_ITEMS)
    }
}

impl Format {
    /// Writes what the queue is.
    pub(crate) fn write(&self, kind: u32, types: &Types, limits: &Limits) {
        let capacity = limits.bound.capacity().map_or(0, |n| n as u64);
        let words = [
            MAGIC,
            VERSION,
            kind.into(),
            types.number(),
            capacity,
            limits.item.into(),
            limits.memory,
            types.word.into(),
        ];
        let names = format!("{}\n{}", types.codec, types.item);
        let names = names.as_bytes().chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        });
        let own = self.words.iter().zip(words);
        for (word, value) in own.chain(self.names.as_flattened().iter().zip(names)) {
            // Relaxed: nobody else has the file yet.
            word.store(value, Ordering::Relaxed);
        }
    }

    /// What it says of its items, for people to read.
    pub(super) fn types(&self) -> Types {
        let mut names = Vec::new();
        for word in self.names.as_flattened() {
            // Relaxed: as in `read`.
            names.extend(word.load(Ordering::Relaxed).to_ne_bytes());
        }
        let end = names.iter().position(|&byte| byte == 0);
        names.truncate(end.unwrap_or(names.len()));
        // What somebody wrote there is shown as text, and not as what a terminal obeys.
        let names = String::from_utf8_lossy(&names);
        let (codec, item) = names.split_once('\n').unwrap_or_default();
        let shown = |name: &str| Cow::Owned(name.escape_debug().to_string());
        Types {
            item: shown(item),
            codec: shown(codec),
            word: self.words[7].load(Ordering::Relaxed) as u32,
        }
    }

    /// Its limits, if it is a queue of that kind and those types.
    ///
    /// # Errors
    /// `Mismatch` or `Corrupt`, saying what differs.
    pub(crate) fn read(&self, kind: u32, types: &Types) -> Result<Limits, Failure> {
        // Relaxed: whoever handed us the file wrote it before.
        let words = (self.words.each_ref()).map(|word| word.load(Ordering::Relaxed));
        let [
            magic,
            version,
            its_kind,
            its_types,
            capacity,
            item,
            memory,
            _,
        ] = words;
        if magic != MAGIC {
            return Err(corrupt(
                "this is no queue, or one of another machine's layout",
            ));
        }
        if version != VERSION {
            return Err(mismatch(&format!(
                "the queue is of version {version}, and not {VERSION}: build both programs with the same \
                 queue-process"
            )));
        }
        if its_kind != u64::from(kind) {
            return Err(mismatch(&format!(
                "the queue is a {}, and not a {}: name the same kind in both programs",
                kind_name(its_kind),
                kind_name(kind.into()),
            )));
        }
        if its_types != types.number() {
            return Err(types.mismatch(&self.types()));
        }
        let item = u32::try_from(item)
            .ok()
            .filter(|&item| item <= Limits::MAX_ITEM);
        let bound = match usize::try_from(capacity) {
            Ok(0) => Some(Capacity::Unbounded),
            Ok(n) if n <= MAX_ITEMS as usize => Some(Capacity::bounded(n)),
            _ => None,
        };
        let (Some(item), Some(bound)) = (item, bound) else {
            return Err(corrupt("the limits of the queue make no sense"));
        };
        Ok(Limits {
            bound,
            item,
            memory,
        })
    }
}

/// The kind of that number.
fn kind_name(kind: u64) -> &'static str {
    match kind {
        1 => "ShmQueue",
        2 => "PipeQueue",
        _ => "queue of an unknown kind",
    }
}

/// The failure of a queue that is in order, and another than was expected.
#[cold]
fn mismatch(what: &str) -> Failure {
    Failure::new(FailureKind::Mismatch, what)
}
