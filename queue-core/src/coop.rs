//! tokio's cooperative budget, for the authors of kinds. With it a task that always finds its queue
//! ready still lets its neighbours run now and then.
//!
//! Without the feature `tokio`, and under loom, there is no budget, and everything here does nothing.
//!
//! A future calls [`poll_proceed`] before it acts, and is pending if that is:
//!
//! ```
//! use queue_core::{Queue, TryPopError, coop};
//! use std::task::{Context, Poll, ready};
//!
//! fn poll_try_pop<Q: Queue<Item = u32>>(queue: &Q, cx: &mut Context<'_>) -> Poll<Result<u32, TryPopError>> {
//!     ready!(coop::poll_proceed(cx));
//!     Poll::Ready(queue.try_pop())
//! }
//! ```

use std::task::{Context, Poll};

/// Ready if the task may go on. If not, the task is woken, to be polled again after its neighbours.
///
/// 32 of these calls cost one unit of tokio's budget. A task has 128 units.
#[inline(always)]
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
    budget::poll_proceed(cx)
}

/// [`poll_proceed`] as a future.
#[inline]
pub(crate) async fn proceed() {
    std::future::poll_fn(poll_proceed).await;
}

/// Charges for work that is worth `polls` polls, such as a batch of that many items. It costs one
/// unit at most.
///
/// ```
/// use queue_core::coop;
/// # let batch = [1, 2, 3];
/// coop::spend(batch.len());
/// ```
#[inline(always)]
pub fn spend(polls: usize) {
    budget::spend(polls);
}

#[cfg(all(feature = "tokio", not(loom)))]
mod budget {
    use std::cell::Cell;
    use std::task::{Context, Poll, ready};
    use tokio::task::coop;

    /// This many polls cost one unit of the budget. To charge it costs more than to push an item, and a
    /// task that yields may move to another worker. A task has 128 units: some 50 microseconds of
    /// nothing but pushing.
    const PER_UNIT: u32 = 32;

    thread_local! {
        /// Polls on this thread, whatever the task, since one was charged. A task that
        /// never yields has the thread, and so the count, to itself.
        static POLLS: Cell<u32> = const { Cell::new(0) };
    }

    #[inline(always)]
    pub(super) fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
        let polls = POLLS.get() + 1;
        if polls >= PER_UNIT {
            return poll_charge(cx);
        }
        POLLS.set(polls);
        Poll::Ready(())
    }

    #[cold]
    fn poll_charge(cx: &mut Context<'_>) -> Poll<()> {
        // A poll that then has to wait is charged too. That is one in 32, and a task that waits has a
        // new budget when it is polled again.
        ready!(coop::poll_proceed(cx)).made_progress();
        POLLS.set(0);
        Poll::Ready(())
    }

    #[inline(always)]
    pub(super) fn spend(polls: usize) {
        let more = u32::try_from(polls).unwrap_or(PER_UNIT);
        POLLS.set(POLLS.get().saturating_add(more).min(PER_UNIT));
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::task::Waker;

        /// How many polls of a task that spends `more` after each are let go on.
        fn polls(more: usize) -> u32 {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let mut polls = 0;
            runtime.unwrap().block_on(std::future::poll_fn(|cx| {
                POLLS.set(0);
                while super::poll_proceed(cx).is_ready() {
                    spend(more);
                    polls += 1;
                }
                Poll::Ready(())
            }));
            polls
        }

        #[test]
        fn a_task_has_so_many_polls_and_fewer_large_ones() {
            assert_eq!(polls(0), 32 * 129 - 1);
            assert!((128..=160).contains(&polls(1000)), "{}", polls(1000));
            assert!((128..=160).contains(&polls(usize::MAX)));
            assert!((16 * 128..17 * 129).contains(&polls(1)), "{}", polls(1));
        }

        #[test]
        fn who_is_no_task_of_tokio_goes_on() {
            let mut cx = Context::from_waker(Waker::noop());
            assert!((0..100_000).all(|_| super::poll_proceed(&mut cx).is_ready()));
        }
    }
}

#[cfg(not(all(feature = "tokio", not(loom))))]
mod budget {
    use std::task::{Context, Poll};

    #[inline(always)]
    pub(super) fn poll_proceed(_: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    #[inline(always)]
    pub(super) fn spend(_: usize) {}
}
