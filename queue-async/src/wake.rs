//! Releasing the lock of the [`State`], and waking whom the change concerns.

use crate::state::State;
use queue_core::sync::LockGuard;
use queue_core::waiters::{wake, wake_all};
use std::task::Waker;

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
