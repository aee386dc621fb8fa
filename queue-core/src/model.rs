//! Runs a loom model so that only a complete run counts. It exists under `--cfg loom` alone.

pub mod deliveries;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs `f` under every interleaving with at most `preemptions` preemptions (`None`: all of them),
/// and prints a line when it is done.
///
/// The environment cannot cut the run short: a model that printed its line has explored everything
/// within its bound. `QUEUE_LOOM_LONG` allows one preemption more, and `QUEUE_LOOM_LONG=all` any
/// number.
///
/// # Panics
/// If an interleaving panics.
pub fn check(name: &str, preemptions: Option<usize>, f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = match std::env::var("QUEUE_LOOM_LONG").as_deref() {
        Err(_) => preemptions,
        Ok("all") => None,
        Ok(_) => preemptions.map(|bound| bound + 1),
    };
    builder.max_branches = 100_000;
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.checkpoint_file = None;
    let bound = builder.preemption_bound;
    let iterations = Arc::new(AtomicUsize::new(0));
    let count = iterations.clone();
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        f();
    });
    let iterations = iterations.load(Ordering::Relaxed);
    // A model of one thread has one interleaving and proves nothing.
    assert!(iterations > 1, "model {name} has no second thread");
    let bound = bound.map_or("none".into(), |bound| bound.to_string());
    println!("model {name}: completed in {iterations} iterations (preemption bound: {bound})");
}
