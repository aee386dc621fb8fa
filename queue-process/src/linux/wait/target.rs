//! [`WaitTarget`]: a queue, as far as waiting for it goes.

use super::waker_thread::Registration;
use crate::linux::engine::control::End;
use crate::linux::engine::leases::PreparedJoin;
use queue_core::Failure;
use queue_core::event::Event;
use queue_core::sync::Deadline;

pub(crate) trait WaitTarget: Send + Sync {
    fn wait(&self, end: End, deadline: Deadline) -> bool;

    /// About how much there is of what those want who wait for `end`.
    fn ready_hint(&self, end: End) -> usize;

    /// How many items, or slots, are worth waiting for.
    fn batch_target(&self) -> usize;

    fn event(&self, end: End) -> &Event;
    fn prepare_async_wait(&self, end: End) -> bool;

    /// Those who join are registered with the head.
    fn registration(&self, end: End) -> Option<Registration>;

    /// Waits until the queue is idle.
    fn join(&self, deadline: Deadline) -> bool;
    fn joining(&self) -> &Event;

    /// As a future.
    ///
    /// # Errors
    /// It could not look, and is to look again when it is woken.
    fn prepare_join(&self) -> Result<PreparedJoin, Failure>;
}
