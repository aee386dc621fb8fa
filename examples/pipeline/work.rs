//! The worker: one function, over any kind of queue.

use crate::tally::{Job, Part, count};
use queue_core::{Consumer, Failure, PopError, Producer, PushError, Queue, WorkQueue};

/// Counts files until there are no more to come.
///
/// As an `async fn` it runs wherever there is something to run it: a task awaits it, a
/// thread or a process blocks on it. If it is killed, the file that it counts goes to another worker:
/// it is lent until it is acked.
pub(crate) async fn work<J, P>(jobs: Consumer<J>, parts: Producer<P>) -> Result<(), Failure>
where
    J: WorkQueue<Item = Job>,
    P: Queue<Item = Part>,
{
    loop {
        let job = match jobs.receive_async().await {
            Ok(job) => job,
            Err(PopError::Closed) => return Ok(()),
            Err(PopError::Failed(failure)) => return Err(failure),
        };
        for part in count(&job, job.attempt()) {
            match parts.push_async(part).await {
                Ok(()) => {}
                // Nobody wants the rest.
                Err(PushError::Closed(_)) => return Ok(()),
                Err(PushError::Failed(_, failure)) => return Err(failure),
            }
        }
        job.ack()?;
    }
}
