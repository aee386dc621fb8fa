//! Handing a queue to a child by inheritance.

use super::IpcQueue;
use super::invitation::{PATIENCE, gone, malformed};
use super::wire::{self, Hello, Ticket};
use crate::codec::Codec;
use crate::handover::taken;
use crate::sys::{self, TakeError, refused, relay};
use crate::unwind::catch_panic;
use ipc_channel::{TryRecvError, ipc};
use queue_core::{Failure, FailureKind};
use rustix::event::Timespec;
use rustix::fd::{AsFd, BorrowedFd, RawFd};
use std::io;
use std::process::Command;

/// How long a child that starts waits until its host has counted it. One that is stopped counts it
/// later.
const COUNTED: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

/// What the environment says to a child: which socket is said hello by, and under which numbers
/// the child finds that one and its own.
struct Left {
    id: u64,
    numbers: [RawFd; 2],
}

fn read(text: &str) -> Option<Left> {
    let mut parts = text.split(' ');
    let id = parts.next()?.parse().ok()?;
    let mut number = || parts.next()?.parse().ok();
    let numbers = [number()?, number()?];
    Some(Left { id, numbers })
}

fn id(socket: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(rustix::fs::fstat(socket)?.st_ino)
}

/// Shares `queue` with what `command` starts, in the place of what it shared by `former`.
pub(super) fn share<T: Send, C: Codec<T>>(
    queue: &IpcQueue<T, C>,
    command: &mut Command,
    former: Option<&str>,
) -> Result<String, Failure> {
    let cannot = |error| refused("cannot share a queue with a child process", error);
    let hello = hello().map_err(cannot)?;
    let speaks = relay::socket_of(&queue.invite()?).map_err(cannot)?;
    let id = id(speaks.as_fd()).map_err(cannot)?;
    let (numbers, left) = sys::leave(command, &[speaks.as_fd()], move |speaks, [place]| {
        relay::introduce(speaks, &hello, place, COUNTED)
    })
    .map_err(cannot)?;
    left.replace(
        former.and_then(read).map(|former| former.numbers[0]),
        numbers[0],
    );
    Ok(format!("{id} {} {}", numbers[0], numbers[1]))
}

/// What `ipc-channel` makes of a [`Hello`], but for the socket that goes along.
fn hello() -> io::Result<Vec<u8>> {
    let (sends, receives) = ipc::channel::<Hello>()?;
    let (answers, _) = ipc::channel::<Ticket>()?;
    sends.send(Hello(answers)).map_err(io::Error::other)?;
    let (hello, _) = relay::receive(relay::socket_of(&receives)?.as_fd())?;
    Ok(hello)
}

/// The ticket that this process was left, once.
pub(super) fn take(text: &str, name: &str) -> Result<Ticket, Failure> {
    let Left { id: of, numbers } = read(text).ok_or_else(malformed)?;
    let ticket = sys::take(&numbers, |fds| {
        if id(fds[0])? != of {
            return Err(not_inherited(name));
        }
        let (sends, receives) = ipc::channel::<Ticket>()?;
        let passed = relay::pass_on(fds[1], &relay::socket_of(&sends)?, PATIENCE);
        passed.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => gone(name, "its host did not answer in time"),
            io::ErrorKind::UnexpectedEof => gone(name, "the queue, or its host, is gone"),
            _ => Failure::caused(FailureKind::Io, "cannot take a queue", error),
        })?;
        let doing = "cannot take a queue from the parent process";
        let ticket =
            catch_panic(|| wire::undisturbed(|| receives.recv().map_err(TryRecvError::IpcError)));
        let ticket = ticket.ok_or_else(|| wire::cut_short(doing))?;
        ticket.map_err(|error| wire::failure(error, doing))
    });
    ticket.map_err(|refusal| match refusal {
        TakeError::NotInherited => not_inherited(name),
        TakeError::AlreadyTaken => taken(name),
        TakeError::Callback(failure) => failure,
    })
}

#[cold]
fn not_inherited(name: &str) -> Failure {
    gone(name, "it was shared with another process than this one")
}
