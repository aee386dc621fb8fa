//! [`Shared`]: what all handles of a queue share.

use crate::state::State;
use crate::wake::release;
use queue_core::EndpointCounts;
use queue_core::sync::{Lock, LockGuard};

/// The state under its lock, and the ends beside it.
pub(crate) struct Shared<T> {
    state: Lock<State<T>>,
    pub(crate) ends: EndpointCounts,
}

impl<T> Shared<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            state: Lock::new(State::new(capacity)),
            ends: EndpointCounts::new(),
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> LockGuard<'_, State<T>> {
        self.state.lock()
    }

    /// Changes the state, and wakes whom that concerns.
    #[inline]
    pub(crate) fn change<R>(&self, act: impl FnOnce(&mut State<T>) -> R) -> R {
        let mut state = self.lock();
        let result = act(&mut state);
        release(state);
        result
    }
}
