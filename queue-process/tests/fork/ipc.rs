//! `IpcQueue` in a forked child: a copy is of no use there, and says so.

use crate::tools::*;
use crate::{Role, program};
use queue_core::Side;
use queue_process::{FailureKind, IpcQueue, Queue, TryPopError};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

type Jobs = IpcQueue<u64>;

pub(crate) fn tests() -> Vec<Role> {
    let tests: [(&str, fn()); 3] = [
        ("ipc a_copy_of_the_host", a_copy_of_the_host),
        ("ipc a_copy_of_a_guest", a_copy_of_a_guest),
        ("ipc amid_busy_threads", amid_busy_threads),
    ];
    tests.map(|(name, test)| (name.to_owned(), test)).into()
}

pub(crate) fn roles() -> Vec<Role> {
    vec![("ipc guest".to_owned(), guest as fn())]
}

/// Nothing can be done with a copy.
fn is_of_no_use(queue: &Jobs) {
    let refused = queue.push(7).unwrap_err();
    assert_eq!(refused.failure().unwrap().kind(), FailureKind::Unsupported);
    let Err(TryPopError::Failed(failure)) = queue.try_pop() else {
        panic!("it cannot be popped from");
    };
    assert_eq!(failure.kind(), FailureKind::Unsupported, "{failure:#}");
    let refused = in_time(std::pin::pin!(queue.pop_async())).unwrap_err();
    assert_eq!(refused.failure().unwrap().kind(), FailureKind::Unsupported);
    assert!(queue.try_pop_many(&mut Vec::new(), 2).is_err());
    assert!(queue.try_push_many(&mut [1].into()).is_err());
    assert!(queue.half(Side::Producers).is_err());
    assert!(queue.share_with(&mut Command::new("true"), "JOBS").is_err());
    assert_eq!(
        (queue.len(), queue.is_closed(), queue.close()),
        (0, true, false)
    );
    assert!(queue.close_now().is_empty());
    assert!(format!("{queue:?}").contains("forked: true"));
}

fn new_ones_work() {
    let queue = Jobs::bounded(1);
    queue.push(7).unwrap();
    assert_eq!(queue.pop(), Ok(7));
}

#[track_caller]
fn goes_on(queue: &Jobs) {
    assert!(!queue.is_closed());
    queue.push_timeout(7, LONG).unwrap();
    assert_eq!(queue.pop_timeout(LONG), Ok(7));
}

fn a_copy_of_the_host() {
    let queue = Jobs::bounded(4);
    let (producer, consumer) = queue.clone().into_ends();
    let Some(child) = fork() else {
        is_of_no_use(&queue);
        drop((producer, consumer, queue));
        new_ones_work();
        exit()
    };
    child.succeeds();
    goes_on(&queue);
    drop(producer);
    assert!(consumer.is_closed());
}

fn guest() {
    let queue = Jobs::from_parent("JOBS").unwrap();
    let (producer, consumer) = queue.clone().into_ends();
    let Some(child) = fork() else {
        is_of_no_use(&queue);
        drop((producer, consumer, queue));
        exit()
    };
    child.succeeds();
    goes_on(&queue);
    producer.push(8).unwrap();
}

fn a_copy_of_a_guest() {
    let queue = Jobs::bounded(4);
    let mut command = program("ipc guest");
    queue.share_with(&mut command, "JOBS").unwrap();
    assert!(command.status().unwrap().success());
    assert_eq!(queue.pop_timeout(LONG), Ok(8));
    goes_on(&queue);
}

/// Whatever other threads hold, the child does not wait for them.
fn amid_busy_threads() {
    static OVER: AtomicBool = AtomicBool::new(false);
    let queue = Jobs::bounded(4);
    let busy = queue.clone();
    let thread = thread::spawn(move || {
        while !OVER.load(Ordering::Relaxed) {
            let _ = busy.try_push(1);
            let _ = busy.try_pop();
        }
    });
    for _ in 0..60 {
        let Some(child) = fork() else {
            is_of_no_use(&queue);
            drop(queue);
            exit_at_once()
        };
        child.succeeds();
    }
    OVER.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    while queue.try_pop().is_ok() {}
    goes_on(&queue);
}
