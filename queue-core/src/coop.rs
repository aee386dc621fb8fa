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
/// two microseconds that they and the work between them took. So a task that does nothing but push or pop
/// yields after some 250 microseconds, and one that works for longer than that on 128 items after those.
/// On a runtime with one worker it is 32 microseconds: there nothing is gained by more, and timers and
/// sockets may have to wait until 61 tasks have had their turn.
#[inline(always)]
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
    budget::poll_proceed(cx)
}

/// [`poll_proceed`] as a future.
#[inline]
pub(crate) async fn proceed() {
    std::future::poll_fn(poll_proceed).await;
}

/// How often, on this thread, a future was pending for its budget alone.
pub(crate) fn yields() -> u32 {
    budget::yields()
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
    use tokio::runtime::Handle;
    use tokio::task::coop;

    /// After this many polls there is a charge: as many as a task has units, so that one that works for
    /// long between two polls yields as often as with tokio's own channels.
    const POLLS: u32 = 128;
    /// This long costs one unit. A task that yields early leaves its worker to another one of the same
    /// side: with a fourth of this, tasks on two workers moved a third fewer items.
    const UNIT: Duration = Duration::from_micros(2);
    /// The same where tasks have one thread between them.
    const LOCAL_UNIT: Duration = Duration::from_nanos(250);

    thread_local! {
        /// Polls on this thread, whatever the task, since the latest charge. A task that
        /// never yields has the thread, and so the count, to itself.
        static COUNT: Cell<u32> = const { Cell::new(0) };
        /// When that was; `None` if a task has yielded since. What passes while nobody polls counts as well:
        /// at worst somebody yields once for it.
        static CHARGED: Cell<Option<Instant>> = const { Cell::new(None) };
        /// How long costs one unit here.
        static UNIT_HERE: Cell<Duration> = const { Cell::new(UNIT) };
        static YIELDS: Cell<u32> = const { Cell::new(0) };
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
        let charged = CHARGED.take();
        if charged.is_none() {
            // Not each time: to ask writes to what all workers share.
            UNIT_HERE.set(unit());
        }
        let (units, from) = due(charged, now(), UNIT_HERE.get());
        let Poll::Ready(unit) = coop::poll_proceed(cx) else {
            YIELDS.set(YIELDS.get().wrapping_add(1));
            return Poll::Pending;
        };
        unit.made_progress();
        // Only the first unit is asked for, so that whoever has one left gets on, however long it took.
        let mut units = 1..units;
        while coop::has_budget_remaining() && units.next().is_some() {
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        CHARGED.set(from);
        // With nothing left the next poll yields.
        let is_over = !coop::has_budget_remaining();
        COUNT.set(if is_over { POLLS - 1 } else { 0 });
        Poll::Ready(())
    }

    pub(super) fn yields() -> u32 {
        YIELDS.get()
    }

    fn unit() -> Duration {
        match Handle::try_current().map(|runtime| runtime.metrics().num_workers()) {
            Ok(1) => LOCAL_UNIT,
            _ => UNIT,
        }
    }

    /// `None` where there is no clock: to ask for the time is a panic there.
    fn now() -> Option<Instant> {
        (!cfg!(all(target_family = "wasm", target_os = "unknown"))).then(Instant::now)
    }

    /// What `POLLS` polls cost, from `charged` until `now`; and from when the next ones count.
    fn due(
        charged: Option<Instant>,
        now: Option<Instant>,
        unit: Duration,
    ) -> (u32, Option<Instant>) {
        let (Some(charged), Some(now)) = (charged, now) else {
            return (1, now);
        };
        let units = now.saturating_duration_since(charged).as_nanos() / unit.as_nanos();
        match u32::try_from(units).unwrap_or(POLLS) {
            0 => (1, Some(now)),
            units @ 1..POLLS => (units, Some(charged + unit * units)),
            POLLS.. => (POLLS, Some(now)),
        }
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

        fn block_on<R>(mut poll: impl FnMut(&mut Context<'_>) -> R) -> R {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let future = std::future::poll_fn(|cx| Poll::Ready(poll(cx)));
            runtime.unwrap().block_on(future)
        }

        /// How many polls of a task are let go on that works for `work`, and spends `more`, after each.
        fn polls(more: usize, work: Duration) -> u32 {
            let mut polls = 0;
            block_on(|cx| {
                COUNT.set(0);
                CHARGED.set(Some(Instant::now()));
                while super::poll_proceed(cx).is_ready() {
                    spend(more);
                    std::thread::sleep(work);
                    polls += 1;
                }
            });
            polls
        }

        #[test]
        fn a_task_has_so_many_polls_and_fewer_long_ones() {
            // Fewer where the machine was busy with something else.
            assert!((128..=128 * 129).contains(&polls(0, Duration::ZERO)));
            assert!((1..=129).contains(&polls(1000, Duration::ZERO)));
            assert!((1..=129).contains(&polls(usize::MAX, Duration::ZERO)));
            assert_eq!(polls(0, Duration::from_micros(20)), 128);
        }

        #[test]
        fn time_costs_a_unit_for_each_two_microseconds_and_never_more_than_a_task_has() {
            let start = Instant::now();
            let after = |micros| Some(start + Duration::from_micros(micros));
            let cases = [
                (1, (1, after(1))),
                (2, (1, after(2))),
                (3, (1, after(2))),
                (101, (50, after(100))),
                (255, (127, after(254))),
                (256, (128, after(256))),
                (1 << 30, (128, after(1 << 30))),
            ];
            for (now, expected) in cases {
                assert_eq!(due(Some(start), after(now), UNIT), expected, "{now}");
            }
            assert_eq!(due(None, after(9), UNIT), (1, after(9)));
            assert_eq!(due(Some(start), None, UNIT), (1, None));
            assert_eq!(due(Some(start), after(8), LOCAL_UNIT), (32, after(8)));
        }

        #[test]
        fn who_yields_does_not_pay_for_what_its_neighbours_take() {
            block_on(|cx| {
                while super::poll_proceed(cx).is_ready() {}
                assert_eq!((CHARGED.get(), COUNT.get()), (None, POLLS - 1));
            });
        }

        #[test]
        fn tasks_that_share_one_thread_yield_sooner() {
            fn here(cx: &mut Context<'_>) -> Duration {
                COUNT.set(POLLS - 1);
                CHARGED.set(None);
                assert!(super::poll_proceed(cx).is_ready());
                UNIT_HERE.get()
            }
            assert_eq!(here(&mut Context::from_waker(Waker::noop())), UNIT);
            assert_eq!(block_on(here), LOCAL_UNIT);
            assert_eq!(here(&mut Context::from_waker(Waker::noop())), UNIT);
        }

        #[test]
        fn who_has_one_unit_left_goes_on_however_long_it_took() {
            block_on(|cx| {
                for _ in 0..127 {
                    assert!(
                        coop::poll_proceed(cx)
                            .map(|unit| unit.made_progress())
                            .is_ready()
                    );
                }
                COUNT.set(POLLS - 1);
                CHARGED.set(Instant::now().checked_sub(Duration::from_millis(1)));
                assert!(super::poll_proceed(cx).is_ready());
                assert!(super::poll_proceed(cx).is_pending());
            });
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

    pub(super) fn yields() -> u32 {
        0
    }

    #[inline(always)]
    pub(super) fn spend(_: usize) {}
}
