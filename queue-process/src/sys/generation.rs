//! Telling a forked process from the one that it is a copy of, and values that each of
//! the two has for itself.
//!
//! A word lies in a page that the kernel gives to a child full of zeros, whatever call made
//! that child. Where it does not (before Linux 4.14), a child of `fork` sets it to zero
//! itself, before `fork` returns there: see [`close_on_fork`](super::close_on_fork).

use rustix::mm::{Advice, MapFlags, ProtFlags};
use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// The word, once there is one.
static WORD: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());

/// The last number that this process, or one that it is a copy of, took.
static LAST: AtomicU32 = AtomicU32::new(0);

/// The number of this process once [`generation`] was asked for here; zero before. Every
/// process that reads zero there, or another number than it remembers, was forked meanwhile.
pub(crate) fn generation_word() -> &'static AtomicU32 {
    // Acquire: pairs with the Release in `make_word`.
    let word = WORD.load(Ordering::Acquire);
    if word.is_null() {
        return make_word();
    }
    // SAFETY: it was leaked, or lies in a page that stays mapped.
    unsafe { &*word }
}

/// The number of this process among all that it is a copy of: another one in each of them,
/// and never zero.
#[inline]
pub(crate) fn generation() -> u32 {
    let word = generation_word();
    // Relaxed, all: numbers of this very process.
    match word.load(Ordering::Relaxed) {
        0 => take_number(word),
        number => number,
    }
}

#[cold]
fn take_number(word: &AtomicU32) -> u32 {
    let number = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1);
    match word.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => number,
        Err(another) => another,
    }
}

#[cold]
fn make_word() -> &'static AtomicU32 {
    /// As large as any page need be.
    const LEN: usize = 4096;
    let access = ProtFlags::READ.union(ProtFlags::WRITE);
    // SAFETY: a new mapping at a place of the kernel's choice, which stays.
    let page =
        unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), LEN, access, MapFlags::PRIVATE) };
    let word = match page {
        Ok(page) => {
            // SAFETY: exactly that mapping, of which nobody knows yet. It cannot be refused
            // but for being unknown.
            let _ = unsafe { rustix::mm::madvise(page, LEN, Advice::LinuxWipeOnFork) };
            page.cast()
        }
        Err(_) => ptr::from_mut(Box::leak(Box::new(AtomicU32::new(0)))),
    };
    let null = ptr::null_mut();
    // Release: pairs with the Acquire in `generation_word`. If another thread was first, its
    // word does, and a page is wasted, once.
    let word = match WORD.compare_exchange(null, word, Ordering::Release, Ordering::Acquire) {
        Ok(_) => word,
        Err(theirs) => theirs,
    };
    // SAFETY: as in `generation_word`; zero bytes are an atomic integer.
    unsafe { &*word }
}

/// What this process has for itself: a forked child sees nothing here until it puts its own.
///
/// Nobody ever waits: whatever another thread was doing here when this process forked, the
/// child goes on.
pub(crate) struct PerProcess<T> {
    newest: AtomicPtr<Node<T>>,
    owned: PhantomData<T>,
}

struct Node<T> {
    generation: u32,
    value: T,
    /// Of the processes that this one is a copy of.
    older: *mut Node<T>,
}

impl<T> PerProcess<T> {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self {
            newest: AtomicPtr::new(ptr::null_mut()),
            owned: PhantomData,
        }
    }

    fn newest(&self) -> Option<&Node<T>> {
        // Acquire: pairs with the Release in `put`.
        let node = self.newest.load(Ordering::Acquire);
        // SAFETY: null, or from a `Box` that `drop` alone takes back.
        unsafe { node.as_ref() }
    }
}

impl<T: Send + Sync> PerProcess<T> {
    /// What this process put here.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        let node = self.newest()?;
        (node.generation == generation()).then_some(&node.value)
    }

    /// Puts `value` here, or hands it back if this process has put one.
    pub(crate) fn put(&self, value: T) -> Result<&T, T> {
        let generation = generation();
        let mut older = self.newest.load(Ordering::Acquire);
        let node = Box::into_raw(Box::new(Node {
            generation,
            value,
            older,
        }));
        loop {
            // SAFETY: null, or from a `Box` that `drop` alone takes back.
            let theirs = unsafe { older.as_ref() };
            if theirs.is_some_and(|theirs| theirs.generation == generation) {
                // SAFETY: made above, and shown to nobody.
                return Err(unsafe { Box::from_raw(node) }.value);
            }
            // SAFETY: made above, and nobody else's until the exchange succeeds.
            unsafe { (*node).older = older };
            // Release: pairs with the Acquire in `newest`.
            match (self.newest).compare_exchange(older, node, Ordering::Release, Ordering::Acquire)
            {
                // SAFETY: it stays until `drop`.
                Ok(_) => return Ok(unsafe { &(*node).value }),
                Err(now) => older = now,
            }
        }
    }

    /// What this process put here; if nothing, what `make` makes.
    #[inline]
    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        match self.get() {
            Some(value) => value,
            None => self.put_or_get(make()),
        }
    }

    #[cold]
    fn put_or_get(&self, value: T) -> &T {
        match self.put(value) {
            Ok(value) => value,
            // Another thread of this process was first.
            Err(_) => self.get().expect("it was there"),
        }
    }

    /// What those had here that this process is a copy of, the latest first.
    pub(crate) fn inherited(&self) -> impl Iterator<Item = &T> {
        let generation = generation();
        // SAFETY: null, or from a `Box` that `drop` alone takes back.
        let older = |node: &&Node<T>| unsafe { node.older.as_ref() };
        std::iter::successors(self.newest(), older)
            .filter(move |node| node.generation != generation)
            .map(|node| &node.value)
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let mut node = *self.newest.get_mut();
        while !node.is_null() {
            // SAFETY: every node came from a `Box`, and is in one list, once.
            let taken = unsafe { Box::from_raw(node) };
            node = taken.older;
        }
    }
}

impl<T> fmt::Debug for PerProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerProcess").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_process_keeps_its_number() {
        let first = generation();
        assert_ne!(first, 0);
        let others = [(); 4].map(|()| std::thread::spawn(generation));
        assert!(others.into_iter().all(|it| it.join().unwrap() == first));
    }

    #[test]
    fn the_first_value_stays() {
        let value = Arc::new(7);
        let here = PerProcess::new();
        assert!(here.get().is_none());
        assert_eq!(here.get_or_init(|| value.clone()).as_ref(), &7);
        assert_eq!(here.put(Arc::new(8)), Err(Arc::new(8)));
        assert_eq!(
            here.get_or_init(|| unreachable!("there is one")).as_ref(),
            &7
        );
        assert_eq!(here.inherited().count(), 0);
        drop(here);
        assert_eq!(Arc::strong_count(&value), 1, "dropped with its owner");
    }

    #[test]
    fn what_a_former_process_had_is_seen_as_inherited() {
        let (value, mut here) = (Arc::new(7), PerProcess::new());
        here.put(value.clone()).unwrap();
        // As in a copy of this process, which takes another number.
        // SAFETY: just put there, and nobody else looks.
        unsafe { (**here.newest.get_mut()).generation += 1 };
        assert!(here.get().is_none());
        assert!(here.inherited().eq([&value]));
        assert_eq!(*here.get_or_init(|| Arc::new(8)), Arc::new(8));
        assert!(here.inherited().eq([&value]));
        drop(here);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
