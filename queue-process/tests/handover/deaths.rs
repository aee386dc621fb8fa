//! Children that are killed: the other side learns of it at once.

use super::{Jobs, child};
use crate::tools::*;
use queue_process::{Handover, PopError, PushError, Queue, TryPopError};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

/// What the children here can be told to do.
pub(super) const ROLES: &[(&str, fn())] = &[
    ("push on", push_on),
    ("pop two, wait", pop_two_and_wait),
    ("become nothing", become_nothing),
];

#[test]
fn a_child_counts_from_its_start_to_its_end_and_its_command_does_not() {
    is_noticed_in_time(a_child_counts);
}

fn a_child_counts() -> Duration {
    let (jobs, todo) = Jobs::bounded(4).into_ends();
    // It never asks for the queue.
    let mut command = Command::new("sleep");
    command.arg("60");
    jobs.share_with(&mut command, "JOBS").unwrap();
    jobs.push(5).unwrap();
    let mut child = command.spawn().unwrap();
    drop(jobs);
    assert_eq!(todo.try_pop(), Ok(5));
    let waited = todo.pop_timeout(Duration::from_millis(150)).unwrap_err();
    assert!(waited.is_timeout(), "{waited:?}");
    let killed = kill(&mut child);
    assert_eq!(todo.pop(), Err(PopError::Closed));
    let noticed = killed.elapsed();
    drop(command);
    noticed
}

fn push_on() {
    let jobs = Jobs::producer_from_parent("JOBS").unwrap();
    (0..).take_while(|n| jobs.push(*n).is_ok()).for_each(drop);
}

#[test]
fn the_last_producer_is_killed() {
    is_noticed_in_time(the_last_producer);
}

fn the_last_producer() -> Duration {
    let (jobs, todo) = Jobs::bounded(64).into_ends();
    let mut command = child("push on");
    jobs.share_with(&mut command, "JOBS").unwrap();
    drop(jobs.clone());
    let mut child = command.spawn().unwrap();
    drop(jobs);
    (0..1000).for_each(|n| assert_eq!(todo.pop(), Ok(n)));
    let killed = kill(&mut child);
    // What it had pushed is still there, and then no more comes.
    let left: Vec<u64> = todo.iter().collect();
    let noticed = killed.elapsed();
    assert!(left.iter().copied().eq((1000..).take(left.len())));
    assert_eq!(todo.try_pop(), Err(TryPopError::Closed));
    noticed
}

/// However often it pushed before: not after so many pushes, but after a while.
#[test]
fn the_last_consumer_is_killed_between_pushes() {
    for burst in [0, 3, 17, 100] {
        let (jobs, todo) = Jobs::unbounded().into_ends();
        let mut command = Command::new("sleep");
        command.arg("60");
        todo.share_with(&mut command, "JOBS").unwrap();
        let mut child = command.spawn().unwrap();
        drop((todo, command));
        (0..burst).for_each(|n| jobs.push(n).unwrap());
        kill(&mut child);
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(jobs.push(7), Err(PushError::Closed(7)), "after {burst}");
    }
}

fn pop_two_and_wait() {
    let jobs = Jobs::consumer_from_parent("JOBS").unwrap();
    assert_eq!((jobs.pop(), jobs.pop()), (Ok(0), Ok(1)));
    loop {
        std::thread::park();
    }
}

#[test]
fn the_last_consumer_is_killed() {
    is_noticed_in_time(the_last_consumer);
}

fn the_last_consumer() -> Duration {
    let (jobs, todo) = Jobs::bounded(4).into_ends();
    let mut command = child("pop two, wait");
    todo.share_with(&mut command, "JOBS").unwrap();
    let mut child = command.spawn().unwrap();
    drop(todo);
    // The sixth finds a place when the child has popped two.
    (0..6).for_each(|n| jobs.push(n).unwrap());
    let pusher = std::thread::spawn(move || {
        let error = jobs.push(6).unwrap_err();
        assert!(error.is_closed());
        assert_eq!(error.into_item(), 6);
        Instant::now()
    });
    std::thread::sleep(Duration::from_millis(50));
    assert!(!pusher.is_finished());
    let killed = kill(&mut child);
    pusher.join().unwrap() - killed
}

/// Nobody but futures waits, which no lock and no wake of the dead can stir.
#[test]
fn the_last_producer_is_killed_while_a_future_waits() {
    is_noticed_in_time(the_last_producer_while_a_future_waits);
}

fn the_last_producer_while_a_future_waits() -> Duration {
    let (jobs, todo) = Jobs::bounded(4).into_ends();
    let mut command = Command::new("sleep");
    command.arg("60");
    jobs.share_with(&mut command, "JOBS").unwrap();
    let mut child = command.spawn().unwrap();
    drop(jobs);
    let waiter = std::thread::spawn(move || (in_time(todo.pop_async()), Instant::now()));
    std::thread::sleep(Duration::from_millis(150));
    assert!(!waiter.is_finished());
    let killed = kill(&mut child);
    let (popped, noticed) = waiter.join().unwrap();
    assert_eq!(popped, Some(Err(PopError::Closed)));
    noticed - killed
}

#[test]
fn the_last_consumer_is_killed_while_a_future_waits() {
    is_noticed_in_time(the_last_consumer_while_a_future_waits);
}

fn the_last_consumer_while_a_future_waits() -> Duration {
    let (jobs, todo) = Jobs::bounded(1).into_ends();
    let mut command = Command::new("sleep");
    command.arg("60");
    todo.share_with(&mut command, "JOBS").unwrap();
    let mut child = command.spawn().unwrap();
    drop(todo);
    jobs.push(0).unwrap();
    let waiter = std::thread::spawn(move || (in_time(jobs.push_async(1)), Instant::now()));
    std::thread::sleep(Duration::from_millis(150));
    assert!(!waiter.is_finished());
    let killed = kill(&mut child);
    let (pushed, noticed) = waiter.join().unwrap();
    let error = pushed.expect("it ends").unwrap_err();
    assert!(error.is_closed());
    assert_eq!(error.into_item(), 1);
    noticed - killed
}

fn become_nothing() {
    let jobs = Jobs::consumer_from_parent("JOBS").unwrap();
    let mut command = Command::new("/no such program");
    jobs.share_with(&mut command, "JOBS").unwrap();
    for _ in 0..2 {
        // It would be in the place of this process.
        let failed = command.exec();
        assert_eq!(failed.kind(), std::io::ErrorKind::NotFound);
    }
    drop((jobs, command));
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn who_could_not_become_a_program_does_not_count_as_that() {
    let (jobs, todo) = Jobs::bounded(1).into_ends();
    jobs.push(1).unwrap();
    let mut command = child("become nothing");
    todo.share_with(&mut command, "JOBS").unwrap();
    let mut child = command.spawn().unwrap();
    drop(todo);
    let left = jobs.push_timeout(2, Duration::from_secs(20)).unwrap_err();
    kill(&mut child);
    assert!(left.is_closed(), "{left:?}");
}
