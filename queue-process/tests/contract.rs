//! The family's contract over every kind: with items that can fail to be serialized, with
//! bytes that need not be, and for `IpcQueue` in its host and as a guest sees it.

#![cfg(not(loom))]

use ipc_channel::ipc;
use queue_core::contract::Item;
use queue_process::{Capacity, Failure, IpcQueue, WithCapacity};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};

/// A number that refuses to be serialized, or panics.
#[derive(Debug, PartialEq, Deserialize)]
struct Moody(u64);

const REFUSES: u64 = u64::MAX;
const PANICS: u64 = u64::MAX - 1;

impl Serialize for Moody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            REFUSES => Err(serde::ser::Error::custom("not today")),
            PANICS => panic!("an item that panics"),
            number => serializer.serialize_u64(number),
        }
    }
}

impl Item for Moody {
    fn new(number: u64) -> Self {
        Self(number)
    }
    fn number(&self) -> u64 {
        self.0
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::{Moody, PANICS, REFUSES};
    use queue_process::codec::Raw;
    use queue_process::{PipeQueue, ShmQueue};

    type RawPipe<T> = PipeQueue<T, Raw>;
    type RawShm<T> = ShmQueue<T, Raw>;

    queue_core::contract! {
        mod pipe;
        kind: PipeQueue;
        items: Moody;
        refused: Moody(REFUSES);
        panicking: Moody(PANICS);
    }

    queue_core::contract! {
        mod pipe_raw;
        kind: RawPipe;
        items: Vec<u8>;
    }

    queue_core::contract! {
        mod shm;
        kind: ShmQueue;
        items: Moody;
        refused: Moody(REFUSES);
        panicking: Moody(PANICS);
    }

    queue_core::contract! {
        mod shm_raw;
        kind: RawShm;
        items: Vec<u8>;
    }

    queue_core::work_contract! {
        mod pipe_works;
        kind: PipeQueue;
        items: Moody;
    }

    queue_core::work_contract! {
        mod pipe_raw_works;
        kind: RawPipe;
        items: Vec<u8>;
    }

    queue_core::work_contract! {
        mod shm_works;
        kind: ShmQueue;
        items: Moody;
    }

    queue_core::work_contract! {
        mod shm_raw_works;
        kind: RawShm;
        items: Vec<u8>;
    }
}

queue_core::contract! {
    mod ipc_host;
    kind: IpcQueue;
    items: Moody;
    refused: Moody(REFUSES);
    panicking: Moody(PANICS);
}

queue_core::contract! {
    mod ipc_guest;
    kind: IpcQueue;
    items: Moody;
    create: as_guest;
    refused: Moody(REFUSES);
    panicking: Moody(PANICS);
}

queue_core::work_contract! {
    mod ipc_host_works;
    kind: IpcQueue;
}

queue_core::work_contract! {
    mod ipc_guest_works;
    kind: IpcQueue;
    create: as_guest;
}

/// A guest in the host's own process: its messages take the same way.
fn as_guest<T>(bound: Capacity) -> Result<IpcQueue<T>, Failure>
where
    T: Send + Serialize + DeserializeOwned,
{
    let (sender, receiver) = ipc::channel().unwrap();
    sender
        .send(IpcQueue::<T>::try_with_capacity(bound)?)
        .unwrap();
    Ok(receiver.recv().unwrap())
}
