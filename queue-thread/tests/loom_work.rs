//! Models of deliveries: the scenarios are those of `queue_core::model::deliveries`.
#![cfg(loom)]

use queue_core::model::check;
use queue_core::model::deliveries::{
    ack_frees, back_at_the_end, close, counts, join, lent_and_told, lent_at_the_end, lent_is_seen,
    nack, never_full, one_after_another,
};
use queue_thread::{LockFreeQueue, ThreadQueue};

macro_rules! models {
    ($($test:ident: $scenario:ident($kind:expr), $bound:expr;)*) => {$(
        #[test]
        fn $test() {
            check(concat!("work_", stringify!($test)), $bound, || $scenario($kind));
        }
    )*};
}

models! {
    thread_join: join(ThreadQueue::unbounded()), Some(3);
    thread_nack: nack(ThreadQueue::bounded(2)), Some(3);
    thread_close: close(ThreadQueue::bounded(2)), Some(3);
    thread_back_at_the_end: back_at_the_end(ThreadQueue::bounded(1)), Some(2);
    thread_ack_frees: ack_frees(ThreadQueue::bounded(1)), Some(3);
    thread_counts: counts(ThreadQueue::bounded(2)), Some(3);
    thread_never_full: never_full(ThreadQueue::bounded(3)), Some(3);
    thread_one_after_another: one_after_another(ThreadQueue::bounded(1)), None;
    thread_lent_is_seen: lent_is_seen(ThreadQueue::bounded(1)), None;
    thread_lent_and_told: lent_and_told(ThreadQueue::bounded(2)), Some(3);
    thread_lent_at_the_end: lent_at_the_end(ThreadQueue::bounded(2)), None;
    ring_join: join(LockFreeQueue::bounded(2)), Some(3);
    ring_nack: nack(LockFreeQueue::bounded(2)), Some(3);
    ring_close: close(LockFreeQueue::bounded(2)), Some(3);
    ring_back_at_the_end: back_at_the_end(LockFreeQueue::bounded(1)), Some(2);
    ring_ack_frees: ack_frees(LockFreeQueue::bounded(1)), Some(3);
    ring_counts: counts(LockFreeQueue::bounded(2)), Some(3);
    ring_never_full: never_full(LockFreeQueue::bounded(3)), Some(3);
    ring_one_after_another: one_after_another(LockFreeQueue::bounded(1)), Some(3);
    ring_lent_is_seen: lent_is_seen(LockFreeQueue::bounded(1)), Some(3);
    ring_lent_and_told: lent_and_told(LockFreeQueue::bounded(2)), Some(3);
    ring_lent_at_the_end: lent_at_the_end(LockFreeQueue::bounded(2)), Some(3);
    chain_join: join(LockFreeQueue::unbounded()), Some(3);
    chain_nack: nack(LockFreeQueue::unbounded()), Some(3);
    chain_close: close(LockFreeQueue::unbounded()), Some(3);
    chain_lent_and_told: lent_and_told(LockFreeQueue::unbounded()), Some(3);
    chain_lent_at_the_end: lent_at_the_end(LockFreeQueue::unbounded()), Some(3);
}
