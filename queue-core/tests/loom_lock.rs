//! Models of the lock under every in-process queue.
#![cfg(loom)]

use queue_core::model::check;
use queue_core::sync::{Arc, SpinLock, thread};

/// Catches: either ordering of the lock weakened (loom then sees two threads touch the
/// value unordered), the compare-exchange replaced by a load and a store.
#[test]
fn lock_excludes() {
    check("lock_excludes", Some(2), || {
        let lock = Arc::new(SpinLock::new(0));
        let other = lock.clone();
        let thread = thread::spawn(move || (0..2).for_each(|_| *other.lock() += 1));
        *lock.lock() += 1;
        thread.join().unwrap();
        assert_eq!(*lock.lock(), 3);
    });
}

/// Two try what a third waits for. Catches: a failed try that frees another's lock, or that
/// gets in.
#[test]
fn try_lock_excludes() {
    check("try_lock_excludes", Some(3), || {
        let lock = Arc::new(SpinLock::new(0));
        let tries = [(); 2].map(|()| {
            let lock = lock.clone();
            thread::spawn(move || {
                let held = lock.try_lock();
                held.map_or(0, |mut value| {
                    *value += 1;
                    1
                })
            })
        });
        *lock.lock() += 1;
        let got = tries.map(|tried| tried.join().unwrap());
        assert_eq!(*lock.lock(), 1 + got[0] + got[1]);
    });
}
