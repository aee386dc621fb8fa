//! [`Raw`]: bytes as they are.

use super::Codec;
use queue_core::Failure;

/// Moves a `Vec<u8>` as it is: the bytes in the queue are those that were pushed.
///
/// ```
/// use queue_codec::{Codec, Raw};
/// let mut bytes = b"already here, ".to_vec();
/// Raw::encode(&b"appended".to_vec(), &mut bytes)?;
/// assert_eq!(bytes, b"already here, appended");
/// # Ok::<(), queue_core::Failure>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Raw {}

impl Codec<Vec<u8>> for Raw {
    const NAME: &'static str = "raw";

    #[inline]
    fn encode(item: &Vec<u8>, into: &mut Vec<u8>) -> Result<(), Failure> {
        into.extend_from_slice(item);
        Ok(())
    }

    #[inline]
    fn decode(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(bytes.to_vec())
    }

    #[inline]
    fn with_bytes<R>(
        item: &Vec<u8>,
        _: &mut Vec<u8>,
        f: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, Failure> {
        Ok(f(item))
    }

    #[inline]
    fn decode_from(bytes: &mut Vec<u8>) -> Result<Vec<u8>, Failure> {
        if bytes.capacity() / 2 > bytes.len() {
            // Grown for others; the item would carry that room along.
            return Self::decode(bytes);
        }
        Ok(std::mem::take(bytes))
    }
}
