//! Tests of [`server`](crate::linux::share::server).

use crate::linux::share::server::*;
use queue_core::{Failure, FailureKind};
use rustix::net::{Shutdown, shutdown};
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::thread::{self};
use std::time::{Duration, Instant};

fn own(name: &str) -> SocketAddr {
    address(&format!("test {name} {}", std::process::id())).unwrap()
}

fn answer(mut stream: UnixStream) -> ControlFlow<()> {
    stream.write_all(b"here").unwrap();
    ControlFlow::Continue(())
}

fn ask(address: &SocketAddr) -> Result<String, Failure> {
    let mut answer = String::new();
    let nobody = || Failure::new(FailureKind::PeerGone, "nobody");
    connect(address, nobody)?.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn it_answers_until_dropped_and_its_name_is_free_then() {
    let address = own("dropped");
    assert_eq!(ask(&address).unwrap_err().kind(), FailureKind::PeerGone);
    for _ in 0..3 {
        let server = Server::start(&address, answer).unwrap();
        assert_eq!(ask(&address).unwrap(), "here");
        assert_eq!(ask(&address).unwrap(), "here");
        let failure = Server::start(&address, answer).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Denied);
        drop(server);
        assert_eq!(ask(&address).unwrap_err().kind(), FailureKind::PeerGone);
    }
}

#[test]
fn a_detached_one_ends_when_it_has_answered_or_its_time_is_over() {
    let address = own("detached");
    let once = |stream| {
        let _ = answer(stream);
        ControlFlow::Break(())
    };
    Server::detached(&address, Duration::from_secs(60), once).unwrap();
    assert_eq!(ask(&address).unwrap(), "here");
    let ends = || {
        let deadline = Instant::now() + Duration::from_secs(60);
        while ask(&address).is_ok() {
            assert!(Instant::now() < deadline);
        }
    };
    ends();
    // On a busy machine its time may be over before it is asked.
    let answered = (0..10).any(|n| {
        let time = Duration::from_millis(30 << n);
        Server::detached(&address, time, answer).unwrap();
        let answered = ask(&address).is_ok();
        ends();
        answered
    });
    assert!(answered);
}

#[test]
fn a_name_that_a_child_holds_for_a_moment_is_waited_for() {
    let address = own("held");
    // On a busy machine it may be held for more than a moment.
    let waited = (0..50).any(|_| {
        // Nobody answers there any more, but the name is not free.
        let held = bind(&address).unwrap();
        shutdown(&held, Shutdown::Both).unwrap();
        assert_eq!(bind(&address).unwrap_err().kind(), FailureKind::Denied);
        let child = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            drop(held);
        });
        let bound = bind(&address);
        child.join().unwrap();
        bound.is_ok()
    });
    assert!(waited);
}

#[test]
fn what_is_no_matter_of_names_is_said() {
    let nowhere = SocketAddr::from_pathname("/proc/no/such/directory").unwrap();
    assert_eq!(bind(&nowhere).unwrap_err().kind(), FailureKind::Io);
}

#[test]
fn names_that_cannot_be_are_refused() {
    assert_eq!(address("").unwrap_err().kind(), FailureKind::Unsupported);
    let long = "x".repeat(200);
    assert_eq!(address(&long).unwrap_err().kind(), FailureKind::TooLarge);
}
