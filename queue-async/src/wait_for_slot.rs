//! Getting one's turn to push: at once or not at all, blocking the thread, and as a
//! future. For one item, that others push on behalf of a thread that waits; and for
//! whoever needs a slot to do something else with.

use crate::producer_list::Request;
use crate::shared::Shared;
use crate::state::{Closed, State, WaitFor};
use crate::turn::Turn;
use crate::wake::{release, release_after_turn};
use queue_core::coop;
use queue_core::sync::{Deadline, LockGuard};
use queue_core::{PushTimeoutError, TryPushError};
use std::task::{Context, Poll, ready};

/// What a future's item is there for, until it is pushed.
const ONCE: &str = "an item is pushed once";

// One item.
impl<T> Shared<T> {
    /// Pushes past all who wait.
    #[inline]
    pub(crate) fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        let mut state = self.lock();
        if state.is_closed() {
            return Err(TryPushError::Closed(item));
        }
        if state.free_slots() == 0 {
            return Err(TryPushError::Full(item));
        }
        state.push(item);
        release(state);
        Ok(())
    }

    /// Blocks until the item is pushed, or the deadline, which is asked for after a first
    /// try.
    #[inline(always)]
    pub(crate) fn wait_push(
        &self,
        item: T,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<(), PushTimeoutError<T>> {
        let mut state = self.lock();
        if state.is_closed() {
            return Err(PushTimeoutError::Closed(item));
        }
        if state.free_slots() == 0 {
            return self.wait_in_line_push(state, item, deadline());
        }
        state.push(item);
        release(state);
        Ok(())
    }

    /// [`wait_push`](Self::wait_push) where there is no slot.
    #[inline(never)]
    fn wait_in_line_push<'a>(
        &'a self,
        mut state: LockGuard<'a, State<T>>,
        item: T,
        deadline: Deadline,
    ) -> Result<(), PushTimeoutError<T>> {
        if deadline == Deadline::AT_ONCE {
            return Err(PushTimeoutError::Timeout(item));
        }
        let key = state.enqueue_producer(Request::Push(item), None);
        drop(state);
        let turn = Turn::new(self, WaitFor::Push, key);
        let mut state = turn.wait_lock(deadline);
        match turn.leave(WaitFor::Push, &mut state) {
            None => Ok(()),
            Some(item) if state.is_closed() => Err(PushTimeoutError::Closed(item)),
            Some(item) => Err(PushTimeoutError::Timeout(item)),
        }
    }

    /// Pushes what is in `item` once it is this task's turn; `turn` is where it stands in
    /// line meanwhile. The item stays where it is until then, so a future that is dropped
    /// has not pushed; and if the queue is closed.
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
        ready!(coop::poll_proceed(cx));
        if turn.is_some() {
            poll_push_in_line(item, turn, cx)
        } else {
            let mut state = self.lock();
            if state.free_slots() > 0 && !state.is_closed() {
                state.push(item.take().expect(ONCE));
                release_after_turn(state);
                Poll::Ready(Ok(()))
            } else {
                self.line_up_push(turn, cx, state)
            }
        }
    }

    /// [`poll_push`](Self::poll_push) where there is no slot.
    #[inline(never)]
    fn line_up_push<'a>(
        &'a self,
        turn: &mut Option<Turn<'a, T>>,
        cx: &mut Context<'_>,
        state: LockGuard<'a, State<T>>,
    ) -> Poll<Result<(), Closed>> {
        if state.is_closed() {
            return Poll::Ready(Err(Closed));
        }
        *turn = Some(self.line_up_slot(cx, state));
        Poll::Pending
    }
}

/// [`Shared::poll_push`] for one who stands in line.
#[inline(never)]
fn poll_push_in_line<T>(
    item: &mut Option<T>,
    turn: &mut Option<Turn<'_, T>>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Closed>> {
    let (turn, mut state) = ready!(Turn::poll_over(turn, WaitFor::Hold, cx));
    // The slot that was held for it is free for what follows.
    turn.leave(WaitFor::Hold, &mut state);
    if state.is_closed() {
        return Poll::Ready(Err(Closed));
    }
    state.push(item.take().expect(ONCE));
    release_after_turn(state);
    Poll::Ready(Ok(()))
}

// A slot. In each, `act` is what to do with it.
impl<T> Shared<T> {
    /// Acts past all who wait: `None` if there is no slot.
    pub(crate) fn try_with_slot<R>(
        &self,
        act: impl FnOnce(&mut State<T>) -> R,
    ) -> Option<Result<R, Closed>> {
        let mut state = self.lock();
        if state.is_closed() {
            return Some(Err(Closed));
        }
        if state.free_slots() == 0 {
            return None;
        }
        let result = act(&mut state);
        release(state);
        Some(Ok(result))
    }

    /// Blocks until there is a slot for this thread, and acts.
    pub(crate) fn wait_with_slot<R>(
        &self,
        act: impl FnOnce(&mut State<T>) -> R,
    ) -> Result<R, Closed> {
        let mut state = self.lock();
        if state.free_slots() == 0 && !state.is_closed() {
            let key = state.enqueue_producer(Request::Hold, None);
            drop(state);
            let turn = Turn::new(self, WaitFor::Hold, key);
            state = turn.wait_lock(Deadline::NEVER);
            turn.leave(WaitFor::Hold, &mut state);
        }
        if state.is_closed() {
            return Err(Closed);
        }
        let result = act(&mut state);
        release(state);
        Ok(result)
    }

    /// Acts once there is a slot for this task.
    pub(crate) fn poll_with_slot<'a, R>(
        &'a self,
        turn: &mut Option<Turn<'a, T>>,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut State<T>) -> R,
    ) -> Poll<Result<R, Closed>> {
        ready!(coop::poll_proceed(cx));
        let mut state = if turn.is_some() {
            let (turn, mut state) = ready!(Turn::poll_over(turn, WaitFor::Hold, cx));
            // The slot that was held for it is free for what follows.
            turn.leave(WaitFor::Hold, &mut state);
            state
        } else {
            let state = self.lock();
            if state.free_slots() == 0 && !state.is_closed() {
                *turn = Some(self.line_up_slot(cx, state));
                return Poll::Pending;
            }
            state
        };
        if state.is_closed() {
            return Poll::Ready(Err(Closed));
        }
        let result = act(&mut state);
        release(state);
        Poll::Ready(Ok(result))
    }

    /// The end of the line, for a task that wants to have a slot held.
    fn line_up_slot<'a>(
        &'a self,
        cx: &mut Context<'_>,
        mut state: LockGuard<'a, State<T>>,
    ) -> Turn<'a, T> {
        let key = state.enqueue_producer(Request::Hold, Some(cx.waker().clone()));
        drop(state);
        Turn::new(self, WaitFor::Hold, key)
    }
}
