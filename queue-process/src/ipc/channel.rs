//! `ipc-channel`, with its errors as failures, without its panics, and without what a forked
//! child keeps of it.

use crate::foreign::guarded;
use ipc_channel::ipc::{self, IpcReceiver, IpcSender, IpcSharedMemory};
use ipc_channel::{IpcError, TryRecvError};
use queue_core::sync::Deadline;
use queue_core::{Failure, FailureKind};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;
use std::io;
use std::ops::Deref;
use std::time::Duration;

/// An end of a channel that a forked child lets go of, where the system has a means for that, so
/// that the other end learns of this process' end whatever became of its children.
#[derive(Debug)]
pub(super) struct Own<E> {
    /// Dropped before the channel is closed.
    #[cfg(target_os = "linux")]
    _unforked: Option<crate::sys::Unforked>,
    end: E,
}

impl<E: Debug> Own<E> {
    pub(super) fn new(end: E) -> Self {
        Self {
            #[cfg(target_os = "linux")]
            _unforked: crate::sys::relay::unforked(&end),
            end,
        }
    }
}

impl<E> Deref for Own<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.end
    }
}

/// The other end of a channel is gone (or the channel is broken, which is the same).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// A fresh channel.
pub(super) fn open<M: Serialize + DeserializeOwned>()
-> Result<(IpcSender<M>, IpcReceiver<M>), Failure> {
    streams();
    ipc::channel().map_err(|error| {
        let message = "cannot open a channel to another process (if descriptors are short: \
                       ulimit -n)";
        Failure::caused(FailureKind::Io, message, error)
    })
}

/// Sends. No signal comes in between, for what is under way always fits into the buffer.
pub(super) fn send<M: Serialize>(to: &IpcSender<M>, message: M) -> Result<(), Gone> {
    match guarded(|| to.send(message)) {
        Some(Ok(())) => Ok(()),
        Some(Err(_)) | None => Err(Gone),
    }
}

/// What came of receiving until a deadline.
#[derive(Debug)]
pub(super) enum Received<M> {
    Message(M),
    /// Nothing came in time, or a signal.
    Nothing,
    /// Something came that is no message, or not all of one.
    Garbage,
    Gone,
}

/// Receives until `deadline`.
pub(super) fn receive<M: Serialize + DeserializeOwned>(
    from: &IpcReceiver<M>,
    deadline: Deadline,
) -> Received<M> {
    let received = guarded(|| match deadline.remaining() {
        None => from.recv().map_err(TryRecvError::IpcError),
        // It counts in milliseconds, and zero would be a try, again and again.
        Some(left) => from.try_recv_timeout(
            left.max(Duration::from_millis(1))
                .min(Duration::from_secs(1000)),
        ),
    });
    match received {
        Some(Ok(message)) => Received::Message(message),
        Some(Err(TryRecvError::Empty)) => Received::Nothing,
        Some(Err(TryRecvError::IpcError(IpcError::Io(error))))
            if error.kind() == io::ErrorKind::Interrupted =>
        {
            Received::Nothing
        }
        Some(Err(TryRecvError::IpcError(IpcError::SerializationError(_)))) | None => {
            Received::Garbage
        }
        Some(Err(TryRecvError::IpcError(_))) => Received::Gone,
    }
}

/// Memory of `len` bytes that `make` makes: `ipc-channel` panics where the system has none.
///
/// # Errors
/// `Io`.
pub(super) fn memory(
    len: usize,
    make: impl FnOnce(usize) -> IpcSharedMemory,
) -> Result<IpcSharedMemory, Failure> {
    #[cfg(target_os = "linux")]
    crate::sys::check_file_size_limit(len as u64)?;
    streams();
    guarded(|| make(len)).ok_or_else(|| {
        let message = "the system gives no memory that processes share, or no descriptor for it \
                       (ulimit -n)";
        Failure::new(FailureKind::Io, message)
    })
}

/// Puts `/dev/null`, for good, in the place of each standard stream that is closed, as Rust's
/// runtime does when a program starts. `ipc-channel` would get their numbers for its sockets,
/// and these then what the program prints; it offers no way to give a socket another number.
#[cfg(unix)]
pub(super) fn streams() {
    use std::fs::File;
    use std::os::fd::{AsRawFd, IntoRawFd};
    let null = || File::options().read(true).write(true).open("/dev/null");
    // If it cannot be opened all is as before.
    while let Ok(file) = null() {
        if file.as_raw_fd() > 2 {
            return;
        }
        // Nobody's, as any standard stream.
        let _ = file.into_raw_fd();
    }
}

/// Elsewhere they have no numbers that others could get.
#[cfg(not(unix))]
pub(super) fn streams() {}
