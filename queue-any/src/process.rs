//! Queues between processes: new ones, those with a name, and what the parent shared.

use crate::address::Address;
use crate::open::Item;
use queue_core::dynamic::DynQueue;
use queue_core::{Capacity, Failure, FailureKind, WithCapacity};
use queue_process::{Handover, IpcQueue};
#[cfg(target_os = "linux")]
use {
    crate::mode::{Mode, check_capacity},
    queue_core::work::Lend,
    queue_process::{PipeQueue, ShmQueue},
};

pub(crate) fn open<T: Item>(address: &Address) -> Result<DynQueue<T>, Failure> {
    match address.scheme() {
        #[cfg(target_os = "linux")]
        "pipe" => named(address, PipeQueue::<T>::create_named, PipeQueue::open_named),
        #[cfg(target_os = "linux")]
        "shm" => named(address, ShmQueue::<T>::create_named, ShmQueue::open_named),
        "ipc" => {
            let capacity = address.capacity()?.unwrap_or(Capacity::Unbounded);
            IpcQueue::<T>::try_with_capacity(capacity).map(DynQueue::new)
        }
        "inherit" => inherit(address.name().unwrap_or_default()),
        scheme => {
            let message = format!("`{scheme}:` is for Linux alone; take `ipc:` here");
            Err(Failure::new(FailureKind::Unsupported, message))
        }
    }
}

/// A new queue, or the one that has the name.
#[cfg(target_os = "linux")]
fn named<Q: Lend<Item: Item, Lease: 'static> + WithCapacity + 'static>(
    address: &Address,
    create: impl Fn(&str, Capacity) -> Result<Q, Failure>,
    open: impl Fn(&str) -> Result<Q, Failure>,
) -> Result<DynQueue<Q::Item>, Failure> {
    let capacity = address.capacity()?.unwrap_or(Capacity::Unbounded);
    let mode = Mode::of(address)?;
    let Some(name) = address.name() else {
        return Q::try_with_capacity(capacity).map(DynQueue::new);
    };
    let opened = |queue: Q| {
        check_capacity(address, queue.capacity())?;
        Ok(DynQueue::new(queue))
    };
    match mode {
        Mode::Open => open(name).and_then(opened),
        Mode::Create => create(name, capacity).map(DynQueue::new),
        // Whoever created it may go in between, and somebody else come: so both are tried again.
        Mode::OpenOrCreate => {
            let mut last = None;
            for _ in 0..10 {
                match open(name) {
                    Ok(queue) => return opened(queue),
                    Err(failure) if failure.kind() == FailureKind::PeerGone => {}
                    Err(failure) => return Err(failure),
                }
                match create(name, capacity) {
                    Ok(queue) => return Ok(DynQueue::new(queue)),
                    Err(failure) if failure.kind() == FailureKind::Denied => last = Some(failure),
                    Err(failure) => return Err(failure),
                }
            }
            Err(last.expect("it was refused each time"))
        }
    }
}

/// What the parent shared, of whatever kind it is.
fn inherit<T: Item>(name: &str) -> Result<DynQueue<T>, Failure> {
    #[cfg(target_os = "linux")]
    {
        match PipeQueue::<T>::from_parent(name) {
            Err(failure)
                if matches!(failure.kind(), FailureKind::Mismatch | FailureKind::Corrupt) =>
            {
                // It is no `PipeQueue`, or one of other items: then it is no `ShmQueue` at all.
                return match ShmQueue::<T>::from_parent(name) {
                    Ok(queue) => Ok(DynQueue::new(queue)),
                    Err(other) if other.kind() == FailureKind::Mismatch => Err(other),
                    Err(_) => Err(failure),
                };
            }
            // Nobody shared one of these two.
            Err(failure) if failure.kind() == FailureKind::PeerGone => {}
            result => return result.map(DynQueue::new),
        }
    }
    <IpcQueue<T> as Handover>::from_parent(name).map(DynQueue::new)
}
