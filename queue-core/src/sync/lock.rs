//! [`ByteLock`]: the mutual exclusion under every in-process queue.
//!
//! Its sections are a few dozen instructions and never call foreign code, so it is a
//! byte that one atomic operation takes and one plain store gives back: half the price
//! of a mutex whose unlocking must look for sleepers. Who finds it taken pauses a
//! little, then yields, then sleeps in slices of growing length: a holder that was
//! preempted gets the processor, whatever its priority, and nobody burns a core.

use super::atomic::{AtomicBool, Ordering};
use super::{UnsafeCell, thread};
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};

/// A value that one thread at a time may touch. It is not poisoned by a panic.
#[derive(Debug)]
pub struct ByteLock<T> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands out the value to one thread at a time, so sharing the lock
// is no more than sending the value to and fro.
unsafe impl<T: Send> Sync for ByteLock<T> {}
// SAFETY: the lock owns its value; whoever owns the lock owns it.
unsafe impl<T: Send> Send for ByteLock<T> {}

/// A panic may be caught around it, as around a mutex: no section calls foreign code.
impl<T> UnwindSafe for ByteLock<T> {}
impl<T> RefUnwindSafe for ByteLock<T> {}

impl<T> ByteLock<T> {
    /// A free lock around `value`.
    pub fn new(value: T) -> Self {
        Self {
            held: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits until nobody holds the lock, and holds it.
    #[inline]
    pub fn lock(&self) -> ByteGuard<'_, T> {
        if !self.acquire() {
            self.contended();
        }
        ByteGuard { lock: self }
    }

    /// Holds the lock if nobody else does.
    #[inline]
    pub fn try_lock(&self) -> Option<ByteGuard<'_, T>> {
        self.acquire().then(|| ByteGuard { lock: self })
    }

    #[inline]
    fn acquire(&self) -> bool {
        // Acquire: sees all that was done before the Release store in `drop`.
        self.held
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    #[cold]
    fn contended(&self) {
        let mut patience = super::spin::Patience::new();
        loop {
            // Relaxed: only a hint when to try; `acquire` is what synchronizes.
            while self.held.load(Ordering::Relaxed) {
                patience.pause();
            }
            if self.acquire() {
                return;
            }
            if cfg!(loom) {
                thread::yield_now();
            }
        }
    }

    /// The value of a lock that nobody shares any more.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

/// Holds a [`ByteLock`] and gives it back when dropped.
#[derive(Debug)]
pub struct ByteGuard<'a, T> {
    lock: &'a ByteLock<T>,
}

// SAFETY: a shared guard gives out `&T` alone, which may be shared when `T: Sync`.
unsafe impl<T: Sync> Sync for ByteGuard<'_, T> {}

impl<T> Deref for ByteGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard exists, so this thread holds the lock and nobody else has
        // a reference; `&self` keeps the guard's own `&mut` away as long as this lives.
        self.lock.value.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for ByteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard exists, so this thread holds the lock and nobody else has
        // a reference; `&mut self` makes this the only one from this guard.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for ByteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `acquire`.
        self.lock.held.store(false, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::ByteLock;

    #[test]
    fn who_tries_gets_a_free_lock_and_no_other() {
        let lock = ByteLock::new(1);
        let held = lock.try_lock().expect("it is free");
        for _ in 0..3 {
            assert!(lock.try_lock().is_none(), "a failed try frees nothing");
        }
        drop(held);
        *lock.try_lock().expect("it is free again") += 1;
        assert_eq!(*lock.lock(), 2);
        assert_eq!(lock.into_inner(), 2);
    }
}
