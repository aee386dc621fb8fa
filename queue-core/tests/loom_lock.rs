//! Models of the lock under every in-process queue.
#![cfg(loom)]

use queue_core::model::check;
use queue_core::sync::{Arc, ByteLock, thread};

/// Catches: either ordering of the lock weakened (loom then sees two threads touch the
/// value unordered), the compare-exchange replaced by a load and a store.
#[test]
fn lock_excludes() {
    check("lock_excludes", Some(2), || {
        let lock = Arc::new(ByteLock::new(0));
        let other = lock.clone();
        let thread = thread::spawn(move || (0..2).for_each(|_| *other.lock() += 1));
        *lock.lock() += 1;
        thread.join().unwrap();
        assert_eq!(*lock.lock(), 3);
    });
}
