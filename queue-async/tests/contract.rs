//! The contract over `AsyncQueue`.

#![cfg(not(loom))]

use queue_async::AsyncQueue;

queue_core::contract! {
    mod async_queue;
    kind: AsyncQueue;
}
