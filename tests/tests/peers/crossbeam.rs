//! crossbeam-channel: its own verbs for threads; futures, which it does not have, by the
//! family's events.
//!
//! It closes when all senders or all receivers are dropped. A close that leaves the
//! items to the receivers is therefore to drop all senders, and a sender that is
//! blocked in `send` cannot be dropped.

use super::wait::Bells;
use crossbeam_channel::{
    Receiver, RecvTimeoutError, SendTimeoutError, Sender, TryRecvError, TrySendError,
};
use queue_core::event::Listener;
use queue_core::sync::Deadline;
use queue_core::{
    Capacity, EndpointCounts, Failure, Kind, PopTimeoutError, PushTimeoutError, Queue, Side,
    TryPopError, TryPushError, WithCapacity,
};
use std::sync::{Arc, Mutex};

pub(crate) struct Crossbeam<T> {
    /// Gone once closed.
    sender: Arc<Mutex<Option<Sender<T>>>>,
    /// Gone once the last consumer is.
    receiver: Arc<Mutex<Option<Receiver<T>>>>,
    capacity: Option<usize>,
    bells: Arc<Bells>,
}

impl<T> Clone for Crossbeam<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            receiver: self.receiver.clone(),
            capacity: self.capacity,
            bells: self.bells.clone(),
        }
    }
}

impl<T> WithCapacity for Crossbeam<T> {
    fn try_with_capacity(bound: Capacity) -> Result<Self, Failure> {
        let (sender, receiver) = match bound.capacity() {
            Some(n) => crossbeam_channel::bounded(n),
            None => crossbeam_channel::unbounded(),
        };
        Ok(Self {
            sender: Arc::new(Mutex::new(Some(sender))),
            receiver: Arc::new(Mutex::new(Some(receiver))),
            capacity: bound.capacity(),
            bells: Arc::default(),
        })
    }
}

impl<T> Crossbeam<T> {
    fn sender(&self) -> Option<Sender<T>> {
        self.sender.lock().expect("no panic under the lock").clone()
    }

    fn receiver(&self) -> Option<Receiver<T>> {
        self.receiver
            .lock()
            .expect("no panic under the lock")
            .clone()
    }
}

impl<T: Send> Kind for Crossbeam<T> {
    type Item = T;
    type Listener<'a>
        = Listener<'a>
    where
        Self: 'a;
    fn endpoints(&self) -> &EndpointCounts {
        &self.bells.ends
    }

    /// Without consumers the channel ends by its own means.
    fn on_last_endpoint(&self, side: Side) {
        if side == Side::Consumers {
            drop(
                self.receiver
                    .lock()
                    .expect("no panic under the lock")
                    .take(),
            );
        }
        self.close();
    }

    fn listen(&self, side: Side) -> Listener<'_> {
        match side {
            Side::Consumers => self.bells.items.listen(),
            Side::Producers => self.bells.places.listen(),
        }
    }
}

impl<T: Send> Queue for Crossbeam<T> {
    fn push_until(&self, item: T, deadline: Deadline) -> Result<(), PushTimeoutError<T>> {
        let Some(sender) = self.sender() else {
            return Err(PushTimeoutError::Closed(item));
        };
        if deadline == Deadline::AT_ONCE {
            return self.try_push(item).map_err(|error| match error {
                TryPushError::Full(item) => PushTimeoutError::Timeout(item),
                TryPushError::Closed(item) => PushTimeoutError::Closed(item),
                TryPushError::Failed(item, failure) => PushTimeoutError::Failed(item, failure),
            });
        }
        let sent = match deadline.instant() {
            None => sender
                .send(item)
                .map_err(|error| PushTimeoutError::Closed(error.0)),
            Some(instant) => sender
                .send_deadline(item, instant)
                .map_err(|error| match error {
                    SendTimeoutError::Timeout(item) => PushTimeoutError::Timeout(item),
                    SendTimeoutError::Disconnected(item) => PushTimeoutError::Closed(item),
                }),
        };
        sent?;
        self.bells.items.notify();
        Ok(())
    }

    fn pop_until(&self, deadline: Deadline) -> Result<T, PopTimeoutError> {
        if deadline == Deadline::AT_ONCE {
            return self.try_pop().map_err(|error| match error {
                TryPopError::Empty => PopTimeoutError::Timeout,
                TryPopError::Closed => PopTimeoutError::Closed,
                TryPopError::Failed(failure) => PopTimeoutError::Failed(failure),
            });
        }
        let receiver = self.receiver().ok_or(PopTimeoutError::Closed)?;
        let item = match deadline.instant() {
            None => receiver.recv().map_err(|_| PopTimeoutError::Closed),
            Some(instant) => receiver
                .recv_deadline(instant)
                .map_err(|error| match error {
                    RecvTimeoutError::Timeout => PopTimeoutError::Timeout,
                    RecvTimeoutError::Disconnected => PopTimeoutError::Closed,
                }),
        };
        let item = item?;
        self.bells.places.notify();
        Ok(item)
    }

    fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        let Some(sender) = self.sender() else {
            return Err(TryPushError::Closed(item));
        };
        sender.try_send(item).map_err(|error| match error {
            TrySendError::Full(item) => TryPushError::Full(item),
            TrySendError::Disconnected(item) => TryPushError::Closed(item),
        })?;
        self.bells.items.notify();
        Ok(())
    }

    fn try_pop(&self) -> Result<T, TryPopError> {
        let receiver = self.receiver().ok_or(TryPopError::Closed)?;
        let item = receiver.try_recv().map_err(|error| match error {
            TryRecvError::Empty => TryPopError::Empty,
            TryRecvError::Disconnected => TryPopError::Closed,
        })?;
        self.bells.places.notify();
        Ok(item)
    }
    fn len(&self) -> usize {
        self.receiver().map_or(0, |receiver| receiver.len())
    }
    fn capacity(&self) -> Option<usize> {
        self.capacity
    }
    fn is_closed(&self) -> bool {
        self.sender
            .lock()
            .expect("no panic under the lock")
            .is_none()
    }
    fn close(&self) -> bool {
        let last = self.sender.lock().expect("no panic under the lock").take();
        let first = last.is_some();
        drop(last);
        self.bells.items.notify_all();
        self.bells.places.notify_all();
        first
    }
}
