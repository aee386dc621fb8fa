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
/// tokio gives a task 128 units for each time it runs. 128 of these calls cost one unit, or one for each
/// two microseconds that they and the work between them took. So a task that works on what it pops
/// yields after 128 items at the latest, and one that does nothing but push or pop after some 250 microseconds.
#[inline(always)]
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
    budget::poll_proceed(cx)
}

/// [`poll_proceed`] as a future.
#[inline]
pub(crate) async fn proceed() {
    std::future::poll_fn(poll_proceed).await;
}

/// Counts work that is worth `polls` polls, such as a batch of that many items.
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
    use std::time::{Duration, Instant};
    use tokio::task::coop;

    /// After this many polls there is a charge: as many as a task has units, so that one that works for
    /// long between two polls yields as often as with tokio's own channels.
    const POLLS: u32 = 128;
    /// This long costs one unit. A task that yields while it has a full queue, or an empty one, before
    /// it leaves another on its worker to act on the same side: at a fourth of this, tasks on two workers
    /// moved a third fewer items.
    const UNIT: Duration = Duration::from_micros(2);

    thread_local! {
        /// Polls on this thread, whatever the task, since the latest charge. A task that
        /// never yields has the thread, and so the count, to itself.
        static COUNT: Cell<u32> = const { Cell::new(0) };
        /// When that was.
        static CHARGED: Cell<Option<Instant>> = const { Cell::new(None) };
    }

    #[inline(always)]
    pub(super) fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
        let count = COUNT.get() + 1;
        if count >= POLLS {
            return poll_charge(cx);
        }
        COUNT.set(count);
        Poll::Ready(())
    }

    #[cold]
    fn poll_charge(cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..units(since_charged()) {
            // A poll that then has to wait is charged too. That is one in many, and a task that waits
            // has a new budget when it is polled again.
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        COUNT.set(0);
        Poll::Ready(())
    }

    /// How long ago the latest charge was.
    fn since_charged() -> Duration {
        // There is no clock there: to ask for the time is a panic.
        if cfg!(all(target_family = "wasm", target_os = "unknown")) {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let before = CHARGED.replace(Some(now));
        before.map_or(Duration::ZERO, |before| now - before)
    }

    /// What `POLLS` polls cost that took so long.
    fn units(elapsed: Duration) -> u32 {
        let units = elapsed.as_micros() / UNIT.as_micros();
        u32::try_from(units).unwrap_or(POLLS).clamp(1, POLLS)
    }

    #[inline(always)]
    pub(super) fn spend(polls: usize) {
        let more = u32::try_from(polls).unwrap_or(POLLS);
        COUNT.set(COUNT.get().saturating_add(more).min(POLLS));
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::task::Waker;

        /// How many polls of a task are let go on that works for `work`, and spends `more`, after each.
        fn polls(more: usize, work: Duration) -> u32 {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let mut polls = 0;
            runtime.unwrap().block_on(std::future::poll_fn(|cx| {
                COUNT.set(0);
                while super::poll_proceed(cx).is_ready() {
                    spend(more);
                    std::thread::sleep(work);
                    polls += 1;
                }
                Poll::Ready(())
            }));
            polls
        }

        #[test]
        fn a_task_has_so_many_polls_and_fewer_long_ones() {
            // Fewer where the machine was busy with something else.
            assert!((128..=128 * 129).contains(&polls(0, Duration::ZERO)));
            assert!((2..=256).contains(&polls(1000, Duration::ZERO)));
            assert!((2..=256).contains(&polls(usize::MAX, Duration::ZERO)));
            assert!((128..=256).contains(&polls(0, Duration::from_micros(20))));
        }

        #[test]
        fn time_costs_a_unit_for_each_two_microseconds_and_never_more_than_a_task_has() {
            let units = [0, 3, 4, 100, 255, 256, 1 << 40]
                .map(Duration::from_micros)
                .map(units);
            assert_eq!(units, [1, 1, 2, 50, 127, 128, 128]);
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
