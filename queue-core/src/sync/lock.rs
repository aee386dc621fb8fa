//! [`SpinLock`]: the mutual exclusion under every in-process queue.
//!
//! Its critical sections are a few dozen instructions and never call foreign code. So it is one
//! byte, which one atomic operation takes and one plain store releases: half the price of a mutex
//! that must look for sleepers when it unlocks. A thread that finds the lock taken spins a little,
//! then yields, then sleeps for longer and longer. So a holder that was preempted gets the
//! processor, whatever its priority, and no thread burns a core.

use super::atomic::{AtomicBool, Ordering};
use super::{UnsafeCell, thread};
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};

/// A value that one thread at a time may touch. It is not poisoned by a panic.
#[derive(Debug)]
pub struct SpinLock<T> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands out the value to one thread at a time, so sharing the lock
// is no more than sending the value from thread to thread.
unsafe impl<T: Send> Sync for SpinLock<T> {}
// SAFETY: the lock owns its value; whoever owns the lock owns it.
unsafe impl<T: Send> Send for SpinLock<T> {}

/// A panic may be caught around it, as around a mutex: no section calls foreign code.
impl<T> UnwindSafe for SpinLock<T> {}
impl<T> RefUnwindSafe for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// An unlocked lock around `value`.
    pub fn new(value: T) -> Self {
        Self {
            held: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits until the lock is free, and takes it.
    #[inline]
    pub fn lock(&self) -> SpinGuard<'_, T> {
        if !self.acquire() {
            self.contended();
        }
        SpinGuard { lock: self }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<SpinGuard<'_, T>> {
        self.acquire().then(|| SpinGuard { lock: self })
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
        let mut backoff = super::spin::Backoff::new();
        loop {
            // Relaxed: only a hint when to try; `acquire` is what synchronizes.
            while self.held.load(Ordering::Relaxed) {
                backoff.pause();
            }
            if self.acquire() {
                return;
            }
            if cfg!(loom) {
                thread::yield_now();
            }
        }
    }

    /// The value inside.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

/// Holds a [`SpinLock`], and releases it when dropped.
#[derive(Debug)]
pub struct SpinGuard<'a, T> {
    lock: &'a SpinLock<T>,
}

// SAFETY: a shared guard gives out `&T` alone, which may be shared when `T: Sync`.
unsafe impl<T: Sync> Sync for SpinGuard<'_, T> {}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard exists, so this thread holds the lock and nobody else has
        // a reference; `&self` keeps the guard's own `&mut` away as long as this lives.
        self.lock.value.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard exists, so this thread holds the lock and nobody else has
        // a reference; `&mut self` makes this the only one from this guard.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for SpinGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `acquire`.
        self.lock.held.store(false, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::SpinLock;

    #[test]
    fn try_lock_takes_a_free_lock_and_no_other() {
        let lock = SpinLock::new(1);
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
