//! The sockets below the channels of `ipc-channel`, which offers no way to inherit one.

use super::descriptors::{ABOVE_STDIO, readable};
use super::packets;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use rustix::io::{Errno, dup2, fcntl_dupfd_cloexec, fcntl_getfd};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair, sockopt};
use std::fmt::Debug;
use std::io;
use std::time::{Duration, Instant};

/// More bytes than any message has that goes through here.
const BYTES: usize = 1 << 16;

/// What goes through a channel: bytes, and descriptors.
type Packet = (Vec<u8>, Vec<OwnedFd>);

/// Another descriptor of the socket of a channel's end. `ipc-channel` says its number nowhere but
/// in the end's `Debug`; a number that is none of a socket that keeps records is not taken for it.
///
/// # Errors
/// What the system says; `Unsupported` if this version of `ipc-channel` is not known here.
pub(crate) fn socket_of<E: Debug>(end: &E) -> io::Result<OwnedFd> {
    let text = format!("{end:?}");
    let mut numbers = (text.split(|c: char| !c.is_ascii_digit())).filter(|some| !some.is_empty());
    let number = numbers
        .next()
        .and_then(|number| number.parse::<RawFd>().ok());
    if let (Some(number), None) = (number, numbers.next()) {
        // SAFETY: it is not -1, for it has no sign. If it is not the number of `end`, which is
        // open as long as this function runs, it is only asked what it means.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        if fcntl_getfd(fd).is_ok() && sockopt::socket_type(fd) == Ok(SocketType::SEQPACKET) {
            return Ok(fcntl_dupfd_cloexec(fd, ABOVE_STDIO)?);
        }
    }
    let message = "this version of ipc-channel does not say which socket it uses";
    Err(io::Error::new(io::ErrorKind::Unsupported, message))
}

/// Says `hello` at `speaks`, with one end of a new socket along. The other end takes `place`; this
/// waits until something has come there that can be read, or will never, or for `patience`.
///
/// System calls and nothing else, so it may be used between fork and exec.
///
/// # Errors
/// What the system says, but not that nobody listens: then `place` is at its end.
pub(crate) fn introduce(
    speaks: BorrowedFd<'_>,
    hello: &[u8],
    place: &mut OwnedFd,
    patience: Timespec,
) -> io::Result<()> {
    let (family, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC);
    let (keeps, gives) = socketpair(family, SocketType::SEQPACKET, flags, None)?;
    match packets::send(speaks, hello, &[gives.as_fd()]) {
        Ok(()) | Err(Errno::PIPE | Errno::CONNREFUSED | Errno::CONNRESET) => {}
        Err(error) => return Err(error.into()),
    }
    drop(gives);
    while poll(&mut [PollFd::new(&keeps, PollFlags::IN)], Some(&patience)) == Err(Errno::INTR) {}
    Ok(dup2(&keeps, place)?)
}

/// Passes the next packet that comes at `from` within `patience` on to `to`, as it is.
///
/// # Errors
/// `TimedOut`; `UnexpectedEof` if none will come; what the system says.
pub(crate) fn pass_on(from: BorrowedFd<'_>, to: &OwnedFd, patience: Duration) -> io::Result<()> {
    if !readable(from, Instant::now() + patience)? {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let (bytes, fds) = receive(from)?;
    if bytes.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    Ok(packets::send(to, &bytes, &fds)?)
}

/// The packet that has come at `from`; an empty one is the end.
///
/// # Errors
/// What the system says, also if nothing has come.
pub(crate) fn receive(from: BorrowedFd<'_>) -> io::Result<Packet> {
    let mut bytes = vec![0; BYTES];
    let received = packets::receive(from, &mut bytes, RecvFlags::DONTWAIT)?;
    if received.is_cut {
        let message = "not all of it came: this process may open no more files (ulimit -n)";
        return Err(io::Error::other(message));
    }
    bytes.truncate(received.bytes);
    Ok((bytes, received.fds?))
}
