//! A handle inside a message: `Serialize` and `Deserialize`.
//!
//! A message is bytes, and may be received by any process and at any time. So it holds only a random
//! token. By that a thread of the sender has the queue ready for the process that receives the
//! message. Until the queue is fetched the thread takes part
//! in it in the receiver's place, so the sender may drop its own handle at once.

use super::fd_bundle::FdBundle;
use super::server::{Server, connect, message_address};
use super::socket::{PEER_TIMEOUT, receive, send};
use crate::codec::{Codec, QUEUE_HANDLE, keep_unread};
use crate::linux::membership::member::LinuxMembership;
use crate::linux::membership::registry::Sides;
use crate::linux::queue::header::Header;
use crate::linux::queue::linux_queue::LinuxQueue;
use crate::linux::queue::open::{Shareable, register};
use crate::sys::{Mapping, refused};
use queue_core::{Failure, FailureKind};
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// How long a queue inside a message is kept ready.
const RETAINED_FOR: Duration = Duration::from_secs(60);

/// Takes part in a queue and does nothing.
struct KeepAlive {
    mapping: Arc<Mapping>,
    membership: LinuxMembership,
}

impl KeepAlive {
    fn new(mapping: &Arc<Mapping>, sides: Sides) -> Result<Self, Failure> {
        let mut membership = register(mapping, sides)?;
        (membership.close_inheritable_on_fork())
            .map_err(|e| refused("cannot take part in the queue", e))?;
        Ok(Self {
            mapping: Arc::clone(mapping),
            membership,
        })
    }
}

impl Drop for KeepAlive {
    fn drop(&mut self) {
        // If it was the last one of a side, the others notice that they are alone.
        Header::of(&self.mapping)
            .registry
            .release_entry(&self.membership);
    }
}

impl<T, C: Codec<T>, S: Shareable> LinuxQueue<T, C, S> {
    /// Makes the queue ready to be fetched, once: the token that says where.
    fn to_message(&self) -> Result<String, Failure> {
        let half = self.restrict(None)?;
        let bundle = FdBundle::pack(&self.fds(), half)?;
        let keep_alive = KeepAlive::new(self.mapping(), Sides::of_half(half))?;
        let mut token = [0; 16];
        getrandom(&mut token, GetRandomFlags::empty())
            .map_err(|e| refused("cannot draw a name for a queue", e))?;
        let token = format!("{:032x}", u128::from_ne_bytes(token));
        Server::detached(
            &message_address(&token)?,
            RETAINED_FOR,
            move |mut stream| {
                // Moved in here, for as long as the thread lives.
                let _ = &keep_alive;
                if send(&stream, &bundle).is_err() {
                    return ControlFlow::Continue(());
                }
                // It hangs up when it takes part itself.
                let _ = stream.set_read_timeout(Some(PEER_TIMEOUT));
                let _ = stream.read(&mut [0]);
                ControlFlow::Break(())
            },
        )?;
        Ok(token)
    }

    /// The queue that `token` says where to fetch.
    fn from_message(token: &str) -> Result<Self, Failure> {
        let gone = || {
            let message = "the queue in a message was fetched before, or not within a minute, or its sender died";
            Failure::new(FailureKind::PeerGone, message)
        };
        let stream = connect(&message_address(token)?, gone)?;
        let FdBundle { header, fds } =
            receive(&stream).map_err(|failure| match failure.kind() {
                // Somebody else has just fetched it.
                FailureKind::PeerGone => gone(),
                _ => failure,
            })?;
        Self::open(fds, header.half)
    }
}

/// For a message to another process, through `ipc-channel`, another queue or anything else. The
/// message says where to fetch the queue. It can be fetched once, by a process
/// of the same user, within a minute and while the sender lives: an item with a queue in it is for `pop`, for
/// a delivery of it that comes back does not decode again. Until it is fetched it
/// counts as a handle, with a thread and descriptors of its own, also if the message
/// is not sent, or comes back from a queue that is full.
impl<T: Send, C: Codec<T>, S: Shareable> Serialize for LinuxQueue<T, C, S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let text = self.to_message().map_err(ser::Error::custom)?;
        serializer.serialize_newtype_struct(QUEUE_HANDLE, &text)
    }
}

/// Fetches the queue. A message can be read once, within a minute.
impl<'de, T: Send, C: Codec<T>, S: Shareable> Deserialize<'de> for LinuxQueue<T, C, S> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "queue_process::LinuxQueue")]
        struct Handle(String);
        let Handle(text) = Handle::deserialize(from)?;
        Self::from_message(&text).map_err(|why| {
            keep_unread(text, why.to_string());
            de::Error::custom(why)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ShmQueue;
    use std::time::Instant;

    #[test]
    fn who_kept_a_queue_for_a_message_gives_its_place_back() {
        let queue = ShmQueue::<u8>::bounded(1);
        let text = queue.to_message().unwrap();
        let fetched = ShmQueue::<u8>::from_message(&text).unwrap();
        let memory = queue.mapping();
        let registry = &Header::of(memory).registry;
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let next = registry.register(memory.file(), Sides::BOTH).unwrap();
            registry.release_entry(&next);
            match next.owner() & 0xff {
                // Between the queue's and that of the fetched one.
                1 => break,
                other => assert!(
                    Instant::now() < deadline,
                    "{other} is the first that is free"
                ),
            }
        }
        drop(fetched);
    }
}
