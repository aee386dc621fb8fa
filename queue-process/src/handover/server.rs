//! [`Server`]: a thread that hands a queue to whoever asks under a name.
//!
//! The name is that of a socket in Linux' abstract namespace. It is no file: nobody can
//! plant a link in its place, it vanishes with the process that holds it, however that
//! dies, and so there is never a leftover that could be taken for a queue. Anybody may
//! connect, so both ends look whose process the other one is and go on only among the
//! same user's.

use super::socket::same_user;
use crate::sys::refused;
use queue_core::{Failure, FailureKind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};
use std::io;
use std::ops::ControlFlow;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long one end waits for the other to do its small part.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The address that `name` stands for, for the processes of this user.
pub(super) fn address(name: &str) -> Result<SocketAddr, Failure> {
    let user = rustix::process::geteuid().as_raw();
    let path = format!("queue-process/{user}/{name}");
    if name.is_empty() {
        let message = "a queue's name must not be empty";
        return Err(Failure::new(FailureKind::Unsupported, message));
    }
    SocketAddr::from_abstract_name(path).map_err(|error| {
        let message = format!("the name of a queue is too long: {name:?}");
        Failure::caused(FailureKind::TooLarge, message, error)
    })
}

/// Connects to the server at `address`; `nobody` says that there is none.
pub(super) fn connect(
    address: &SocketAddr,
    nobody: impl FnOnce() -> String,
) -> Result<UnixStream, Failure> {
    let stream = UnixStream::connect_addr(address).map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::caused(FailureKind::PeerGone, nobody(), error),
        _ => refused("cannot ask for a queue", error),
    })?;
    same_user(&stream)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Serves until it is dropped, or for as long as it was told to.
#[derive(Debug)]
pub(crate) struct Server {
    listener: Arc<UnixListener>,
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
        let theirs = Arc::clone(&listener);
        let thread = spawn(move || run(&theirs, None, serve))?;
        Ok(Self {
            listener,
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
        spawn(move || run(&listener, Some(Instant::now() + time), serve)).map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
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

fn bind(address: &SocketAddr) -> Result<UnixListener, Failure> {
    // A name may outlive its server by the moment in which another thread of that
    // process has forked and not yet executed: such a child holds everything.
    let patience = Instant::now() + Duration::from_millis(100);
    loop {
        match UnixListener::bind_addr(address) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                return Err(Failure::from(error));
            }
            Err(error) => {
                let alive = UnixStream::connect_addr(address).is_ok();
                if alive || Instant::now() > patience {
                    let message = "the name is taken by a process that still lives";
                    return Err(Failure::caused(FailureKind::Denied, message, error));
                }
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

fn run(
    listener: &UnixListener,
    until: Option<Instant>,
    mut serve: impl FnMut(UnixStream) -> ControlFlow<()>,
) {
    while wait(listener, until) {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
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
            .and_then(|()| Ok(stream.set_read_timeout(Some(PATIENCE))?))
            .and_then(|()| Ok(stream.set_write_timeout(Some(PATIENCE))?));
        // Who is refused finds the stream closed.
        if set_up.is_ok() && serve(stream).is_break() {
            return;
        }
    }
}

/// Waits for somebody to connect: false when the time is over.
fn wait(listener: &UnixListener, until: Option<Instant>) -> bool {
    let Some(until) = until else { return true };
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let time = Timespec::try_from(left).expect("a minute fits");
        match poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&time)) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn own(name: &str) -> SocketAddr {
        address(&format!("test {name} {}", std::process::id())).unwrap()
    }

    fn answer(mut stream: UnixStream) -> ControlFlow<()> {
        stream.write_all(b"here").unwrap();
        ControlFlow::Continue(())
    }

    fn ask(address: &SocketAddr) -> Result<String, Failure> {
        let mut answer = String::new();
        connect(address, || "nobody".into())?.read_to_string(&mut answer)?;
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
        let patience = Instant::now() + Duration::from_secs(5);
        while ask(&address).is_ok() {
            assert!(Instant::now() < patience);
        }
        Server::detached(&address, Duration::from_millis(30), answer).unwrap();
        assert_eq!(ask(&address).unwrap(), "here");
        thread::sleep(Duration::from_millis(100));
        assert!(ask(&address).is_err());
    }

    #[test]
    fn a_name_that_a_child_holds_for_a_moment_is_waited_for() {
        let address = own("held");
        // Nobody answers there any more, but the name is not free.
        let held = bind(&address).unwrap();
        shutdown(&held, Shutdown::Both).unwrap();
        assert_eq!(bind(&address).unwrap_err().kind(), FailureKind::Denied);
        let child = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            drop(held);
        });
        bind(&address).unwrap();
        child.join().unwrap();
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
}
