//! Getting one's turn to pop: at once or not at all, blocking the thread, and as a future.
//!
//! In each, `act` is what to do then: there is an item, or the queue has ended: it is closed
//! and nothing is in flight.

use crate::shared::Shared;
use crate::state::{State, WaitFor};
use crate::turn::Turn;
use crate::wake::{release, release_after_turn};
use queue_core::coop;
use queue_core::sync::{Deadline, LockGuard};
use std::task::{Context, Poll, ready};

impl<T> Shared<T> {
    /// Acts past all who wait: `None` if there is nothing.
    #[inline]
    pub(crate) fn try_with_item<R>(&self, act: impl FnOnce(&mut State<T>) -> R) -> Option<R> {
        let mut state = self.lock();
        if state.len() == 0 && !state.has_ended() {
            return None;
        }
        let result = act(&mut state);
        release(state);
        Some(result)
    }

    /// Blocks until it is this thread's turn, and acts: `None` if the deadline, which is
    /// asked for after a first try, came first.
    #[inline(always)]
    pub(crate) fn wait_with_item<R>(
        &self,
        deadline: impl FnOnce() -> Deadline,
        act: impl FnOnce(&mut State<T>) -> R,
    ) -> Option<R> {
        let mut state = self.lock();
        if state.spare() == 0 && !state.has_ended() {
            state = self.wait_in_line(state, deadline())?;
        }
        let result = act(&mut state);
        release(state);
        Some(result)
    }

    /// The lock again once it is this thread's turn.
    #[inline(never)]
    fn wait_in_line<'a>(
        &'a self,
        mut state: LockGuard<'a, State<T>>,
        deadline: Deadline,
    ) -> Option<LockGuard<'a, State<T>>> {
        if deadline == Deadline::AT_ONCE {
            return (state.len() != 0).then_some(state);
        }
        let key = state.enqueue_consumer(None);
        drop(state);
        let turn = Turn::new(self, WaitFor::Item, key);
        let mut state = turn.wait_lock(deadline);
        turn.leave(WaitFor::Item, &mut state);
        // Who ran out of time behind others has one last try, past them, like any
        // `try_` verb: "no item" is said only where there is none.
        if state.len() == 0 && !state.has_ended() {
            release(state);
            return None;
        }
        Some(state)
    }

    /// Acts once it is this task's turn; `turn` is where it stands in line meanwhile.
    ///
    /// `act` stands in the caller's own code, and no function that is called from here
    /// hands on what it gives: an item goes from the queue to its owner in one move.
    #[inline(always)]
    pub(crate) fn poll_with_item<'a, R>(
        &'a self,
        turn: &mut Option<Turn<'a, T>>,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut State<T>) -> R,
    ) -> Poll<R> {
        ready!(coop::poll_proceed(cx));
        let mut state = if turn.is_some() {
            ready!(poll_in_line(turn, cx))
        } else {
            let state = self.lock();
            if state.spare() == 0 && !state.has_ended() {
                *turn = Some(self.line_up(state, cx));
                return Poll::Pending;
            }
            state
        };
        let result = act(&mut state);
        release_after_turn(state);
        Poll::Ready(result)
    }

    #[inline(never)]
    fn line_up<'a>(
        &'a self,
        mut state: LockGuard<'a, State<T>>,
        cx: &mut Context<'_>,
    ) -> Turn<'a, T> {
        let key = state.enqueue_consumer(Some(cx.waker().clone()));
        drop(state);
        Turn::new(self, WaitFor::Item, key)
    }
}

/// The lock once the turn has come, which is over then.
#[inline(always)]
fn poll_in_line<'a, T>(
    turn: &mut Option<Turn<'a, T>>,
    cx: &mut Context<'_>,
) -> Poll<LockGuard<'a, State<T>>> {
    let (turn, mut state) = ready!(Turn::poll_over(turn, WaitFor::Item, cx));
    turn.leave_granted(&mut state);
    Poll::Ready(state)
}
