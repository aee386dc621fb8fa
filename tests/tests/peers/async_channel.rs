//! async-channel: its own verbs, blocking and as futures; timeouts, which it leaves to
//! the runtime, by the family's events.

use super::wait::{Bells, pop_until, push_until};
use async_channel::{Receiver, Sender, TryRecvError, TrySendError};
use queue_core::event::Listener;
use queue_core::sync::Deadline;
use queue_core::{
    Capacity, EndpointCounts, Failure, Kind, PopError, PopTimeoutError, PushError,
    PushTimeoutError, Queue, Side, TryPopError, TryPushError, WithCapacity,
};
use std::sync::Arc;

pub(crate) struct AsyncChannel<T> {
    sender: Sender<T>,
    receiver: Receiver<T>,
    bells: Arc<Bells>,
}

impl<T> Clone for AsyncChannel<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            receiver: self.receiver.clone(),
            bells: self.bells.clone(),
        }
    }
}

impl<T> WithCapacity for AsyncChannel<T> {
    fn try_with_capacity(bound: Capacity) -> Result<Self, Failure> {
        let (sender, receiver) = match bound.capacity() {
            Some(n) => async_channel::bounded(n),
            None => async_channel::unbounded(),
        };
        Ok(Self {
            sender,
            receiver,
            bells: Arc::default(),
        })
    }
}

impl<T: Send> Kind for AsyncChannel<T> {
    type Item = T;
    type Listener<'a>
        = Listener<'a>
    where
        Self: 'a;
    fn endpoints(&self) -> &EndpointCounts {
        &self.bells.ends
    }

    fn listen(&self, side: Side) -> Listener<'_> {
        match side {
            Side::Consumers => self.bells.items.listen(),
            Side::Producers => self.bells.places.listen(),
        }
    }
}

impl<T: Send> Queue for AsyncChannel<T> {
    fn push_until(&self, item: T, deadline: Deadline) -> Result<(), PushTimeoutError<T>> {
        if deadline != Deadline::NEVER {
            return push_until(self, item, deadline);
        }
        let sent = self.sender.send_blocking(item);
        sent.map_err(|error| PushTimeoutError::Closed(error.0))?;
        self.bells.items.notify();
        Ok(())
    }

    fn pop_until(&self, deadline: Deadline) -> Result<T, PopTimeoutError> {
        if deadline != Deadline::NEVER {
            return pop_until(self, deadline);
        }
        let item = self
            .receiver
            .recv_blocking()
            .map_err(|_| PopTimeoutError::Closed)?;
        self.bells.places.notify();
        Ok(item)
    }

    fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        self.sender.try_send(item).map_err(|error| match error {
            TrySendError::Full(item) => TryPushError::Full(item),
            TrySendError::Closed(item) => TryPushError::Closed(item),
        })?;
        self.bells.items.notify();
        Ok(())
    }

    fn try_pop(&self) -> Result<T, TryPopError> {
        let item = self.receiver.try_recv().map_err(|error| match error {
            TryRecvError::Empty => TryPopError::Empty,
            TryRecvError::Closed => TryPopError::Closed,
        })?;
        self.bells.places.notify();
        Ok(item)
    }

    async fn push_async(&self, item: T) -> Result<(), PushError<T>> {
        let sent = self.sender.send(item).await;
        sent.map_err(|error| PushError::Closed(error.0))?;
        self.bells.items.notify();
        Ok(())
    }

    async fn pop_async(&self) -> Result<T, PopError> {
        let item = self.receiver.recv().await.map_err(|_| PopError::Closed)?;
        self.bells.places.notify();
        Ok(item)
    }
    fn len(&self) -> usize {
        self.receiver.len()
    }
    fn capacity(&self) -> Option<usize> {
        self.receiver.capacity()
    }
    fn is_closed(&self) -> bool {
        self.receiver.is_closed()
    }
    fn close(&self) -> bool {
        let first = self.receiver.close();
        self.bells.items.notify_all();
        self.bells.places.notify_all();
        first
    }
}
