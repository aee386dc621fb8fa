//! The bells of a queue.

use crate::linux::engine::layout::End;
use crate::sys;
use queue_core::Failure;
use rustix::event::EventfdFlags;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// The bells of a queue: for each end a descriptor to which every ring is an event, for all
/// processes that listen to it.
pub(crate) type Bells = Arc<[OwnedFd; 2]>;

/// A bell.
fn event() -> io::Result<OwnedFd> {
    let flags = EventfdFlags::CLOEXEC.union(EventfdFlags::NONBLOCK);
    sys::above_stdio(rustix::event::eventfd(0, flags)?)
}

/// Two bells.
pub(crate) fn bells() -> Result<Bells, Failure> {
    let bell = || event().map_err(|e| sys::refused("cannot create an event", e));
    Ok(Arc::new([bell()?, bell()?]))
}

/// The bell of one end.
pub(crate) fn bell(bells: &Bells, end: End) -> BorrowedFd<'_> {
    bells[match end {
        End::Tail => 0,
        End::Head => 1,
    }]
    .as_fd()
}
