//! Items that are done and stand in the stream all the same.
//!
//! A server that is killed may have written down that an item was acked, and not that it is gone from the
//! stream. It then has it when it starts again, delivers it to nobody, and counts it: the queue would be
//! fuller than it is, and never idle. All up to the consumer's ack floor are done; so what stands there is
//! removed, after each time that this process was connected anew. (Servers since 2.11 do so themselves.)

use crate::shared::{Shared, lock};
use crate::stream::{self, Refusal, ask};
use queue_core::FailureKind;
use serde_json::{Value, json};

/// What has been looked at.
#[derive(Default)]
pub(crate) struct Reclaimed {
    /// The number of the connection.
    connection: u64,
    /// The items up to this one stood in the stream when it was made: one of them may come to light as long
    /// as an older one is not done.
    until: Option<u64>,
    /// None of them is left.
    is_over: bool,
}

impl Shared {
    /// Removes what is done, if that may be in the stream: whether it removed something.
    pub(crate) async fn reclaim_if_due(&self) -> bool {
        let connection = self.link.connection();
        {
            let mut reclaimed = lock(&self.reclaimed);
            if reclaimed.connection != connection {
                *reclaimed = Reclaimed {
                    connection,
                    ..Reclaimed::default()
                };
            } else if reclaimed.is_over {
                return false;
            }
        }
        let consumer = stream::consumer_info(&self.link, &self.names, self.timeout).await;
        let (consumer, info) = match (consumer, self.info().await) {
            (Ok(consumer), Ok(info)) => (consumer, info),
            (Err(Refusal::Failed(why)), _) | (_, Err(why))
                if why.kind() == FailureKind::Unavailable =>
            {
                return false;
            }
            // Who may not ask leaves it to others.
            _ => {
                lock(&self.reclaimed).is_over = true;
                return false;
            }
        };
        let (floor, last) = (consumer.ack_floor(), info.last());
        // A server that has lost items counts anew: then the floor says nothing.
        let is_floor = floor <= last;
        {
            let mut reclaimed = lock(&self.reclaimed);
            let until = *reclaimed.until.get_or_insert(last);
            reclaimed.is_over = !is_floor || floor >= until;
        }
        if !is_floor || info.messages() == 0 || info.first() > floor {
            return false;
        }
        self.purge(floor).await
    }

    /// Removes all up to this number: whether it could.
    pub(crate) async fn purge(&self, last: u64) -> bool {
        let subject = format!("STREAM.PURGE.{}", self.names.stream);
        let question = json!({ "seq": last + 1 });
        let purged: Result<Value, _> = ask(&self.link, &subject, &question, self.timeout).await;
        if purged.is_ok() {
            self.tell("room").await;
            self.room.notify_all();
        }
        purged.is_ok()
    }
}
