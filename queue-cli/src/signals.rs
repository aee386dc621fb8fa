//! [`Stop`]: Ctrl-C and its like, and waiting for something or that.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Whether this process is to stop, and the threads that wait meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    signals: u32,
    /// Whether it is to stop without a signal.
    ended: bool,
    waiting: Vec<Thread>,
}

impl State {
    fn wake_all(&self) {
        self.waiting.iter().for_each(Thread::unpark);
    }
}

impl Stop {
    /// From now on signals that end a process (of the terminal, or of who manages services) are
    /// counted, and `told` is called with how many there were.
    pub(crate) fn on_signals(
        self: &Arc<Self>,
        told: impl Fn(u32) + Send + 'static,
    ) -> std::io::Result<()> {
        #[cfg(unix)]
        {
            use signal_hook::consts::{SIGINT, SIGTERM};
            let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
            let stop = Arc::clone(self);
            thread::spawn(move || {
                for _ in signals.forever() {
                    told(stop.signal());
                }
            });
        }
        #[cfg(not(unix))]
        drop(told); // There a signal just ends it.
        Ok(())
    }

    /// Tells all to stop, for a signal has come: how many that makes.
    #[cfg(any(unix, test))]
    fn signal(&self) -> u32 {
        let mut state = self.lock();
        state.signals += 1;
        // Those who come later see the number first.
        state.wake_all();
        state.signals
    }

    /// Tells all to stop. It counts as no signal, which the user sends.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        state.wake_all();
    }

    /// How many signals have come.
    pub(crate) fn signals(&self) -> u32 {
        self.lock().signals
    }

    /// Whether all are told to stop.
    pub(crate) fn is_told(&self) -> bool {
        let state = self.lock();
        state.ended || state.signals > 0
    }

    /// Waits for `future`; `None` if it was told to stop before.
    pub(crate) fn or<F: Future>(&self, future: F) -> Option<F::Output> {
        self.wait(future, None)
    }

    /// Sleeps: false if it was told to stop before the time was over.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        // A time that overflows is for ever.
        let until = Instant::now().checked_add(time);
        self.wait(pending::<()>(), until);
        !self.is_told()
    }

    fn wait<F: Future>(&self, future: F, until: Option<Instant>) -> Option<F::Output> {
        let me = thread::current();
        self.lock().waiting.push(me.clone());
        let waker = Waker::from(Arc::new(Unpark(me.clone())));
        let mut future = pin!(future);
        let ended = loop {
            if self.is_told() {
                break None;
            }
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                break Some(output);
            }
            match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => break None,
                Some(left) => thread::park_timeout(left),
                None => thread::park(),
            }
        };
        self.lock().waiting.retain(|thread| thread.id() != me.id());
        ended
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_told_to_stop() {
        for tell in [
            |stop: &Stop| stop.end(),
            |stop: &Stop| assert_eq!(stop.signal(), 1),
        ] {
            let stop = Stop::default();
            assert_eq!(stop.or(async { 7 }), Some(7));
            assert!(stop.sleep(Duration::from_millis(1)));
            thread::scope(|scope| {
                let waits = scope.spawn(|| stop.or(pending::<()>()));
                let sleeps = scope.spawn(|| stop.sleep(Duration::MAX));
                while stop.lock().waiting.len() < 2 {
                    thread::yield_now();
                }
                tell(&stop);
                assert_eq!(waits.join().unwrap(), None);
                assert!(!sleeps.join().unwrap());
            });
            assert_eq!(stop.or(async { 7 }), None);
            assert!(stop.lock().waiting.is_empty());
        }
    }

    #[test]
    fn only_signals_are_counted() {
        let stop = Stop::default();
        stop.end();
        assert_eq!(stop.signals(), 0);
        assert_eq!([stop.signal(), stop.signal()], [1, 2]);
        assert_eq!(stop.signals(), 2);
    }
}
