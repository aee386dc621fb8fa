//! A host that is stopped: a guest's time limit ends its verb, and nothing comes of it later.

use super::*;
use ipc_channel::ipc::{IpcOneShotServer, IpcSender};
use queue_core::{WorkQueue, pop_any_timeout};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

type Blobs = IpcQueue<Vec<u8>>;

/// What the children here can be told to do.
pub(super) const ROLES: &[(&str, fn())] = &[("host_blobs", host_blobs)];

const SERVER: &str = "IPC_TEST_SERVER";
const CAPACITY: &str = "IPC_TEST_CAPACITY";

/// Sends its queue to whoever started it, and waits to be killed.
fn host_blobs() {
    let queue = Blobs::bounded(env::var(CAPACITY).unwrap().parse().unwrap());
    let server = env::var(SERVER).unwrap();
    IpcSender::connect(server).unwrap().send(&queue).unwrap();
    thread::sleep(Duration::from_secs(300));
}

/// A process that hosts a queue.
struct Host {
    process: Child,
    queue: Blobs,
}

impl Host {
    fn start(capacity: usize) -> Self {
        let (server, name) = IpcOneShotServer::<Blobs>::new().unwrap();
        let mut command = command("host_blobs");
        command.env(CAPACITY, capacity.to_string());
        let process = command.env(SERVER, name).spawn().unwrap();
        let (_, queue) = server.accept().unwrap();
        Self { process, queue }
    }

    fn signal(&self, signal: Signal) {
        let process = Pid::from_child(&self.process);
        kill_process(process, signal).unwrap();
        if signal == Signal::STOP {
            // It runs on for a moment, and one that stops in the midst of an answer is waited for.
            let stopped = waitpid(Some(process), WaitOptions::UNTRACED).unwrap();
            assert!(stopped.is_some_and(|(_, status)| status.stopped()));
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const LIMIT: Duration = Duration::from_millis(100);

/// Fails unless `verb` ends after its time: else it waits for the host, which goes on only after it.
fn ends<R>(verb: &str, run: impl FnOnce() -> R) -> R {
    let begun = Instant::now();
    let result = run();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(20), "{verb} took {took:?}");
    result
}

#[test]
fn a_time_limit_ends_a_verb_although_the_host_is_stopped() {
    for asked_before in [false, true] {
        let host = Host::start(2);
        let queue = &host.queue;
        if asked_before {
            assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
            assert!(queue.pop_timeout(LIMIT).is_err());
            // Told of an idle moment, which says nothing of what is pushed later.
            queue.push(vec![1]).unwrap();
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(LIMIT);
                    queue.pop().unwrap();
                });
                queue.join();
            });
        }
        host.signal(Signal::STOP);
        // Far more often than a socket holds questions.
        for _ in 0..1000 {
            let popped = ends("pop", || queue.pop_timeout(Duration::from_micros(1)));
            assert_eq!(popped, Err(PopTimeoutError::Timeout));
        }
        for limit in [LIMIT, Duration::ZERO] {
            let popped = ends("pop", || queue.pop_timeout(limit));
            assert_eq!(popped, Err(PopTimeoutError::Timeout));
            let mut none = Vec::new();
            let popped = ends("pop_many", || queue.pop_many_timeout(&mut none, 9, limit));
            assert_eq!(popped, Err(PopTimeoutError::Timeout));
            let received = ends("receive", || queue.receive_timeout(limit).map(drop));
            assert_eq!(received, Err(PopTimeoutError::Timeout));
            assert!(ends("pop_any", || pop_any_timeout(&[queue], limit)).is_err());
            assert!(!ends("join", || queue.join_timeout(limit)));
            let deadline = || Instant::now() + limit;
            let popped = ends("pop_deadline", || queue.pop_deadline(deadline()));
            assert_eq!(popped, Err(PopTimeoutError::Timeout));
            let received = ends("receive_deadline", || queue.receive_deadline(deadline()));
            assert!(received.is_err());
            let pushed = ends("push_deadline", || queue.push_deadline(vec![1], deadline()));
            assert_eq!(pushed.unwrap_err().into_item(), [1]);
        }
        for size in [0, 100, 40_000, 2_000_000] {
            let pushed = ends("push", || queue.push_timeout(vec![1; size], LIMIT));
            assert_eq!(pushed.unwrap_err().into_item().len(), size);
        }
        host.signal(Signal::CONT);
        assert_eq!(queue.len(), 0, "nothing came of it");
        for size in [1, 2_000_000] {
            let pushed = queue.push_timeout(vec![2; size], Duration::from_secs(20));
            assert_eq!(pushed, Ok(()));
        }
        assert!(queue.push_timeout(vec![3], LIMIT).is_err(), "it is full");
        assert_eq!(queue.pop().unwrap(), [2]);
        assert_eq!(queue.receive_timeout(LIMIT).unwrap().len(), 2_000_000);
        queue.close();
    }
}

/// A thread that pushes a large item without a time limit holds up no other: neither one that has a limit,
/// nor one that has slots ahead.
#[test]
fn a_large_push_to_a_stopped_host_holds_up_no_other() {
    /// More than a socket holds.
    const LARGE: usize = 300_000;
    for (capacity, ahead) in [(2, false), (9, true)] {
        let host = Host::start(capacity);
        let queue = &host.queue;
        queue.push(vec![1]).unwrap();
        queue.pop().unwrap();
        // The host was last heard of a while ago.
        thread::sleep(LIMIT);
        host.signal(Signal::STOP);
        thread::scope(|scope| {
            let large = scope.spawn(|| queue.push(vec![2; LARGE]));
            // A debug build takes a while to serialize it.
            thread::sleep(5 * LIMIT);
            let popped = queue.pop_timeout(LIMIT);
            let pushed = queue.push_timeout(vec![3], LIMIT);
            let waits = !large.is_finished();
            host.signal(Signal::CONT);
            assert_eq!(popped, Err(PopTimeoutError::Timeout));
            assert_eq!(pushed.is_ok(), ahead);
            assert!(waits);
            let mut popped = (0..2).map_while(|_| queue.pop_timeout(200 * LIMIT).ok());
            assert!(popped.any(|item| item.len() == LARGE));
            large.join().unwrap().unwrap();
        });
    }
}

/// Whoever sleeps in a process where another gave up in the meantime.
#[test]
fn who_waits_longer_than_the_host_is_stopped_goes_on() {
    let host = Host::start(2);
    let queue = &host.queue;
    thread::scope(|scope| {
        let patient = scope.spawn(|| queue.pop_timeout(Duration::from_secs(60)));
        thread::sleep(LIMIT);
        host.signal(Signal::STOP);
        let forever = scope.spawn(|| queue.pop());
        let late = scope.spawn(|| queue.pop_timeout(Duration::from_secs(60)));
        for _ in 0..3 {
            let popped = ends("pop", || queue.pop_timeout(LIMIT));
            assert_eq!(popped, Err(PopTimeoutError::Timeout));
        }
        host.signal(Signal::CONT);
        for _ in 0..3 {
            queue.push(vec![7]).unwrap();
        }
        assert_eq!(patient.join().unwrap(), Ok(vec![7]));
        assert_eq!(forever.join().unwrap(), Ok(vec![7]));
        assert_eq!(late.join().unwrap(), Ok(vec![7]));
    });
}
