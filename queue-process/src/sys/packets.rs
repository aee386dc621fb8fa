//! Bytes and descriptors through a socket.

use super::above_stdio;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io;
use std::mem::MaybeUninit;

/// So many descriptors go through at once, at most.
pub(crate) const MAX_FDS: usize = 16;

/// What has come.
pub(crate) struct Received {
    /// How many bytes; none at the end.
    pub(crate) bytes: usize,
    /// In order, unless this process can open no more.
    pub(crate) fds: io::Result<Vec<OwnedFd>>,
    /// Whether some bytes or descriptors did not fit.
    pub(crate) is_cut: bool,
}

/// Sends bytes with descriptors, without waiting for room.
///
/// A system call and nothing else, so it may be used between fork and exec.
pub(crate) fn send(to: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::TOOBIG);
    }
    let flags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);
    sendmsg(to, &[IoSlice::new(bytes)], &mut control, flags).map(drop)
}

/// Receives what comes next into `bytes`, waiting for it as `flags` and the socket say.
pub(crate) fn receive(
    from: impl AsFd,
    bytes: &mut [u8],
    flags: RecvFlags,
) -> Result<Received, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = flags.union(RecvFlags::CMSG_CLOEXEC);
    let received = recvmsg(from, &mut [IoSliceMut::new(bytes)], &mut control, flags)?;
    // All of them, before one of them fails: what is left in the buffer is closed, too.
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(some) = message {
            fds.extend(some.map(above_stdio));
        }
    }
    Ok(Received {
        bytes: received.bytes,
        fds: fds.into_iter().collect(),
        is_cut: (received.flags).intersects(ReturnFlags::TRUNC.union(ReturnFlags::CTRUNC)),
    })
}
