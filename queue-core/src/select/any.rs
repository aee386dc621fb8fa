//! [`pop_any`] and [`receive_any`], each as a thread with and without a deadline, and as a future.

use super::error::{PopAnyError, PopAnyTimeoutError, TryPopAnyError};
use super::sides::{Poppable, WaitFor};
use super::start;
use super::wait::{Arms, Outcome, Tried, try_all, wait_async, wait_until};
use crate::sync::Deadline;
use crate::{Delivery, Failure, Side, TryPopError, WorkQueue};
use std::future::Future;
use std::time::Duration;

/// Pops from whichever of `queues` has an item, and waits for one as long as it takes. It returns
/// the index of that queue too.
///
/// The queues may be of several kinds, and halves. Of several that have an item any is chosen, by
/// chance, so that a busy queue does not hide the others; [`Select`](super::Select) can prefer the
/// first. A queue that is closed and drained is passed over.
///
/// ```
/// use queue_core::Queue;
/// use queue_core::select::{PopAnyError, pop_any};
/// /// Prints what either of them says, until both are closed.
/// fn print_both<A, B>(near: &A, far: &B)
/// where
///     A: Queue<Item = String>,
///     B: Queue<Item = String>,
/// {
///     loop {
///         match pop_any(&[near, far]) {
///             Ok((from, line)) => println!("{from}: {line}"),
///             Err(PopAnyError::Closed) => return,
///             Err(PopAnyError::Failed(from, why)) => eprintln!("{from}: {why:#}"),
///         }
///     }
/// }
/// ```
///
/// # Errors
/// `Closed` once all are closed and drained (of no queues at once); `Failed`, with the index of
/// the queue that could not give an item.
#[doc(alias("select", "recv_any", "merge", "wait"))]
pub fn pop_any<T: Send>(queues: &[&dyn Poppable<Item = T>]) -> Result<(usize, T), PopAnyError> {
    without_timeout(any_until(PopAny::new(queues), Deadline::NEVER))
}

/// [`pop_any`], which waits up to `timeout` for an item. It tries all once before it looks at the
/// clock.
///
/// # Errors
/// `Timeout`; `Closed` once all are closed and drained; `Failed`, with the index of the queue.
pub fn pop_any_timeout<T: Send>(
    queues: &[&dyn Poppable<Item = T>],
    timeout: Duration,
) -> Result<(usize, T), PopAnyTimeoutError> {
    any_until(PopAny::new(queues), Deadline::after(timeout))
}

/// [`pop_any`] as a future.
///
/// # Cancel safety
/// If the future is dropped, no item is lost, and a wake that was meant for it goes to another.
///
/// # Errors
/// `Closed` once all are closed and drained; `Failed`, with the index of the queue.
///
/// In a `select!` the slice of the queues stands before it, for it must outlive the future:
///
/// ```
/// use queue_core::Queue;
/// use queue_core::select::{PopAnyError, Poppable, pop_any_async};
/// async fn next<Q: Queue<Item = u32>>(urgent: &Q, normal: &Q) -> Result<u32, PopAnyError> {
///     let jobs: [&dyn Poppable<Item = u32>; 2] = [urgent, normal];
///     let popping = pop_any_async(&jobs); // this in an arm of the `select!`
///     popping.await.map(|(_, job)| job)
/// }
/// ```
pub fn pop_any_async<'a, T: Send>(
    queues: &'a [&'a dyn Poppable<Item = T>],
) -> impl Future<Output = Result<(usize, T), PopAnyError>> + Send {
    any_async(PopAny::new(queues))
}

/// [`pop_any`], which does not wait.
///
/// # Errors
/// `Empty`; `Closed` once all are closed and drained; `Failed`, with the index of the queue.
pub fn try_pop_any<T: Send>(
    queues: &[&dyn Poppable<Item = T>],
) -> Result<(usize, T), TryPopAnyError> {
    let mut arms = PopAny::new(queues);
    let outcome = try_all(&mut arms, start::first(queues.len(), false), false);
    match outcome {
        Outcome::Ready(index) => match arms.taken(index) {
            Ok(item) => Ok((index, item)),
            Err(failure) => Err(TryPopAnyError::Failed(index, failure)),
        },
        Outcome::NotYet => Err(TryPopAnyError::Empty),
        Outcome::Over => Err(TryPopAnyError::Closed),
    }
}

/// Receives, on loan, from whichever of `queues` has an item: [`pop_any`] for
/// [deliveries](Delivery). The queues are of one kind; a `DynQueue` may be any.
///
/// ```
/// use queue_core::{Failure, WorkQueue};
/// use queue_core::select::{PopAnyError, receive_any};
/// fn work<Q: WorkQueue<Item = String>>(jobs: &Q, chores: &Q) -> Result<(), Failure> {
///     loop {
///         match receive_any(&[jobs, chores]) {
///             Ok((_, job)) if job.is_empty() => job.nack()?,
///             Ok((_, job)) => job.ack()?,
///             Err(PopAnyError::Closed) => return Ok(()),
///             Err(PopAnyError::Failed(_, why)) => return Err(why),
///         }
///     }
/// }
/// ```
///
/// # Errors
/// `Closed` once all are closed, drained, and nothing of them is in flight; `Failed`, with the
/// index of the queue.
pub fn receive_any<Q: WorkQueue>(queues: &[&Q]) -> Result<(usize, Delivery<Q>), PopAnyError> {
    without_timeout(any_until(ReceiveAny::new(queues), Deadline::NEVER))
}

/// [`receive_any`], which waits up to `timeout` for an item.
///
/// # Errors
/// `Timeout`, and those of [`receive_any`].
pub fn receive_any_timeout<Q: WorkQueue>(
    queues: &[&Q],
    timeout: Duration,
) -> Result<(usize, Delivery<Q>), PopAnyTimeoutError> {
    any_until(ReceiveAny::new(queues), Deadline::after(timeout))
}

/// [`receive_any`] as a future.
///
/// # Cancel safety
/// If the future is dropped, no item is lost, no attempt is counted, and a wake that was meant for
/// it goes to another.
///
/// # Errors
/// Those of [`receive_any`].
pub fn receive_any_async<'a, Q: WorkQueue>(
    queues: &'a [&'a Q],
) -> impl Future<Output = Result<(usize, Delivery<Q>), PopAnyError>> + Send {
    any_async(ReceiveAny::new(queues))
}

/// Several queues of which one gives something.
trait AnyOf<'q>: Arms<'q> {
    type Output;

    /// What the queue of `index`, which was ready, gave.
    fn taken(&mut self, index: usize) -> Result<Self::Output, Failure>;
}

/// Writes the arms of one verb.
macro_rules! any_of {
    (
        $(#[$doc:meta])* $name:ident<$param:ident: $($bound:ident)::+>, $queue:ty => $output:ty,
        |$q:ident| $attempt:expr, $waits:expr
    ) => {
        $(#[$doc])*
        struct $name<'q, $param: $($bound)::+> {
            queues: &'q [&'q $queue],
            taken: Option<Result<$output, Failure>>,
        }

        impl<'q, $param: $($bound)::+> $name<'q, $param> {
            fn new(queues: &'q [&'q $queue]) -> Self {
                Self { queues, taken: None }
            }
        }

        impl<'q, $param: $($bound)::+> Arms<'q> for $name<'q, $param> {
            fn count(&self) -> usize {
                self.queues.len()
            }

            fn attempt(&mut self, index: usize, waits: bool) -> Tried {
                let $q = self.queues[index];
                self.taken = Some(match $attempt {
                    Ok(taken) => Ok(taken),
                    Err(TryPopError::Failed(failure)) if waits && failure.may_pass() => {
                        return Tried::NotYet;
                    }
                    Err(TryPopError::Failed(failure)) => Err(failure),
                    Err(TryPopError::Empty) => return Tried::NotYet,
                    Err(TryPopError::Closed) => return Tried::Over,
                });
                Tried::Ready
            }

            fn side(&self, index: usize) -> (&'q dyn WaitFor, Side) {
                let $q = self.queues[index];
                ($waits, Side::Consumers)
            }
        }

        impl<'q, $param: $($bound)::+> AnyOf<'q> for $name<'q, $param> {
            type Output = $output;

            fn taken(&mut self, _: usize) -> Result<$output, Failure> {
                self.taken.take().expect("a ready arm has something")
            }
        }
    };
}

any_of! {
    /// Of [`pop_any`].
    PopAny<T: Send>, dyn Poppable<Item = T> => T,
    |queue| queue.consumers_side().try_pop(), queue.consumers_side().waits()
}

any_of! {
    /// Of [`receive_any`].
    ReceiveAny<Q: WorkQueue>, Q => Delivery<Q>,
    |queue| queue.try_receive(), queue
}

fn any_until<'q, A: AnyOf<'q>>(
    mut arms: A,
    deadline: Deadline,
) -> Result<(usize, A::Output), PopAnyTimeoutError> {
    match wait_until(&mut arms, false, deadline) {
        Outcome::Ready(index) => match arms.taken(index) {
            Ok(taken) => Ok((index, taken)),
            Err(failure) => Err(PopAnyTimeoutError::Failed(index, failure)),
        },
        Outcome::NotYet => Err(PopAnyTimeoutError::Timeout),
        Outcome::Over => Err(PopAnyTimeoutError::Closed),
    }
}

fn without_timeout<R>(popped: Result<R, PopAnyTimeoutError>) -> Result<R, PopAnyError> {
    popped.map_err(|error| match error {
        PopAnyTimeoutError::Closed => PopAnyError::Closed,
        PopAnyTimeoutError::Failed(index, failure) => PopAnyError::Failed(index, failure),
        PopAnyTimeoutError::Timeout => unreachable!("there was no deadline"),
    })
}

async fn any_async<'q, A: AnyOf<'q> + Send>(
    mut arms: A,
) -> Result<(usize, A::Output), PopAnyError> {
    match wait_async(&mut arms, false).await {
        Outcome::Ready(index) => match arms.taken(index) {
            Ok(taken) => Ok((index, taken)),
            Err(failure) => Err(PopAnyError::Failed(index, failure)),
        },
        Outcome::NotYet | Outcome::Over => Err(PopAnyError::Closed),
    }
}
