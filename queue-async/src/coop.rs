//! tokio's cooperative budget: a task that always finds the queue ready still lets its
//! neighbours run now and then. Without the feature `tokio` there is no budget.

#[cfg(feature = "tokio")]
pub(crate) use tokio::task::coop::poll_proceed;

#[cfg(not(feature = "tokio"))]
pub(crate) use unlimited::poll_proceed;

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
