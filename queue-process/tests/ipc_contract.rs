//! The family's contract over `IpcQueue`: in its host, and as a guest sees it.
#![cfg(not(loom))]

use ipc_channel::ipc;
use queue_core::contract::Item;
use queue_process::{Bound, Create, Failure, IpcQueue};
use serde::{Deserialize, Serialize, Serializer};

/// A number, two of which do not serialize.
#[derive(Debug, Deserialize)]
struct Number(u64);

const REFUSED: u64 = u64::MAX;
const EXPLOSIVE: u64 = u64::MAX - 1;

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            REFUSED => Err(serde::ser::Error::custom("refused")),
            EXPLOSIVE => panic!("explosive"),
            number => serializer.serialize_u64(number),
        }
    }
}

impl Item for Number {
    fn new(number: u64) -> Self {
        Self(number)
    }
    fn number(&self) -> u64 {
        self.0
    }
}

queue_core::contract! {
    mod host;
    kind: IpcQueue;
    items: Number;
    refused: Number(REFUSED);
    explosive: Number(EXPLOSIVE);
}

queue_core::contract! {
    mod guest;
    kind: IpcQueue;
    items: Number;
    create: as_guest;
    refused: Number(REFUSED);
    explosive: Number(EXPLOSIVE);
}

/// A guest in the host's own process: its messages take the same way.
fn as_guest(bound: Bound) -> Result<IpcQueue<Number>, Failure> {
    let (sender, receiver) = ipc::channel().unwrap();
    sender.send(IpcQueue::<Number>::create(bound)?).unwrap();
    Ok(receiver.recv().unwrap())
}
