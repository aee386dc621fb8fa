//! [`Owner`]: what each handle holds of the queue: an `Arc`, but for the drop check.
//!
//! A queue may hold references to what is declared after it, as any collection may: its
//! dropping drops the items, and a reference's does nothing. The compiler believes that of
//! `Vec`, and so of a queue made of it; but where a type with a `Drop` of its own holds the
//! items (the ring, and `crossbeam-queue`'s list) it has to assume that this looks at what they
//! borrow, and wants that to live longer than the queue. It cannot be told otherwise in stable
//! Rust. So here the last step of dropping is a function behind a pointer, which says nothing of
//! the items' type, and beside it stands what is true: that items are dropped.

use super::Shared;
use queue_core::sync::Arc;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// See the module's page.
pub(super) struct Owner<T> {
    share: Share,
    /// Items are dropped: where that looks at what they borrow, the drop check is to say so.
    drops: PhantomData<T>,
    /// What one handle puts in another takes out: no other lifetime will do for the items.
    holds: PhantomData<fn(T) -> T>,
}

/// One strong count of an `Arc<Shared<T>>`, that does not say what `T` is.
struct Share {
    /// From `Arc::into_raw`.
    raw: *const (),
    /// Gives the count back.
    release: unsafe fn(*const ()),
}

impl Drop for Share {
    fn drop(&mut self) {
        // SAFETY: `raw` is of the type that `release` is for (both are set in `Owner::of`), and
        // this count of it is given back once, here.
        unsafe { (self.release)(self.raw) }
    }
}

// SAFETY: an owner is an `Arc<Shared<T>>`, which may be sent and shared if `Shared<T>` may be
// both: see `is_send_and_sync`.
unsafe impl<T: Send> Send for Owner<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Owner<T> {}

/// As the storages say of themselves: nothing there calls foreign code.
impl<T> UnwindSafe for Owner<T> {}
impl<T> RefUnwindSafe for Owner<T> {}

/// The items are behind a pointer.
impl<T> Unpin for Owner<T> {}

/// That this compiles is the argument for `Send` and `Sync` above.
const _: () = {
    const fn both<S: Send + Sync>() {}
    #[allow(dead_code)]
    const fn is_send_and_sync<T: Send>() {
        both::<Shared<T>>();
    }
};

impl<T> Owner<T> {
    pub(super) fn new(shared: Shared<T>) -> Self {
        Self::of(Arc::new(shared))
    }

    fn of(shared: Arc<Shared<T>>) -> Self {
        Self {
            share: Share {
                raw: Arc::into_raw(shared).cast(),
                // SAFETY: called with `raw` alone, which is such an `Arc`.
                release: |raw| drop(unsafe { Arc::from_raw(raw.cast::<Shared<T>>()) }),
            },
            drops: PhantomData,
            holds: PhantomData,
        }
    }
}

impl<T> Clone for Owner<T> {
    fn clone(&self) -> Self {
        // SAFETY: from `Arc::into_raw`, and not dropped: this handle keeps its own count.
        let mine = ManuallyDrop::new(unsafe { Arc::from_raw(self.share.raw.cast::<Shared<T>>()) });
        Self::of(Arc::clone(&mine))
    }
}

impl<T> Deref for Owner<T> {
    type Target = Shared<T>;

    #[inline(always)]
    fn deref(&self) -> &Shared<T> {
        // SAFETY: the count that this handle keeps keeps it alive; nobody has it mutably.
        unsafe { &*self.share.raw.cast::<Shared<T>>() }
    }
}
