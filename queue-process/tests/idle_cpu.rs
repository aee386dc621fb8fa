//! Threads that sleep on a queue between processes cost next to nothing, however many they
//! are: one of them looks for the dead in the place of all, and another one when that leaves.

#![cfg(all(target_os = "linux", not(loom)))]

use queue_core::Side;
use queue_process::{PipeQueue, PopError, PopTimeoutError, PushError, Queue, ShmQueue};
use rustix::time::{ClockId, clock_gettime};
use std::future::Future;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, fs};

const ROLE: &str = "CALM_ROLE";
const THREADS: usize = 64;

/// This program, which runs that test alone.
fn alone(test: &str, role: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command.env(ROLE, role);
    command
}

/// How much processor time this process has used.
fn used() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

/// Waits until so many threads of this process that are called `name` are asleep.
fn are_asleep(name: &str, threads: usize) {
    let status = |task: fs::DirEntry| fs::read_to_string(task.path().join("status"));
    let sleeps = |status: &String| {
        status.contains(&format!("Name:\t{name}\n")) && status.contains("State:\tS")
    };
    let begun = Instant::now();
    loop {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let all = tasks.filter_map(|task| status(task.ok()?).ok());
        if all.filter(sleeps).count() == threads {
            // And not about to look again, as who begins to wait does some times.
            return thread::sleep(Duration::from_millis(200));
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{name} do not sleep"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

fn named<R: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> R + Send + 'static,
) -> JoinHandle<R> {
    thread::Builder::new()
        .name(name.into())
        .spawn(body)
        .unwrap()
}

/// How often the threads of this process have gone to sleep.
fn sleeps() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let of_one = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).unwrap();
        let count = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.unwrap().trim().parse::<u64>().unwrap()
    };
    tasks.map(|task| of_one(task.unwrap())).sum()
}

#[test]
fn threads_that_sleep_use_no_processor() {
    let name = "threads_that_sleep_use_no_processor";
    if env::var_os(ROLE).is_none() {
        let done = alone(name, "sleep").output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{said}");
        return;
    }
    let empty = PipeQueue::<u8>::bounded(1);
    let full = ShmQueue::<u8>::bounded(1);
    full.push(0).unwrap();
    let poppers: Vec<_> = (0..THREADS)
        .map(|_| {
            let queue = empty.clone();
            named("popper", move || queue.pop())
        })
        .collect();
    let pushers: Vec<_> = (0..THREADS)
        .map(|_| {
            let queue = full.clone();
            named("pusher", move || queue.push(1))
        })
        .collect();
    are_asleep("popper", THREADS);
    are_asleep("pusher", THREADS);
    let (slept_before, used_before) = (sleeps(), used());
    thread::sleep(Duration::from_secs(3));
    let used = (used() - used_before) / 3;
    let slept = (sleeps() - slept_before) / 3;
    empty.close();
    full.close();
    for popper in poppers {
        assert_eq!(popper.join().unwrap(), Err(PopError::Closed));
    }
    for pusher in pushers {
        assert_eq!(pusher.join().unwrap(), Err(PushError::Closed(1)));
    }
    println!("each second {slept} wake-ups and {used:?} of a processor");
    // One for each queue looks some 15 times a second; all of them would, 2,000 times.
    assert!(slept < 100, "{slept} wake-ups a second");
    // The time of one wake-up is for the machine to say (0.1 to 0.5 ms were seen on idle ones):
    // this is for a thread that spins.
    assert!(used < Duration::from_millis(100), "{used:?} a second");
}

/// A child that has the producing half, or the consuming one, and does nothing.
fn holder(test: &str, queue: &PipeQueue<u8>, side: Side) -> Child {
    let half = queue.half(side).unwrap();
    let ready = PipeQueue::<u8>::bounded(1);
    let mut command = alone(test, "hold");
    half.share_with(&mut command, "HALF").unwrap();
    ready.share_with(&mut command, "READY").unwrap();
    let child = command.spawn().unwrap();
    ready.pop().unwrap();
    child
}

/// When the one that looks for all has left, another one does.
#[test]
fn a_death_is_noticed_whoever_has_gone_to_work() {
    let name = "a_death_is_noticed_whoever_has_gone_to_work";
    if env::var_os(ROLE).is_some() {
        let _half = PipeQueue::<u8>::from_parent("HALF").unwrap();
        PipeQueue::<u8>::from_parent("READY")
            .unwrap()
            .push(1)
            .unwrap();
        loop {
            thread::park();
        }
    }
    let queue = PipeQueue::<u8>::bounded(1);
    let mut child = holder(name, &queue, Side::Producers);
    let (jobs, todo) = queue.into_ends();
    drop(jobs);
    // Who sleeps first looks for all, until it gives up.
    let first = todo.clone();
    let first = named("first", move || first.pop_timeout(Duration::from_secs(2)));
    are_asleep("first", 1);
    let (tell, told) = mpsc::channel();
    for _ in 0..2 {
        let (todo, tell) = (todo.clone(), tell.clone());
        named("sleeper", move || tell.send(todo.pop()));
    }
    are_asleep("sleeper", 2);
    assert_eq!(first.join().unwrap(), Err(PopTimeoutError::Timeout));
    child.kill().unwrap();
    child.wait().unwrap();
    let begun = Instant::now();
    for _ in 0..2 {
        let got = told.recv_timeout(Duration::from_secs(20));
        assert_eq!(got.unwrap(), Err(PopError::Closed));
        let late = begun.elapsed();
        assert!(late < Duration::from_secs(2), "noticed after {late:?}");
    }
}

/// However often futures come and go, and the thread looks for the dead, or finds nothing to do,
/// between.
#[test]
fn one_thread_wakes_the_futures_of_a_process() {
    let queue = PipeQueue::<u8>::bounded(1);
    let mut cx = Context::from_waker(Waker::noop());
    for pause in [0, 0, 400, 0, 400, 0].map(Duration::from_millis) {
        let mut popping = Box::pin(queue.pop_async());
        assert!(popping.as_mut().poll(&mut cx).is_pending());
        thread::sleep(Duration::from_millis(80));
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm"));
        let names = tasks.filter_map(|task| name(task.ok()?).ok());
        assert_eq!(names.filter(|name| name == "queue-waker\n").count(), 1);
        drop(popping);
        thread::sleep(pause);
    }
}
