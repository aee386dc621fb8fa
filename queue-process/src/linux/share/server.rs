//! [`Server`]: a thread that hands a queue to whoever asks under a name.
//!
//! The name is that of a socket in Linux' abstract namespace. It is no file, so nobody can
//! plant a link in its place. It vanishes with the process that holds it, however that
//! dies, so no leftover can be taken for a queue. Any process may
//! connect, so both ends check that the other one is a process of the same user.
//!
//! Any process may also take the name and never answer. So no call here waits for another process
//! without a limit.

use super::socket::{PEER_TIMEOUT, peer, same_user};
use crate::sys::{self, CloseOnFork, above_stdio, generation, refused};
use queue_core::{Failure, FailureKind};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, shutdown, socket_with,
    sockopt,
};
use std::io;
use std::mem;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The address that `name` stands for, for the processes of this user.
pub(super) fn address(name: &str) -> Result<SocketAddr, Failure> {
    if name.is_empty() {
        let message = "a queue's name must not be empty";
        return Err(Failure::new(FailureKind::Unsupported, message));
    }
    address_of_user("queue-process", name)
}

/// The address of a queue in a message, which is no name: whoever lists or opens names
/// does not fetch it.
pub(super) fn message_address(token: &str) -> Result<SocketAddr, Failure> {
    address_of_user("queue-process-message", token)
}

fn address_of_user(space: &str, name: &str) -> Result<SocketAddr, Failure> {
    let user = rustix::process::geteuid().as_raw();
    let path = format!("{space}/{user}/{name}");
    SocketAddr::from_abstract_name(path).map_err(|error| {
        let message = format!("the name of a queue is too long: {name:?}");
        Failure::caused(FailureKind::TooLarge, message, error)
    })
}

/// Connects to the server at `address`; `nobody` is the failure if there is none.
pub(super) fn connect(
    address: &SocketAddr,
    nobody: impl FnOnce() -> Failure,
) -> Result<UnixStream, Failure> {
    let stream = connect_within(address, PEER_TIMEOUT).map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => nobody(),
        io::ErrorKind::TimedOut => {
            let message = format!("the queue was not handed over within {PEER_TIMEOUT:?}");
            Failure::caused(FailureKind::PeerGone, message, error)
        }
        _ => refused("cannot ask for a queue", error),
    })?;
    same_user(&stream)?;
    Ok(stream)
}

/// Connects to whoever listens at `address`, if that lets somebody in in time.
///
/// # Errors
/// `ConnectionRefused` if nobody listens; `TimedOut`; or what the system says.
fn connect_within(address: &SocketAddr, timeout: Duration) -> io::Result<UnixStream> {
    let deadline = Instant::now() + timeout;
    let name = address.as_abstract_name().ok_or(Errno::INVAL)?;
    let to = SocketAddrUnix::new_abstract_name(name)?;
    let (family, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC);
    let socket = above_stdio(socket_with(family, SocketType::STREAM, flags, None)?)?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Zero would mean for ever.
        let at_most = Some(left.max(Duration::from_millis(1)));
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, at_most)?;
        match rustix::net::connect(&socket, &to) {
            Ok(()) => return Ok(socket.into()),
            Err(Errno::INTR) if !left.is_zero() => {}
            Err(Errno::AGAIN | Errno::INTR) => {
                let message = "a process has the name and lets nobody in: so many wait there \
                    that no more may (which user's it is the system does not tell)";
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Serves until it is dropped, or for as long as it was told to.
#[derive(Debug)]
pub(crate) struct Server {
    /// A forked child, which has no thread that would answer, lets go of the name. Dropped
    /// before the listener.
    close_on_fork: CloseOnFork,
    listener: Arc<UnixListener>,
    /// The process whose thread it is.
    generation: u32,
    /// Taken when dropped.
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `address`, and calls `serve` in a thread of its own for each process
    /// of this user that connects, until it says `Break`.
    ///
    /// # Errors
    /// `Denied` if the name is taken; `Io`.
    pub(super) fn start(
        address: &SocketAddr,
        serve: impl FnMut(UnixStream) -> ControlFlow<()> + Send + 'static,
    ) -> Result<Self, Failure> {
        let listener = Arc::new(bind(address)?);
        let close_on_fork = CloseOnFork::register(listener.as_fd())?;
        let theirs = Arc::clone(&listener);
        let thread = spawn(move || run(&theirs, None, serve))?;
        Ok(Self {
            close_on_fork,
            listener,
            generation: generation(),
            thread: Some(thread),
        })
    }

    /// Like [`start`](Self::start), but on its own: the thread goes on until it says
    /// `Break` or `time` has passed.
    pub(super) fn detached(
        address: &SocketAddr,
        time: Duration,
        serve: impl FnMut(UnixStream) -> ControlFlow<()> + Send + 'static,
    ) -> Result<(), Failure> {
        let listener = bind(address)?;
        let close_on_fork = CloseOnFork::register(listener.as_fd())?;
        let body = move || {
            run(&listener, Some(Instant::now() + time), serve);
            // Before the listener is closed.
            drop(close_on_fork);
        };
        spawn(body).map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.generation != generation() {
            // A forked child's copy: neither the socket nor the thread is its own.
            self.close_on_fork.detach();
            mem::forget(self.thread.take());
            return;
        }
        // Ends the thread's waiting. It cannot fail for a listening socket.
        let _ = shutdown(&self.listener, Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // So that the name is free when this returns. A panic was reported there.
            let _ = thread.join();
        }
    }
}

fn spawn(body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Failure> {
    let thread = thread::Builder::new().name("queue-server".into());
    thread.spawn(body).map_err(|error| {
        let message = "cannot start the thread that hands the queue over";
        Failure::caused(FailureKind::Io, message, error)
    })
}

pub(super) fn bind(address: &SocketAddr) -> Result<UnixListener, Failure> {
    // A name may outlive its server by the moment in which another thread of that
    // process has forked and not yet executed: such a child holds everything.
    let deadline = Instant::now() + Duration::from_millis(100);
    loop {
        match UnixListener::bind_addr(address) {
            Ok(listener) => return Ok(above_stdio(listener)?),
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                return Err(Failure::from(error));
            }
            Err(error) => match connect_within(address, Duration::ZERO) {
                Ok(stream) => return Err(taken(&stream)),
                Err(busy) if busy.kind() == io::ErrorKind::TimedOut => {
                    let message = "the name is taken";
                    return Err(Failure::caused(FailureKind::Denied, message, busy));
                }
                Err(_) if Instant::now() > deadline => {
                    let message = "the name is taken by a process that still lives";
                    return Err(Failure::caused(FailureKind::Denied, message, error));
                }
                Err(_) => thread::sleep(Duration::from_millis(2)),
            },
        }
    }
}

/// The failure of a name at which somebody else let us in.
#[cold]
fn taken(stream: &UnixStream) -> Failure {
    let message = match peer(stream) {
        Ok((process, user)) => {
            format!("the name is taken by process {process} of user {user}, which still lives")
        }
        Err(_) => "the name is taken by a process that still lives".to_owned(),
    };
    Failure::new(FailureKind::Denied, message)
}

fn run(
    listener: &UnixListener,
    until: Option<Instant>,
    mut serve: impl FnMut(UnixStream) -> ControlFlow<()>,
) {
    while wait(listener, until) {
        let stream = match listener.accept() {
            Ok((stream, _)) => match above_stdio(stream) {
                Ok(stream) => stream,
                Err(_) => continue,
            },
            // Shut down.
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => return,
            // The caller has gone again, or this process has no descriptor left just
            // now: those who wait in line are served when it has.
            Err(_) => {
                thread::sleep(Duration::from_millis(10));
                continue;
            }
        };
        let set_up = same_user(&stream)
            .and_then(|()| Ok(stream.set_read_timeout(Some(PEER_TIMEOUT))?))
            .and_then(|()| Ok(stream.set_write_timeout(Some(PEER_TIMEOUT))?));
        // Who is refused finds the stream closed.
        if set_up.is_ok() && serve(stream).is_break() {
            return;
        }
    }
}

/// Waits for somebody to connect: false when the time is over.
fn wait(listener: &UnixListener, until: Option<Instant>) -> bool {
    until.is_none_or(|until| sys::readable(listener, until).unwrap_or(false))
}
