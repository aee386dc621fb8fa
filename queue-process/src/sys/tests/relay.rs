//! The sockets below the channels of `ipc-channel`.

use crate::sys::relay::{introduce, pass_on, receive, socket_of};
use ipc_channel::ipc;
use rustix::event::Timespec;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{dup, write};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Timespec = Timespec {
    tv_sec: 20,
    tv_nsec: 0,
};

fn pair() -> (OwnedFd, OwnedFd) {
    let (family, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC);
    socketpair(family, SocketType::SEQPACKET, flags, None).unwrap()
}

#[test]
fn the_socket_of_a_channel_is_found() {
    let (sends, receives) = ipc::channel::<String>().unwrap();
    sends.send("word".into()).unwrap();
    let (bytes, fds) = receive(socket_of(&receives).unwrap().as_fd()).unwrap();
    assert!(bytes.ends_with(b"word") && fds.is_empty());
    for text in [
        "no number",
        "fd 1",
        "fd 1000000",
        "fd 5, id 7",
        "99999999999999",
    ] {
        let error = socket_of(&text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{text}");
    }
}

/// Whoever is introduced goes on when it was answered, or never will be.
#[test]
fn an_introduction_waits_for_the_answer() {
    let (speaks, hears) = pair();
    let mut place = dup(&speaks).unwrap();
    let host = thread::spawn(move || {
        let (bytes, fds) = loop {
            match receive(hears.as_fd()) {
                Ok(packet) => break packet,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            thread::sleep(Duration::from_millis(1));
        };
        assert_eq!((&bytes[..], fds.len()), (&b"hello"[..], 1));
        thread::sleep(Duration::from_millis(100));
        write(&fds[0], b"ticket").unwrap();
    });
    introduce(speaks.as_fd(), b"hello", &mut place, PATIENCE).unwrap();
    let (to, from) = pair();
    pass_on(place.as_fd(), &to, Duration::ZERO).expect("it is there");
    assert_eq!(receive(from.as_fd()).unwrap().0, b"ticket");
    host.join().unwrap();
    // Nobody listens any more.
    introduce(speaks.as_fd(), b"hello", &mut place, PATIENCE).unwrap();
    let end = pass_on(place.as_fd(), &to, Duration::ZERO).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
}

/// A host that is stopped holds nobody up for long.
#[test]
fn an_introduction_is_not_waited_on_for_ever() {
    let (speaks, _hears) = pair();
    let mut place = dup(&speaks).unwrap();
    let patience = Timespec {
        tv_sec: 0,
        tv_nsec: 20_000_000,
    };
    introduce(speaks.as_fd(), b"hello", &mut place, patience).unwrap();
    let (to, _from) = pair();
    let begun = Instant::now();
    let late = pass_on(place.as_fd(), &to, Duration::from_millis(30)).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    assert!(begun.elapsed() >= Duration::from_millis(30));
}
