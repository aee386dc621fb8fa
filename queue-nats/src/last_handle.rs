//! [`Last`]: what the last handle of a queue in this process leaves behind.

use crate::connection::before;
use crate::lease::Delivered;
use crate::shared::{Shared, lock};
use queue_core::sync::Deadline;
use std::sync::Arc;

/// What the handles of a queue have in common. With the last of them goes back what this process has.
pub(crate) struct Last(Arc<Shared>);

impl Last {
    pub(crate) fn new(shared: &Arc<Shared>) -> Arc<Self> {
        Arc::new(Self(shared.clone()))
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        let shared = self.0.clone();
        let link = self.0.link.clone();
        lock(&shared.supply).is_over = true;
        let is_done = shared.is_cleared_up() && shared.spare() == 0;
        if shared.prefetch == 0 && is_done {
            return;
        }
        let deadline = Deadline::after(shared.timeout);
        let ended = async move {
            shared.undone().await;
            shared.fetched().await;
            let spare = std::mem::take(&mut lock(&shared.supply).spare);
            Delivered::all_back(spare).await;
        };
        let ended = link.spawn(ended);
        if !link.is_own_thread() && link.is_connected() {
            // A program that ends now keeps nothing.
            let _ = link.block_on(before(deadline, ended));
        }
    }
}
