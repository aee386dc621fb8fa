//! Waiting for whichever of several queues is ready: [`pop_any`] for queues of one item type,
//! [`Select`] for all else.
//!
//! Both wait as a thread, with or without a deadline, and as a future, over kinds mixed: a
//! `ThreadQueue` beside a `ShmQueue` and an `AsyncQueue`. A wait costs time in proportion to the
//! number of queues, and no processor time while it sleeps.
//!
//! Nothing is lost:
//!
//! * An item is taken from one queue, and that one is returned. No other is touched.
//! * A wait that is cancelled, or whose time is up, has taken nothing. Its wakes go to others who
//!   wait for the same queues.
//! * An item that was to be pushed, and was not, is still with its owner.
//!
//! One queue whose tries have to wait holds the others up: an `IpcQueue` whose host is stopped, a
//! `NatsQueue` whose server is away.
//!
//! A try goes past those who wait in line for an `AsyncQueue`, as [`try_pop`](crate::Queue::try_pop)
//! does.

mod any;
mod error;
mod sides;
mod start;
mod wait;

pub use any::{
    pop_any, pop_any_async, pop_any_timeout, receive_any, receive_any_async, receive_any_timeout,
    try_pop_any,
};
pub use error::{PopAnyError, PopAnyTimeoutError, TryPopAnyError};
pub use sides::{Poppable, Pushable};

use crate::sync::Deadline;
use crate::{Delivery, PopError, PushError, Side, TryPopError, TryPushError, WorkQueue};
use sides::WaitFor;
use std::fmt;
use std::time::{Duration, Instant};
use wait::{Arms, Outcome, Tried, try_all, wait_async, wait_until};

/// Waits for whichever of several queues has an item, or a free slot, and acts on that one alone.
///
/// Each *arm* names a queue and says what is made of its item, so that all have one type.
///
/// ```
/// use queue_core::{PopError, PushError, Queue};
/// use queue_core::select::Select;
///
/// enum Event {
///     Job(Result<String, PopError>),
///     Stop,
///     Sent(Result<(), PushError<usize>>),
/// }
///
/// /// Measures each job, and hands the results on, neither waiting for the other.
/// fn measure<J, S, R>(jobs: &J, signals: &S, results: &R)
/// where
///     J: Queue<Item = String>,
///     S: Queue<Item = ()>,
///     R: Queue<Item = usize>,
/// {
///     let mut outbox = None;
///     loop {
///         let event = Select::new()
///             .pop(signals, |_| Event::Stop)
///             .push(results, &mut outbox, Event::Sent)
///             .pop(jobs, Event::Job)
///             .wait();
///         match event {
///             Some(Event::Job(Ok(job))) => outbox = Some(job.len()),
///             Some(Event::Sent(Ok(()))) => {}
///             _ => return, // told to stop, or a queue is closed
///         }
///     }
/// }
/// ```
///
/// * **Fair:** of several arms that are ready any is chosen, by chance.
///   [`biased`](Self::biased) chooses the first.
/// * **A closed queue is ready:** its arm is told `Closed` once, and is left out from then on; so
///   is one whose queue failed, unless that was because of one item, or a server is away. When all
///   arms are left out a wait returns `None`.
/// * **A server that is away** is waited for, as an item is. If time is up first its arm is told
///   `Unavailable`.
/// * **No item is lost:** only the arm that is chosen takes one. What was to be pushed stays in
///   the caller's `Option` until it is.
///
/// A `Select` can wait again and again. One that has a push is made anew for the next item, which
/// costs an allocation for each arm; it borrows that item's `Option` until it is dropped, so
/// keep the outcome in a `let`, and match on that.
#[doc(alias("select!", "selector", "epoll"))]
#[must_use = "a select does nothing until it waits"]
pub struct Select<'q, R> {
    arms: Vec<Box<dyn Arm<'q, R> + 'q>>,
    biased: bool,
}

impl<'q, R> Select<'q, R> {
    /// A select without arms.
    pub fn new() -> Self {
        Self {
            arms: Vec::new(),
            biased: false,
        }
    }

    /// Of several arms that are ready it now chooses the one that was added first: so a queue that
    /// never runs dry hides those behind it.
    ///
    /// ```
    /// use queue_core::{PopError, Queue};
    /// use queue_core::select::Select;
    /// /// Urgent jobs first, until both queues are closed.
    /// fn work<Q: Queue<Item = u32>>(urgent: &Q, normal: &Q) {
    ///     let mut select = Select::new().biased().pop(urgent, |job| job).pop(normal, |job| job);
    ///     while let Some(job) = select.wait() {
    ///         match job {
    ///             Ok(job) => println!("job {job}"),
    ///             Err(PopError::Closed) => {} // the other one goes on
    ///             Err(PopError::Failed(why)) => eprintln!("a job is lost: {why:#}"),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn biased(mut self) -> Self {
        self.biased = true;
        self
    }

    /// Adds an arm that pops from `queue`, a queue or its [`Consumer`](crate::Consumer).
    #[doc(alias("recv"))]
    pub fn pop<P: Poppable + ?Sized>(
        self,
        queue: &'q P,
        then: impl FnMut(Result<P::Item, PopError>) -> R + Send + 'q,
    ) -> Self {
        let side = queue.consumers_side();
        self.taking(side.waits(), move || side.try_pop(), then)
    }

    /// Adds an arm that receives from `queue` on loan.
    pub fn receive<Q: WorkQueue>(
        self,
        queue: &'q Q,
        then: impl FnMut(Result<Delivery<Q>, PopError>) -> R + Send + 'q,
    ) -> Self
    where
        Q::Item: 'q,
    {
        self.taking(queue, || queue.try_receive(), then)
    }

    /// Adds an arm that takes something out of a queue.
    fn taking<T: Send + 'q>(
        mut self,
        queue: &'q dyn WaitFor,
        attempt: impl FnMut() -> Result<T, TryPopError> + Send + 'q,
        then: impl FnMut(Result<T, PopError>) -> R + Send + 'q,
    ) -> Self {
        self.arms.push(Box::new(Take {
            queue,
            attempt,
            then,
            taken: None,
            over: false,
        }));
        self
    }

    /// Adds an arm that pushes the item of `item` to `queue`, a queue or its
    /// [`Producer`](crate::Producer), and leaves `None` there. While there is none, or there is no
    /// item to push, the arm is left out.
    ///
    /// An item that was not pushed, because another arm was chosen or time was up, is still there.
    /// One that the queue refused is in the error.
    #[doc(alias("send"))]
    pub fn push<P: Pushable + ?Sized>(
        mut self,
        queue: &'q P,
        item: &'q mut Option<P::Item>,
        then: impl FnMut(Result<(), PushError<P::Item>>) -> R + Send + 'q,
    ) -> Self {
        let side = queue.producers_side();
        self.arms.push(Box::new(Push {
            queue: side.waits(),
            attempt: move |item| side.try_push(item),
            item,
            then,
            pushed: None,
        }));
        self
    }

    /// Waits for an arm, as long as it takes. Returns `None` if none is left to wait for.
    pub fn wait(&mut self) -> Option<R> {
        self.wait_until(Deadline::NEVER)
    }

    /// [`wait`](Self::wait), up to `timeout`. It tries all arms once before it looks at the clock.
    /// Returns `None` if the time is up, or at once if no arm is left to wait for:
    /// [`is_over`](Self::is_over) tells which.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<R> {
        self.wait_until(Deadline::after(timeout))
    }

    /// [`wait_timeout`](Self::wait_timeout), until `deadline`. One that has passed is one try.
    pub fn wait_deadline(&mut self, deadline: Instant) -> Option<R> {
        self.wait_until(Deadline::at(deadline))
    }

    /// [`wait`](Self::wait), which does not wait. Returns `None` if no arm is ready.
    pub fn try_wait(&mut self) -> Option<R> {
        let first = start::first(self.arms.len(), self.biased);
        let outcome = try_all(&mut All(&mut self.arms), first, false);
        self.finish(outcome)
    }

    /// [`wait`](Self::wait) as a future.
    ///
    /// # Cancel safety
    /// If the future is dropped, nothing was taken or pushed, and a wake that was meant for it goes
    /// to another.
    pub async fn wait_async(&mut self) -> Option<R> {
        let outcome = wait_async(&mut All(&mut self.arms), self.biased).await;
        self.finish(outcome)
    }

    /// Whether no arm is left to wait for.
    pub fn is_over(&self) -> bool {
        self.arms.iter().all(|arm| arm.is_over())
    }

    fn wait_until(&mut self, deadline: Deadline) -> Option<R> {
        let outcome = wait_until(&mut All(&mut self.arms), self.biased, deadline);
        self.finish(outcome)
    }

    fn finish(&mut self, outcome: Outcome) -> Option<R> {
        match outcome {
            Outcome::Ready(arm) => Some(self.arms[arm].finish()),
            Outcome::NotYet | Outcome::Over => None,
        }
    }
}

impl<R> Default for Select<'_, R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> fmt::Debug for Select<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select")
            .field("arms", &self.arms.len())
            .field("biased", &self.biased)
            .finish_non_exhaustive()
    }
}

/// One arm. What a try gave it keeps until the listeners of all others are gone: only then is the
/// caller's code called, which may take long. (If a waker panics in between, the next wait has it.)
trait Arm<'q, R>: Send {
    fn attempt(&mut self, waits: bool) -> Tried;
    fn finish(&mut self) -> R;
    fn is_over(&self) -> bool;
    fn side(&self) -> (&'q dyn WaitFor, Side);
}

/// Those of a [`Select`].
struct All<'a, 'q, R>(&'a mut [Box<dyn Arm<'q, R> + 'q>]);

impl<'q, R> Arms<'q> for All<'_, 'q, R> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn attempt(&mut self, arm: usize, waits: bool) -> Tried {
        self.0[arm].attempt(waits)
    }

    fn side(&self, arm: usize) -> (&'q dyn WaitFor, Side) {
        self.0[arm].side()
    }
}

const READY: &str = "only an arm that is ready is finished";

struct Take<'q, T, A, F> {
    queue: &'q dyn WaitFor,
    attempt: A,
    then: F,
    taken: Option<Result<T, PopError>>,
    over: bool,
}

impl<'q, T, A, F, R> Arm<'q, R> for Take<'q, T, A, F>
where
    T: Send,
    A: FnMut() -> Result<T, TryPopError> + Send,
    F: FnMut(Result<T, PopError>) -> R + Send,
{
    fn attempt(&mut self, waits: bool) -> Tried {
        if self.taken.is_some() {
            return Tried::Ready;
        }
        if self.over {
            return Tried::Over;
        }
        self.taken = Some(match (self.attempt)() {
            Ok(item) => Ok(item),
            Err(TryPopError::Empty) => return Tried::NotYet,
            Err(TryPopError::Closed) => Err(PopError::Closed),
            Err(TryPopError::Failed(failure)) if waits && failure.may_pass() => {
                return Tried::NotYet;
            }
            Err(TryPopError::Failed(failure)) => Err(PopError::Failed(failure)),
        });
        Tried::Ready
    }

    fn finish(&mut self) -> R {
        let taken = self.taken.take().expect(READY);
        self.over = match &taken {
            Ok(_) => false,
            Err(PopError::Closed) => true,
            Err(PopError::Failed(failure)) => !failure.consumed_item() && !failure.may_pass(),
        };
        (self.then)(taken)
    }

    fn is_over(&self) -> bool {
        self.over && self.taken.is_none()
    }

    fn side(&self) -> (&'q dyn WaitFor, Side) {
        (self.queue, Side::Consumers)
    }
}

struct Push<'q, T, A, F> {
    queue: &'q dyn WaitFor,
    attempt: A,
    item: &'q mut Option<T>,
    then: F,
    pushed: Option<Result<(), PushError<T>>>,
}

impl<'q, T, A, F, R> Arm<'q, R> for Push<'q, T, A, F>
where
    T: Send,
    A: FnMut(T) -> Result<(), TryPushError<T>> + Send,
    F: FnMut(Result<(), PushError<T>>) -> R + Send,
{
    fn attempt(&mut self, waits: bool) -> Tried {
        if self.pushed.is_some() {
            return Tried::Ready;
        }
        let Some(item) = self.item.take() else {
            return Tried::Over;
        };
        self.pushed = Some(match (self.attempt)(item) {
            Ok(()) => Ok(()),
            Err(TryPushError::Full(item)) => {
                *self.item = Some(item);
                return Tried::NotYet;
            }
            Err(TryPushError::Failed(item, failure)) if waits && failure.may_pass() => {
                *self.item = Some(item);
                return Tried::NotYet;
            }
            Err(TryPushError::Closed(item)) => Err(PushError::Closed(item)),
            Err(TryPushError::Failed(item, failure)) => Err(PushError::Failed(item, failure)),
        });
        Tried::Ready
    }

    fn finish(&mut self) -> R {
        (self.then)(self.pushed.take().expect(READY))
    }

    fn is_over(&self) -> bool {
        self.item.is_none() && self.pushed.is_none()
    }

    fn side(&self) -> (&'q dyn WaitFor, Side) {
        (self.queue, Side::Producers)
    }
}
