//! The model: two workers, the queue inside it, and every interleaving with one preemption at
//! most.
#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use loom_downstream::Sum;

fn model(finish: fn(&Sum) -> u32) {
    let mut builder = loom::model::Builder::new();
    // With three threads and two queues, two take half a minute and more take hours.
    builder.preemption_bound = Some(1);
    builder.check(move || {
        let sum = Arc::new(Sum::new(1));
        let workers = [0, 1].map(|_| {
            let sum = sum.clone();
            thread::spawn(move || sum.work())
        });
        assert!(sum.add(1));
        assert!(sum.add(2)); // waits for a place, or finds one
        assert_eq!(finish(&sum), 3);
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
    });
}

#[test]
fn the_sum_is_complete() {
    model(|sum| sum.finish(2));
}

/// The model can fail: it finds the interleaving where a worker holds the last number.
#[test]
#[should_panic(expected = "assertion `left == right` failed")]
fn the_sum_is_not_complete_too_early() {
    model(Sum::finish_too_early);
}
