//! [`Header`]: what stands at the beginning of the shared memory.

use super::format::Format;
use crate::linux::engine::control::Control;
use crate::linux::membership::registry::Registry;
use crate::sys::{Mapping, shared_safe};

/// How the shared memory of a queue begins. The storage may use what comes behind.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) format: Format,
    pub(crate) control: Control,
    pub(crate) registry: Registry,
}

shared_safe! { Header { format, control, registry } }

impl Header {
    /// Where the storage's memory begins: at a page of its own.
    pub(crate) const END: usize = size_of::<Self>().next_multiple_of(4096);

    /// The header at the beginning of `mapping`, which has [`Header::END`] bytes at least.
    #[inline]
    pub(crate) fn of(mapping: &Mapping) -> &Self {
        mapping.at(0)
    }
}
