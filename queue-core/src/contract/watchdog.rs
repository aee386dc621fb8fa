//! [`Watchdog`]: runs a clause, and ends it when it hangs.
//!
//! A lost wake-up shows as a hang. So [`run`] runs a clause in a thread of its own. It waits until
//! the clause ends, until one of its threads panics, or until one step takes longer than
//! [`step_timeout`]. In the last two cases it fails with the clause's name.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

static STEP_TIMEOUT_MS: AtomicU64 = AtomicU64::new(120_000);

/// How long one step of a clause may take before it counts as hung. It is two minutes, because the
/// machine may be busy, unless it was [set](set_step_timeout).
///
/// ```
/// use queue_core::contract::{set_step_timeout, step_timeout};
/// use std::time::Duration;
/// assert_eq!(step_timeout(), Duration::from_secs(120));
/// set_step_timeout(Duration::from_secs(5));
/// assert_eq!(step_timeout(), Duration::from_secs(5));
/// ```
pub fn step_timeout() -> Duration {
    Duration::from_millis(STEP_TIMEOUT_MS.load(Ordering::Relaxed))
}

/// Sets how long one step of a clause may take in this process before it counts as hung.
/// Choose less for a queue that is known to hang, and more under an emulator.
///
/// ```
/// // A run under an emulator is slow.
/// queue_core::contract::set_step_timeout(std::time::Duration::from_secs(600));
/// ```
pub fn set_step_timeout(timeout: Duration) {
    STEP_TIMEOUT_MS.store(timeout.as_millis() as u64, Ordering::Relaxed);
}

static ANSWER_TIME_MS: AtomicU64 = AtomicU64::new(0);

/// How long a queue may take to learn what its server says: zero, unless it was
/// [set](set_answer_time).
pub fn answer_time() -> Duration {
    Duration::from_millis(ANSWER_TIME_MS.load(Ordering::Relaxed))
}

/// Tells the suite that the queues of this process are at a server beyond a network, which takes up
/// to `time` to answer, and makes it patient in three things:
///
/// * "A future that was polled once" is polled until it rests: until no wake has come for that time.
/// * Crowds push a twelfth of the items, for each of them takes as long as hundreds elsewhere.
/// * A push of a crowd that was dropped is still on its way, for all that its history says.
///
/// ```
/// use queue_core::contract::{answer_time, set_answer_time};
/// use std::time::Duration;
/// assert_eq!(answer_time(), Duration::ZERO);
/// set_answer_time(Duration::from_millis(20));
/// assert_eq!(answer_time(), Duration::from_millis(20));
/// ```
pub fn set_answer_time(time: Duration) {
    ANSWER_TIME_MS.store(time.as_millis() as u64, Ordering::Relaxed);
}

/// As many of `count` items as a crowd pushes where a server has to answer for each.
pub(super) fn crowd(count: u64) -> u64 {
    match answer_time().is_zero() {
        true => count,
        false => (count / 12).max(10),
    }
}

/// Sleeps long enough for a thread that was just started to go to sleep in the queue. Too short a
/// time makes a check weaker, never wrong.
pub(super) fn settle() {
    sleep(Duration::from_millis(15).max(answer_time()));
}

/// The payload of a panic that follows from one that was reported already.
struct Reported;

/// Runs `body` under a watchdog, and panics with `name` unless it succeeds.
#[track_caller]
pub(super) fn run<R: Send + 'static>(
    name: impl ToString,
    body: impl FnOnce(&Watchdog) -> R + Send + 'static,
) -> R {
    let (sender, receiver) = channel();
    let name = name.to_string();
    let watchdog = Watchdog {
        name: name.clone(),
        report: sender,
        step: Arc::new(Mutex::new(("at first".to_owned(), Instant::now()))),
    };
    let inner = watchdog.clone();
    let main = watchdog.spawn(move || {
        let result = body(&inner);
        let _ = inner.report.send(Ok(()));
        result
    });
    let outcome = loop {
        let (step, since) = watchdog.now();
        let left = step_timeout().saturating_sub(since.elapsed());
        match receiver.recv_timeout(left) {
            Ok(outcome) => break outcome.map_err(|why| format!("{}: {why}", watchdog.now().0)),
            Err(RecvTimeoutError::Timeout) if watchdog.now().1 != since => {}
            Err(_) => break Err(format!("{step}: still not done after {:?}", step_timeout())),
        }
    };
    match outcome {
        Ok(()) => main.join(),
        Err(why) => panic!("{name}: {why}"),
    }
}

/// Starts the threads of a clause, and reports the first failure in any of them.
#[derive(Clone, Debug)]
pub(super) struct Watchdog {
    name: String,
    report: Sender<Result<(), String>>,
    /// The current step, and when it began.
    step: Arc<Mutex<(String, Instant)>>,
}

impl Watchdog {
    /// Begins the next step. The message of a failure names it, and its time starts anew.
    pub(super) fn step(&self, what: impl Into<String>) {
        *self.step.lock().unwrap_or_else(|e| e.into_inner()) = (what.into(), Instant::now());
    }

    fn now(&self) -> (String, Instant) {
        let step = self.step.lock().unwrap_or_else(|e| e.into_inner());
        step.clone()
    }

    /// Starts a thread with the clause's name.
    pub(super) fn spawn<R: Send + 'static>(
        &self,
        act: impl FnOnce() -> R + Send + 'static,
    ) -> Worker<R> {
        let report = self.report.clone();
        let thread = Builder::new().name(self.name.clone()).spawn(move || {
            catch_unwind(AssertUnwindSafe(act)).map_err(|payload| {
                if !payload.is::<Reported>() {
                    let _ = report.send(Err(message(&*payload)));
                }
            })
        });
        Worker(thread.expect("a thread can be started"))
    }
}

/// A thread of a clause.
#[derive(Debug)]
pub(super) struct Worker<R>(JoinHandle<Result<R, ()>>);

impl<R> Worker<R> {
    /// Waits for the thread, and returns its result. If the thread failed, the caller fails too,
    /// without a report of its own.
    pub(super) fn join(self) -> R {
        match self.0.join() {
            Ok(Ok(result)) => result,
            _ => resume_unwind(Box::new(Reported)),
        }
    }
}

/// The text of a panic.
pub(super) fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else {
        "a panic without a text".to_owned()
    }
}
