//! [`Chain`]: the storage of an unbounded [`LockFreeQueue`](super::LockFreeQueue), and the
//! one place that knows `crossbeam-queue`.
//!
//! loom does not see into it; under loom `stand_in` takes its place.

use super::drop_all;
use super::push_count::{PushCount, Refused};
use queue_core::sync::CachePadded;
use queue_core::{TryPopError, TryPushError};
use std::mem::{MaybeUninit, needs_drop};

#[cfg(loom)]
use super::stand_in::SegQueue;
#[cfg(not(loom))]
use crossbeam_queue::SegQueue;

pub(super) struct Chain<T> {
    /// Each is there. The type says less, so that the list can be dropped after what its
    /// items borrow: see [`Owner`](super::owner::Owner).
    items: SegQueue<MaybeUninit<T>>,
    pushes: CachePadded<PushCount>,
}

/// What a push came to, and whether the queue was closed beside it: then consumers, who
/// wait for what it comes to, are to be told.
pub(super) struct Pushed<T> {
    pub(super) result: Result<(), TryPushError<T>>,
    pub(super) at_close: bool,
}

impl<T> Chain<T> {
    pub(super) fn new() -> Self {
        Self {
            items: SegQueue::new(),
            pushes: CachePadded(PushCount::new()),
        }
    }

    #[inline]
    pub(super) fn push(&self, item: T) -> Pushed<T> {
        match self.pushes.enter() {
            Ok(guard) => {
                self.items.push(MaybeUninit::new(item));
                Pushed {
                    result: Ok(()),
                    at_close: guard.leave(),
                }
            }
            Err(Refused { late }) => Pushed {
                result: Err(TryPushError::Closed(item)),
                at_close: late,
            },
        }
    }

    #[inline]
    pub(super) fn pop(&self) -> Result<T, TryPopError> {
        if let Some(item) = self.take() {
            return Ok(item);
        }
        let is_over = self.pushes.is_over();
        // Asked again: whatever was pushed by a push that had ended then is there to see now. One that
        // had not sees who listens.
        self.take().ok_or(match is_over {
            true => TryPopError::Closed,
            false => TryPopError::Empty,
        })
    }

    #[inline(always)]
    fn take(&self) -> Option<T> {
        // SAFETY: nothing but `push` puts items in, and it puts in one that is there.
        self.items.pop().map(|item| unsafe { item.assume_init() })
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn close(&self) -> bool {
        self.pushes.close()
    }

    /// Whether it is closed and every push has ended.
    pub(super) fn is_over(&self) -> bool {
        self.pushes.is_over()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.pushes.is_closed()
    }
}

/// To the last, though dropping an item panics; the list itself drops none.
impl<T> Drop for Chain<T> {
    fn drop(&mut self) {
        if needs_drop::<T>() {
            drop_all(|| {
                let Some(mut item) = self.items.pop() else {
                    return false;
                };
                // SAFETY: as in `take`; it is not looked at again.
                unsafe { item.assume_init_drop() };
                true
            });
        }
    }
}
