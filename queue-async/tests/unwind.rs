//! A panic may be caught around whatever a user holds: checked by the compiler.

#![cfg(not(loom))]

use queue_async::{
    AsyncQueue, Consumer, IntoItemSink, IntoItemStream, IntoResultStream, ItemSink, ItemStream,
    Permit, Producer, Queue, ResultStream, Turn,
};
use queue_core::Kind;
use std::panic::{RefUnwindSafe, UnwindSafe};

const fn kept<T: UnwindSafe + RefUnwindSafe>() {}

const _: () = {
    type Numbers = AsyncQueue<u64>;
    kept::<(Numbers, Producer<Numbers>, Consumer<Numbers>)>();
    kept::<(ItemStream<'_, Numbers>, ResultStream<'_, Numbers>)>();
    kept::<<Numbers as Kind>::Listener<'_>>();
    kept::<(Permit<'_, u64>, Turn<'_, u64>)>();
    kept::<(ItemSink<'_, Numbers>, IntoItemSink<Numbers>)>();
    kept::<(IntoItemStream<Numbers>, IntoResultStream<Numbers>)>();
};

#[test]
fn a_permit_outlives_a_caught_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let queue = AsyncQueue::<u64>::bounded(1);
    let permit = runtime.block_on(queue.reserve_async()).unwrap();
    let permit = &permit;
    // Without `AssertUnwindSafe`.
    let caught = std::panic::catch_unwind(|| {
        let _ = permit;
        std::panic::resume_unwind(Box::new("a panic of the user's own"))
    });
    assert!(caught.is_err_and(|panic| panic.is::<&str>()));
    assert_eq!(queue.try_push(1).unwrap_err().into_item(), 1);
}
