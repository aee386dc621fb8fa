//! Sending an [`FdBundle`] through a socket, between processes of one user.

use super::fd_bundle::{BundleHeader, FdBundle, malformed};
use crate::sys::{packets, refused};
use queue_core::{Failure, FailureKind};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, sockopt};
use std::io;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Longer than any header.
const MAX_HEADER_LEN: usize = 128;

/// How long one end waits for the other to do its small part.
pub(super) const PEER_TIMEOUT: Duration = Duration::from_secs(5);

/// The process at the other end of `stream`, and its user. The kernel says which they are, as
/// of when that end connected or began to listen.
pub(super) fn peer(stream: &UnixStream) -> io::Result<(u32, u32)> {
    let theirs = sockopt::socket_peercred(stream)?;
    let process = theirs.pid.as_raw_nonzero().get() as u32;
    Ok((process, theirs.uid.as_raw()))
}

/// Refuses the other end of `stream` unless it is a process of this user.
pub(super) fn same_user(stream: &UnixStream) -> Result<(), Failure> {
    match peer(stream)? {
        (_, user) if user == rustix::process::geteuid().as_raw() => Ok(()),
        (process, user) => {
            let message = format!("process {process} at the other end belongs to user {user}");
            Err(Failure::new(FailureKind::Denied, message))
        }
    }
}

/// Sends `bundle`. It fits any socket's buffer, so this does not wait for the receiver.
pub(super) fn send(stream: &UnixStream, bundle: &FdBundle) -> io::Result<()> {
    let text = bundle.header.to_string();
    let fds: Vec<BorrowedFd<'_>> = bundle.fds.iter().map(AsFd::as_fd).collect();
    packets::send(stream, text.as_bytes(), &fds)?;
    Ok(())
}

/// Receives a bundle, or a failure in its place; waits for [`PEER_TIMEOUT`] at most, whatever
/// signals come.
pub(super) fn receive(stream: &UnixStream) -> Result<FdBundle, Failure> {
    let deadline = Instant::now() + PEER_TIMEOUT;
    let mut text = [0; MAX_HEADER_LEN];
    let received = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Zero would mean for ever.
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match packets::receive(stream, &mut text, RecvFlags::empty()) {
            Err(Errno::INTR) if !left.is_zero() => {}
            Err(Errno::AGAIN | Errno::INTR) => return Err(timed_out(stream)),
            Err(error) => return Err(no_reply(error.into())),
            Ok(received) => break received,
        }
    };
    if received.bytes == 0 {
        return Err(no_reply(io::ErrorKind::UnexpectedEof.into()));
    }
    if received.is_cut {
        // Too many of them, or this process may not open so many.
        let message = "could not receive all descriptors of the queue";
        return Err(Failure::new(FailureKind::Io, message));
    }
    let text = std::str::from_utf8(&text[..received.bytes]);
    let header: BundleHeader = text.map_err(|_| malformed("it is not text"))?.parse()?;
    let fds = received
        .fds
        .map_err(|e| refused("cannot receive all descriptors of the queue", e))?;
    if fds.is_empty() {
        return Err(malformed("it came without descriptors"));
    }
    Ok(FdBundle { header, fds })
}

#[cold]
fn timed_out(stream: &UnixStream) -> Failure {
    let who = match peer(stream) {
        Ok((process, _)) => format!("process {process}"),
        Err(_) => "the process".to_owned(),
    };
    let message = format!(
        "{who}, which is to hand the queue over, has not answered for {PEER_TIMEOUT:?}: it was \
         stopped, or is another program"
    );
    Failure::new(FailureKind::PeerGone, message)
}

#[cold]
fn no_reply(error: io::Error) -> Failure {
    let message = "the process that hosts the queue did not hand it over";
    Failure::caused(FailureKind::PeerGone, message, error)
}
