//! A handle inside a message of `ipc-channel`: `Serialize` and `Deserialize`.

use super::IpcQueue;
use super::wire::Ticket;
use crate::codec::{Codec, IPC_HANDLE};
use crate::unwind::catch_panic;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// Only into a message that is sent with `ipc-channel`: a handle has parts that no other
/// format can carry. Whoever receives it has a handle like this one. An item that holds one is
/// refused by this crate's codecs, and so by every queue between processes. (Into other
/// formats it goes as well, for that cannot be seen here, but does not come out again; and
/// until this thread ends it counts as a handle.)
///
/// ```
/// use ipc_channel::ipc;
/// use queue_process::{IpcQueue, Queue};
///
/// let jobs = IpcQueue::<u32>::bounded(8);
/// let (sender, receiver) = ipc::channel()?;
/// sender.send(jobs.clone())?;
/// // In this or any other process:
/// let same: IpcQueue<u32> = receiver.recv()?;
/// same.push(7)?;
/// assert_eq!(jobs.pop()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<T: Send, C: Codec<T>> Serialize for IpcQueue<T, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // By this name the codecs know it, and refuse it.
        serializer.serialize_newtype_struct(IPC_HANDLE, &Handle(self))
    }
}

/// What becomes a ticket when it is serialized.
struct Handle<'a, T, C>(&'a IpcQueue<T, C>);

impl<T: Send, C: Codec<T>> Serialize for Handle<'_, T, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ticket = self.0.ticket().map_err(ser::Error::custom)?;
        ticket.serialize(serializer)
    }
}

/// Only from a message that was sent with `ipc-channel`. Fails if the handle was that
/// of a queue of another item type, codec or version.
impl<'de, T: Send, C: Codec<T>> Deserialize<'de> for IpcQueue<T, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ticket = catch_panic(|| Ticket::deserialize(deserializer));
        let ticket = ticket.ok_or_else(|| {
            de::Error::custom("not a message of ipc-channel, or not all descriptors came with it")
        })??;
        Self::admit(ticket).map_err(de::Error::custom)
    }
}
