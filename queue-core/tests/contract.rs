//! The contract over the smallest possible kind, alone and behind [`DynQueue`].

#![cfg(not(loom))]

mod common;

use common::Simple;
use queue_core::Create;
use queue_core::dynamic::DynQueue;

queue_core::contract! {
    mod simple;
    kind: Simple;
}

queue_core::contract! {
    /// Every verb through a trait object.
    mod dynamic;
    kind: DynQueue;
    create: |bound| Ok(DynQueue::new(Simple::create(bound)?));
}

queue_core::contract! {
    /// Items as a process kind has them.
    mod bytes;
    kind: Simple;
    items: Vec<u8>;
}
