//! [`Kind`]: what only the author of a kind of queue needs.

use crate::event::Listen;
use crate::{EndpointCounts, Queue, Side};

/// What the author of a kind implements beside the verbs of [`Queue`], so that all other verbs can be
/// built on them.
///
/// Programs that use a queue need [`Queue`] alone. Its page has a kind in full.
pub trait Kind: Send + Sync {
    /// What goes through the queue.
    type Item: Send;

    /// A waiter of this queue: [`event::Listener`](crate::event::Listener) for a kind
    /// that uses the family's [`Event`](crate::event::Event).
    type Listener<'a>: Listen
    where
        Self: 'a;

    /// A listener that is notified when another try is worth it for `side`: a pop because an item
    /// came, a push because there is a free slot, and both because the queue was closed.
    fn listen(&self, side: Side) -> Self::Listener<'_>;

    /// Where this queue counts its [`Producer`](crate::Producer)s and
    /// [`Consumer`](crate::Consumer)s.
    fn endpoints(&self) -> &EndpointCounts;

    /// An id that all handles of one queue share, and no handle of another queue that exists.
    ///
    /// Override it in a kind whose handles come into a process by several ways.
    fn id(&self) -> QueueId {
        QueueId::of_address(self.endpoints())
    }

    /// About how many items there are to pop, or free slots to push to; `usize::MAX` when closed. A
    /// thread that is about to sleep, or a task that is about to wait, calls it many times in a row, so it
    /// must be cheap. A kind where looking costs as much as trying returns zero.
    fn ready_hint(&self, side: Side) -> usize
    where
        Self: Queue,
    {
        match side {
            _ if self.is_closed() => usize::MAX,
            Side::Consumers => self.len(),
            Side::Producers => match self.capacity() {
                Some(capacity) => capacity.saturating_sub(self.len()),
                None => usize::MAX,
            },
        }
    }

    /// Whether all that is inside is for consumers that stand in line, whom a `try_` verb would overtake
    /// and a verb that waits does not. A kind without such a line keeps the default, false.
    fn is_spoken_for(&self) -> bool {
        false
    }

    /// Is called when a half of `side` was made. A kind whose halves live in several processes
    /// counts this process on that side from then on.
    fn on_first_endpoint(&self, side: Side) {
        let _ = side;
    }

    /// Is called when the last half of `side` was dropped, and closes the queue.
    ///
    /// A kind whose halves live in several processes closes it when the last one of all
    /// processes has gone.
    fn on_last_endpoint(&self, side: Side)
    where
        Self: Queue,
    {
        let _ = side;
        self.close();
    }
}

/// Tells one queue from another: see [`Kind::id`].
///
/// ```
/// use queue_core::QueueId;
/// let (one, other) = (1, 2);
/// assert_eq!(QueueId::of_address(&one), QueueId::of_address(&one));
/// assert_ne!(QueueId::of_address(&one), QueueId::of_address(&other));
/// assert_ne!(QueueId::new(0, 7), QueueId::new(1, 7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueueId(u64, u64);

impl QueueId {
    /// The id of a queue of this process alone, which is its address in memory.
    pub fn of_address<T>(at: &T) -> Self {
        Self(0, std::ptr::from_ref(at).addr() as u64)
    }

    /// The id of a queue that has a number of its own, such as a random one.
    pub fn new(high: u64, low: u64) -> Self {
        Self(high, low)
    }
}
