//! Models of deliveries: the scenarios are those of `queue_core::model::deliveries`.
#![cfg(loom)]

use queue_async::AsyncQueue;
use queue_core::model::check;
use queue_core::model::deliveries::{
    ack_frees, back_at_the_end, close, counts, join, lent_is_seen, nack, one_after_another,
};

macro_rules! models {
    ($($test:ident: $scenario:ident($kind:expr), $bound:expr;)*) => {$(
        #[test]
        fn $test() {
            check(concat!("work_", stringify!($test)), $bound, || $scenario($kind));
        }
    )*};
}

models! {
    async_join: join(AsyncQueue::unbounded()), Some(3);
    async_nack: nack(AsyncQueue::bounded(2)), Some(3);
    async_close: close(AsyncQueue::bounded(2)), Some(3);
    async_back_at_the_end: back_at_the_end(AsyncQueue::bounded(1)), Some(2);
    async_ack_frees: ack_frees(AsyncQueue::bounded(1)), Some(3);
    async_counts: counts(AsyncQueue::bounded(2)), Some(3);
    async_one_after_another: one_after_another(AsyncQueue::bounded(1)), None;
    async_lent_is_seen: lent_is_seen(AsyncQueue::bounded(1)), None;
}
