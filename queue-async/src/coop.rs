//! tokio's cooperative budget: a task that always finds the queue ready still lets its
//! neighbours run now and then. Without the feature `tokio` there is no budget.

#[cfg(feature = "tokio")]
pub(crate) use charged::poll_proceed;

#[cfg(not(feature = "tokio"))]
pub(crate) use unlimited::poll_proceed;

#[cfg(feature = "tokio")]
mod charged {
    use std::cell::Cell;
    use std::task::{Context, Poll, ready};
    use tokio::task::coop::{self, RestoreOnPending};

    /// So many polls cost one unit of the budget: asking for it costs more than an item,
    /// and a task that yields may be taken up by another worker. A task has 128 units:
    /// some 50 microseconds of nothing but pushing.
    const PER_UNIT: u32 = 32;

    thread_local! {
        /// Polls on this thread, whatever the task, since one was charged. A task that
        /// never yields has the thread, and so the count, to itself.
        static POLLS: Cell<u32> = const { Cell::new(0) };
    }

    /// Leave to go on, for one poll.
    pub(crate) struct Leave(Option<RestoreOnPending>);

    impl Leave {
        /// Keeps the charge: without this call the unit is given back.
        #[inline(always)]
        pub(crate) fn made_progress(&self) {
            if let Some(charge) = &self.0 {
                charge.made_progress();
            }
        }
    }

    #[inline(always)]
    pub(crate) fn poll_proceed(cx: &mut Context<'_>) -> Poll<Leave> {
        let polls = POLLS.get() + 1;
        if polls >= PER_UNIT {
            return poll_charge(cx);
        }
        POLLS.set(polls);
        Poll::Ready(Leave(None))
    }

    #[cold]
    fn poll_charge(cx: &mut Context<'_>) -> Poll<Leave> {
        let charge = ready!(coop::poll_proceed(cx));
        POLLS.set(0);
        Poll::Ready(Leave(Some(charge)))
    }
}

#[cfg(not(feature = "tokio"))]
mod unlimited {
    use std::task::{Context, Poll};

    pub(crate) struct Unlimited;

    impl Unlimited {
        #[inline(always)]
        pub(crate) fn made_progress(&self) {}
    }

    #[inline(always)]
    pub(crate) fn poll_proceed(_: &mut Context<'_>) -> Poll<Unlimited> {
        Poll::Ready(Unlimited)
    }
}
