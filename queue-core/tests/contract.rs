//! The contract over the smallest possible kind: alone, behind [`DynQueue`], and with
//! items as a process kind has them.

#![cfg(not(loom))]

mod common;

use common::{Job, Simple};
use queue_core::WithCapacity;
use queue_core::dynamic::DynQueue;

queue_core::contract! {
    mod simple;
    kind: Simple;
}

queue_core::contract! {
    /// Every verb through a trait object.
    mod dynamic;
    kind: DynQueue;
    create: |bound| Ok(DynQueue::new(Simple::<_>::try_with_capacity(bound)?));
}

queue_core::contract! {
    /// Items that can fail to be serialized.
    mod jobs;
    kind: Simple;
    items: Job;
    refused: Job::bad();
    panicking: Job::panicking();
}

queue_core::contract! {
    mod bytes;
    kind: Simple;
    items: Vec<u8>;
    except C14: "shown to be listed as ignored: the other three modules run it";
}

queue_core::work_contract! {
    mod simple_works;
    kind: Simple;
}

queue_core::work_contract! {
    mod dynamic_works;
    kind: DynQueue;
    create: |bound| Ok(DynQueue::new(Simple::<_>::try_with_capacity(bound)?));
}
