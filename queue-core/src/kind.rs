//! [`Kind`]: what only the author of a kind of queue needs.

use crate::event::Listen;
use crate::{EndpointCounts, Queue, Side};

/// What a kind of queue gives beside its verbs, so that all others can be built on them.
///
/// Programs that use a queue need [`Queue`] alone. Its page has a kind in full.
pub trait Kind: Send + Sync {
    /// What goes through the queue.
    type Item: Send;

    /// Who waits for this queue: [`event::Listener`](crate::event::Listener) for a kind
    /// that uses the family's [`Event`](crate::event::Event).
    type Listener<'a>: Listen
    where
        Self: 'a;

    /// A listener that is notified when it is worth trying again for `side`: to pop, because an
    /// item came, or to push, because there is a slot; and for both because the queue was closed.
    fn listen(&self, side: Side) -> Self::Listener<'_>;

    /// Where this queue counts its [`Producer`](crate::Producer)s and
    /// [`Consumer`](crate::Consumer)s.
    fn endpoints(&self) -> &EndpointCounts;

    /// What all handles of one queue have in common, and those of no other that exists.
    ///
    /// A kind whose handles come into a process by several ways overrides it.
    fn id(&self) -> QueueId {
        QueueId::of_address(self.endpoints())
    }

    /// How much there seems to be for `side` to do: about how many items to pop, or slots
    /// to push to; `usize::MAX` when closed. A thread that is about to sleep asks
    /// many times in a row, so it must be cheap. A kind where looking costs as much as trying
    /// answers zero.
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

    /// Called when a half of `side` was made. A kind whose halves live in several processes
    /// counts this process on that side from then on.
    fn on_first_endpoint(&self, side: Side) {
        let _ = side;
    }

    /// Called when the last half of `side` was dropped: closes the queue.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueueId(u64, u64);

impl QueueId {
    /// That of a queue of this process alone: where in memory it is.
    pub fn of_address<T>(at: &T) -> Self {
        Self(0, std::ptr::from_ref(at).addr() as u64)
    }

    /// That of a queue which something else tells from all others.
    pub fn new(high: u64, low: u64) -> Self {
        Self(high, low)
    }
}
