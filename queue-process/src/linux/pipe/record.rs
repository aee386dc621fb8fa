//! [`Record`]: what goes through the pipe for each item.
//!
//! All records have 64 bytes. That divides a page, so the kernel never tears one, and
//! how many are in the pipe follows from how many bytes are. A small item rides inside;
//! of a larger one the record says where its bytes lie.

/// The bytes of a record on the wire.
pub(super) const SIZE: usize = 64;

/// An item of up to so many bytes rides inside its record.
pub(super) const MAX_INLINE: usize = SIZE - HEADER;

const HEADER: usize = 8;

/// Tells a record with its item inside from one whose item lies elsewhere, and both
/// from zeros.
const INLINE_TAG: u32 = u32::from_le_bytes(*b"item");
const INDIRECT_TAG: u32 = u32::from_le_bytes(*b"at..");

/// Where the bytes of an item are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// These are they.
    Inline(&'a [u8]),
    /// So many, from granule `at` of the arena on.
    Indirect { at: u32, len: usize },
}

impl<'a> Record<'a> {
    /// The record on the wire.
    ///
    /// # Panics
    /// If an item inside is larger than [`MAX_INLINE`], or one elsewhere than `u32::MAX`.
    pub(super) fn encode(self) -> [u8; SIZE] {
        let mut wire = [0; SIZE];
        let (tag, len) = match self {
            Self::Inline(bytes) => {
                wire[HEADER..][..bytes.len()].copy_from_slice(bytes);
                (INLINE_TAG, bytes.len())
            }
            Self::Indirect { at, len } => {
                wire[HEADER..][..4].copy_from_slice(&at.to_le_bytes());
                (INDIRECT_TAG, len)
            }
        };
        let len = u32::try_from(len).expect("an item's limit fits 32 bits");
        wire[..4].copy_from_slice(&tag.to_le_bytes());
        wire[4..HEADER].copy_from_slice(&len.to_le_bytes());
        wire
    }

    /// The record that `wire` holds, or `None` if it is not one that [`encode`] wrote.
    ///
    /// [`encode`]: Self::encode
    pub(super) fn decode(wire: &'a [u8]) -> Option<Self> {
        let (tag, rest) = wire.split_first_chunk()?;
        let (len, body) = rest.split_first_chunk()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        match u32::from_le_bytes(*tag) {
            INLINE_TAG => Some(Self::Inline(body.get(..len)?)),
            INDIRECT_TAG => Some(Self::Indirect {
                at: u32::from_le_bytes(*body.first_chunk()?),
                len,
            }),
            _ => None,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(
            bytes in prop::collection::vec(any::<u8>(), 0..=MAX_INLINE),
            at: u32,
            len in 0..=u32::MAX as usize,
        ) {
            for record in [Record::Inline(&bytes), Record::Indirect { at, len }] {
                let wire = record.encode();
                prop_assert_eq!(Record::decode(&wire), Some(record));
            }
        }

        /// Any bytes are a record or none; no length leads out of the record.
        #[test]
        fn any_bytes_are_answered(
            mut wire in prop::collection::vec(any::<u8>(), 0..=2 * SIZE),
            tag in prop::option::of(prop::sample::select(vec![INLINE_TAG, INDIRECT_TAG])),
        ) {
            if let (Some(tag), true) = (tag, wire.len() >= HEADER) {
                wire[..4].copy_from_slice(&tag.to_le_bytes());
            }
            let _ = Record::decode(&wire);
        }
    }

    #[test]
    fn zeros_and_forged_lengths_are_no_record() {
        assert_eq!(Record::decode(&[0; SIZE]), None);
        assert_eq!(Record::decode(&[]), None);
        let mut wire = Record::Inline(b"abc").encode();
        assert_eq!(Record::decode(&wire[..HEADER + 2]), None, "cut off");
        wire[4..HEADER].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Record::decode(&wire), None, "longer than the record");
    }
}
