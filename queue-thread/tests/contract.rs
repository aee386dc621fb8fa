//! The contract over both kinds.

#![cfg(not(loom))]

use queue_thread::{LockFreeQueue, ThreadQueue};

queue_core::contract! {
    mod thread_queue;
    kind: ThreadQueue;
}

queue_core::contract! {
    mod lock_free_queue;
    kind: LockFreeQueue;
}

queue_core::work_contract! {
    mod thread_queue_works;
    kind: ThreadQueue;
}

queue_core::work_contract! {
    mod lock_free_queue_works;
    kind: LockFreeQueue;
}
