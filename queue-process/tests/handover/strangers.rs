//! Names that somebody else has, who does not do what a queue's creator does: nobody waits for
//! such a one without a limit, and what was seen is said.

use super::names::creator_of;
use super::{Jobs, child, name};
use crate::tools::*;
use queue_process::{Capacity, Failure, FailureKind};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, process, thread};

/// What the children here can be told to do.
pub(super) const ROLES: &[(&str, fn())] = &[("disturbed", disturbed)];

/// Within this all gives up, also where the machine is busy.
const LONG: Duration = Duration::from_secs(30);

/// Where who opens the queue of that name asks for it.
fn place(name: &str) -> String {
    let user = rustix::process::geteuid().as_raw();
    format!("queue-process/{user}/{name}")
}

/// That, and where who has it as a token in a message asks.
fn places(name: &str) -> [String; 2] {
    let user = rustix::process::geteuid().as_raw();
    [place(name), format!("queue-process-message/{user}/{name}")]
}

fn listener(place: String) -> UnixListener {
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(place).unwrap()).unwrap()
}

/// Listens there, where as many wait already as may: the socket, and they.
fn crowded(place: String) -> Vec<OwnedFd> {
    let address = SocketAddrUnix::new_abstract_name(place.as_bytes()).unwrap();
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = || socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    let mut sockets = vec![socket()];
    bind(&sockets[0], &address).unwrap();
    listen(&sockets[0], 0).unwrap();
    loop {
        let waiting = socket();
        match connect(&waiting, &address) {
            Ok(()) => sockets.push(waiting),
            Err(Errno::AGAIN) => return sockets,
            Err(error) => panic!("{error}"),
        }
    }
}

/// What `ask` gives, which is to end by itself.
fn in_time<R: Send + 'static>(ask: impl FnOnce() -> R + Send + 'static) -> R {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(ask()));
    told.recv_timeout(LONG).expect("it waits on and on")
}

/// All that can be asked of a name of a queue that is another's, and of a token in a message.
fn all_give_up(name: &str, kind: FailureKind) -> [Failure; 2] {
    let (ours, message) = (name.to_owned(), postcard::to_stdvec(name).unwrap());
    let created = in_time(move || Jobs::create_named(&ours, Capacity::bounded(1)).unwrap_err());
    assert_eq!(created.kind(), FailureKind::Denied, "{created:#}");
    let fetched = thread::spawn(move || {
        in_time(move || postcard::from_bytes::<Jobs>(&message).map(drop).unwrap_err())
    });
    let ours = name.to_owned();
    let opened = in_time(move || Jobs::open_named(&ours).unwrap_err());
    assert_eq!(opened.kind(), kind, "{opened:#}");
    fetched.join().unwrap();
    [opened, created]
}

#[test]
fn who_lets_nobody_in_is_not_waited_for() {
    let name = &name("crowded");
    let _crowds = places(name).map(crowded);
    for failure in all_give_up(name, FailureKind::PeerGone) {
        let said = format!("{failure:#}");
        assert!(said.contains("lets nobody in"), "{said}");
    }
}

#[test]
fn who_says_nothing_is_not_waited_for() {
    let name = &name("silent");
    let _silent = places(name).map(listener);
    for failure in all_give_up(name, FailureKind::PeerGone) {
        let said = format!("{failure:#}");
        assert!(said.contains(&format!("process {}", process::id())), "{said}");
    }
}

#[test]
fn who_says_half_of_it_is_not_waited_for() {
    let name = &name("half");
    for place in places(name) {
        let listener = listener(place);
        thread::spawn(move || {
            let mut streams: Vec<UnixStream> = Vec::new();
            for stream in listener.incoming() {
                streams.push(stream.unwrap());
                // Who only asked whether there is somebody has gone already.
                let _ = streams.last_mut().unwrap().write_all(b"queue-process/1 00");
            }
        });
    }
    all_give_up(name, FailureKind::Corrupt);
}

#[test]
fn a_stopped_creator_is_not_waited_for() {
    let name = &name("stopped");
    let mut child = creator_of(name);
    let process = Pid::from_child(&child);
    kill_process(process, Signal::STOP).unwrap();
    let (_, status) = waitpid(Some(process), WaitOptions::UNTRACED).unwrap().unwrap();
    assert!(status.stopped());
    let begun = Instant::now();
    let opened = Jobs::open_named(name).unwrap_err();
    let took = begun.elapsed();
    let taken = Jobs::create_named(name, Capacity::bounded(1)).unwrap_err();
    kill(&mut child);
    assert_eq!(opened.kind(), FailureKind::PeerGone, "{opened:#}");
    assert!(took < LONG, "{took:?}");
    assert_eq!(taken.kind(), FailureKind::Denied);
    let said = taken.to_string();
    assert!(said.contains(&format!("process {}", child.id())), "{said}");
}

fn disturbed() {
    let opened = Jobs::open_named(&env::var("NAME").unwrap()).unwrap_err();
    assert_eq!(opened.kind(), FailureKind::PeerGone, "{opened:#}");
}

/// To be stopped and continued interrupts who waits, and not their deadline.
#[test]
fn who_is_interrupted_again_and_again_gives_up_all_the_same() {
    let names = ["crowded again", "silent again"].map(name);
    let _crowd = crowded(place(&names[0]));
    let _silent = listener(place(&names[1]));
    let begun = Instant::now();
    let mut children = names.map(|name| child("disturbed").env("NAME", name).spawn().unwrap());
    let mut ended = [None; 2];
    while ended.iter().any(Option::is_none) {
        for (child, ended) in children.iter_mut().zip(&mut ended) {
            *ended = child.try_wait().unwrap();
            if ended.is_none() {
                for signal in [Signal::STOP, Signal::CONT] {
                    kill_process(Pid::from_child(child), signal).unwrap();
                    thread::sleep(Duration::from_millis(20));
                }
            }
        }
        if begun.elapsed() > LONG {
            for child in &mut children {
                kill(child);
            }
            panic!("they wait on and on");
        }
    }
    assert!(ended.iter().all(|status| status.unwrap().success()));
}

/// Whose a queue of that name is, is told where the system shows it.
#[test]
fn another_users_queue_is_denied() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can be two users.
    }
    let name = &name("other user");
    let jobs = Jobs::create_named(name, Capacity::bounded(1)).unwrap();
    let opened = thread::scope(|scope| {
        let other = scope.spawn(|| {
            // This thread alone, for the length of its life.
            rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(65534)).unwrap();
            Jobs::open_named(name).unwrap_err()
        });
        other.join().unwrap()
    });
    assert_eq!(opened.kind(), FailureKind::Denied, "{opened:#}");
    assert!(opened.to_string().contains("user 0"), "{opened:#}");
    drop(jobs);
}
