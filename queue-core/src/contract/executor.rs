//! Running futures: blocking on one, polling one by hand, and running many tasks.

use super::watchdog::step_timeout;
use crate::waiters::{park, thread_waker};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Runs `future` to completion, sleeping while it is pending.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = thread_waker();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => park(None),
        }
    }
}

/// A waker that counts how often it is woken.
#[derive(Debug, Default)]
struct WakeCounter {
    wakes: Mutex<usize>,
    changed: Condvar,
}

impl Wake for WakeCounter {
    fn wake(self: Arc<Self>) {
        *self.wakes.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }
}

/// A future that is polled by hand, each time with a waker of its own.
pub(super) struct PolledFuture<'a, R> {
    future: Pin<Box<dyn Future<Output = R> + Send + 'a>>,
    counter: Arc<WakeCounter>,
}

impl<'a, R> PolledFuture<'a, R> {
    pub(super) fn new(future: impl Future<Output = R> + Send + 'a) -> Self {
        Self {
            future: Box::pin(future),
            counter: Arc::default(),
        }
    }

    /// Polls once; where an [answer](super::set_answer_time) takes time, until it is ready or rests.
    /// The wakers of earlier polls no longer count.
    pub(super) fn poll(&mut self) -> Option<R> {
        loop {
            let polled = self.poll_once();
            let time = super::answer_time();
            if polled.is_some() || time.is_zero() || !self.is_woken_within(time) {
                return polled;
            }
        }
    }

    /// Whether a wake comes in this time.
    fn is_woken_within(&self, time: Duration) -> bool {
        let counter = &self.counter;
        let wakes = counter.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = (counter.changed).wait_timeout_while(wakes, time, |wakes| *wakes == 0);
        *wait.unwrap_or_else(PoisonError::into_inner).0 > 0
    }

    /// Polls once, whatever comes of it.
    pub(super) fn poll_once(&mut self) -> Option<R> {
        self.counter = Arc::default();
        let waker = Waker::from(self.counter.clone());
        match self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    }

    /// How often the waker of the last poll was woken.
    pub(super) fn wakes(&self) -> usize {
        *self
            .counter
            .wakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls only when woken, until the future is ready. Fails if no wake comes.
    pub(super) fn finish(mut self, what: &str) -> R {
        loop {
            let woken = self.is_woken_within(step_timeout() / 3);
            assert!(woken, "{what} was not woken");
            if let Some(result) = self.poll() {
                return result;
            }
        }
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs all `tasks` to completion on this thread, polling each only when it is woken.
pub(super) fn run_tasks(tasks: Vec<Task>) {
    #[derive(Default)]
    struct Ready {
        tasks: Mutex<VecDeque<usize>>,
        changed: Condvar,
    }
    struct TaskWaker(usize, Arc<Ready>);
    impl Wake for TaskWaker {
        fn wake(self: Arc<Self>) {
            let mut tasks = self.1.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            if !tasks.contains(&self.0) {
                tasks.push_back(self.0);
            }
            drop(tasks);
            self.1.changed.notify_one();
        }
    }
    let ready = Arc::new(Ready::default());
    let mut tasks: Vec<_> = tasks
        .into_iter()
        .enumerate()
        .map(|(id, task)| {
            (
                Some(task),
                Waker::from(Arc::new(TaskWaker(id, ready.clone()))),
            )
        })
        .collect();
    tasks.iter().for_each(|(_, waker)| waker.wake_by_ref());
    let mut left = tasks.len();
    while left > 0 {
        let queue = ready.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = ready.changed.wait_while(queue, |queue| queue.is_empty());
        let id = queue.unwrap_or_else(PoisonError::into_inner).pop_front();
        let (task, waker) = &mut tasks[id.expect("not empty")];
        let Some(future) = task else { continue };
        if future
            .as_mut()
            .poll(&mut Context::from_waker(waker))
            .is_ready()
        {
            *task = None;
            left -= 1;
        }
    }
}
