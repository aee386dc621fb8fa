//! [`Postcard`]: the default codec.

use super::{Codec, left_over};
use postcard::ser_flavors::Flavor;
use queue_core::{Failure, FailureKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The default codec: any serde type, in [postcard](https://docs.rs/postcard)'s compact
/// binary format.
///
/// Numbers take as few bytes as they need, there are no field names and no padding, and
/// nothing depends on the machine's byte order or word size. Both sides need the same
/// type: the format does not describe itself, so `#[serde(untagged)]`,
/// `#[serde(flatten)]` and types such as `serde_json::Value` do not come back, and a
/// sequence must know its length beforehand.
///
/// A type that contains itself (a list, a tree) is decoded as deep as its bytes go, on
/// the stack of the thread that pops: don't take such items from a process that you do
/// not trust.
///
/// ```
/// use queue_process::{Codec, Postcard};
/// let mut bytes = Vec::new();
/// Postcard::encode(&(7u64, "seven".to_string()), &mut bytes)?;
/// assert_eq!(bytes.len(), 7);
/// let back: (u64, String) = Postcard::decode(&bytes)?;
/// assert_eq!(back.1, "seven");
/// # Ok::<(), queue_process::Failure>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Postcard {}

impl<T: Serialize + DeserializeOwned> Codec<T> for Postcard {
    const NAME: &'static str = "postcard";

    #[inline]
    fn encode(item: &T, into: &mut Vec<u8>) -> Result<(), Failure> {
        postcard::serialize_with_flavor(item, Append(into)).map_err(|error| {
            Failure::caused(FailureKind::Codec, "the item does not serialize", error)
        })
    }

    #[inline]
    fn decode(bytes: &[u8]) -> Result<T, Failure> {
        match postcard::take_from_bytes(bytes) {
            Ok((item, [])) => Ok(item),
            Ok((_, rest)) => Err(left_over(rest.len())),
            Err(error) => {
                let message = "the bytes are not those of an item";
                Err(Failure::caused(FailureKind::Codec, message, error))
            }
        }
    }
}

/// Up to how many bytes are put together before they are appended: more than a number has,
/// mostly. A number was just written byte by byte; read in larger pieces, as the general
/// copy does, it makes the processor wait until those writes, and all before them, have
/// reached the cache, and the latest of them went to a line that another core had.
const FEW: usize = 8;

/// Appends what is serialized to a vector that is not its own.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    #[inline(always)]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline(always)]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if bytes.len() <= FEW {
            let word = (bytes.iter().rev()).fold(0, |word, &byte| word << 8 | u64::from(byte));
            let end = self.0.len() + bytes.len();
            self.0.extend_from_slice(&word.to_le_bytes());
            self.0.truncate(end);
        } else {
            self.0.extend_from_slice(bytes);
        }
        Ok(())
    }

    #[inline(always)]
    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
