//! The contract over `AsyncQueue`.

#![cfg(not(loom))]

use queue_async::AsyncQueue;

queue_core::contract! {
    mod async_queue;
    kind: AsyncQueue;
}

queue_core::work_contract! {
    mod async_queue_works;
    kind: AsyncQueue;
}
