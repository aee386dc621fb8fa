//! [`Identity`]: what a queue is, written once when it is created.
//!
//! It lies in shared memory, so whoever opens the queue copies it, checks the copy, and
//! never looks at the original again.

use super::engine::MOST;
use super::storage::corrupt;
use super::word::Word64;
use queue_core::sync::atomic::Ordering;
use queue_core::{Bound, Failure};

const MAGIC: u64 = u64::from_ne_bytes(*b"rqfamily");

/// Changes with the meaning of anything in shared memory.
const VERSION: u64 = 5;

/// The shared form: magic, version, kind, types, capacity (0: unbounded), item, memory.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Identity([Word64; 7]);

/// How much a queue takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How many items.
    pub(crate) bound: Bound,
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
        capacity.unwrap_or(MOST).min(MOST)
    }
}

impl Identity {
    /// Writes what the queue is.
    pub(crate) fn write(&self, kind: u32, types: u64, limits: &Limits) {
        let capacity = limits.bound.capacity().map_or(0, |n| n as u64);
        let words = [
            MAGIC,
            VERSION,
            kind.into(),
            types,
            capacity,
            limits.item.into(),
            limits.memory,
        ];
        for (word, value) in self.0.iter().zip(words) {
            // Relaxed: nobody else has the file yet.
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Its limits, if it is a queue of that kind and those types.
    ///
    /// # Errors
    /// `Corrupt`, saying what differs.
    pub(crate) fn read(&self, kind: u32, types: u64) -> Result<Limits, Failure> {
        // Relaxed: whoever handed us the file wrote it before.
        let words = self.0.each_ref().map(|word| word.load(Ordering::Relaxed));
        let [magic, version, its_kind, its_types, capacity, item, memory] = words;
        if magic != MAGIC {
            return Err(corrupt(
                "this is no queue, or one of another machine's layout",
            ));
        }
        if version != VERSION {
            return Err(corrupt("the queue is of another version"));
        }
        if its_kind != u64::from(kind) {
            return Err(corrupt("the queue is of another kind"));
        }
        if its_types != types {
            return Err(corrupt("the queue is of another item type or codec"));
        }
        let item = u32::try_from(item)
            .ok()
            .filter(|&item| item <= Limits::MAX_ITEM);
        let bound = match usize::try_from(capacity) {
            Ok(0) => Some(Bound::Unbounded),
            Ok(n) if n <= MOST as usize => Some(Bound::items(n)),
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

/// A number that two programs agree on if, as far as we can tell, they mean the same
/// items by the same bytes: the name of the item type, the codec, the size of a word.
pub(crate) fn types<T>(codec: &str) -> u64 {
    let word = size_of::<usize>() as u8;
    let bytes = std::any::type_name::<T>()
        .bytes()
        .chain([0xff])
        .chain(codec.bytes());
    // FNV-1a: no secrets here, and the same in every build.
    bytes
        .chain([0xff, word])
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_by_who_means_the_same() {
        let of = |bound| Limits {
            bound,
            item: 9,
            memory: 99,
        };
        let bounds = [1, MOST as usize].map(Bound::items);
        for bound in bounds.into_iter().chain([Bound::Unbounded]) {
            let identity = Identity::default();
            identity.write(2, 3, &of(bound));
            assert_eq!(identity.read(2, 3).unwrap(), of(bound));
            for (kind, types) in [(1, 3), (2, 4)] {
                let failure = identity.read(kind, types).unwrap_err();
                assert_eq!(failure.kind(), queue_core::FailureKind::Corrupt);
            }
        }
        let identity = Identity::default();
        identity.write(2, 3, &of(Bound::items(MOST as usize + 1)));
        assert!(identity.read(2, 3).is_err(), "no engine counts so far");
        assert_eq!(of(Bound::Unbounded).capacity(), MOST);
        assert_eq!(of(Bound::items(7)).capacity(), 7);
    }

    #[test]
    fn other_items_or_another_codec_are_other_types() {
        #[cfg(target_pointer_width = "64")]
        assert_eq!(
            types::<u8>("raw"),
            0x63c3_7166_03b2_4266,
            "as in every build"
        );
        assert_ne!(types::<u8>("raw"), types::<u8>("row"));
        assert_ne!(types::<u8>("raw"), types::<i8>("raw"));
        assert_ne!(types::<u8>("raw"), types::<u16>("raw"));
    }
}
