//! [`MappedLeases`]: the leases in a queue's memory: the slots behind its storage, mapped; and
//! behind them the bytes of large items, which are read and written by system calls.

use super::bytes::LeaseMemory;
use super::slot::Slot;
use crate::sys::{FileRange, Mapping, check_file_size_limit, refused};
use queue_core::Failure;
use std::sync::Arc;

/// The most items of a queue that can be lent at a time.
pub(crate) const MAX_LEASES: u32 = 1 << 16;

/// No page is smaller than that.
const PAGE: u64 = 4096;

/// Where the leases lie in the file of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseLayout {
    /// Where the slots begin.
    start: usize,
    slots: u32,
    /// How many bytes belong to each slot outside.
    stride: u64,
}

impl LeaseLayout {
    /// Those of a queue of `capacity` items up to `item` bytes, behind its first `start` bytes.
    pub(crate) fn new(start: usize, capacity: u32, item: u32) -> Self {
        Self {
            start: start.next_multiple_of(PAGE as usize),
            slots: capacity.min(MAX_LEASES),
            stride: u64::from(item).next_multiple_of(PAGE),
        }
    }

    /// How much of the file is mapped.
    pub(crate) fn mapped(&self) -> usize {
        let end = self.start + self.slots as usize * size_of::<Slot>();
        end.next_multiple_of(PAGE as usize)
    }

    /// How many bytes the file has beyond that.
    pub(crate) fn beyond(&self) -> u64 {
        u64::from(self.slots) * self.stride
    }
}

/// The leases of a queue.
#[derive(Debug)]
pub(crate) struct MappedLeases {
    mapping: Arc<Mapping>,
    layout: LeaseLayout,
}

impl MappedLeases {
    /// Those that lie like this in the file of `mapping`, which has them.
    pub(crate) fn new(mapping: Arc<Mapping>, layout: LeaseLayout) -> Self {
        assert!(layout.mapped() <= mapping.len());
        Self { mapping, layout }
    }

    fn at(&self, n: u32) -> usize {
        self.layout.start + n as usize * size_of::<Slot>()
    }
}

impl LeaseMemory for MappedLeases {
    fn slots(&self) -> u32 {
        self.layout.slots
    }

    fn slot(&self, n: u32) -> &Slot {
        self.mapping.at(self.at(n))
    }

    fn grow(&self, from: u32, to: u32) -> Result<(), Failure> {
        let (from, to) = (self.at(from), self.at(to));
        (self.mapping.take(from, to - from))
            .map_err(|error| refused("no memory for another lease", error))
    }

    fn outside(&self, n: u32) -> FileRange<'_> {
        FileRange {
            file: self.mapping.file(),
            start: self.layout.mapped() as u64 + u64::from(n) * self.layout.stride,
            len: self.layout.stride,
        }
    }

    fn check_limit(&self) -> Result<(), Failure> {
        let end = self.layout.mapped() as u64 + self.layout.beyond();
        check_file_size_limit(end)
    }

    fn all_outside(&self) -> FileRange<'_> {
        FileRange {
            len: self.layout.beyond(),
            ..self.outside(0)
        }
    }
}
