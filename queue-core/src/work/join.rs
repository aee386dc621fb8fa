//! Waiting until the queue is idle: all that was pushed is settled.

use super::Lend;
use crate::coop;
use crate::event::Listen;
use crate::sync::Deadline;

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
