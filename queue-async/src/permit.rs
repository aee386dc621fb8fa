//! [`Permit`]: a slot that is held before there is an item for it.

use crate::shared::Shared;
use queue_core::PushError;
use std::{fmt, mem};

/// A slot in an [`AsyncQueue`](crate::AsyncQueue), from
/// [`reserve_async`](crate::AsyncQueue::reserve_async).
///
/// Its slot counts as taken (the queue may be full of permits) but not as an item:
/// `len` does not count it. The item goes to the end of the queue when it is pushed, not
/// where the queue's end was when the slot was reserved. Dropping a permit gives its
/// slot to the next who waits for one.
///
/// ```
/// use queue_async::{AsyncQueue, Queue, TryPushError};
/// let queue = AsyncQueue::bounded(1);
/// let permit = queue.try_reserve().unwrap();
/// assert_eq!(queue.try_push("somebody else's"), Err(TryPushError::Full("somebody else's")));
/// permit.push("made to order").unwrap();
/// assert_eq!(queue.try_pop(), Ok("made to order"));
/// ```
#[must_use = "a permit that is dropped gives its slot back"]
pub struct Permit<'a, T> {
    shared: &'a Shared<T>,
}

impl<'a, T> Permit<'a, T> {
    /// For a slot that has been reserved.
    pub(crate) fn new(shared: &'a Shared<T>) -> Self {
        Self { shared }
    }

    /// Fills the slot with `item`; never waits.
    ///
    /// # Errors
    /// `Closed`, with the item, if the queue was closed since.
    ///
    /// # Panics
    /// If a waker does that this wakes; the item is in the queue then.
    pub fn push(self, item: T) -> Result<(), PushError<T>> {
        // Given up first: where a waker panics below, `drop` must not give the slot back
        // once more.
        let shared = self.shared;
        mem::forget(self);
        let refused = shared.change(|state| {
            state.unhold();
            if state.is_closed() {
                return Some(item);
            }
            state.push(item);
            None
        });
        match refused {
            None => Ok(()),
            Some(item) => Err(PushError::Closed(item)),
        }
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.shared.change(|state| state.unhold());
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit(..)")
    }
}
