//! The contract where `ipc-channel` copies the memory that it sends: then a guest sees nothing of what its
//! host shares, and all goes by messages.

use crate::ipc::page::Page;
use crate::ipc::shared_rings::{Pushes, Shelf};
use crate::ipc::{IpcQueue, Place};
use queue_core::{Capacity, Failure, WithCapacity};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A guest in the host's own process, whose memory is its own.
fn guest<T>(bound: Capacity) -> Result<IpcQueue<T>, Failure>
where
    T: Send + Serialize + DeserializeOwned,
{
    let host = IpcQueue::<T>::try_with_capacity(bound)?;
    let mut ticket = host.ticket()?;
    ticket.pushes = Page::<Pushes>::new()?.memory();
    ticket.shelf = Page::<Shelf>::new()?.memory();
    let guest = IpcQueue::admit(ticket)?;
    assert!(matches!(guest.place, Place::Elsewhere(_)));
    Ok(guest)
}

queue_core::contract! {
    mod contract;
    kind: IpcQueue;
    items: u64;
    create: guest;
}

queue_core::work_contract! {
    mod work_contract;
    kind: IpcQueue;
    create: guest;
}
