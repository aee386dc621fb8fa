//! What the peers do not have, waiting until a deadline among them, by the family's
//! events, which the wrappers ring after every push and pop.

use queue_core::event::{Event, Listen};
use queue_core::sync::Deadline;
use queue_core::{
    EndpointCounts, PopTimeoutError, PushTimeoutError, Queue, Side, TryPopError, TryPushError,
};

/// What every wrapper carries beside its channel.
#[derive(Debug, Default)]
pub(crate) struct Bells {
    pub(crate) items: Event,
    pub(crate) places: Event,
    pub(crate) ends: EndpointCounts,
}

pub(crate) fn push_until<T: Send, Q: Queue<Item = T>>(
    queue: &Q,
    mut item: T,
    deadline: Deadline,
) -> Result<(), PushTimeoutError<T>> {
    let mut waited = true;
    loop {
        let listener = queue.listen(Side::Producers);
        item = match queue.try_push(item) {
            Ok(()) => return Ok(()),
            Err(TryPushError::Full(item)) if waited => item,
            Err(TryPushError::Full(item)) => return Err(PushTimeoutError::Timeout(item)),
            Err(TryPushError::Closed(item)) => return Err(PushTimeoutError::Closed(item)),
            Err(TryPushError::Failed(item, why)) => {
                return Err(PushTimeoutError::Failed(item, why));
            }
        };
        waited = listener.wait(deadline);
    }
}

pub(crate) fn pop_until<T: Send, Q: Queue<Item = T>>(
    queue: &Q,
    deadline: Deadline,
) -> Result<T, PopTimeoutError> {
    let mut waited = true;
    loop {
        let listener = queue.listen(Side::Consumers);
        match queue.try_pop() {
            Ok(item) => return Ok(item),
            Err(TryPopError::Empty) if waited => {}
            Err(TryPopError::Empty) => return Err(PopTimeoutError::Timeout),
            Err(TryPopError::Closed) => return Err(PopTimeoutError::Closed),
            Err(TryPopError::Failed(why)) => return Err(PopTimeoutError::Failed(why)),
        }
        waited = listener.wait(deadline);
    }
}
