//! Queues without a name of their own, whose processes may have died.

use crate::connection::{Answer, Link};
use crate::server_stream::{self, Names};
use crate::shared::{Shared, join_all, lock};
use bytes::Bytes;
use queue_core::Failure;
use queue_core::sync::Deadline;
use std::time::Duration;

/// So begin the names that the server has for them.
pub(crate) const PREFIX: &str = "temporary-";
/// How often it is asked, and how long an answer is waited for, whether somebody uses one.
const EACH: Duration = Duration::from_secs(1);
/// How long the server may take to list or to remove some.
const LONG: Duration = Duration::from_secs(5);

impl Shared {
    /// Answers who asks whether this queue is in use, while it is.
    pub(crate) async fn tell_of_use(&self) {
        let answers = self.answer_at(self.names.in_use.clone()).await;
        *lock(&self.use_of_it) = answers;
    }
}

/// Removes those that nobody is there to answer for until `patience` is over: their names.
pub(crate) async fn remove_abandoned(
    link: &Link,
    patience: Duration,
) -> Result<Vec<String>, Failure> {
    let deadline = Deadline::after(patience);
    let names = server_stream::queues(link, PREFIX, LONG).await;
    let names = names.map_err(|refusal| refusal.failure("list the queues"))?;
    let mut unused = Vec::new();
    for name in names {
        unused.push(Names::new(&name)?);
    }
    loop {
        // All at once, so that those that are silent take no time of their own.
        let subjects = unused.iter().map(|names| &names.in_use);
        let asked = subjects.map(|subject| link.request(subject, None, Bytes::new(), EACH));
        let answers = join_all(asked.map(Box::pin).collect()).await;
        let mut without = Vec::new();
        for (names, answer) in unused.into_iter().zip(answers) {
            match answer {
                Answer::NoResponders => without.push(names),
                Answer::Denied(failure) => return Err(failure),
                // Somebody who is there and slow is somebody.
                Answer::Reply(_) | Answer::Silence => {}
                Answer::NotSent | Answer::TooLarge => return Err(link.unavailable()),
            }
        }
        unused = without;
        if unused.is_empty() || deadline.has_passed() {
            break;
        }
        let left = deadline.remaining().unwrap_or(EACH);
        tokio::time::sleep(left.min(EACH)).await;
    }
    let mut removed = Vec::new();
    for names in unused {
        let gone = server_stream::delete(link, &names, LONG).await;
        let was_there = gone
            .map_err(|refusal| refusal.failure(&format!("remove the queue {:?}", names.queue)))?;
        removed.extend(was_there.then_some(names.queue));
    }
    Ok(removed)
}
