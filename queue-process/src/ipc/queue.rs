//! [`Queue`] for [`IpcQueue`]: in the host on the deque itself, elsewhere by messages.

use super::client::Waits;
use super::link::Refusal;
use super::rules;
use super::wire::{BATCH_BYTES, Body};
use super::{IpcQueue, Place};
use crate::codec::Codec;
use crate::foreign::calmly;
use crate::owed::{Due, Owed};
use crate::per_process::PerProcess;
use queue_core::event::{Event, Listen, Listener};
use queue_core::sync::Deadline;
use queue_core::{
    EndpointCounts, Failure, Kind, PopTimeoutError, PushError, PushTimeoutError, Queue, QueueId,
    Side, TryPopError, TryPushError,
};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

/// As many items of a batch are serialized at once; some of them in vain where there are
/// fewer slots.
const BATCH_ITEMS: usize = 256;

/// Who waits for slots or items of an [`IpcQueue`].
pub enum IpcListener<'a> {
    #[doc(hidden)]
    Here(Listener<'a>),
    #[doc(hidden)]
    Elsewhere(Remote<'a>),
}

#[doc(hidden)]
pub struct Remote<'a>(Waits<'a>);

impl Listen for IpcListener<'_> {
    fn wait(self, deadline: Deadline) -> bool {
        match self {
            Self::Here(listener) => listener.wait(deadline),
            Self::Elsewhere(Remote(waits)) => waits.wait(deadline),
        }
    }
}

impl Future for IpcListener<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self {
            Self::Here(listener) => Pin::new(listener).poll(cx),
            Self::Elsewhere(Remote(waits)) => Pin::new(waits).poll(cx),
        }
    }
}

impl<T: Send, C: Codec<T>> Kind for IpcQueue<T, C> {
    type Item = T;
    type Listener<'a>
        = IpcListener<'a>
    where
        Self: 'a;

    fn listen(&self, side: Side) -> IpcListener<'_> {
        match self.reach() {
            Ok(Place::Elsewhere(client)) => IpcListener::Elsewhere(Remote(client.listen(side))),
            _ => IpcListener::Here(self.event(side).listen()),
        }
    }

    fn endpoints(&self) -> &EndpointCounts {
        match &self.place {
            Place::Here(host) => &host.ends,
            Place::Elsewhere(client) => &client.ends,
        }
    }

    fn id(&self) -> QueueId {
        let [high, low] = match &self.place {
            Place::Here(host) => host.id(),
            Place::Elsewhere(client) => client.id(),
        };
        QueueId::new(high, low)
    }

    fn ready_hint(&self, side: Side) -> usize {
        match self.reach() {
            Ok(_) if side == Side::Consumers && self.owed().is_some() => usize::MAX,
            Ok(Place::Here(host)) => host.ready_hint(side),
            Ok(Place::Elsewhere(client)) => client.ready_hint(side),
            Err(_) => usize::MAX,
        }
    }

    fn on_last_endpoint(&self, side: Side) {
        match self.reach() {
            Ok(Place::Here(host)) => host.retire(side),
            Ok(Place::Elsewhere(client)) => client.retire(side),
            Err(_) => {}
        }
    }
}

impl<T: Send, C: Codec<T>> Queue for IpcQueue<T, C> {
    fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        match self.push_by(&item, None) {
            Ok(()) => Ok(()),
            Err(Refusal::Wait) => Err(TryPushError::Full(item)),
            Err(Refusal::Closed) => Err(TryPushError::Closed(item)),
            Err(Refusal::Failed(failure)) => Err(TryPushError::Failed(item, failure)),
        }
    }

    fn push_timeout(&self, item: T, timeout: Duration) -> Result<(), PushTimeoutError<T>> {
        self.push_until(item, Deadline::after(timeout))
    }

    fn push_until(&self, item: T, deadline: Deadline) -> Result<(), PushTimeoutError<T>> {
        match self.push_by(&item, Some(deadline)) {
            Ok(()) => Ok(()),
            Err(Refusal::Wait) => Err(PushTimeoutError::Timeout(item)),
            Err(Refusal::Closed) => Err(PushTimeoutError::Closed(item)),
            Err(Refusal::Failed(failure)) => Err(PushTimeoutError::Failed(item, failure)),
        }
    }

    fn try_push_many(&self, items: &mut VecDeque<T>) -> Result<usize, TryPushError<()>> {
        self.push_some(items, None)
            .map_err(|refusal| match refusal {
                Refusal::Wait => TryPushError::Full(()),
                Refusal::Closed => TryPushError::Closed(()),
                Refusal::Failed(failure) => TryPushError::Failed((), failure),
            })
    }

    fn push_many(&self, items: &mut VecDeque<T>) -> Result<(), PushError<()>> {
        while !items.is_empty() {
            match self.push_some(items, Some(Deadline::NEVER)) {
                Ok(_) | Err(Refusal::Wait) => {}
                Err(Refusal::Closed) => return Err(PushError::Closed(())),
                Err(Refusal::Failed(failure)) => return Err(PushError::Failed((), failure)),
            }
        }
        Ok(())
    }

    fn try_pop(&self) -> Result<T, TryPopError> {
        self.pop_by(None)
    }

    fn pop_timeout(&self, timeout: Duration) -> Result<T, PopTimeoutError> {
        self.pop_until(Deadline::after(timeout))
    }

    fn pop_until(&self, deadline: Deadline) -> Result<T, PopTimeoutError> {
        self.pop_by(Some(deadline)).map_err(late)
    }

    fn try_pop_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        self.pop_some(into, max, None)
    }

    fn pop_many_until(
        &self,
        into: &mut Vec<T>,
        max: usize,
        deadline: Deadline,
    ) -> Result<usize, PopTimeoutError> {
        self.pop_some(into, max, Some(deadline)).map_err(late)
    }

    fn len(&self) -> usize {
        let len = self.state().0.saturating_add(self.owed().len());
        len.min(self.capacity().unwrap_or(usize::MAX))
    }

    fn capacity(&self) -> Option<usize> {
        match &self.place {
            Place::Here(host) => host.capacity(),
            Place::Elsewhere(client) => client.capacity(),
        }
    }

    fn is_closed(&self) -> bool {
        match self.reach() {
            Ok(Place::Elsewhere(client)) => client.is_closed(),
            _ => self.state().1,
        }
    }

    fn close(&self) -> bool {
        match self.reach() {
            Ok(Place::Here(host)) => host.close(),
            Ok(Place::Elsewhere(client)) => client.close(),
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
        loop {
            match self.pop_bodies(usize::MAX, None) {
                Ok(bodies) => {
                    let bytes = bodies.into_iter().map(Body::into_bytes);
                    left.extend(bytes.map(|bytes| bytes.map_or_else(Due::Failure, Due::Item)));
                }
                // The last ones are on their way, and may yet come.
                Err(Refusal::Wait) => thread::yield_now(),
                Err(Refusal::Closed | Refusal::Failed(_)) => break,
            }
        }
        self.owed().decode_all::<T, C>(left)
    }
}

impl<T: Send, C: Codec<T>> IpcQueue<T, C> {
    /// Pushes by `by`, or without one at once.
    fn push_by(&self, item: &T, by: Option<Deadline>) -> Result<(), Refusal> {
        self.allow(Side::Producers)?;
        match &self.place {
            // Before it is serialized: who waits for a slot tries again and again.
            Place::Here(host) => self.until(Side::Producers, by, || {
                if let Some(refusal) = host.refuses() {
                    return Err(refusal.into());
                }
                let mut bytes = Vec::new();
                C::encode(item, &mut bytes)?;
                host.push(&mut vec![Body::Inline(bytes)])?;
                Ok(())
            }),
            Place::Elsewhere(client) => {
                let mut bytes = Vec::new();
                C::encode(item, &mut bytes)?;
                client.push(&mut vec![Body::new(bytes)?], by).map(drop)
            }
        }
    }

    /// Pushes of `items` from the front what finds a slot: how many.
    fn push_some(&self, items: &mut VecDeque<T>, by: Option<Deadline>) -> Result<usize, Refusal> {
        self.allow(Side::Producers)?;
        if items.is_empty() {
            return Ok(0);
        }
        let pushed = match &self.place {
            Place::Here(host) => self.until(Side::Producers, by, || {
                if let Some(refusal) = host.refuses() {
                    return Err(refusal.into());
                }
                let room = host.ready_hint(Side::Producers).max(1);
                let mut bodies = encode::<T, C>(items, room, |bytes| Ok(Body::Inline(bytes)))?;
                Ok(host.push(&mut bodies)?)
            }),
            Place::Elsewhere(client) => {
                let room = client.capacity().unwrap_or(usize::MAX);
                let mut bodies = encode::<T, C>(items, room, Body::new)?;
                client.push(&mut bodies, by)
            }
        }?;
        items.drain(..pushed);
        Ok(pushed)
    }

    fn pop_by(&self, by: Option<Deadline>) -> Result<T, TryPopError> {
        self.allow(Side::Consumers).map_err(TryPopError::Failed)?;
        loop {
            if let Some(popped) = self.owed().pop::<T, C>() {
                return popped;
            }
            let bodies = self.pop_bodies(1, by).map_err(refused)?;
            if let Some(body) = bodies.into_iter().next() {
                let item = body
                    .into_bytes()
                    .and_then(|mut bytes| C::decode_from(&mut bytes));
                return item.map_err(|failure| TryPopError::Failed(failure.with_item_consumed()));
            }
        }
    }

    fn pop_some(
        &self,
        into: &mut Vec<T>,
        max: usize,
        by: Option<Deadline>,
    ) -> Result<usize, TryPopError> {
        if max == 0 {
            return Ok(0);
        }
        self.allow(Side::Consumers).map_err(TryPopError::Failed)?;
        let owed = self.owed();
        loop {
            let before = owed.pop_many::<T, C>(into, max)?;
            if before == max || owed.is_some() {
                return Ok(before);
            }
            // Whoever has something does not wait for more.
            let by = by.filter(|_| before == 0);
            let bodies = match self.pop_bodies(max - before, by) {
                Ok(bodies) if bodies.is_empty() => continue,
                Ok(bodies) => bodies,
                Err(_) if before > 0 => return Ok(before),
                Err(refusal) => return Err(refused(refusal)),
            };
            let wake = || match &self.place {
                Place::Here(host) => calmly(|| host.event(Side::Consumers).notify_all()),
                Place::Elsewhere(client) => client.look_again(),
            };
            let bytes: Vec<_> = bodies.into_iter().map(Body::into_bytes).collect();
            // Bytes that did not arrive are none of an item.
            let bytes = bytes
                .iter()
                .map(|bytes| bytes.as_deref().unwrap_or_default());
            return owed.decode::<T, C>(bytes, into, before, wake);
        }
    }

    /// Up to `max` of the oldest items, by `by`, or without one at once. None if something is
    /// owed.
    fn pop_bodies(&self, max: usize, by: Option<Deadline>) -> Result<Vec<Body>, Refusal> {
        match &self.place {
            Place::Here(host) => self.until(Side::Consumers, by, || match self.owed().is_some() {
                true => Ok(Vec::new()),
                false => Ok(host.pop(max)?),
            }),
            Place::Elsewhere(client) => match by {
                None => client.try_pop(max),
                Some(deadline) => client.pop(max, deadline, || self.owed().is_some()),
            },
        }
    }

    /// Tries in this process, until it is done or the time is over.
    fn until<R>(
        &self,
        side: Side,
        by: Option<Deadline>,
        mut attempt: impl FnMut() -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let mut listener = None;
        loop {
            match (attempt(), by) {
                (Err(Refusal::Wait), Some(deadline)) if !deadline.has_passed() => {
                    match listener.take() {
                        None => listener = Some(self.event(side).listen()),
                        Some(listener) => drop(listener.wait(deadline)),
                    }
                }
                (done, _) => return done,
            }
        }
    }

    fn owed(&self) -> &Owed {
        match &self.place {
            Place::Here(host) => &host.owed,
            Place::Elsewhere(client) => &client.owed,
        }
    }

    fn event(&self, side: Side) -> &Event {
        /// Of a forked child, where nobody waits: every verb fails first.
        static FORKED: PerProcess<Event> = PerProcess::new();
        match self.reach() {
            Ok(Place::Here(host)) => host.event(side),
            Ok(Place::Elsewhere(client)) => client.event(side),
            Err(_) => FORKED.get_or(Event::new),
        }
    }

    fn state(&self) -> (usize, bool) {
        match self.reach() {
            Ok(Place::Here(host)) => host.state(),
            Ok(Place::Elsewhere(client)) => client.state(),
            Err(_) => (0, true),
        }
    }
}

/// The first of `items`, as many as may be pushed at once and as have bytes.
fn encode<T, C: Codec<T>>(
    items: &VecDeque<T>,
    room: usize,
    body: impl Fn(Vec<u8>) -> Result<Body, Failure>,
) -> Result<Vec<Body>, Failure> {
    let (mut bodies, mut all) = (Vec::new(), 0);
    for item in items.iter().take(room.min(BATCH_ITEMS)) {
        let mut bytes = Vec::new();
        let encoded = C::encode(item, &mut bytes).and_then(|()| {
            all += bytes.len();
            body(bytes)
        });
        match encoded {
            Ok(body) => bodies.push(body),
            Err(failure) if bodies.is_empty() => return Err(failure),
            Err(_) => break,
        }
        if all >= BATCH_BYTES / 2 {
            break;
        }
    }
    Ok(bodies)
}

impl From<rules::Refusal> for Refusal {
    fn from(refusal: rules::Refusal) -> Self {
        match refusal {
            rules::Refusal::Wait => Self::Wait,
            rules::Refusal::Closed => Self::Closed,
        }
    }
}

fn refused(refusal: Refusal) -> TryPopError {
    match refusal {
        Refusal::Wait => TryPopError::Empty,
        Refusal::Closed => TryPopError::Closed,
        Refusal::Failed(failure) => TryPopError::Failed(failure),
    }
}

fn late(refused: TryPopError) -> PopTimeoutError {
    match refused {
        TryPopError::Empty => PopTimeoutError::Timeout,
        TryPopError::Closed => PopTimeoutError::Closed,
        TryPopError::Failed(failure) => PopTimeoutError::Failed(failure),
    }
}
