//! The sockets below the channels of `ipc-channel`, which offers no way to inherit one.

use super::descriptors::ABOVE_STDIO;
use super::{PerProcess, Unforked, above_stdio};
use queue_core::{Failure, FailureKind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_getfd};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    sockopt,
};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// More bytes and descriptors than any message has that goes through here.
const BYTES: usize = 4096;
const FDS: usize = 8;

/// The socket of a channel's end. `ipc-channel` says its number nowhere but in the end's `Debug`;
/// a number that is none of a socket that keeps records is not taken for it.
fn socket<E: Debug>(end: &E) -> Option<BorrowedFd<'_>> {
    let text = format!("{end:?}");
    let numbers = text.split(|c: char| !c.is_ascii_digit());
    let mut numbers = numbers.filter(|number| !number.is_empty());
    let number: RawFd = numbers.next()?.parse().ok()?;
    if numbers.next().is_some() || fcntl_getfd(borrow(number)).is_err() {
        return None;
    }
    let fd = borrow(number);
    (sockopt::socket_type(fd) == Ok(SocketType::SEQPACKET)).then_some(fd)
}

/// What has this number, for as long as its owner says.
fn borrow<'a>(number: RawFd) -> BorrowedFd<'a> {
    // SAFETY: it is not -1, for a number of digits alone is none, and what inherits a number
    // checks it. It is asked what it means before anything is done to it; and the end of a channel
    // whose number it is outlives what was borrowed of it (see the lifetimes of the callers).
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Has forked children let go of the end of a channel.
pub(crate) fn unforked<E: Debug>(end: &E) -> Option<Unforked> {
    Unforked::register(socket(end)?).ok()
}

/// Another descriptor of the end of a channel.
///
/// # Errors
/// `Io`, also if this version of `ipc-channel` is not known here.
pub(crate) fn duplicate<E: Debug>(end: &E) -> Result<OwnedFd, Failure> {
    let unknown = || {
        let message = "this version of ipc-channel does not say which socket it uses";
        Failure::new(FailureKind::Io, message)
    };
    let fd = socket(end).ok_or_else(unknown)?;
    Ok(fcntl_dupfd_cloexec(fd, ABOVE_STDIO).map_err(io::Error::from)?)
}

/// Whether the other end of one of these is gone.
pub(crate) fn any_hung_up<'a>(fds: impl Iterator<Item = &'a OwnedFd>) -> bool {
    let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::empty())).collect();
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    !fds.is_empty() && poll(&mut fds, Some(&now)).is_ok_and(|count| count > 0)
}

/// What a command leaves, as long as that is there and not revoked.
type Left = Weak<Mutex<Option<Legacy>>>;

/// What a `Command` leaves its children.
struct Legacy {
    /// Where a child says hello, and how: without the socket for the answer.
    speaks: OwnedFd,
    hello: Vec<u8>,
    /// The number under which a child finds that socket.
    place: OwnedFd,
}

impl Legacy {
    /// To be called between fork and exec.
    fn leave(&mut self) -> io::Result<()> {
        let kind = (
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
        );
        let (keeps, gives) = socketpair(kind.0, kind.1, kind.2, None)?;
        let fds = [gives.as_fd()];
        match send(self.speaks.as_fd(), &self.hello, &fds) {
            // The queue is gone: the child learns of it when it takes what was shared.
            Ok(()) | Err(Errno::PIPE | Errno::CONNREFUSED | Errno::CONNRESET) => {}
            Err(error) => return Err(error.into()),
        }
        // Not close-on-exec from now on.
        rustix::io::dup2(&keeps, &mut self.place)?;
        Ok(())
    }
}

/// Has every child that `command` starts say `hello` at `speaks` before it executes, so that it
/// counts from then on, and inherit the socket at which it is answered, under the number
/// returned. What the command left under the number `former` is left no more.
///
/// # Errors
/// What the system says.
pub(crate) fn leave_socket(
    command: &mut Command,
    speaks: OwnedFd,
    hello: Vec<u8>,
    former: Option<RawFd>,
) -> io::Result<RawFd> {
    /// By number, which no other has as long as it is there.
    static ALL: PerProcess<Mutex<BTreeMap<RawFd, Left>>> = PerProcess::new();
    let place = fcntl_dupfd_cloexec(&speaks, ABOVE_STDIO)?;
    let number = place.as_raw_fd();
    let legacy = Arc::new(Mutex::new(Some(Legacy {
        speaks,
        hello,
        place,
    })));
    let mut all = ALL
        .get_or(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(former) = former.and_then(|former| all.remove(&former)?.upgrade()) {
        drop(former.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
    all.retain(|_, legacy| legacy.strong_count() > 0);
    all.insert(number, Arc::downgrade(&legacy));
    let hook = move || match legacy.try_lock() {
        Ok(mut legacy) => legacy.as_mut().map_or(Ok(()), Legacy::leave),
        // Only if it was just being revoked.
        Err(_) => Err(Errno::AGAIN.into()),
    };
    // SAFETY: between fork and exec the child is a copy of one thread of this process. The hook
    // waits for no lock and does not allocate: it makes system calls, beside atomic operations on
    // its own memory; and an `io::Error` of the system's code is a number.
    unsafe { command.pre_exec(hook) };
    Ok(number)
}

/// Why an inherited socket cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotLeft {
    Gone,
    Taken,
}

/// Takes the socket that the parent of this process left under `number`, once.
pub(crate) fn take_socket(number: RawFd) -> Result<OwnedFd, NotLeft> {
    static TAKEN: PerProcess<Mutex<Vec<RawFd>>> = PerProcess::new();
    let mut taken = TAKEN
        .get_or(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if taken.contains(&number) {
        return Err(NotLeft::Taken);
    }
    let inherited = number >= ABOVE_STDIO
        && fcntl_getfd(borrow(number)).is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC))
        && sockopt::socket_type(borrow(number)) == Ok(SocketType::SEQPACKET);
    if !inherited {
        return Err(NotLeft::Gone);
    }
    taken.push(number);
    // SAFETY: it is a socket that came across `exec`, for what objects of this program own is
    // close-on-exec; and it is not taken again.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn send(to: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::TOOBIG);
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT | SendFlags::EOR;
    sendmsg(to, &[IoSlice::new(bytes)], &mut ancillary, flags).map(drop)
}

/// A message, with what came along.
fn receive(from: BorrowedFd<'_>) -> Result<(Vec<u8>, Vec<OwnedFd>), Errno> {
    let mut bytes = vec![0; BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = recvmsg(
        from,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut ancillary,
        flags,
    )?;
    bytes.truncate(received.bytes);
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    Ok((bytes, fds))
}

/// The bytes of the message that waits in the end of a channel.
///
/// # Errors
/// `Io`.
pub(crate) fn bytes_in<E: Debug>(end: &E) -> Result<Vec<u8>, Failure> {
    let fd = duplicate(end)?;
    let (bytes, _) = receive(fd.as_fd()).map_err(io::Error::from)?;
    Ok(bytes)
}

/// Passes the message that comes at `from` within `patience` on into a channel, as it is.
///
/// # Errors
/// `TimedOut`; `UnexpectedEof` if none will come; what the system says.
pub(crate) fn pass_on(from: &OwnedFd, to: &OwnedFd, patience: Duration) -> io::Result<()> {
    let late = Instant::now() + patience;
    loop {
        let left = Timespec::try_from(late.saturating_duration_since(Instant::now()));
        let left = left.expect("some seconds fit");
        match poll(&mut [PollFd::new(from, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let (bytes, fds) = receive(from.as_fd())?;
    if bytes.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let fds: Vec<_> = fds.into_iter().map(above_stdio).collect::<Result<_, _>>()?;
    let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    Ok(send(to.as_fd(), &bytes, &fds)?)
}
