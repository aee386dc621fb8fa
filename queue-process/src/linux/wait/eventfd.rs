//! The eventfds by which the futures of a process learn that an end has moved.

use crate::linux::engine::control::End;
use crate::sys;
use queue_core::Failure;
use rustix::event::EventfdFlags;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// The eventfds of a queue, one for each end: all processes that listen to it are notified by one
/// write.
pub(crate) type Eventfds = Arc<[OwnedFd; 2]>;

/// A new eventfd.
fn event() -> io::Result<OwnedFd> {
    let flags = EventfdFlags::CLOEXEC.union(EventfdFlags::NONBLOCK);
    sys::above_stdio(rustix::event::eventfd(0, flags)?)
}

/// Two new eventfds.
pub(crate) fn eventfds() -> Result<Eventfds, Failure> {
    let eventfd = || event().map_err(|e| sys::refused("cannot create an event", e));
    Ok(Arc::new([eventfd()?, eventfd()?]))
}

/// The eventfd of one end.
pub(crate) fn eventfd(eventfds: &Eventfds, end: End) -> BorrowedFd<'_> {
    // In the order in which the ends are declared.
    eventfds[end as usize].as_fd()
}
