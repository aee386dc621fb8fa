//! Futures polled by hand, and wakers that count.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Longer than any wake takes, on a machine that stands still for a while too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A waker that counts how often it is woken.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<usize>,
    changed: Condvar,
}

impl Bell {
    pub(crate) fn rung(&self) -> usize {
        *self.rung.lock().unwrap()
    }

    /// Fails unless it was woken, or is soon.
    fn heard(&self) {
        let rung = self.rung.lock().unwrap();
        let waited = self
            .changed
            .wait_timeout_while(rung, PATIENCE, |rung| *rung == 0);
        assert!(!waited.unwrap().1.timed_out(), "no wake came");
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock().unwrap() += 1;
        self.changed.notify_all();
    }
}

/// A future, polled by hand, with the bell of its last poll.
pub(crate) struct Polled<'a, R> {
    future: Pin<Box<dyn Future<Output = R> + Send + 'a>>,
    pub(crate) bell: Arc<Bell>,
}

impl<'a, R> Polled<'a, R> {
    pub(crate) fn new(future: impl Future<Output = R> + Send + 'a) -> Self {
        Self {
            future: Box::pin(future),
            bell: Arc::default(),
        }
    }

    /// One that has to wait.
    #[track_caller]
    pub(crate) fn pending(future: impl Future<Output = R> + Send + 'a) -> Self {
        let mut polled = Self::new(future);
        assert!(polled.poll().is_none(), "ready where it had to wait");
        polled
    }

    /// Polls with a new bell.
    pub(crate) fn poll(&mut self) -> Option<R> {
        self.bell = Arc::default();
        self.poll_with(&Waker::from(self.bell.clone()))
    }

    pub(crate) fn poll_with(&mut self, waker: &Waker) -> Option<R> {
        match self.future.as_mut().poll(&mut Context::from_waker(waker)) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.bell.rung() > 0
    }

    /// Polls when woken until it is ready.
    pub(crate) fn finish(mut self) -> R {
        loop {
            self.bell.heard();
            if let Some(result) = self.poll() {
                return result;
            }
        }
    }

    /// The same from the first poll on.
    pub(crate) fn run(mut self) -> R {
        match self.poll() {
            Some(result) => result,
            None => self.finish(),
        }
    }
}

/// Counts its drops.
#[derive(Debug)]
pub(crate) struct Counted(pub(crate) Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
