//! What is refused, at once and without loss: other types, altered environments, and a process
//! that may open no more files.

use super::{Jobs, Kind, OtherKind, child, name};
use crate::tools::*;
use queue_process::{Capacity, FailureKind, Queue};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

/// What the children here can be told to do.
pub(super) const ROLES: &[(&str, fn())] = &[
    ("strange", strange),
    ("altered", altered),
    ("exhausted", exhausted),
];

fn strange() {
    let kind = |failure: queue_process::Failure| failure.kind();
    let missing = Jobs::from_parent("NOTHING").map_err(kind);
    assert_eq!(missing.unwrap_err(), FailureKind::PeerGone);
    let signed = Kind::<i64>::from_parent("JOBS").map_err(kind);
    assert_eq!(signed.unwrap_err(), FailureKind::Mismatch);
    let raw = Kind::<Vec<u8>, queue_process::codec::Raw>::from_parent("JOBS");
    assert_eq!(raw.map_err(kind).unwrap_err(), FailureKind::Mismatch);
    let other = OtherKind::from_parent("JOBS").map_err(kind);
    assert_eq!(other.unwrap_err(), FailureKind::Mismatch);
    let jobs = Jobs::from_parent("JOBS").unwrap();
    let again = Jobs::from_parent("JOBS").map_err(kind);
    assert_eq!(again.unwrap_err(), FailureKind::Denied);
    assert_eq!(jobs.pop(), Ok(3));
}

#[test]
fn strangers_are_refused_at_once() {
    let jobs = Jobs::bounded(4);
    let mut command = child("strange");
    jobs.share_with(&mut command, "JOBS").unwrap();
    jobs.push(3).unwrap();
    succeeded(command.spawn().unwrap());
    for name in ["", "A=B", "A\0B"] {
        let refused = jobs.share_with(&mut command, name).unwrap_err();
        assert_eq!(refused.kind(), FailureKind::Unsupported);
        let refused = Jobs::from_parent(name).unwrap_err();
        assert_eq!(refused.kind(), FailureKind::Unsupported);
    }
}

fn altered() {
    let refused = Jobs::from_parent("JOBS").unwrap_err();
    let expected = env::var("EXPECTED").unwrap();
    assert_eq!(format!("{:?}", refused.kind()), expected, "{refused}");
}

#[test]
fn what_the_environment_says_is_looked_at() {
    let jobs = Jobs::bounded(4);
    let mut command = child("altered");
    jobs.share_with(&mut command, "JOBS").unwrap();
    let variable = "QUEUE_PROCESS_JOBS";
    let value = command
        .get_envs()
        .find(|(key, _)| *key == variable)
        .unwrap()
        .1;
    let value = value.unwrap().to_str().unwrap().to_owned();
    let (label, numbers) = value.rsplit_once(' ').unwrap();
    let (form, rest) = label.split_once(' ').unwrap();
    let (id, half) = rest.split_once(' ').unwrap();
    let other = u64::from_str_radix(id, 16).unwrap() ^ 1;
    for (value, expected) in [
        (format!("{form} {other:016x} {half} {numbers}"), "PeerGone"),
        (format!("{label} 300,301,302"), "PeerGone"),
        (format!("{label} 0,1,2"), "PeerGone"),
        (
            format!("{label} {}", numbers.split_once(',').unwrap().0),
            "Corrupt",
        ),
        (format!("{label} x"), "Corrupt"),
        (format!("{label} "), "Corrupt"),
        (format!("{form}0 {id} {half} {numbers}"), "Corrupt"),
        (format!("{form} {id} {numbers}"), "Corrupt"),
        ("nonsense".to_owned(), "Corrupt"),
        (String::new(), "Corrupt"),
    ] {
        command.env(variable, value).env("EXPECTED", expected);
        succeeded(command.spawn().unwrap());
    }
}

fn exhausted() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let jobs = Jobs::from_parent("JOBS").unwrap();
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(64);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    let all_left = || std::iter::from_fn(|| fs::File::open("/dev/null").ok());
    let mut files: Vec<_> = all_left().collect();
    files.pop();
    let io = |failure: queue_process::Failure| {
        assert_eq!(failure.kind(), FailureKind::Io, "{failure:#}");
    };
    for _ in 0..5 {
        io(Jobs::try_bounded(1).unwrap_err());
        io(jobs
            .share_with(&mut Command::new("true"), "ON")
            .unwrap_err());
        io(jobs.half(queue_core::Side::Producers).unwrap_err());
        io(
            Jobs::create_named(&env::var("NAME").unwrap(), Capacity::bounded(1))
                .unwrap_err(),
        );
        // What is there works on.
        jobs.push(1).unwrap();
        assert_eq!(jobs.pop(), Ok(1));
    }
    // None was kept by what failed.
    files.truncate(files.len() - 16);
    for _ in 0..10 {
        let name = &env::var("NAME").unwrap();
        let _named = Jobs::create_named(name, Capacity::bounded(1)).unwrap();
        files.extend(all_left());
        io(Jobs::open_named(name).unwrap_err());
        // With one left, who asks or who is asked has too few: the one fails, the other
        // answers later.
        files.pop();
        let asked = std::thread::scope(|scope| {
            let asking = scope.spawn(|| Jobs::open_named(name));
            std::thread::sleep(Duration::from_millis(15));
            files.clear();
            asking.join().unwrap()
        });
        asked.map_or_else(io, drop);
        Jobs::open_named(name).unwrap();
    }
}

#[test]
fn a_process_without_descriptors_fails_and_loses_nothing() {
    let jobs = Jobs::bounded(4);
    let mut command = child("exhausted");
    command.env("NAME", name("exhausted"));
    jobs.share_with(&mut command, "JOBS").unwrap();
    succeeded(command.spawn().unwrap());
}
