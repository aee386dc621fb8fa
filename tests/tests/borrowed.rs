//! A queue may hold references to what is declared after it, whatever its kind.
#![cfg(not(loom))]

use queue_async::AsyncQueue;
use queue_core::Queue;
use queue_thread::{LockFreeQueue, ThreadQueue};

/// The queue is dropped last, with items inside whose strings are gone. (That it compiles is
/// most of the test.)
macro_rules! outlives_what_its_items_borrow {
    ($($kind:ident $test:ident;)*) => {$(
        #[test]
        fn $test() {
            let bounded = $kind::bounded(3);
            let unbounded = $kind::unbounded();
            let pairs = $kind::bounded(3);
            let clone;
            let strings: Vec<String> = (0..3).map(|n| n.to_string()).collect();
            for string in &strings {
                bounded.push(string).unwrap();
                unbounded.push(string.as_str()).unwrap();
                // These are dropped, but do not look at what they borrow then.
                pairs.push((string, Box::new(1))).unwrap();
            }
            clone = bounded.clone();
            assert_eq!(bounded.try_pop().unwrap(), "0");
            assert_eq!(clone.try_pop().unwrap(), "1");
            assert_eq!(unbounded.try_pop().unwrap(), "0");
            assert_eq!(pairs.try_pop().unwrap().0, "0");
        }
    )*};
}

outlives_what_its_items_borrow! {
    ThreadQueue thread_queue;
    LockFreeQueue lock_free_queue;
    AsyncQueue async_queue;
}

/// Between processes an item is deserialized, so it owns what it is; its type may borrow still.
#[cfg(target_os = "linux")]
#[test]
fn process_kinds() {
    use queue_process::{IpcQueue, PipeQueue, ShmQueue};
    use std::borrow::Cow;
    let (pipe, shm, ipc);
    let string = String::from("a");
    pipe = PipeQueue::<Cow<'_, str>>::bounded(1);
    shm = ShmQueue::<Cow<'_, str>>::bounded(1);
    ipc = IpcQueue::<Cow<'_, str>>::bounded(1);
    for pushed in [
        pipe.try_push(string.as_str().into()),
        shm.try_push(string.as_str().into()),
        ipc.try_push(string.as_str().into()),
    ] {
        pushed.unwrap();
    }
    assert_eq!(pipe.try_pop().unwrap(), "a");
    assert_eq!(shm.try_pop().unwrap(), "a");
    assert_eq!(ipc.try_pop().unwrap(), "a");
}
