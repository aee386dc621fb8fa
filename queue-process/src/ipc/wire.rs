//! What a host and its guests say to each other.
//!
//! A guest asks, the host answers, one exchange at a time on a line. A third channel
//! carries the host's calls ("it is worth trying again"), for who sleeps. What needs no message
//! goes by [words](super::shared_rings).

use crate::types::Types;
use ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender, IpcReceiver, IpcSender, IpcSharedMemory};
use ipc_channel::{IpcError, TryRecvError};
use postcard::ser_flavors::{Flavor, Size};
use queue_core::{Failure, FailureKind, Side};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::Deref;
use std::time::{Duration, Instant};
use std::{io, thread};

/// The version of all that is defined here.
pub(super) const VERSION: u32 = 8;

/// As many bytes go through a channel at once. `ipc-channel` cuts what is larger than a socket's
/// buffer (8 KiB on FreeBSD, 200 KiB on Linux) into fragments, and sends these over a socket of
/// which the sender keeps both ends: whoever waits there never learns of the other one's death. Our
/// own pieces go over the channel itself, and each goes whole or not at all.
pub(super) const PIECE: usize = match cfg!(any(target_os = "linux", target_os = "macos", windows)) {
    true => 1 << 17,
    false => 1 << 12,
};

/// A buffer larger than this is not kept for the next message.
pub(super) const KEPT: usize = 1 << 16;

/// No more memory is taken ahead for a message that comes in pieces.
const RESERVED: usize = 1 << 22;

/// For so long who waits for a message looks before it sleeps.
const SOON: Duration = Duration::from_micros(50);

/// Who looks again and again does not sleep for a shorter time than this, nor for a longer one than that.
const SHORT: Duration = Duration::from_micros(20);
const LONGEST: Duration = Duration::from_millis(5);

/// A message begins with its length, so many bytes.
const HEADER: usize = 8;

/// As many bytes of items as one message of a batch carries, unless a single item is larger.
pub(super) const BATCH_BYTES: usize = 1 << 20;

/// What a handle may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Role {
    Whole,
    Producer,
    Consumer,
}

impl Role {
    pub(super) fn of(side: Side) -> Self {
        match side {
            Side::Producers => Self::Producer,
            Side::Consumers => Self::Consumer,
        }
    }

    pub(super) fn allows(self, side: Side) -> bool {
        self == Self::Whole || self == Self::of(side)
    }

    /// The sides that this role stands on.
    pub(super) fn sides(self) -> impl Iterator<Item = Side> {
        let both = [Side::Producers, Side::Consumers];
        both.into_iter().filter(move |&side| self.allows(side))
    }
}

/// A [`Side`] in a message.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Side")]
enum SideName {
    Producers,
    Consumers,
}

/// Asked by a guest, after the number by which it may be withdrawn: zero if it may not.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request<'a> {
    /// Push these in order, as many as find a place.
    Push {
        watch: Watch,
        /// At the end of the message, so that it can become the item.
        #[serde(borrow)]
        items: Vec<Bytes<'a>>,
    },
    /// Pop up to so many of the oldest items.
    Pop {
        max: u64,
        watch: Watch,
    },
    /// Deliver the oldest item.
    Receive {
        watch: Watch,
    },
    /// The delivery of this number has ended.
    Settle {
        delivery: u64,
        how: Ending,
    },
    /// Items were taken or pushed by words, and the host wanted to be told. There is no answer.
    Look,
    /// A call for this side was heard, and somebody still sleeps.
    Watch {
        #[serde(with = "SideName")]
        side: Side,
        heard: u64,
    },
    /// How full the queue is. The guest wants to be called when it is idle, if somebody there
    /// waits for that; it has heard so many such calls so far.
    State {
        join: Option<u64>,
    },
    Close,
    /// This process has no ends of this side any more.
    Retire(#[serde(with = "SideName")] Side),
    /// Open another line, for a third process: its ticket comes by the channel for that.
    Share(Role),
    /// Answer the children of a third process that say hello: where they can comes by that channel.
    Invite(Role),
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ending {
    Done,
    /// It goes back, and counts as an attempt or not.
    Back {
        counted: bool,
    },
}

/// Whether the guest wants to be called when it is worth trying again, if after this
/// request it no longer is; it has heard so many calls so far.
pub(super) type Watch = Option<u64>;

/// Answered by the host.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply<'a> {
    /// So many went in, and so many slots are still free.
    Pushed {
        count: u64,
        free: u64,
    },
    /// These came out, and so many are still inside.
    Popped {
        left: u64,
        #[serde(borrow)]
        items: Vec<Bytes<'a>>,
    },
    /// There are some on the shelf, of so many that are inside.
    Shelved(u64),
    /// This is the guest's until it settles it, by its number.
    Delivered {
        delivery: u64,
        attempt: u32,
        #[serde(borrow)]
        item: Bytes<'a>,
    },
    Full,
    Empty,
    Closed,
    /// This line's role does not allow that.
    Denied,
    Done,
    /// So much has come since the last call.
    Came(u64),
    /// It closed the queue, or it had been closed.
    Closing {
        first: bool,
    },
    State(Filling),
    /// The host's system refused.
    Failed(String),
    /// The guest has withdrawn its question: nothing came of it.
    Withdrawn,
}

/// How full the queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Filling {
    /// How many items are inside.
    pub(super) len: usize,
    /// How many deliveries are in flight.
    pub(super) in_flight: usize,
    pub(super) closed: bool,
    /// How often the last item left.
    pub(super) moments: u64,
}

/// Called by the host, for who sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Call {
    /// So many items, or places, came for those of this side.
    Came(#[serde(with = "SideName")] Side, u64),
    /// The queue was closed, or is drained; or a question was withdrawn: all try again.
    Retry,
    /// The last item left, for the time of this number.
    Idle(u64),
}

/// One item, as bytes: serde would take `&[u8]` for a sequence of numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(d).map(Self)
    }
}

/// What a process needs to become a guest: the guest's ends of a fresh line, and what
/// the queue is. The host counts it as present from the moment it wrote the ticket until
/// the ticket, or what was made of it, is gone.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ticket {
    pub(super) version: u32,
    pub(super) types: Types,
    pub(super) capacity: Option<u64>,
    pub(super) role: Role,
    pub(super) pushes: IpcSharedMemory,
    pub(super) shelf: IpcSharedMemory,
    pub(super) requests: IpcBytesSender,
    pub(super) replies: IpcBytesReceiver,
    pub(super) calls: IpcBytesReceiver,
    pub(super) handed: IpcReceiver<Handed>,
}

/// What is handed to a guest for other processes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Handed {
    Ticket(Box<Ticket>),
    Invitation(IpcSender<Hello>),
}

/// Said by a child that starts: where its ticket is to go.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello(pub(super) IpcSender<Ticket>);

/// A message as it came.
#[derive(Debug)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// What it says.
    ///
    /// # Errors
    /// `Corrupt` if that is nothing of ours.
    pub(super) fn read<'a, M: Deserialize<'a>>(&'a self) -> Result<M, Failure> {
        postcard::from_bytes(&self.0[HEADER..]).map_err(|error| {
            let message = "not a message between a queue's host and its guests";
            Failure::caused(FailureKind::Corrupt, message, error)
        })
    }

    /// Its last `len` bytes.
    pub(super) fn into_last(self, len: usize) -> Item {
        let start = self.0.len() - len;
        Item {
            bytes: self.0,
            start,
        }
    }
}

/// The bytes of an item that is in the queue.
#[derive(Debug)]
pub(super) struct Item {
    /// All of them, or a message that ends with them.
    bytes: Vec<u8>,
    start: usize,
}

impl Deref for Item {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

impl From<Vec<u8>> for Item {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, start: 0 }
    }
}

impl From<&[u8]> for Item {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

/// The other end of a channel is gone (or the channel is broken, which is the same).
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone;

/// What a message is serialized into: pieces, each of which is sent once it is full. What fills one of
/// its own is not copied.
struct Pieces<'a, S> {
    buffer: &'a mut Vec<u8>,
    send: S,
}

impl<S: FnMut(&[u8]) -> Result<(), Gone>> Pieces<'_, S> {
    fn send_buffer(&mut self) -> postcard::Result<()> {
        let sent = (self.send)(self.buffer);
        self.buffer.clear();
        sent.map_err(|Gone| postcard::Error::SerializeBufferFull)
    }
}

impl<S: FnMut(&[u8]) -> Result<(), Gone>> Flavor for Pieces<'_, S> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, mut bytes: &[u8]) -> postcard::Result<()> {
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(bytes.len().min(PIECE - self.buffer.len()));
            bytes = rest;
            if piece.len() == PIECE {
                (self.send)(piece).map_err(|Gone| postcard::Error::SerializeBufferFull)?;
                continue;
            }
            self.buffer.extend_from_slice(piece);
            if self.buffer.len() == PIECE {
                self.send_buffer()?;
            }
        }
        Ok(())
    }

    fn finalize(mut self) -> postcard::Result<()> {
        match self.buffer.is_empty() {
            true => Ok(()),
            false => self.send_buffer(),
        }
    }
}

/// The bytes of `message`.
#[cfg(test)]
pub(super) fn encoded<M: Serialize>(message: &M) -> Vec<u8> {
    let mut bytes = Vec::new();
    let append = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    send_pieces(message, &mut Vec::new(), append).unwrap();
    bytes
}

/// Has `send` send the pieces of `message`, most of them by way of `buffer`.
fn send_pieces<M: Serialize>(
    message: &M,
    buffer: &mut Vec<u8>,
    send: impl FnMut(&[u8]) -> Result<(), Gone>,
) -> Result<(), Gone> {
    // These types always serialize.
    let size = postcard::serialize_with_flavor(message, Size::default());
    let len = HEADER + size.expect("a message of ours serializes");
    buffer.clear();
    buffer.extend((len as u64).to_le_bytes());
    let pieces = Pieces { buffer, send };
    postcard::serialize_with_flavor(message, pieces).map_err(|_| Gone)
}

/// Sends `message`, by way of `buffer`. A signal that comes in between changes nothing.
pub(super) fn send<M: Serialize>(
    channel: &IpcBytesSender,
    message: &M,
    buffer: &mut Vec<u8>,
) -> Result<(), Gone> {
    send_pieces(message, buffer, |piece| {
        let send = || {
            let sent = channel.send(piece);
            sent.map_err(|error| TryRecvError::IpcError(error.into()))
        };
        undisturbed(send).map_err(|_| Gone)
    })
}

/// Receives a message. A signal that comes in between changes nothing.
pub(super) fn receive(channel: &IpcBytesReceiver) -> Result<Message, Gone> {
    whole(|| receive_piece(channel))
}

/// Receives a message. The thread looks for a moment before it sleeps, for it takes tens of microseconds
/// to wake it, and longer where its processor has fallen asleep, too. If it looks in vain several times in
/// a row (`misses`) the moment is shorter and shorter.
pub(super) fn receive_soon(channel: &IpcBytesReceiver, misses: &mut u32) -> Result<Message, Gone> {
    let soon = SOON / (1 << (*misses / 4).min(5));
    match receive_until(channel, Instant::now() + soon)? {
        Some(message) => {
            *misses = 0;
            Ok(message)
        }
        None => {
            *misses = misses.saturating_add(1);
            receive(channel)
        }
    }
}

/// Receives a message, unless none has begun to come at `instant`.
pub(super) fn receive_until(
    channel: &IpcBytesReceiver,
    instant: Instant,
) -> Result<Option<Message>, Gone> {
    let since = Instant::now();
    let first = loop {
        match undisturbed(|| channel.try_recv()) {
            Ok(piece) => break piece,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::IpcError(_)) => return Err(Gone),
        }
        // `ipc-channel` cannot wait for bytes with a time limit.
        if !pause(since, instant) {
            return Ok(None);
        }
    };
    let mut first = Some(first);
    let next = || first.take().map_or_else(|| receive_piece(channel), Ok);
    whole(next).map(Some)
}

/// Pauses for a moment, which is the longer the longer one has waited: false once it is `until`.
pub(super) fn pause(since: Instant, until: Instant) -> bool {
    let now = Instant::now();
    if now >= until {
        return false;
    }
    match (now - since) / 8 {
        short if short < SHORT => thread::yield_now(),
        long => thread::sleep(long.min(LONGEST).min(until - now)),
    }
    true
}

fn receive_piece(channel: &IpcBytesReceiver) -> Result<Vec<u8>, Gone> {
    undisturbed(|| channel.recv().map_err(TryRecvError::IpcError)).map_err(|_| Gone)
}

/// The message whose pieces are to be had from `next`.
pub(super) fn whole(mut next: impl FnMut() -> Result<Vec<u8>, Gone>) -> Result<Message, Gone> {
    let mut bytes = next()?;
    let header = bytes.first_chunk::<HEADER>().ok_or(Gone)?;
    let len = u64::from_le_bytes(*header);
    // One that is forged may say any length.
    let left = usize::try_from(len)
        .unwrap_or(0)
        .saturating_sub(bytes.len());
    bytes.reserve_exact(left.min(RESERVED));
    while (bytes.len() as u64) < len {
        bytes.extend(next()?);
    }
    match bytes.len() as u64 == len {
        true => Ok(Message(bytes)),
        false => Err(Gone),
    }
}

/// What comes of `attempt`, which is repeated after a signal.
///
/// # Errors
/// Its own.
pub(super) fn undisturbed<R>(
    mut attempt: impl FnMut() -> Result<R, TryRecvError>,
) -> Result<R, TryRecvError> {
    loop {
        match attempt() {
            Err(TryRecvError::IpcError(IpcError::Io(error)))
                if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// The failure of what was [caught](crate::unwind::catch_panic), for `ipc-channel` panics where a
/// message has fewer descriptors than it says: this process had none to spare when it came.
#[cold]
pub(super) fn cut_short(doing: &str) -> Failure {
    let message =
        format!("{doing}: ipc-channel broke off, as it does without a descriptor to spare");
    Failure::new(FailureKind::Io, message)
}

/// What an error of `ipc-channel` is to our users.
pub(super) fn failure(error: TryRecvError, doing: &str) -> Failure {
    let gone = |how| Failure::new(FailureKind::PeerGone, format!("{doing}: {how}"));
    match error {
        TryRecvError::Empty => gone("no answer in time"),
        TryRecvError::IpcError(IpcError::Disconnected) => gone("it is gone"),
        TryRecvError::IpcError(IpcError::Io(error)) => {
            Failure::caused(FailureKind::Io, doing, error)
        }
        TryRecvError::IpcError(error) => Failure::caused(FailureKind::Corrupt, doing, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Mostly messages with a byte or two changed: these come farther than mere noise.
    fn nearly() -> impl Strategy<Value = Vec<u8>> {
        let item = prop::collection::vec(any::<u8>(), 0..20);
        let items = prop::collection::vec(item, 0..4);
        let change = prop::collection::vec((0..40usize, any::<u8>()), 0..3);
        (items, any::<u64>(), 0..6u8, change).prop_map(|(items, number, which, change)| {
            let items: Vec<_> = items.iter().map(|item| Bytes(item)).collect();
            let watch = Some(number);
            let mut bytes = match which {
                0 => encoded(&Request::Push { items, watch }),
                1 => encoded(&Request::Pop {
                    max: number,
                    watch: None,
                }),
                2 => encoded(&Reply::Popped {
                    left: number,
                    items,
                }),
                3 => encoded(&Reply::Pushed {
                    count: number,
                    free: number,
                }),
                4 => encoded(&Reply::Failed(number.to_string())),
                _ => [[0; HEADER], number.to_ne_bytes()].concat(),
            };
            for (at, byte) in change {
                if let Some(old) = bytes.get_mut(HEADER + at) {
                    *old = byte;
                }
            }
            bytes
        })
    }

    /// Sends these bytes, as they are.
    fn send_raw(channel: &IpcBytesSender, len: u64, bytes: &[u8]) {
        let header = (len + HEADER as u64).to_le_bytes();
        channel.send(&[&header, bytes].concat()).unwrap();
    }

    #[test]
    fn a_message_arrives_whole_whatever_its_size() {
        let (to, from) = ipc_channel::ipc::bytes_channel().unwrap();
        for size in [0, 1, PIECE - 99, PIECE, 2 * PIECE, 300_000, 3_000_000] {
            let item = vec![7; size];
            std::thread::scope(|scope| {
                scope.spawn(|| send(&to, &Bytes(&item), &mut Vec::new()).unwrap());
                let message = receive(&from).unwrap();
                assert!(message.read::<Bytes<'_>>().unwrap().0 == item, "{size}");
            });
        }
        // One that ends too early, or does not end in time, is none.
        for (len, bytes) in [(3, &b"abcd"[..]), (9, b"abcd"), (u64::MAX - 8, b"")] {
            let (to, from) = ipc_channel::ipc::bytes_channel().unwrap();
            send_raw(&to, len, bytes);
            drop(to);
            assert!(receive(&from).is_err(), "{len}");
        }
        to.send(b"short").unwrap();
        assert!(receive(&from).is_err());
    }

    #[test]
    fn a_call_arrives_as_it_was_sent() {
        let (to, from) = ipc_channel::ipc::bytes_channel().unwrap();
        for call in [
            Call::Came(Side::Producers, 7),
            Call::Came(Side::Consumers, u64::MAX),
            Call::Retry,
        ] {
            send(&to, &call, &mut Vec::new()).unwrap();
            assert_eq!(receive(&from).unwrap().read::<Call>().unwrap(), call);
        }
        for nonsense in [&[][..], &[0], &[9; 9]] {
            send_raw(&to, nonsense.len() as u64, nonsense);
            let nonsense = receive(&from).unwrap();
            assert!(nonsense.read::<Call>().is_err(), "{nonsense:?}");
        }
        drop(to);
        assert!(receive(&from).is_err());
    }

    #[test]
    fn a_signal_is_no_end() {
        let io = |kind: io::ErrorKind| TryRecvError::IpcError(IpcError::Io(kind.into()));
        let interrupted = || io(io::ErrorKind::Interrupted);
        let mut answers = vec![Ok(7), Err(interrupted()), Err(interrupted())];
        assert_eq!(undisturbed(|| answers.pop().unwrap()).unwrap(), 7);
        let gone = TryRecvError::IpcError(IpcError::Disconnected);
        for last in [io(io::ErrorKind::BrokenPipe), gone, TryRecvError::Empty] {
            let mut answers = vec![Err::<(), _>(last), Err(interrupted())];
            assert!(undisturbed(|| answers.pop().unwrap()).is_err());
            assert!(answers.is_empty(), "it was tried again");
        }
    }

    #[test]
    fn what_goes_wrong_is_told_apart() {
        let kind = |error: IpcError| failure(TryRecvError::IpcError(error), "trying").kind();
        assert_eq!(kind(IpcError::Disconnected), FailureKind::PeerGone);
        let io = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(kind(IpcError::Io(io)), FailureKind::Io);
        let late = failure(TryRecvError::Empty, "trying");
        assert_eq!(late.kind(), FailureKind::PeerGone);
    }

    proptest! {
        /// Any bytes are a message or none, and what is one comes out as it went in.
        #[test]
        fn any_message_is_answered(bytes in nearly()) {
            let message = Message(bytes);
            if let Ok(request) = message.read::<Request<'_>>() {
                prop_assert!(Message(encoded(&request)).read::<Request<'_>>().is_ok());
            }
            if let Ok(reply) = message.read::<Reply<'_>>() {
                prop_assert!(Message(encoded(&reply)).read::<Reply<'_>>().is_ok());
            }
        }
    }
}
