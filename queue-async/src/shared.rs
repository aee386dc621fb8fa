//! [`Shared`]: what all handles of a queue share, and the three ways to get one's turn:
//! at once or not at all, blocking the thread, and as a future.

use crate::coop;
use crate::line::{Wake, Wakes};
use crate::state::{State, Want};
use crate::turn::Turn;
use queue_core::Ends;
use queue_core::sync::{Deadline, Lock, LockGuard};
use std::task::{Context, Poll, ready};

/// See the module's page. In each of the three, `act` is what to do once it is one's
/// turn: there is an item (a place), or the queue is closed.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    state: Lock<State<T>>,
    pub(crate) ends: Ends,
}

impl<T> Shared<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            state: Lock::new(State::new(capacity)),
            ends: Ends::new(),
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> LockGuard<'_, State<T>> {
        self.state.lock()
    }

    /// Changes the state, and wakes whom that concerns after the lock is released.
    #[inline]
    pub(crate) fn change<R>(&self, act: impl FnOnce(&mut State<T>) -> R) -> R {
        let mut wakes = Wakes::default();
        let mut state = self.lock();
        let result = act(&mut state);
        state.settle(&mut wakes);
        drop(state);
        result
    }

    /// Acts at once if there is anything there, past all who wait: `None` otherwise.
    #[inline]
    pub(crate) fn try_turn<R>(
        &self,
        want: Want,
        act: impl FnOnce(&mut State<T>) -> R,
    ) -> Option<R> {
        let mut wakes = Wakes::default();
        let mut state = self.lock();
        if state.available(want) == 0 {
            return None;
        }
        let result = act(&mut state);
        state.settle(&mut wakes);
        drop(state);
        Some(result)
    }

    /// Blocks until it is this thread's turn, and acts: `None` if the deadline came first.
    /// Looks at the clock only after a first try.
    #[inline]
    pub(crate) fn wait_turn<R>(
        &self,
        want: Want,
        deadline: impl FnOnce() -> Deadline,
        act: impl FnOnce(&mut State<T>) -> R,
    ) -> Option<R> {
        let mut wakes = Wakes::default();
        let mut state = self.lock();
        if !state.serves_newcomer(want) {
            let key = state.line_mut(want).join(None);
            drop(state);
            let turn = Turn::new(self, want, key);
            turn.wait_granted(deadline());
            state = self.lock();
            let granted = turn.leave(&mut state);
            if !granted {
                state.settle(&mut wakes);
                return None;
            }
        }
        let result = act(&mut state);
        state.settle(&mut wakes);
        drop(state);
        Some(result)
    }

    /// Ready with what `act` did once it is this task's turn; `turn` is where it stands
    /// in line meanwhile.
    #[inline]
    pub(crate) fn poll_turn<'a, R>(
        &'a self,
        want: Want,
        turn: &mut Option<Turn<'a, T>>,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut State<T>) -> R,
    ) -> Poll<R> {
        let budget = ready!(coop::poll_proceed(cx));
        let mut wakes = Wakes::default();
        let mut waker = None;
        loop {
            let mut state = self.lock();
            let come = match turn {
                None => state.serves_newcomer(want),
                Some(turn) => turn.is_granted(&state),
            };
            if come {
                if let Some(turn) = turn.take() {
                    turn.leave(&mut state);
                }
                let result = act(&mut state);
                state.settle(&mut wakes);
                drop(state);
                budget.made_progress();
                return Poll::Ready(result);
            }
            match (turn.as_mut(), waker.take()) {
                (Some(turn), _) if turn.sleeps_on(&state, cx.waker()) => return Poll::Pending,
                (Some(turn), Some(waker)) => {
                    let old = turn.sleep(&mut state, Wake::Task(waker));
                    drop(state);
                    drop(old);
                    return Poll::Pending;
                }
                (None, Some(waker)) => {
                    let key = state.line_mut(want).join(Some(Wake::Task(waker)));
                    drop(state);
                    *turn = Some(Turn::new(self, want, key));
                    return Poll::Pending;
                }
                (_, None) => {}
            }
            // A waker is foreign code: it is cloned, and dropped, without the lock.
            drop(state);
            waker = Some(cx.waker().clone());
        }
    }
}
