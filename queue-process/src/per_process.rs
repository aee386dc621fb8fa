//! [`PerProcess`] and [`generation`], on every system.
//!
//! On Linux a forked child is told from its parent by a word that is zero in it, whatever made the
//! child, and has nothing in a [`PerProcess`]. Elsewhere a child is told by its process id, which is
//! another than that of its parent as long as that lives; a [`PerProcess`] is one
//! value there, for the queues that run there are of no use to a child.

#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) use crate::sys::{PerProcess, generation};

#[cfg(not(all(target_os = "linux", not(loom))))]
mod elsewhere {
    use std::sync::OnceLock;

    /// The number of this process.
    #[cfg(not(loom))]
    pub(crate) fn generation() -> u32 {
        std::process::id()
    }

    /// One value.
    #[derive(Debug)]
    pub(crate) struct PerProcess<T>(OnceLock<T>);

    impl<T> PerProcess<T> {
        /// Nothing yet.
        pub(crate) const fn new() -> Self {
            Self(OnceLock::new())
        }

        /// What is here.
        pub(crate) fn get(&self) -> Option<&T> {
            self.0.get()
        }

        /// What is here; if nothing, what `make` makes.
        pub(crate) fn get_or(&self, make: impl FnOnce() -> T) -> &T {
            self.0.get_or_init(make)
        }
    }
}
#[cfg(not(all(target_os = "linux", not(loom))))]
pub(crate) use elsewhere::PerProcess;
#[cfg(all(not(loom), not(target_os = "linux")))]
pub(crate) use elsewhere::generation;
