//! Memory that several processes share: the words in it, [`Word32`] and [`Word64`], and the
//! [`Mapping`] in which they lie.
//!
//! Other processes may write to it at any moment, hostile ones too. So nothing here
//! ever makes a reference to plain bytes in it: they are only copied in and out, between
//! checked bounds; and the references it does give out are to atomics, for which any
//! bits are a value ([`SharedSafe`]).
//!
//! Every access of shared words goes through [`Word32`] and [`Word64`]. In a program they are
//! atomics and nothing more; in a model they count the accesses of each modelled process, so
//! that it can be made to die before any of them.

#[cfg(loom)]
use super::steps::step;
use queue_core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

#[cfg(not(loom))]
pub(crate) use mapping::{Mapping, SharedSafe};

/// An access of shared memory. In a program no process dies by count.
#[cfg(not(loom))]
#[inline]
fn step() -> bool {
    true
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $atomic:ident, $value:ident) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        #[repr(transparent)]
        pub(crate) struct $name($atomic);

        impl $name {
            /// Reads it.
            #[inline]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                if step() { self.0.load(order) } else { 0 }
            }

            /// Writes it.
            #[inline]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                if step() {
                    self.0.store(value, order);
                }
            }
        }
    };
}

word! {
    /// A shared `u32`.
    Word32, AtomicU32, u32
}
word! {
    /// A shared `u64`.
    Word64, AtomicU64, u64
}

impl Word32 {
    /// Puts `new` in the place of `old`; whether `old` was there.
    #[inline]
    pub(crate) fn replace(&self, old: u32, new: u32, order: Ordering) -> bool {
        step()
            && self
                .0
                .compare_exchange(old, new, order, Ordering::Relaxed)
                .is_ok()
    }

    /// Adds `n`, and goes round at the end.
    pub(crate) fn add(&self, n: u32, order: Ordering) {
        if step() {
            self.0.fetch_add(n, order);
        }
    }

    /// The atomic itself, for the kernel to wait on.
    pub(crate) fn atomic(&self) -> &AtomicU32 {
        &self.0
    }
}

#[cfg(loom)]
impl Word64 {
    /// Writes it as part of a step that is already made.
    pub(super) fn put(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// Declares that a struct, all of whose fields are named, is [`SharedSafe`]. It does not compile
/// if a field is missing, or is not so itself; nor in a model, where it says nothing.
macro_rules! shared_safe {
    ($name:ident { $($field:ident),* $(,)? }) => {
        #[cfg(not(loom))]
        const _: () = {
            fn is_shared_safe<T: $crate::sys::SharedSafe>(_: &T) {}
            #[allow(dead_code)] // It is compiled, and that is all.
            fn all_fields_are(it: &$name) {
                let $name { $($field),* } = it;
                $(is_shared_safe($field);)*
            }
            // SAFETY: it consists of its fields and padding, and every field is, as the function
            // above shows.
            #[allow(unsafe_code)]
            unsafe impl $crate::sys::SharedSafe for $name {}
        };
    };
}
pub(crate) use shared_safe;

#[cfg(not(loom))]
pub(super) mod mapping {
    use super::{Word32, Word64};
    use crate::sys::{self, SEALS, corrupt, refused};
    use queue_core::Failure;
    use queue_core::sync::CachePadded;
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::{Errno, retry_on_intr};
    use rustix::mm::{MapFlags, ProtFlags};
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
    use std::ptr::NonNull;
    use std::sync::atomic::AtomicU64;

    /// A memory file, or its beginning, mapped for reading and writing.
    #[derive(Debug)]
    pub(crate) struct Mapping {
        base: NonNull<u8>,
        len: usize,
        file: OwnedFd,
    }

    /// No page is smaller than that.
    pub(in crate::sys) const PAGE: usize = 4096;

    // SAFETY: a mapping belongs to the process, not to a thread; what is reached through it
    // is atomics, or bytes by raw copies whose order is the business of the caller's lock.
    unsafe impl Send for Mapping {}
    // SAFETY: as above.
    unsafe impl Sync for Mapping {}

    impl Mapping {
        /// Zeroed memory of `len` bytes. The first `taken` of them can be touched; the others
        /// take no room, until [`take`](Self::take) makes it. Its file has `beyond` bytes more.
        pub(crate) fn create(
            name: &str,
            len: usize,
            taken: usize,
            beyond: u64,
        ) -> Result<Self, Failure> {
            let file = sys::file(name, (len as u64).saturating_add(beyond))?;
            Self::with_file(file, len, taken)
        }

        /// As `create`, in a new file of at least `len` bytes.
        pub(crate) fn with_file(file: OwnedFd, len: usize, taken: usize) -> Result<Self, Failure> {
            let mapping = Self::map(file, len)?;
            mapping
                .take(0, taken)
                .map_err(|e| refused("no memory for a queue", e))?;
            Ok(mapping)
        }

        /// Takes memory for the `len` bytes from `at` on: now, where a lack of it is an
        /// error, and not on touch, where it is `SIGBUS`.
        ///
        /// # Errors
        /// If there is none.
        pub(crate) fn take(&self, at: usize, len: usize) -> Result<(), Errno> {
            let flags = FallocateFlags::empty();
            retry_on_intr(|| fallocate(&self.file, flags, at as u64, len as u64))?;
            self.populate(at, len);
            Ok(())
        }

        /// Maps the pages of the `len` bytes from `at` on in one go, and not each when it is
        /// first touched. A hint: systems before Linux 5.14 do not do it.
        fn populate(&self, at: usize, len: usize) {
            let before = at % PAGE;
            let (at, len) = (at - before, before + len);
            self.check(at, len);
            // SAFETY: the range lies inside the mapping, as just checked, and begins at a page;
            // that its pages are mapped already changes nothing that a program could see.
            let _ = unsafe {
                let start = self.base.add(at).as_ptr().cast();
                rustix::mm::madvise(start, len, rustix::mm::Advice::LinuxPopulateWrite)
            };
        }

        /// Asks for the cache line at byte `at`, to write to it. It may lie past the end.
        #[inline]
        pub(crate) fn prefetch_for_writing(&self, at: usize) {
            queue_core::sync::prefetch_for_writing(self.base.as_ptr().wrapping_add(at));
        }

        /// Gives the memory for the `len` bytes from `at` on back. If that fails they keep it.
        pub(crate) fn punch_hole(&self, at: usize, len: usize) {
            sys::punch_hole(self.file(), at as u64, len as u64);
        }

        /// Memory that another process created, of a size that is sealed: up to `most` bytes of its file;
        /// and how many that has.
        pub(crate) fn open(file: OwnedFd, most: usize) -> Result<(Self, u64), Failure> {
            let seals = rustix::fs::fcntl_get_seals(&file)
                .map_err(|_| corrupt("this descriptor is no shared memory of a queue"))?;
            if !seals.contains(SEALS) {
                return Err(corrupt("the shared memory is not sealed"));
            }
            let size = rustix::fs::fstat(&file)
                .map_err(|e| refused("cannot look at shared memory", e))?
                .st_size;
            let size = u64::try_from(size).ok().filter(|&size| size != 0);
            let size = size.ok_or_else(|| corrupt("the shared memory is empty"))?;
            let len = usize::try_from(size).unwrap_or(usize::MAX).min(most);
            Ok((Self::map(file, len)?, size))
        }

        /// Maps `len` bytes of its file instead, which it has.
        ///
        /// # Errors
        /// What the system says.
        pub(crate) fn remap(&mut self, len: usize) -> Result<(), Failure> {
            let base = Self::map_file(&self.file, len)?;
            self.unmap();
            (self.base, self.len) = (base, len);
            Ok(())
        }

        fn map(file: OwnedFd, len: usize) -> Result<Self, Failure> {
            let base = Self::map_file(&file, len)?;
            Ok(Self { base, len, file })
        }

        fn map_file(file: &OwnedFd, len: usize) -> Result<NonNull<u8>, Failure> {
            let (access, flags) = (ProtFlags::READ.union(ProtFlags::WRITE), MapFlags::SHARED);
            // SAFETY: a new mapping at a place of the kernel's choice; nothing else knows of
            // it. Its file is at least `len` long and sealed, so every page of it stays
            // accessible until it is unmapped.
            let base =
                unsafe { rustix::mm::mmap(std::ptr::null_mut(), len, access, flags, file, 0) }
                    .map_err(|e| refused("cannot map shared memory", e))?;
            Ok(NonNull::new(base.cast()).expect("a mapping is not at zero"))
        }

        fn unmap(&mut self) {
            // SAFETY: exactly the mapping that `map_file` made; every reference into it borrows
            // `self`, so none is left.
            let unmapped = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.len) };
            debug_assert!(unmapped.is_ok());
        }

        /// How many bytes it has.
        pub(crate) fn len(&self) -> usize {
            self.len
        }

        /// The file itself.
        pub(crate) fn file(&self) -> BorrowedFd<'_> {
            self.file.as_fd()
        }

        /// Panics unless the `len` bytes from `at` on are all inside.
        #[inline]
        fn check(&self, at: usize, len: usize) {
            let fits = at.checked_add(len).is_some_and(|end| end <= self.len);
            assert!(fits, "outside the mapping");
        }

        /// The `T` that lies `at` bytes from the beginning.
        ///
        /// # Panics
        /// If it does not lie wholly inside, or not aligned.
        #[inline]
        pub(crate) fn at<T: SharedSafe>(&self, at: usize) -> &T {
            self.check(at, size_of::<T>());
            assert!(at % align_of::<T>() == 0, "misaligned");
            // SAFETY: inside the mapping and aligned, as just checked (a mapping begins at a
            // page, and no `T` asks for more); valid and shareable whatever its bits, for it
            // is `SharedSafe`; mapped as long as `self`.
            unsafe { self.base.add(at).cast::<T>().as_ref() }
        }

        /// Copies `bytes` to the place `at` bytes from the beginning.
        ///
        /// Who else may read or write there meanwhile is for the caller's lock to say; if
        /// somebody does all the same, what is read later is garbage, and no more.
        ///
        /// # Panics
        /// If they do not fit.
        #[inline]
        pub(crate) fn write(&self, at: usize, bytes: &[u8]) {
            self.check(at, bytes.len());
            // SAFETY: the target is inside the mapping, as just checked, and is no Rust
            // object: nothing ever refers to these bytes. The source is a slice of this
            // process, which the mapping cannot overlap.
            unsafe {
                self.base
                    .add(at)
                    .as_ptr()
                    .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
            }
        }

        /// Appends to `into` the `len` bytes that lie `at` bytes from the beginning.
        ///
        /// # Panics
        /// If they are not all inside.
        #[inline]
        pub(crate) fn read(&self, at: usize, len: usize, into: &mut Vec<u8>) {
            self.check(at, len);
            into.reserve(len);
            let end = into.len();
            // SAFETY: the source is inside the mapping, as just checked, and is no Rust
            // object; the target is the spare room of a vector, just reserved. Bytes need
            // no initialisation beyond the copy.
            unsafe {
                let target = into.as_mut_ptr().add(end);
                target.copy_from_nonoverlapping(self.base.add(at).as_ptr(), len);
                into.set_len(end + len);
            }
        }
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            self.unmap();
        }
    }

    /// A type that may be referred to inside a [`Mapping`](Mapping).
    ///
    /// # Safety
    /// It consists of atomic integers alone (structs and arrays of them, and padding): valid
    /// whatever the bits, with zero too, and free to change under a reference. It needs no drop.
    pub(crate) unsafe trait SharedSafe {}

    // SAFETY: an atomic integer.
    unsafe impl SharedSafe for AtomicU64 {}
    // SAFETY: transparent around an atomic integer.
    unsafe impl SharedSafe for Word32 {}
    // SAFETY: transparent around an atomic integer.
    unsafe impl SharedSafe for Word64 {}
    // SAFETY: nothing but what it is an array of.
    unsafe impl<T: SharedSafe, const N: usize> SharedSafe for [T; N] {}
    // SAFETY: what it pads, and padding.
    unsafe impl<T: SharedSafe> SharedSafe for CachePadded<T> {}
}
