//! Items that the server has, and delivers to nobody.
//!
//! A server that was killed may start again with a consumer that takes itself to be past items that are still
//! in the stream: some that were acked and not removed yet, some that it never delivered. (Seen with 2.9; newer
//! ones look for it.) They would take up slots for good, and the queue would never be idle. So the consumer
//! is made anew, and begins with the oldest item: what was done already is done twice then, and nothing is
//! lost.

use crate::server_stream::{self, ConsumerInfo, Refusal, StreamInfo};
use crate::shared::{Shared, lock};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is about to leave the stream has left it within this.
pub(crate) const LEAVES: Duration = Duration::from_secs(1);

/// What was seen, and since when.
pub(crate) struct Stuck {
    oldest: u64,
    delivered: u64,
    since: Instant,
}

impl Shared {
    /// Looks whether the consumer is stuck, and again after a while if it seems so.
    pub(crate) async fn look_for_stuck(self: &Arc<Self>) {
        let _ = self.all_counts().await;
        if lock(&self.stuck).is_some() {
            let shared = self.clone();
            self.link.spawn(async move {
                tokio::time::sleep(LEAVES).await;
                let _ = shared.all_counts().await;
            });
        }
    }

    /// Makes the consumer anew if it has been stuck for a while.
    pub(crate) async fn revive_if_stuck(&self, consumer: &ConsumerInfo, info: &StreamInfo) {
        let (oldest, delivered) = (info.first(), consumer.delivered());
        // All that is there was delivered, and nothing of it can come back.
        let is_stuck = consumer.unacked() == 0 && info.messages() > 0 && info.last() <= delivered;
        {
            let mut stuck = lock(&self.stuck);
            match &*stuck {
                _ if !is_stuck => *stuck = None,
                Some(seen) if (seen.oldest, seen.delivered) == (oldest, delivered) => {
                    if seen.since.elapsed() < LEAVES {
                        return;
                    }
                    *stuck = None;
                }
                _ => {
                    let since = Instant::now();
                    *stuck = Some(Stuck {
                        oldest,
                        delivered,
                        since,
                    });
                    return;
                }
            }
        }
        if is_stuck {
            // Who may not do that leaves it to another process.
            let gone = server_stream::delete_consumer(&self.link, &self.names, self.timeout).await;
            if gone.is_ok() {
                let _ = self.create_consumer().await;
            }
        }
    }

    /// Makes the consumer; whoever removed it may have died.
    pub(crate) async fn create_consumer(&self) -> Result<ConsumerInfo, Refusal> {
        server_stream::create_consumer(&self.link, &self.names, self.ack_wait, self.timeout).await
    }
}
