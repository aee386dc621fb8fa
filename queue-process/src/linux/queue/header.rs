//! [`Page`]: how the shared memory of a queue begins.

use super::format::Identity;
use crate::linux::engine::layout::Control;
use crate::linux::membership::registry::Registry;
use crate::sys::{Mapping, shared_safe};

/// How the shared memory of a queue begins. The storage may use what comes behind.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Page {
    pub(crate) identity: Identity,
    pub(crate) control: Control,
    pub(crate) registry: Registry,
}

shared_safe!(Page {
    identity,
    control,
    registry
});

impl Page {
    /// Where the storage's memory begins: at a page of its own.
    pub(crate) const END: usize = size_of::<Self>().next_multiple_of(4096);

    /// The page at the beginning of `mapping`, which has [`Page::END`] bytes at least.
    #[inline(always)]
    pub(crate) fn of(mapping: &Mapping) -> &Self {
        mapping.at(0)
    }
}
