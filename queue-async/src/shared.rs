//! [`Shared`]: what all handles of a queue share.

use crate::state::State;
use queue_core::EndpointCounts;
use queue_core::sync::{Lock, LockGuard};
use queue_core::waiters::{wake, wake_all};
use std::task::Waker;

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

/// Releases the lock after a change, and wakes whom it concerns.
#[inline]
pub(crate) fn release<T>(state: LockGuard<'_, State<T>>) {
    if !state.all_served() {
        serve(state);
    }
}

/// [`release`] after a push or pop by one whose turn it was, or who came new and found
/// enough.
#[inline]
pub(crate) fn release_after_turn<T>(state: LockGuard<'_, State<T>>) {
    if !state.nobody_to_serve() {
        serve(state);
    }
}

#[inline(never)]
fn serve<T>(mut state: LockGuard<'_, State<T>>) {
    let first = state.serve();
    if !state.all_served() {
        return serve_more(state, first);
    }
    // Foreign code, a waker's, runs without the lock.
    drop(state);
    if let Some(waker) = first {
        wake(waker);
    }
}

/// [`serve`] where more than one are to be woken: two where one slot of a full queue
/// changes hands, rarely more.
#[inline(never)]
fn serve_more<T>(mut state: LockGuard<'_, State<T>>, first: Option<Waker>) {
    let two = [first, state.serve()].into_iter().flatten();
    if state.all_served() {
        drop(state);
        return wake_all(two);
    }
    let rest = std::iter::from_fn(|| state.serve());
    let wakers: Vec<_> = two.chain(rest).collect();
    drop(state);
    wake_all(wakers);
}
