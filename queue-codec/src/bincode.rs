//! [`Bincode`]: for programs that already use it.

use super::Codec;
use super::convert::{self, Checked, Format, Unread, Unwritten};
use bincode::config::{self, Config};
use bincode::error::DecodeError;
use bincode::serde::DecodeError as SerdeError;
use queue_core::Failure;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Any serde type, in the format of [bincode](https://docs.rs/bincode) 2 with its
/// standard configuration (little-endian, variable-length numbers).
///
/// Behind the feature `bincode`. The format is frozen and the crate is no longer
/// maintained (RUSTSEC-2025-0141). Take it if another program already uses the format, and
/// [`Postcard`](super::Postcard) otherwise. What `Postcard`'s page says of serde's attributes, and of
/// types that contain themselves, holds here too.
///
/// A string or byte buffer whose length was forged makes it reserve, and not touch, 4 KiB or at
/// most 256 times the bytes that are there.
///
/// ```
/// use queue_codec::{Bincode, Codec};
/// let mut bytes = Vec::new();
/// Bincode::encode(&(1_u8, "one".to_string()), &mut bytes)?;
/// let (_, name): (u8, String) = Bincode::decode(&bytes)?;
/// assert_eq!(name, "one");
/// # Ok::<(), queue_core::Failure>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Bincode {}

impl<T: Serialize + DeserializeOwned> Codec<T> for Bincode {
    const NAME: &'static str = "bincode";

    #[inline]
    fn encode(item: &T, into: &mut Vec<u8>) -> Result<(), Failure> {
        convert::encode::<T, Self>("bincode", item, into)
    }

    fn decode(bytes: &[u8]) -> Result<T, Failure> {
        convert::decode::<T, Self>(bytes)
    }
}

impl Format for Bincode {
    type Error = DecodeError;

    #[inline]
    fn write<T: Serialize>(item: Checked<&T>, into: &mut Vec<u8>) -> Result<(), Unwritten> {
        bincode::serde::encode_into_std_write(item, into, config::standard())?;
        Ok(())
    }

    fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), Self::Error> {
        decode_limited(bytes).map(|(item, read)| (item, bytes.len() - read))
    }

    fn unread(error: &Self::Error) -> Unread {
        match error {
            DecodeError::Serde(
                SerdeError::AnyNotSupported
                | SerdeError::IdentifierNotSupported
                | SerdeError::IgnoredAnyNotSupported,
            ) => Unread::Description,
            DecodeError::OtherString(_) => Unread::Item,
            _ => Unread::Bytes,
        }
    }
}

/// Decodes within a limit that no true item reaches, for bincode allocates what a length
/// claims before it looks whether that is there.
///
/// bincode counts a number as large as it is in memory, up to 16 bytes for one byte read
/// (`u128`), so the limit must be 16 times the bytes at hand; and it is a constant of the
/// type, so there is one for each power of 16.
fn decode_limited<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), DecodeError> {
    fn decode<T: DeserializeOwned>(
        bytes: &[u8],
        config: impl Config,
    ) -> Result<(T, usize), DecodeError> {
        bincode::serde::decode_from_slice(bytes, config)
    }
    /// As large as one item may be counted whose count has so many binary digits.
    const fn limit(digits: u32) -> usize {
        match 1usize.checked_shl(digits) {
            Some(limit) => limit,
            None => usize::MAX,
        }
    }
    let standard = config::standard();
    let most = bytes.len().saturating_mul(16);
    match usize::BITS - most.leading_zeros() {
        0..=12 => decode(bytes, standard.with_limit::<{ limit(12) }>()),
        13..=16 => decode(bytes, standard.with_limit::<{ limit(16) }>()),
        17..=20 => decode(bytes, standard.with_limit::<{ limit(20) }>()),
        21..=24 => decode(bytes, standard.with_limit::<{ limit(24) }>()),
        25..=28 => decode(bytes, standard.with_limit::<{ limit(28) }>()),
        29..=32 => decode(bytes, standard.with_limit::<{ limit(32) }>()),
        33..=36 => decode(bytes, standard.with_limit::<{ limit(36) }>()),
        _ => decode(bytes, standard.with_limit::<{ limit(44) }>()),
    }
}
