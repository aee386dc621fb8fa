//! What stands in a log.
#![cfg(not(loom))]

use queue_async::{AsyncQueue, Queue};
use queue_core::{Kind, Side};

#[test]
fn a_queue_says_how_full_it_is_and_a_waiter_for_what() {
    let queue = AsyncQueue::bounded(2);
    queue.try_push("an item is not shown").unwrap();
    assert_eq!(
        format!("{queue:?}"),
        "AsyncQueue { len: 1, capacity: Some(2), closed: false }"
    );
    let permit = queue.try_reserve().unwrap();
    assert_eq!(format!("{permit:?}"), "Permit(..)");
    let waiter = queue.listen(Side::Producers);
    assert_eq!(format!("{waiter:?}"), "Turn { wait_for: Notice, .. }");
}

#[test]
fn a_sink_says_whether_it_is_ready() {
    use futures::Sink as _;
    use std::pin::Pin;
    use std::task::{Context, Waker};
    let queue = AsyncQueue::<u8>::bounded(1);
    let mut sink = queue.sink();
    assert_eq!(format!("{sink:?}"), "ItemSink { ready: true, .. }");
    let mut cx = Context::from_waker(Waker::noop());
    for n in [1, 2] {
        assert!(Pin::new(&mut sink).poll_ready(&mut cx).is_ready());
        Pin::new(&mut sink).start_send(n).unwrap();
    }
    assert_eq!(format!("{sink:?}"), "ItemSink { ready: false, .. }");
}
