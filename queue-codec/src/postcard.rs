//! [`Postcard`]: the default codec.

use super::Codec;
use super::convert::{self, Checked, Format, Unread, Unwritten};
use postcard::ser_flavors::Flavor;
use queue_core::Failure;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The default codec: any serde type, in [postcard](https://docs.rs/postcard)'s compact
/// binary format.
///
/// Numbers take as few bytes as they need, there are no field names and no padding, and
/// nothing depends on the machine's byte order. Both sides need the same type.
///
/// serde has a `Vec<u8>` written and read byte by byte: some 0.7 ns for each, both ways. The codec
/// [`Raw`](crate::Raw), or a `ByteBuf` of [serde_bytes](https://docs.rs/serde_bytes) as a part of an
/// item, copies them at once: 4 KiB in a thirtieth of the time.
///
/// # What serde's attributes it cannot carry
///
/// The format does not describe itself: it counts fields and variants instead of naming them.
/// A push of an item that it cannot carry fails and hands the item back, for some attributes in every
/// build, for others in debug builds (where `queue-process` has `debug_assertions`). A debug build
/// decodes what it encoded, whenever a type, a variant or another part of an item of up to 1 MiB is
/// new to the thread. So a test of your own that pushes each variant finds the fault. An item with a
/// queue in it is not decoded, because that would take the queue.
///
/// | attribute | debug builds | release builds |
/// |---|---|---|
/// | `rename`, `rename_all`, `alias`, `default`, `deny_unknown_fields` | carried: names are not written | the same |
/// | `with` and its like, `transparent`, `from`, `try_from`, `into`, `remote`, `getter` | carried, if both ways agree on the bytes | the same |
/// | `skip` on a field | carried: it comes back as its default | the same |
/// | `skip_serializing` or `skip_deserializing` on a field, one without the other | refused, unless the field has no bytes | the pop fails, or fields take each other's values |
/// | `skip_serializing_if` | refused where it skips the field | the same |
/// | `skip`, `skip_serializing` on a variant | that variant is refused | the same |
/// | `skip`, `skip_deserializing` on a variant | those behind it are refused too | their pop fails, or gives another variant |
/// | `other` on a variant | carried | the same |
/// | `flatten`, and a sequence or map without a length | refused | the same |
/// | `tag`, `tag` with `content`, `untagged`, and types such as `serde_json::Value` | refused | the pop fails; a struct with a `tag` may come back as another |
/// | `borrow` | does not compile: an item owns what it has | the same |
///
/// If the item's own code refuses the item as it is read, as a `try_from` or a `NonZero` may, the
/// pop fails, in debug builds too, because the code may mean that one item. The same holds if the
/// code panics. In debug builds the push prints the panic's message too, once in each thread.
///
/// A type that contains itself (a list, a tree) is decoded as deep as its bytes go, on
/// the stack of the thread that pops. Don't take such items from a process that you do
/// not trust.
///
/// ```
/// use queue_codec::{Codec, Postcard};
/// let mut bytes = Vec::new();
/// Postcard::encode(&(7u64, "seven".to_string()), &mut bytes)?;
/// assert_eq!(bytes.len(), 7);
/// let back: (u64, String) = Postcard::decode(&bytes)?;
/// assert_eq!(back.1, "seven");
/// # Ok::<(), queue_core::Failure>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Postcard {}

impl<T: Serialize + DeserializeOwned> Codec<T> for Postcard {
    const NAME: &'static str = "postcard";

    #[inline]
    fn encode(item: &T, into: &mut Vec<u8>) -> Result<(), Failure> {
        convert::encode::<T, Self>("postcard", item, into)
    }

    #[inline]
    fn decode(bytes: &[u8]) -> Result<T, Failure> {
        convert::decode::<T, Self>(bytes)
    }
}

impl Format for Postcard {
    type Error = postcard::Error;

    #[inline]
    fn write<T: Serialize>(item: Checked<&T>, into: &mut Vec<u8>) -> Result<(), Unwritten> {
        Ok(postcard::serialize_with_flavor(&item, Append(into))?)
    }

    #[inline]
    fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), Self::Error> {
        postcard::take_from_bytes(bytes).map(|(item, rest)| (item, rest.len()))
    }

    fn unread(error: &Self::Error) -> Unread {
        match error {
            postcard::Error::WontImplement => Unread::Description,
            postcard::Error::SerdeDeCustom => Unread::Item,
            _ => Unread::Bytes,
        }
    }
}

/// Up to how many bytes are put together before they are appended: more than a number has,
/// mostly. A number was just written byte by byte; read in larger pieces, as the general
/// copy does, it makes the processor wait until those writes, and all before them, have
/// reached the cache, and the latest of them went to a line that another core had.
const MAX_COPIED_BY_BYTES: usize = 8;

/// Appends what is serialized to a vector that is not its own.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.extend([byte]); // Fewer instructions than `push`.
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if let [byte] = *bytes {
            self.try_push(byte)?; // Lengths and variants, mostly.
        } else if bytes.len() <= MAX_COPIED_BY_BYTES {
            let word = (bytes.iter().rev()).fold(0, |word, &byte| word << 8 | u64::from(byte));
            let end = self.0.len() + bytes.len();
            self.0.extend_from_slice(&word.to_le_bytes());
            self.0.truncate(end);
        } else {
            self.0.extend_from_slice(bytes);
        }
        Ok(())
    }

    #[inline]
    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
