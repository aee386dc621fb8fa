//! What a host and its clients say to each other.

use ipc_channel::ipc::{IpcReceiver, IpcSender, IpcSharedMemory};
use queue_core::{Failure, FailureKind, Side};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// The version of all that is defined here.
pub(super) const VERSION: u32 = 3;

/// An item of more bytes goes as memory: what `ipc-channel` sends in one piece is received whole
/// or not at all, however its sender dies. Smaller than that by far, for all that a client has
/// under way is to fit into the buffer of one socket.
const INLINE: usize = 1 << 14;

/// As many bytes of items as one message carries, unless a single item is larger.
pub(super) const BATCH_BYTES: usize = 1 << 16;

/// As many bytes of messages may be on their way to the host, of all clients together: what a
/// socket holds by default on Linux, less some, and less half as much for what must be sent.
pub(super) const ON_THE_WAY: u64 = 120_000;

/// What a message needs beside its items, at least.
pub(super) const COST: u64 = 1024;

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

    /// Whether who has this role may hand on `other`.
    pub(super) fn includes(self, other: Self) -> bool {
        self == Self::Whole || self == other
    }
}

/// Sent to the host, all through one channel, so that they arrive in the order in which they
/// were sent, whoever sends them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// A number that the host drew, and that nobody else knows.
    pub(super) from: u64,
    pub(super) ask: Ask,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    /// Into slots that were granted.
    Push(Vec<Body>),
    /// Into slots that there may be, as many as there are: see [`Words::accept`]. If there is
    /// none it waits for one or not.
    ///
    /// [`Words::accept`]: super::words::Words::accept
    Offer {
        number: u32,
        items: Vec<Body>,
        wait: bool,
    },
    /// Somebody in the client's process waits for slots or items.
    Wait(#[serde(with = "SideByNumber")] Side),
    /// Up to so many items, now. The number is that of the answer.
    Items {
        number: u32,
        most: u64,
    },
    /// Items that the client had to tell about were taken.
    Taken,
    /// So many items that were lent have arrived: where no memory is shared.
    Arrived(u64),
    /// Nobody here waits any more for what was granted or lent.
    Return(#[serde(with = "SideByNumber")] Side),
    State {
        number: u32,
    },
    Close {
        number: u32,
    },
    /// This process has no ends of this side any more.
    Retire {
        number: u32,
        #[serde(with = "SideByNumber")]
        side: Side,
    },
    /// A ticket for one more process.
    Ticket {
        number: u32,
        role: Role,
    },
    /// Where children of one command ask for tickets.
    Invite {
        number: u32,
        role: Role,
    },
    /// Send `Look`.
    Echo,
    /// The client has ended; the host tells itself.
    Gone(u64),
    /// All that was sent earlier has arrived, and if `watched` all who had ended earlier were
    /// missed; the host tells itself.
    Synchronized {
        round: u64,
        watched: bool,
    },
}

impl Ask {
    /// What the message needs in a channel's buffer.
    pub(super) fn cost(&self) -> u64 {
        match self {
            Self::Push(items) | Self::Offer { items, .. } => {
                items.iter().map(|item| item.cost() + 8).sum::<u64>() + COST
            }
            _ => COST,
        }
    }
}

struct SideByNumber;

impl SideByNumber {
    fn serialize<S: Serializer>(side: &Side, to: S) -> Result<S::Ok, S::Error> {
        (*side as u8).serialize(to)
    }

    fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Side, D::Error> {
        match u8::deserialize(from)? {
            0 => Ok(Side::Producers),
            1 => Ok(Side::Consumers),
            _ => Err(de::Error::custom("no side")),
        }
    }
}

/// Sent to a client.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The items of this loan.
    Lent {
        loan: u32,
        items: Vec<Body>,
    },
    /// It is worth looking at the words, for so many who wait for slots.
    Granted(u64),
    /// It is worth looking, for all.
    Look {
        closed: bool,
    },
    /// The queue is closed, and the last item has gone.
    Ended,
    To {
        number: u32,
        answer: Answer,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// So many of an offer were accepted.
    Accepted(u64),
    Full,
    /// Look at the words: there are items.
    Some,
    Empty,
    Closed,
    Denied,
    Done,
    State {
        len: u64,
        closed: bool,
    },
    /// Whether this call closed the queue.
    Closing(bool),
    Ticket(Box<Ticket>),
    Invited(Invited),
    /// The host's system refused.
    Failed(String),
}

/// Where children of one command ask for tickets.
pub(super) type Invited = IpcSender<Hello>;

/// Said by a child that starts.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello(pub(super) IpcSender<Ticket>);

/// What a process needs to become a client. It counts as present until this, or what was made
/// of it, is gone.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ticket {
    pub(super) version: u32,
    pub(super) item: String,
    pub(super) codec: String,
    /// How many bits a word has in the host's program.
    pub(super) word: u32,
    pub(super) capacity: Option<u64>,
    pub(super) role: Role,
    /// Tells the queue from all others.
    pub(super) id: [u64; 2],
    pub(super) number: u64,
    pub(super) requests: IpcSender<Request>,
    pub(super) replies: IpcReceiver<Reply>,
    /// Nothing is ever sent through it: its end says that the client has ended.
    pub(super) life: IpcSender<()>,
    /// Behind the channels: `ipc-channel` aborts a debug build that does not take all which came.
    pub(super) words: Arrived,
}

/// The bytes of an item.
#[derive(Debug)]
pub(super) enum Body {
    Inline(Vec<u8>),
    Memory(IpcSharedMemory),
    /// Memory that did not arrive.
    Lost,
}

impl Body {
    /// What goes through a channel.
    ///
    /// # Errors
    /// `Io` if the system gives no memory.
    pub(super) fn new(bytes: Vec<u8>) -> Result<Self, Failure> {
        if bytes.len() <= INLINE {
            return Ok(Self::Inline(bytes));
        }
        super::channel::memory(bytes.len(), |_| IpcSharedMemory::from_bytes(&bytes))
            .map(Self::Memory)
    }

    /// A copy that goes through a channel.
    pub(super) fn to_send(&self) -> Self {
        match self {
            Self::Inline(bytes) => Self::new(bytes.clone()).unwrap_or(Self::Lost),
            Self::Memory(memory) => {
                super::channel::memory(0, |_| memory.clone()).map_or(Self::Lost, Self::Memory)
            }
            Self::Lost => Self::Lost,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Inline(bytes) => bytes.len(),
            Self::Memory(memory) => memory.len(),
            Self::Lost => 0,
        }
    }

    /// What a message needs for it in a channel's buffer.
    pub(super) fn cost(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Memory(_) | Self::Lost => 0,
        }
    }

    /// The bytes.
    ///
    /// # Errors
    /// `Io` if they did not arrive.
    pub(super) fn into_bytes(self) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Inline(bytes) => Ok(bytes),
            Self::Memory(memory) => Ok(memory.take().unwrap_or_default()),
            Self::Lost => {
                let message = "the memory of a large item did not arrive: a process on its way \
                               had no descriptor or no memory to spare (raise its ulimit -n)";
                Err(Failure::new(FailureKind::Io, message))
            }
        }
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Inline(bytes) => to.serialize_newtype_variant("Body", 0, "Inline", &Bytes(bytes)),
            Self::Memory(memory) => {
                to.serialize_newtype_variant("Body", 1, "Memory", &Some(memory))
            }
            Self::Lost => to.serialize_unit_variant("Body", 2, "Lost"),
        }
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        enum Sent {
            Inline(Owned),
            Memory(Arrived),
            Lost,
        }
        Ok(match Sent::deserialize(from)? {
            Sent::Inline(Owned(bytes)) => Self::Inline(bytes),
            Sent::Memory(Arrived(Some(memory))) => Self::Memory(memory),
            Sent::Memory(Arrived(None)) | Sent::Lost => Self::Lost,
        })
    }
}

/// Bytes as such: serde would take them for a sequence of numbers.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(self.0)
    }
}

struct Owned(Vec<u8>);

impl<'de> Deserialize<'de> for Owned {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Owned;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Owned, E> {
                Ok(Owned(bytes.to_vec()))
            }
        }
        from.deserialize_bytes(Visitor)
    }
}

/// Memory, unless it did not come with its message: then the rest of that is still good.
#[derive(Debug)]
pub(super) struct Arrived(pub(super) Option<IpcSharedMemory>);

impl Serialize for Arrived {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Arrived {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // As it was written by `Option`.
        Ok(Self(Option::deserialize(from).unwrap_or_default()))
    }
}
