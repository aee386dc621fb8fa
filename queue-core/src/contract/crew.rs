//! [`run`]: a clause under a watchdog, and [`Crew`]: the threads that act in it.
//!
//! A lost wake-up shows as a hang. So a clause runs in a thread of its own, and who
//! called it waits for its end, for the first panic in any of its threads, or for its
//! patience with one step to end, and then fails with the clause's name.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

static PATIENCE_MS: AtomicU64 = AtomicU64::new(120_000);

/// How long one step of a clause may take before it counts as hung: two minutes, for the
/// machine may be busy, unless [set](set_patience).
pub fn patience() -> Duration {
    Duration::from_millis(PATIENCE_MS.load(Ordering::Relaxed))
}

/// Sets how long one step of a clause may take in this process before it counts as hung.
/// A test of a queue that is known to hang wants less, a run under an emulator more.
pub fn set_patience(patience: Duration) {
    PATIENCE_MS.store(patience.as_millis() as u64, Ordering::Relaxed);
}

/// Time enough for a thread that was just started to go to sleep in the queue. Too
/// little makes a check weaker, never wrong.
pub(super) fn settle() {
    sleep(Duration::from_millis(15));
}

/// The panic of one who says only that another has already said it.
struct Reported;

/// Tries a clause, or something else with a name: panics with the name unless `body`
/// ends well.
#[track_caller]
pub(super) fn run<R: Send + 'static>(
    name: impl ToString,
    body: impl FnOnce(&Crew) -> R + Send + 'static,
) -> R {
    let (sender, receiver) = channel();
    let name = name.to_string();
    let crew = Crew {
        name: name.clone(),
        report: sender,
        step: Arc::new(Mutex::new(("at first".to_owned(), Instant::now()))),
    };
    let director = crew.clone();
    let main = crew.spawn(move || {
        let result = body(&director);
        let _ = director.report.send(Ok(()));
        result
    });
    let verdict = loop {
        let (step, since) = crew.now();
        let left = patience().saturating_sub(since.elapsed());
        match receiver.recv_timeout(left) {
            Ok(verdict) => break verdict.map_err(|why| format!("{}: {why}", crew.now().0)),
            Err(RecvTimeoutError::Timeout) if crew.now().1 != since => {}
            Err(_) => break Err(format!("{step}: still not done after {:?}", patience())),
        }
    };
    match verdict {
        Ok(()) => main.join(),
        Err(why) => panic!("{name}: {why}"),
    }
}

/// Starts the threads of a clause, and tells the first failure in any of them.
#[derive(Clone, Debug)]
pub(super) struct Crew {
    name: String,
    report: Sender<Result<(), String>>,
    /// What is tried, and since when.
    step: Arc<Mutex<(String, Instant)>>,
}

impl Crew {
    /// Says what is tried next, for the message of a failure; the watchdog's patience
    /// begins anew.
    pub(super) fn step(&self, what: impl Into<String>) {
        *self.step.lock().unwrap_or_else(|e| e.into_inner()) = (what.into(), Instant::now());
    }

    fn now(&self) -> (String, Instant) {
        let step = self.step.lock().unwrap_or_else(|e| e.into_inner());
        step.clone()
    }

    /// Starts a thread with the crew's name.
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

/// A thread of the crew.
#[derive(Debug)]
pub(super) struct Worker<R>(JoinHandle<Result<R, ()>>);

impl<R> Worker<R> {
    /// What the thread came to. If it failed, so does the caller, quietly.
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
