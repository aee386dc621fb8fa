//! Futures in tokio's runtimes, beside threads.

#![cfg(all(target_os = "linux", not(loom)))]

use queue_process::{PipeQueue, Queue, ShmQueue};
use std::time::Duration;
use tokio::runtime::Builder;

/// Tasks, a thread and a plain future share one queue, small enough that all must wait.
fn mixed<Q: Queue<Item = u64> + Clone + 'static>(queue: &Q) {
    const EACH: u64 = 2000;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let popper = |queue: Q| async move {
        let mut sum = 0;
        while let Ok(n) = queue.pop_async().await {
            sum += n;
        }
        sum
    };
    let tasks: Vec<_> = (0..3)
        .map(|_| runtime.spawn(popper(queue.clone())))
        .collect();
    let thread = std::thread::spawn({
        let queue = queue.clone();
        move || queue.iter().sum::<u64>()
    });
    let pushers: Vec<_> = (0..3)
        .map(|_| {
            let queue = queue.clone();
            runtime.spawn(async move {
                for n in 1..=EACH {
                    queue.push_async(n).await.unwrap();
                }
            })
        })
        .collect();
    for n in 1..=EACH {
        queue.push(n).unwrap();
    }
    runtime.block_on(async {
        for pusher in pushers {
            pusher.await.unwrap();
        }
        queue.close();
        let mut sum = thread.join().unwrap();
        for task in tasks {
            sum += task.await.unwrap();
        }
        assert_eq!(sum, 4 * EACH * (EACH + 1) / 2);
    });
}

#[test]
fn tasks_and_threads_on_a_shm_queue() {
    mixed(&ShmQueue::<u64>::bounded(4));
}

#[test]
fn tasks_and_threads_on_a_pipe_queue() {
    mixed(&PipeQueue::<u64>::bounded(4));
}

/// The runtime's own timer ends a wait, and the next item goes to somebody else.
#[test]
fn a_timer_ends_a_wait() {
    let queue = ShmQueue::<u64>::bounded(4);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let waited = tokio::time::timeout(Duration::from_millis(30), queue.pop_async()).await;
        assert!(waited.is_err());
        queue.push(1).unwrap();
        assert_eq!(queue.pop_async().await, Ok(1));
    });
    // Another runtime, the first one is gone.
    drop(runtime);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let other = queue.clone();
    let pusher = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        other.push(2).unwrap();
    });
    assert_eq!(runtime.block_on(queue.pop_async()), Ok(2));
    pusher.join().unwrap();
}

/// A task that waits learns that the last producer was dropped.
#[test]
fn a_task_learns_of_the_end() {
    let (producer, consumer) = ShmQueue::<u64>::bounded(4).into_ends();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let task = runtime.spawn(async move { consumer.pop_async().await });
    std::thread::sleep(Duration::from_millis(30));
    drop(producer);
    assert!(runtime.block_on(task).unwrap().unwrap_err().is_closed());
}

/// Who waits takes no descriptor.
#[test]
fn many_tasks_leave_descriptors_for_others() {
    const MANY: u64 = 500;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let queue = ShmQueue::<u64>::unbounded();
    let task = |queue: ShmQueue<u64>| async move { queue.pop_async().await.unwrap() };
    for many in [3, MANY] {
        runtime.block_on(async {
            let tasks: Vec<_> = (0..many)
                .map(|_| tokio::spawn(task(queue.clone())))
                .collect();
            tokio::time::sleep(Duration::from_millis(200)).await;
            let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
            assert!(open < 200, "{open} descriptors for {many} who wait");
            (0..many).for_each(|n| queue.push(n).unwrap());
            let mut sum = 0;
            for task in tasks {
                let popped = tokio::time::timeout(Duration::from_secs(30), task).await;
                sum += popped.expect("it is woken").unwrap();
            }
            assert_eq!(sum, many * (many - 1) / 2);
        });
    }
}
