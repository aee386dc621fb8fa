//! Stand-ins that models use in place of the real types.

use loom::sync::atomic::{AtomicUsize, Ordering};
use std::ops::{Deref, DerefMut};

/// An atomic whose first value counts as stored by a `SeqCst` store. In loom a `SeqCst` load gets
/// the latest value only if all values were stored so.
pub fn seq_cst(value: usize) -> AtomicUsize {
    let atomic = AtomicUsize::new(value);
    atomic.store(value, Ordering::SeqCst);
    atomic
}

/// Stands for `SpinLock`, with the same interface, in models of everything else. loom blocks on
/// it; with the real lock it would have to explore every turn of its spinning. The real lock has
/// models of its own.
#[derive(Debug)]
pub struct Lock<T>(loom::sync::Mutex<T>);

impl<T> Lock<T> {
    /// An unlocked lock around `value`.
    pub fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    /// Waits until the lock is free, and takes it.
    ///
    /// # Panics
    /// If the model panicked while it was held.
    pub fn lock(&self) -> LockGuard<'_, T> {
        LockGuard(self.0.lock().expect("no section panics"))
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> Option<LockGuard<'_, T>> {
        self.0.try_lock().ok().map(LockGuard)
    }

    /// The value inside.
    ///
    /// # Panics
    /// If the model panicked while it was held.
    pub fn into_inner(self) -> T {
        self.0.into_inner().expect("no section panics")
    }
}

/// Holds a [`Lock`], and releases it when dropped.
#[derive(Debug)]
pub struct LockGuard<'a, T>(loom::sync::MutexGuard<'a, T>);

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
