//! Getting one's turn to push: at once or not at all, blocking the thread, and as a
//! future. For one item, that others may push on behalf of who waits; and for whoever
//! needs a place to do something else with.

use crate::coop;
use crate::pushers::Wish;
use crate::shared::{Shared, release, release_newcomer};
use crate::state::{Closed, State, Want};
use crate::turn::Turn;
use crate::wake::Wake;
use queue_core::sync::{Deadline, LockGuard};
use queue_core::{PushTimeoutError, TryPushError};
use std::task::{Context, Poll, ready};

/// What an item's slot holds until its pusher is served or stands in line.
const HELD: &str = "an item is pushed once";

// One item.
impl<T> Shared<T> {
    /// Pushes past all who wait.
    #[inline]
    pub(crate) fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        let mut state = self.lock();
        if state.is_closed() {
            return Err(TryPushError::Closed(item));
        }
        if state.places() == 0 {
            return Err(TryPushError::Full(item));
        }
        state.push(item);
        release(state);
        Ok(())
    }

    /// Blocks until the item is pushed, or the deadline, which is asked for after a first
    /// try.
    #[inline]
    pub(crate) fn wait_push(
        &self,
        item: T,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<(), PushTimeoutError<T>> {
        let mut state = self.lock();
        if state.is_closed() {
            return Err(PushTimeoutError::Closed(item));
        }
        if state.places() > 0 {
            state.push(item);
            release(state);
            return Ok(());
        }
        let key = state.join_pushers(Wish::Push(item), None);
        drop(state);
        let turn = Turn::new(self, Want::Push, key);
        let mut state = turn.wait_lock(deadline());
        match turn.leave(&mut state) {
            None => Ok(()),
            Some(item) if state.is_closed() => Err(PushTimeoutError::Closed(item)),
            Some(item) => Err(PushTimeoutError::Timeout(item)),
        }
    }

    /// Pushes what is in `item` once it is this task's turn, by itself or by whoever
    /// frees the place; `turn` is where it stands in line meanwhile. If the queue is
    /// closed the item is in its place again.
    ///
    /// The answer fits a register, with and without waiting: one that goes through memory
    /// costs as much as the lock does.
    #[inline(always)]
    pub(crate) fn poll_push<'a>(
        &'a self,
        item: &mut Option<T>,
        turn: &mut Option<Turn<'a, T>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        let budget = ready!(coop::poll_proceed(cx));
        let mut state = None;
        if turn.is_none() {
            let mut free = self.lock();
            if free.places() > 0 && !free.is_closed() {
                free.push(item.take().expect(HELD));
                release_newcomer(free);
                budget.made_progress();
                return Poll::Ready(Ok(()));
            }
            state = Some(free);
        }
        let polled = self.poll_push_in_line(item, turn, cx, state);
        if polled.is_ready() {
            budget.made_progress();
        }
        polled
    }

    /// [`poll_push`](Self::poll_push) where nothing is free: with the lock if that was
    /// seen just now, without if the task stands in line already.
    #[inline(never)]
    fn poll_push_in_line<'a>(
        &'a self,
        item: &mut Option<T>,
        turn: &mut Option<Turn<'a, T>>,
        cx: &mut Context<'_>,
        state: Option<LockGuard<'a, State<T>>>,
    ) -> Poll<Result<(), Closed>> {
        let mut state = match (state, &turn) {
            (Some(state), _) => state,
            (None, Some(turn)) => ready!(turn.poll_lock(cx)),
            (None, None) => self.lock(),
        };
        if let Some(turn) = turn.take() {
            *item = turn.leave(&mut state);
        } else if !state.is_closed() {
            let wake = Some(Wake::task(cx));
            let key = state.join_pushers(Wish::Push(item.take().expect(HELD)), wake);
            drop(state);
            *turn = Some(Turn::new(self, Want::Push, key));
            return Poll::Pending;
        }
        Poll::Ready(if item.is_none() { Ok(()) } else { Err(Closed) })
    }
}

// A place. In each, `act` is what to do with it.
impl<T> Shared<T> {
    /// Acts past all who wait: `None` if there is no place.
    pub(crate) fn try_placing<R>(
        &self,
        act: impl FnOnce(&mut State<T>) -> R,
    ) -> Option<Result<R, Closed>> {
        let mut state = self.lock();
        if state.is_closed() {
            return Some(Err(Closed));
        }
        if state.places() == 0 {
            return None;
        }
        let result = act(&mut state);
        release(state);
        Some(Ok(result))
    }

    /// Blocks until there is a place for this thread, and acts.
    pub(crate) fn wait_placing<R>(
        &self,
        act: impl FnOnce(&mut State<T>) -> R,
    ) -> Result<R, Closed> {
        let mut state = self.lock();
        if state.places() == 0 && !state.is_closed() {
            let key = state.join_pushers(Wish::Hold, None);
            drop(state);
            let turn = Turn::new(self, Want::Hold, key);
            state = turn.wait_lock(Deadline::NEVER);
            turn.leave(&mut state);
        }
        if state.is_closed() {
            return Err(Closed);
        }
        let result = act(&mut state);
        release(state);
        Ok(result)
    }

    /// Acts once there is a place for this task.
    pub(crate) fn poll_placing<'a, R>(
        &'a self,
        turn: &mut Option<Turn<'a, T>>,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut State<T>) -> R,
    ) -> Poll<Result<R, Closed>> {
        let budget = ready!(coop::poll_proceed(cx));
        let mut state = match turn {
            None => self.lock(),
            Some(turn) => ready!(turn.poll_lock(cx)),
        };
        if let Some(turn) = turn.take() {
            // The place that was held for it is free for what follows.
            turn.leave(&mut state);
        } else if state.places() == 0 && !state.is_closed() {
            let key = state.join_pushers(Wish::Hold, Some(Wake::task(cx)));
            drop(state);
            *turn = Some(Turn::new(self, Want::Hold, key));
            return Poll::Pending;
        }
        budget.made_progress();
        if state.is_closed() {
            return Poll::Ready(Err(Closed));
        }
        let result = act(&mut state);
        release(state);
        Poll::Ready(Ok(result))
    }
}
