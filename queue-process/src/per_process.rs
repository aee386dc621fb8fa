//! [`PerProcess`] and [`generation`], on every system.
//!
//! On Linux a forked child is told from its parent by a word that is zero in it, whatever made the
//! child, and has nothing in a [`PerProcess`]. Elsewhere a child is told by its process id, which is
//! another than that of its parent as long as that lives; a [`PerProcess`] is one
//! value there, for the queues that run there are of no use to a child.

#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) use crate::sys::{PerProcess, generation};

#[cfg(not(all(target_os = "linux", not(loom))))]
pub(crate) use std::sync::OnceLock as PerProcess;

/// The number of this process.
#[cfg(all(not(loom), not(target_os = "linux")))]
pub(crate) fn generation() -> u32 {
    std::process::id()
}
