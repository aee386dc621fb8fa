//! Sharing with a child: a queue or a half, once or on and on, and in a message.

use super::{Jobs, child};
use crate::tools::*;
use queue_process::{Consumer, FailureKind, Handover, PopError, Producer, Queue, TryPushError};
use std::env;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What the children here can be told to do.
pub(super) const ROLES: &[(&str, fn())] = &[
    ("double", double),
    ("double halves", double_halves),
    ("restricted", restricted),
    ("parent", parent),
    ("push one", push_one),
    ("push to all", push_to_all),
    ("leak", leak),
    ("drain half", drain_half),
    ("take and drop", take_and_drop),
    ("message", message),
];

fn double() {
    let jobs = Jobs::from_parent("JOBS").unwrap();
    let results = Jobs::from_parent("RESULTS").unwrap();
    // It ends when the parent's last producer is gone, so this process must not count
    // as one.
    let (_, jobs) = jobs.into_ends();
    let (results, _) = results.into_ends();
    jobs.iter().for_each(|job| results.push(job * 2).unwrap());
}

#[test]
fn a_child_gets_two_whole_queues() {
    let jobs = Jobs::bounded(4);
    let results = Jobs::unbounded();
    let mut command = child("double");
    jobs.share_with(&mut command, "JOBS").unwrap();
    results.share_with(&mut command, "RESULTS").unwrap();
    let child = command.spawn().unwrap();
    let ((jobs, _), (_, results)) = (jobs.into_ends(), results.into_ends());
    (0..1000).for_each(|n| jobs.push(n).unwrap());
    drop(jobs);
    let sum: u64 = results.iter().sum();
    assert_eq!(sum, 999 * 1000);
    succeeded(child);
}

fn double_halves() {
    let jobs = Consumer::<Jobs>::from_parent("JOBS").unwrap();
    let results = Jobs::producer_from_parent("RESULTS").unwrap();
    jobs.iter().for_each(|job| results.push(job * 2).unwrap());
}

#[test]
fn one_command_starts_two_children_with_halves() {
    let (jobs, todo) = Jobs::bounded(4).into_ends();
    let (done, results) = Jobs::bounded(4).into_ends();
    let mut command = child("double halves");
    todo.share_with(&mut command, "JOBS").unwrap();
    done.share_with(&mut command, "RESULTS").unwrap();
    let children = [command.spawn().unwrap(), command.spawn().unwrap()];
    drop((todo, done));
    let pusher = std::thread::spawn(move || {
        (0..1000).for_each(|n| jobs.push(n).unwrap());
    });
    let mut all: Vec<u64> = results.iter().collect();
    all.sort();
    assert!(all.into_iter().eq((0..1000).map(|n| n * 2)));
    pusher.join().unwrap();
    children.into_iter().for_each(succeeded);
}

fn drain_half() {
    let jobs = Jobs::consumer_from_parent("JOBS").unwrap();
    assert_eq!(jobs.iter().sum::<u64>(), 499_500);
}

/// Who takes one half of a whole queue counts on that side alone: it does not wait for itself.
#[test]
fn the_consuming_half_of_a_whole_ends_with_the_producers() {
    let queue = Jobs::bounded(16);
    let mut command = child("drain half");
    queue.share_with(&mut command, "JOBS").unwrap();
    let child = command.spawn().unwrap();
    drop(command);
    let (producer, _) = queue.into_ends();
    (0..1000).for_each(|n| producer.push(n).unwrap());
    drop(producer);
    succeeded(child);
}

fn take_and_drop() {
    drop(Jobs::consumer_from_parent("JOBS").unwrap());
    let left = of_queues(descriptors("self"));
    assert!(left.is_empty(), "inherited {left:?}");
    std::thread::sleep(Duration::from_secs(60));
}

/// As whoever uses an `IpcQueue` must.
#[test]
fn one_command_may_share_anew_before_each_child() {
    let (jobs, todo) = Jobs::bounded(1).into_ends();
    jobs.push(1).unwrap();
    let mut command = child("take and drop");
    let mut children: Vec<_> = (0..3)
        .map(|_| {
            todo.share_with(&mut command, "JOBS").unwrap();
            command.spawn().unwrap()
        })
        .collect();
    drop(todo);
    let left = jobs.push_timeout(2, Duration::from_secs(20)).unwrap_err();
    for child in &mut children {
        assert_eq!(child.try_wait().unwrap(), None, "it failed");
        kill(child);
    }
    assert!(left.is_closed(), "a child counts that has dropped all");
}

fn restricted() {
    let wrong = Jobs::producer_from_parent("JOBS").unwrap_err();
    assert_eq!(wrong.kind(), FailureKind::Denied);
    let jobs = Jobs::from_parent("JOBS").unwrap();
    let Err(TryPushError::Failed(9, failure)) = jobs.try_push(9) else {
        panic!("a consumer may not push");
    };
    assert_eq!(failure.kind(), FailureKind::Denied);
    let mut command = Command::new("true");
    jobs.share_with(&mut command, "ON").unwrap();
    let denied = Producer::new(jobs.clone()).share_with(&mut command, "ON");
    assert_eq!(denied.unwrap_err().kind(), FailureKind::Denied);
    assert_eq!(jobs.pop(), Ok(7));
    assert_eq!(jobs.pop(), Err(PopError::Closed));
}

#[test]
fn a_half_is_no_more_than_that() {
    let (jobs, todo) = Jobs::bounded(4).into_ends();
    let mut command = child("restricted");
    todo.share_with(&mut command, "JOBS").unwrap();
    let child = command.spawn().unwrap();
    jobs.push(7).unwrap();
    drop(jobs);
    succeeded(child);
}

fn parent() {
    let jobs = Jobs::from_parent("JOBS").unwrap();
    let mut child = child("push one");
    jobs.share_with(&mut child, "JOBS").unwrap();
    succeeded(child.spawn().unwrap());
}

#[test]
fn a_child_shares_on() {
    let jobs = Jobs::bounded(4);
    let mut command = child("parent");
    jobs.share_with(&mut command, "JOBS").unwrap();
    let child = command.spawn().unwrap();
    assert_eq!(jobs.pop_timeout(Duration::from_secs(20)), Ok(1));
    succeeded(child);
}

fn push_one() {
    Jobs::from_parent("JOBS").unwrap().push(1).unwrap();
}

#[test]
fn a_shell_may_stand_between() {
    let jobs = Jobs::bounded(4);
    let worker = child("push one");
    let mut command = Command::new("sh");
    command.args(["-c", "\"$@\"; exit $?", "sh"]);
    command.arg(worker.get_program()).args(worker.get_args());
    let envs = worker.get_envs().map(|(key, value)| (key, value.unwrap()));
    command.envs(envs).stdout(Stdio::null());
    jobs.share_with(&mut command, "JOBS").unwrap();
    let child = command.spawn().unwrap();
    assert_eq!(jobs.pop_timeout(Duration::from_secs(20)), Ok(1));
    succeeded(child);
}

const NAMES: [&str; 4] = ["to-do", "a.b c", "t\u{e2}ches", "JOBS_1"];

fn push_to_all() {
    for name in NAMES {
        Jobs::from_parent(name).unwrap().push(1).unwrap();
    }
}

/// Some shells drop variables that they could not name themselves.
#[test]
fn a_shell_passes_every_name_on() {
    let mut tried = 0;
    for shell in ["sh", "dash", "bash"] {
        let queues = NAMES.map(|_| Jobs::bounded(1));
        let worker = child("push to all");
        let mut command = Command::new(shell);
        command.args(["-c", "\"$@\"; exit $?", "sh"]);
        command.arg(worker.get_program()).args(worker.get_args());
        let envs = worker.get_envs().map(|(key, value)| (key, value.unwrap()));
        command.envs(envs).stdout(Stdio::null());
        for (queue, name) in queues.iter().zip(NAMES) {
            queue.share_with(&mut command, name).unwrap();
        }
        match command.spawn() {
            Ok(child) => succeeded(child),
            // Not every system has all of them.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => panic!("{shell}: {error}"),
        }
        assert!(queues.iter().all(|queue| queue.try_pop() == Ok(1)));
        tried += 1;
    }
    assert!(tried > 0, "no shell");
}

fn leak() {
    assert!(of_queues(descriptors("self")).len() >= 3);
    let jobs = Jobs::from_parent("JOBS").unwrap();
    // Everything that was taken is close-on-exec again.
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let inherited = of_queues(descriptors(&child.id().to_string()));
    kill(&mut child);
    assert_eq!(inherited, [""; 0]);
    let own = of_queues(descriptors("self")).len();
    drop(jobs);
    assert!(own > 0);
    assert_eq!(of_queues(descriptors("self")), [""; 0], "closed in the end");
}

#[test]
fn nothing_is_inherited_but_what_was_shared() {
    let jobs = Jobs::bounded(4);
    let mut command = child("leak");
    jobs.share_with(&mut command, "JOBS").unwrap();
    let mut other = Command::new("sleep").arg("60").spawn().unwrap();
    assert_eq!(of_queues(descriptors(&other.id().to_string())), [""; 0]);
    kill(&mut other);
    succeeded(command.spawn().unwrap());
}

fn message() {
    let (sender, receiver) = ipc_channel::ipc::channel().unwrap();
    let to = env::var("SERVER").unwrap();
    let to = ipc_channel::ipc::IpcSender::connect(to).unwrap();
    to.send(sender).unwrap();
    let (jobs, replies): (Jobs, Jobs) = receiver.recv().unwrap();
    let denied = jobs.try_push(1).unwrap_err();
    assert_eq!(denied.failure().unwrap().kind(), FailureKind::Denied);
    jobs.iter().for_each(|job| replies.push(job + 1).unwrap());
}

#[test]
fn a_queue_travels_in_a_message() {
    let (server, address) = ipc_channel::ipc::IpcOneShotServer::new().unwrap();
    let child = child("message").env("SERVER", address).spawn().unwrap();
    let (_, sender) = server.accept().unwrap();
    let sender: ipc_channel::ipc::IpcSender<(Jobs, Jobs)> = sender;
    let jobs = Jobs::bounded(4);
    let replies = Jobs::bounded(4);
    let half = jobs.half(queue_core::Side::Consumers).unwrap();
    sender.send((half, replies.clone())).unwrap();
    let ((jobs, todo), (done, replies)) = (jobs.into_ends(), replies.into_ends());
    // On its way it is nobody's but its own.
    drop((todo, done));
    let pusher = std::thread::spawn(move || {
        (0..100).for_each(|n| jobs.push(n).unwrap());
    });
    assert!((1..=100).all(|n| replies.pop() == Ok(n)));
    pusher.join().unwrap();
    succeeded(child);
}

/// What reads an item back to see that it comes back must not fetch the queue in it.
#[test]
fn a_queue_is_part_of_an_item() {
    let requests = queue_process::PipeQueue::<(u64, Jobs)>::bounded(1);
    let replies = Jobs::bounded(1);
    for number in [7, 8] {
        let reply = replies.half(queue_core::Side::Producers).unwrap();
        requests.push((number, reply)).unwrap();
        let (number, reply) = requests.pop().unwrap();
        reply.push(number).unwrap();
        assert_eq!(replies.pop(), Ok(number));
    }
}
