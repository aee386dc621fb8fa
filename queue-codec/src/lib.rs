//! [`Codec`]: how the items of a queue between processes or machines become bytes, and bytes items.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

/// The code of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(feature = "bincode")]
mod bincode;
mod convert;
mod postcard;
mod raw;
#[cfg(debug_assertions)]
mod round_trip;

#[cfg(feature = "bincode")]
pub use self::bincode::Bincode;
pub use self::postcard::Postcard;
pub use self::raw::Raw;
#[doc(hidden)]
pub use convert::{IPC_HANDLE, QUEUE_HANDLE, keep_unread};

use queue_core::Failure;

/// Turns items of type `T` into bytes and back.
///
/// A codec is a type without a value: it is the type parameter `C` of
/// `PipeQueue<T, C>` and its siblings, and its functions are called in whichever thread
/// pushes or pops.
///
/// | codec | items | take it when |
/// |---|---|---|
/// | [`Postcard`] | serde | by default: it is small and maintained |
/// | `Bincode` (feature `bincode`) | serde | other programs already use its (frozen) format |
/// | [`Raw`] | `Vec<u8>` | the items are bytes already |
///
/// # Writing one
///
/// ```
/// use queue_codec::Codec;
/// use queue_core::{Failure, FailureKind};
///
/// /// Big-endian numbers.
/// enum Network {}
///
/// impl Codec<u32> for Network {
///     const NAME: &'static str = "network";
///
///     fn encode(item: &u32, into: &mut Vec<u8>) -> Result<(), Failure> {
///         into.extend(item.to_be_bytes());
///         Ok(())
///     }
///
///     fn decode(bytes: &[u8]) -> Result<u32, Failure> {
///         let bytes = bytes
///             .try_into()
///             .map_err(|e| Failure::caused(FailureKind::Codec, "not four bytes", e))?;
///         Ok(u32::from_be_bytes(bytes))
///     }
/// }
///
/// let mut bytes = Vec::new();
/// Network::encode(&7, &mut bytes)?;
/// assert_eq!(bytes, [0, 0, 0, 7]);
/// assert_eq!(Network::decode(&bytes)?, 7);
/// # Ok::<(), Failure>(())
/// ```
pub trait Codec<T>: Send + Sync + 'static {
    /// Its name. Two processes that share a queue must agree on it; a process that opens
    /// the queue with a codec of another name is refused.
    const NAME: &'static str;

    /// The name of the items' type: two processes that share a queue must agree on it too, and
    /// one that opens the queue with another name is refused.
    ///
    /// It is the type's full name, with crate and module. Where two programs cannot take the
    /// type from one library, a codec of their own gives it the same name in both; one that
    /// changes whenever the type does also keeps old programs and new ones apart.
    ///
    /// ```
    /// use queue_codec::{Codec, Postcard};
    /// use queue_core::Failure;
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Job(u32);
    ///
    /// enum Jobs {}
    ///
    /// impl Codec<Job> for Jobs {
    ///     const NAME: &'static str = "postcard";
    ///     fn item_name() -> &'static str {
    ///         "job, version 2"
    ///     }
    ///     fn encode(item: &Job, into: &mut Vec<u8>) -> Result<(), Failure> {
    ///         Postcard::encode(item, into)
    ///     }
    ///     fn decode(bytes: &[u8]) -> Result<Job, Failure> {
    ///         Postcard::decode(bytes)
    ///     }
    /// }
    ///
    /// // `PipeQueue::<Job, Jobs>` carries these.
    /// assert_eq!(Jobs::item_name(), "job, version 2");
    /// ```
    fn item_name() -> &'static str {
        std::any::type_name::<T>()
    }

    /// Appends the bytes of `item` to `into`, whatever it already holds.
    ///
    /// # Errors
    /// [`FailureKind::Codec`](queue_core::FailureKind::Codec) if the item cannot be encoded. Bytes
    /// that were then appended to `into` mean nothing.
    fn encode(item: &T, into: &mut Vec<u8>) -> Result<(), Failure>;

    /// The item whose bytes these are, all of them.
    ///
    /// The bytes may come from a broken or a hostile process. For any bytes a codec returns
    /// an item or a failure. It does not panic, and it allocates in proportion to
    /// the bytes that are there, whatever lengths they claim.
    ///
    /// # Errors
    /// [`FailureKind::Codec`](queue_core::FailureKind::Codec) if they are not those of an
    /// item, or if some are left over.
    fn decode(bytes: &[u8]) -> Result<T, Failure>;

    /// Calls `f` with the bytes of `item`. `buffer` is empty, and there to be written to. A
    /// codec whose items are bytes in memory already need not use it.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    #[inline]
    fn with_bytes<R>(
        item: &T,
        buffer: &mut Vec<u8>,
        f: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, Failure> {
        Self::encode(item, buffer)?;
        Ok(f(buffer))
    }

    /// [`decode`](Self::decode) of bytes that nobody else needs. A codec whose items are
    /// their bytes may take the vector.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    #[inline]
    fn decode_from(bytes: &mut Vec<u8>) -> Result<T, Failure> {
        Self::decode(bytes)
    }
}
