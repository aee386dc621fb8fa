//! A process that is stopped, or dies, while it holds the lock of an end: whom it holds up.

use crate::ShmQueue;
use crate::linux::engine::control::End;
use queue_core::{Consumer, Queue, Side};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

const NAME: &str = "STOPPED";

/// Stops with the lock of an end of the queue in its hands, if this process was started for
/// that. It notifies the eventfd before, as whoever pushes does.
fn was_started_to_stop() -> bool {
    let Ok(queue) = ShmQueue::<u8>::from_parent(NAME) else {
        return false;
    };
    let engine = &queue.shared.engine;
    let held = engine.lock(End::Tail).unwrap();
    engine.prepare_wake(End::Tail, held.state, true);
    kill_process(rustix::process::getpid(), Signal::STOP).unwrap();
    // Another thread may be the first to stop.
    thread::sleep(crate::linux::wait::RECHECK_INTERVAL);
    drop(held);
    true
}

/// A child that has stopped while it holds the lock of the queue's tail.
struct Stopped(Child);

impl Stopped {
    /// Of the test of that name; on one side, or both.
    fn start(queue: &ShmQueue<u8>, side: Option<Side>, test: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            &format!("linux::wait::tests::stopped_peer::{test}"),
        ]);
        command.stdout(Stdio::null());
        queue.share_half_with(side, &mut command, NAME).unwrap();
        let child = Self(command.spawn().unwrap());
        let stopped = waitpid(Some(child.pid()), WaitOptions::UNTRACED).unwrap();
        assert!(stopped.expect("a child").1.stopped());
        child
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a future of another thread pops from the queue, for which it waits already.
fn popped(queue: &ShmQueue<u8>) -> Receiver<u8> {
    let (sender, receiver) = mpsc::channel();
    let popper = queue.clone();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let popped = runtime.unwrap().block_on(popper.pop_async());
        let _ = sender.send(popped.unwrap());
    });
    let async_waiting = &queue.shared.engine.control().tail.async_waiting;
    let begun = Instant::now();
    while async_waiting.load(std::sync::atomic::Ordering::Relaxed) == 0 {
        assert!(begun.elapsed() < LONG, "it does not wait");
        thread::yield_now();
    }
    receiver
}

#[test]
fn the_futures_of_one_queue_do_not_wait_for_a_process_that_stopped_in_another() {
    const TEST: &str = "the_futures_of_one_queue_do_not_wait_for_a_process_that_stopped_in_another";
    if was_started_to_stop() {
        return;
    }
    let [stuck, other] = [(); 2].map(|()| ShmQueue::bounded(4));
    let waits = popped(&stuck);
    let stopped = Stopped::start(&stuck, None, TEST);
    // Longer than from one check of the peers to the next.
    for n in 0..10 {
        let waits = popped(&other);
        other.push(n).unwrap();
        assert_eq!(waits.recv_timeout(LONG), Ok(n), "it hears no eventfd");
        thread::sleep(crate::linux::wait::RECHECK_INTERVAL / 4);
    }
    assert!(waits.try_recv().is_err());

    // Nor is what the dead left forgotten.
    drop(stopped);
    stuck.push(77).unwrap();
    assert_eq!(waits.recv_timeout(LONG), Ok(77));
}

#[test]
fn a_future_is_woken_when_the_process_that_stopped_goes_on() {
    if was_started_to_stop() {
        return;
    }
    let stuck = ShmQueue::bounded(4);
    let waits = popped(&stuck);
    let mut stopped = Stopped::start(
        &stuck,
        None,
        "a_future_is_woken_when_the_process_that_stopped_goes_on",
    );
    let pusher = stuck.clone();
    let pusher = thread::spawn(move || pusher.push(7));
    thread::sleep(crate::linux::wait::RECHECK_INTERVAL * 2);
    assert!(waits.try_recv().is_err());
    kill_process(stopped.pid(), Signal::CONT).unwrap();
    assert_eq!(waits.recv_timeout(LONG), Ok(7));
    pusher.join().unwrap().unwrap();
    assert!(stopped.0.wait().unwrap().success());
}

/// Drops what it has when it wakes.
struct Drops<T>(Mutex<Option<T>>);

impl<T: Send + 'static> Wake for Drops<T> {
    fn wake(self: Arc<Self>) {
        let mut handle = self.0.lock().unwrap();
        drop(handle.take());
    }
}

/// The thread that wakes drops what `last` makes of a queue at whose tail a producer has stopped.
fn drops_in_the_thread_that_wakes<T: Send + 'static>(
    test: &str,
    last: impl FnOnce(ShmQueue<u8>) -> T,
) {
    let [stuck, other] = [(); 2].map(|()| ShmQueue::bounded(4));
    // So that there would be no consumer left, and the queue were to be closed.
    let stopped = Stopped::start(&stuck, Some(Side::Producers), test);
    let drops = Arc::new(Drops(Mutex::new(Some(last(stuck)))));
    let mut first = Box::pin(other.pop_async());
    let waker = Waker::from(drops.clone());
    let polled = first.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    // To die first, if this fails.
    let stopped = stopped;
    other.push(1).unwrap();
    let begun = Instant::now();
    while drops.0.try_lock().is_err() || drops.0.lock().unwrap().is_some() {
        assert!(
            begun.elapsed() < LONG,
            "it is not woken, or waits for the other"
        );
        thread::yield_now();
    }
    drop((stopped, first));
}

#[test]
fn the_thread_that_wakes_may_drop_the_last_handle_of_a_queue() {
    const TEST: &str = "the_thread_that_wakes_may_drop_the_last_handle_of_a_queue";
    if !was_started_to_stop() {
        drops_in_the_thread_that_wakes(TEST, |queue| queue);
    }
}

#[test]
fn the_thread_that_wakes_may_drop_the_last_half_of_a_queue() {
    const TEST: &str = "the_thread_that_wakes_may_drop_the_last_half_of_a_queue";
    if !was_started_to_stop() {
        drops_in_the_thread_that_wakes(TEST, Consumer::new);
    }
}
