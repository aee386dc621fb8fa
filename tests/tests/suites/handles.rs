//! What no suite checks: what handles, halves and futures say of themselves, and where they
//! may go.

use super::kinds::{Kind, Local, over};
use super::polled::Polled;
use queue_core::Queue;
use queue_core::dynamic::DynQueue;
use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};

over! {
    every:
    all_of_it, no_places, capacity_is_reported, shows_its_state, goes_anywhere,
}
over! {
    local:
    places_without_end,
}

/// `usize::MAX` means "all there is".
fn all_of_it<K: Kind>() {
    let queue = K::unbounded::<u32>();
    queue.push_many(&mut (0..100).collect()).unwrap();
    let mut got = vec![7];
    assert_eq!(queue.try_pop_many(&mut got, usize::MAX), Ok(100));
    queue.push_many(&mut (0..100).collect()).unwrap();
    assert_eq!(queue.pop_many(&mut got, usize::MAX), Ok(100));
    queue.push_many(&mut (0..100).collect()).unwrap();
    let all = Polled::new(queue.pop_many_async(&mut got, usize::MAX)).poll();
    assert_eq!(all, Some(Ok(100)));
    assert_eq!(got.len(), 301);
    assert!(queue.is_empty());
}

fn no_places<K: Kind>() {
    let panic = catch_unwind(|| K::bounded::<u32>(0)).unwrap_err();
    let said = panic.downcast_ref::<String>().expect("a text");
    assert!(said.contains("at least 1"), "{said}");
}

fn capacity_is_reported<K: Kind>() {
    for n in [1, 2, 3, 100, 1000] {
        let queue = K::bounded::<u32>(n);
        assert_eq!(queue.clone().capacity(), Some(n));
        queue.close();
        assert_eq!(queue.capacity(), Some(n));
        assert!(!queue.is_full());
    }
    assert_eq!(K::unbounded::<u32>().capacity(), None);
}

/// A bound that is never met is a bound all the same.
fn places_without_end<K: Local>() {
    for capacity in [usize::MAX, usize::MAX - 1, isize::MAX as usize] {
        let made = catch_unwind(|| K::any::<u32>(Some(capacity)));
        let Ok(queue) = made else { continue };
        assert_eq!(queue.capacity(), Some(capacity));
        assert_eq!(queue.try_push_many(&mut [1, 2, 3].into()), Ok(3));
        assert!(!queue.is_full());
        assert_eq!(queue.pop(), Ok(1));
        assert_eq!(queue.close_now(), [2, 3]);
    }
}

/// `Debug` says what anybody may ask, in the same words for every kind and half. (A guest of
/// an `IpcQueue` does not ask its host, and shows what it knows.)
fn shows_its_state<K: Kind>() {
    let queue = K::bounded::<String>(2);
    queue.push("a secret".into()).unwrap();
    let (producer, consumer) = queue.clone().into_ends();
    let boxed = DynQueue::without_deliveries(queue.clone());
    let all = [
        format!("{queue:?}"),
        format!("{producer:?}"),
        format!("{consumer:?}"),
        format!("{boxed:?}"),
    ];
    for shown in all {
        assert!(shown.contains("capacity: Some(2)"), "{shown}");
        if !shown.contains("gone: false") {
            assert!(shown.contains("len: 1"), "{shown}");
            assert!(shown.contains("closed: false"), "{shown}");
        }
        assert!(!shown.contains("secret"), "{shown}");
    }
    assert!(format!("{queue:#?}").lines().count() >= 5);
}

fn sent<T: Send>(_: &T) {}
fn shared<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>(_: &T) {}

/// Handles and halves go to any thread, and a panic may be caught around them; futures,
/// iterators and streams go to any thread.
fn goes_anywhere<K: Kind>()
where
    K::Of<u32>: UnwindSafe + RefUnwindSafe,
{
    let queue = K::bounded::<u32>(1);
    shared(&queue);
    sent(&queue.push_async(1));
    sent(&queue.pop_async());
    sent(&queue.push_many_async(&mut VecDeque::new()));
    sent(&queue.pop_many_async(&mut Vec::new(), 1));
    sent(&queue.iter());
    sent(&queue.try_iter());
    sent(&queue.stream());
    let (producer, consumer) = queue.into_ends();
    shared(&producer);
    shared(&consumer);
    sent(&producer.push_async(1));
    sent(&consumer.pop_async());
    let future = size_of_val(&consumer.pop_async());
    assert!(future <= 256, "a waiting pop takes {future} bytes");
    sent(&consumer.into_iter());
}
