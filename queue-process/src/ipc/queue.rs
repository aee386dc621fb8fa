//! [`Queue`] for [`IpcQueue`]: in the host on the deque itself, elsewhere by asking.

use super::guest::Items;
use super::state::Who;
use super::wire::{BATCH_BYTES, Filling};
use super::{IpcQueue, Place};
use crate::codec::Codec;
use crate::deferred::{Deferred, Outcome};
use crate::per_process::PerProcess;
use crate::try_error::TryError;
use crate::unwind::ignore_panic;
use queue_core::event::{Event, Listen, Listener};
use queue_core::sync::Deadline;
use queue_core::{
    EndpointCounts, Failure, FailureKind, Kind, Queue, Side, TryPopError, TryPushError,
};
use std::collections::VecDeque;
use std::iter;
use std::time::Duration;

/// As many items of a batch are serialized at once; some of them in vain where there are
/// fewer places.
const BATCH_ITEMS: usize = 256;

impl<T: Send, C: Codec<T>> Kind for IpcQueue<T, C> {
    type Item = T;
    type Listener<'a>
        = Listener<'a>
    where
        Self: 'a;

    fn endpoints(&self) -> &EndpointCounts {
        match &self.place {
            Place::Here(host) => &host.ends,
            Place::Elsewhere(guest) => &guest.ends,
        }
    }

    /// In a guest, what is known without asking the host.
    fn ready_hint(&self, side: Side) -> usize {
        match self.reach() {
            Ok(_) if side == Side::Consumers && self.owed().is_some() => usize::MAX,
            Ok(Place::Here(host)) => host.hosted.ready_hint(side),
            Ok(Place::Elsewhere(guest)) => guest.ready_hint(side),
            Err(_) => usize::MAX,
        }
    }

    fn on_last_endpoint(&self, side: Side) {
        match self.reach() {
            Ok(Place::Here(host)) => host.on_last_endpoint(side),
            Ok(Place::Elsewhere(guest)) => guest.on_last_endpoint(side),
            Err(_) => {}
        }
    }

    fn listen(&self, side: Side) -> Listener<'_> {
        self.event(side).listen()
    }
}

impl<T: Send, C: Codec<T>> Queue for IpcQueue<T, C> {
    fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        let refused = match self.reach() {
            // Before it is serialized: who waits for a place tries again and again.
            Ok(Place::Here(host)) => host.hosted.refuses(),
            Ok(Place::Elsewhere(_)) | Err(_) => None,
        };
        let refused = match refused {
            None => self.push_bytes(&item),
            Some(refusal) => Err(refusal),
        };
        refused.map_err(|error| error.with_item(item))
    }

    fn try_pop(&self) -> Result<T, TryPopError> {
        self.allow(Side::Consumers).map_err(TryPopError::Failed)?;
        if let Some(popped) = self.owed().pop::<T, C>() {
            return popped;
        }
        let popped = self.pop_bytes(1, |items| items.next().map(C::decode))?;
        let failure = match popped.0 {
            Some(Ok(item)) => return Ok(item),
            Some(Err(failure)) => failure.with_item_consumed(),
            None => nothing_popped(),
        };
        Err(TryPopError::Failed(failure))
    }

    fn try_push_many(&self, items: &mut VecDeque<T>) -> Result<usize, TryPushError<()>> {
        if items.is_empty() {
            return Ok(0);
        }
        let room = self.room().map_err(|error| error.with_item(()));
        let (mut pushed, mut room) = (0, room?);
        while room > 0 && !items.is_empty() {
            match self.push_some(items, room, pushed == 0) {
                Ok((some, free)) => {
                    items.drain(..some);
                    pushed += some;
                    room = (room - some).min(free);
                }
                Err(_) if pushed > 0 => break,
                Err(error) => return Err(error.with_item(())),
            }
        }
        Ok(pushed)
    }

    fn try_pop_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        if max == 0 {
            return Ok(0);
        }
        self.allow(Side::Consumers).map_err(TryPopError::Failed)?;
        let owed = self.owed();
        let mut popped = owed.pop_many::<T, C>(into, max)?;
        let mut left = max - popped;
        let wake = || ignore_panic(|| self.event(Side::Consumers).notify_all());
        // What was deferred meanwhile is told by the next pop.
        while left > 0 && (popped == 0 || !owed.is_some()) {
            let some = self.pop_bytes(left, |items| {
                let mut items = items.peekable();
                match items.peek() {
                    Some(_) => owed.decode::<T, C>(items, into, popped, wake),
                    None => Err(TryPopError::Failed(nothing_popped())),
                }
            });
            match some.and_then(|(some, left)| Ok((some?, left))) {
                Ok(some) => (popped, left) = some,
                Err(_) if popped > 0 => break,
                Err(refused) => return Err(refused),
            }
        }
        Ok(popped)
    }

    fn len(&self) -> usize {
        let len = self.state().len.saturating_add(self.owed().len());
        len.min(self.capacity().unwrap_or(usize::MAX))
    }

    /// What is in flight takes places; what is owed was popped.
    fn is_full(&self) -> bool {
        let state = self.state();
        let taken = state.len.saturating_add(state.in_flight);
        self.capacity().is_some_and(|capacity| taken >= capacity)
    }

    fn capacity(&self) -> Option<usize> {
        match &self.place {
            Place::Here(host) => host.hosted.capacity,
            Place::Elsewhere(guest) => guest.capacity,
        }
    }

    fn is_closed(&self) -> bool {
        self.state().closed
    }

    fn close(&self) -> bool {
        match self.reach() {
            Ok(Place::Here(host)) => host.hosted.close(),
            Ok(Place::Elsewhere(guest)) => guest.close(),
            Err(_) => false,
        }
    }

    /// As the trait's default, but nothing becomes an item before all of it is out: if the
    /// code of one panics the others are still there.
    fn close_now(&self) -> Vec<T> {
        self.close();
        if self.allow(Side::Consumers).is_err() {
            return Vec::new();
        }
        let mut left = self.owed().take();
        let mut listener = None;
        loop {
            let before = left.len();
            let popped = self.pop_bytes(usize::MAX, |items| {
                left.extend(items.map(Outcome::item));
            });
            match popped {
                Ok(_) if left.len() > before => {}
                // A push is on its way that began before.
                Err(TryPopError::Empty) if self.state().in_flight == 0 => match listener.take() {
                    None => listener = Some(self.listen(Side::Consumers)),
                    Some(listener) => {
                        listener.wait(Deadline::after(Duration::from_millis(10)));
                    }
                },
                // What is in flight is somebody's.
                Err(TryPopError::Empty) => break,
                Ok(_) | Err(TryPopError::Closed | TryPopError::Failed(_)) => break,
            }
        }
        let left = self.owed().decode_all::<T, C>(left);
        if self.owed().is_some() {
            ignore_panic(|| self.event(Side::Consumers).notify());
        }
        left
    }
}

impl<T: Send, C: Codec<T>> IpcQueue<T, C> {
    fn push_bytes(&self, item: &T) -> Result<(), TryError> {
        self.allow(Side::Producers)?;
        let mut bytes = Vec::new();
        C::encode(item, &mut bytes)?;
        match &self.place {
            Place::Here(host) => {
                host.hosted.push(Who::Host, iter::once(bytes.into()))?;
            }
            Place::Elsewhere(guest) => {
                guest.push(iter::once(&bytes[..]), false)?;
            }
        }
        Ok(())
    }

    /// How many items may find a place, at least one; a guest has to ask.
    fn room(&self) -> Result<usize, TryError> {
        self.allow(Side::Producers)?;
        match &self.place {
            Place::Here(host) => match host.hosted.refuses() {
                Some(refusal) => Err(refusal),
                None => Ok(host.hosted.ready_hint(Side::Producers).max(1)),
            },
            Place::Elsewhere(guest) => Ok(guest.capacity.unwrap_or(usize::MAX)),
        }
    }

    /// Pushes of the first `most` of `items` what finds a place and one message carries, and leaves them
    /// there: how many, and how many slots are still free, as far as is known. That the `first` of a batch
    /// has to tell, unless there is nothing behind it.
    fn push_some(
        &self,
        items: &VecDeque<T>,
        most: usize,
        first: bool,
    ) -> Result<(usize, usize), TryError> {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for item in items.iter().take(most.min(BATCH_ITEMS)) {
            let before = bytes.len();
            if let Err(failure) = C::encode(item, &mut bytes) {
                if ends.is_empty() {
                    return Err(failure.into());
                }
                bytes.truncate(before);
                break;
            }
            ends.push(bytes.len());
            if bytes.len() >= BATCH_BYTES {
                break;
            }
        }
        let starts = iter::once(0).chain(ends.iter().copied());
        let pieces = starts.zip(&ends).map(|(start, &end)| &bytes[start..end]);
        match &self.place {
            Place::Here(host) => {
                let pieces: Vec<_> = pieces.map(Into::into).collect();
                host.hosted.push(Who::Host, pieces.into_iter())
            }
            Place::Elsewhere(guest) => guest.push(pieces, first && ends.len() < items.len()),
        }
    }

    pub(super) fn owed(&self) -> &Deferred {
        match &self.place {
            Place::Here(host) => &host.owed,
            Place::Elsewhere(guest) => &guest.owed,
        }
    }

    /// What `take` makes of the bytes of up to `max` items, which are out of the queue, and how many more
    /// of those `max` were inside: so many as one message carries come at once.
    fn pop_bytes<R>(
        &self,
        max: usize,
        take: impl FnOnce(&mut Items<'_>) -> R,
    ) -> Result<(R, usize), TryPopError> {
        self.allow(Side::Consumers).map_err(TryPopError::Failed)?;
        let popped = match &self.place {
            Place::Here(host) => host.hosted.pop(max).map(|(items, left)| {
                let left = left.min(max - items.len());
                (take(&mut items.iter().map(|item| &item[..])), left)
            }),
            Place::Elsewhere(guest) => guest.pop(max, take),
        };
        popped.map_err(TryPopError::from)
    }

    pub(super) fn event(&self, side: Side) -> &Event {
        /// Of a forked child, where nobody waits: every verb fails first.
        static FORKED: PerProcess<Event> = PerProcess::new();
        match self.reach() {
            Ok(Place::Here(host)) => host.hosted.event(side),
            Ok(Place::Elsewhere(guest)) => guest.event(side),
            Err(_) => FORKED.get_or_init(Event::new),
        }
    }

    pub(super) fn state(&self) -> Filling {
        match self.reach() {
            Ok(Place::Here(host)) => host.hosted.state(),
            Ok(Place::Elsewhere(guest)) => guest.state(),
            Err(_) => Filling {
                closed: true,
                ..Filling::default()
            },
        }
    }
}

/// The failure of a pop of no items.
#[cold]
fn nothing_popped() -> Failure {
    Failure::new(
        FailureKind::Corrupt,
        "the host gave nothing and called it items",
    )
}
