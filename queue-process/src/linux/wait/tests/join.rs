//! Tests of [`join`](crate::linux::wait::idle_wait).

use crate::ShmQueue;
use queue_core::Queue;
use queue_core::sync::atomic::Ordering;
use queue_core::work::WorkQueue;
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// As where somebody dies who left the queue idle and told nobody.
#[test]
fn who_joins_looks_again_by_itself() {
    let queue = ShmQueue::<u8>::bounded(1);
    queue.push(1).unwrap();
    let joining = &queue.shared.engine.control().head.published.joining;
    let begun = Instant::now();
    thread::scope(|scope| {
        let joined = scope.spawn(|| queue.join_timeout(LONG));
        while joining.load(Ordering::Relaxed) == 0 && begun.elapsed() < LONG {
            thread::sleep(Duration::from_millis(1));
        }
        joining.store(0, Ordering::Relaxed);
        assert_eq!(queue.pop(), Ok(1));
        assert!(joined.join().unwrap());
    });
    // Who runs out of time has one last look.
    assert!(begun.elapsed() < LONG, "it slept on");
}
