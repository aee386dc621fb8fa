//! Waiting for an item on loan, and for the queue to be idle.

use super::Lend;
use crate::event::Listen;
use crate::sync::Deadline;
use crate::{PopError, PopTimeoutError, coop, wait};

type Lent<Q> = (<Q as crate::Kind>::Item, <Q as Lend>::Lease);

/// Lends an item once there is one.
#[inline]
pub(super) fn lend_until<Q: Lend>(
    queue: &Q,
    deadline: Deadline,
) -> Result<Lent<Q>, PopTimeoutError> {
    wait::until_popped(queue, deadline, || queue.try_lend())
}

/// [`lend_until`] as a future.
pub(super) async fn lend_async<Q: Lend>(queue: &Q) -> Result<Lent<Q>, PopError> {
    wait::until_popped_async(queue, || queue.try_lend()).await
}

/// Waits until the queue is idle (true) or the deadline passes.
pub(super) fn join_until<Q: Lend>(queue: &Q, deadline: Deadline) -> bool {
    if queue.is_idle() {
        return true;
    }
    let listener = queue.listen_idle();
    // Again: whatever happens from now on notifies the listener.
    queue.is_idle() || listener.wait(deadline)
}

/// [`join_until`] as a future, without a deadline.
pub(super) async fn join_async<Q: Lend>(queue: &Q) {
    coop::proceed().await;
    if queue.is_idle() {
        return;
    }
    let listener = queue.listen_idle();
    if !queue.is_idle() {
        listener.await;
    }
}
