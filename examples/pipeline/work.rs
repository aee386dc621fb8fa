//! The worker: one function, over any kind of queue.

use crate::tally::{Part, count};
use queue_core::{Consumer, Failure, PopError, Producer, PushError, Queue};
use std::path::PathBuf;

/// Counts files until there are no more to come.
///
/// As an `async fn` it runs wherever there is something to run it: a task awaits it, a
/// thread or a process blocks on it.
pub(crate) async fn work<J, P>(jobs: Consumer<J>, parts: Producer<P>) -> Result<(), Failure>
where
    J: Queue<Item = PathBuf>,
    P: Queue<Item = Part>,
{
    loop {
        let path = match jobs.pop_async().await {
            Ok(path) => path,
            Err(PopError::Closed) => return Ok(()),
            Err(PopError::Failed(failure)) => return Err(failure),
        };
        for part in count(&path) {
            match parts.push_async(part).await {
                Ok(()) => {}
                // Nobody wants the rest.
                Err(PushError::Closed(_)) => return Ok(()),
                Err(PushError::Failed(_, failure)) => return Err(failure),
            }
        }
    }
}
