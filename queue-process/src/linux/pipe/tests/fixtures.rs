//! What the tests of the storage share: a small pipe, and its two ends by hand.

use crate::linux::engine::batch::Batch;
use crate::linux::engine::control::Item;
use crate::linux::engine::control::{Control, Cursor};
use crate::linux::engine::{PeerCursor, Storage};
use crate::linux::pipe::storage::Pipe;
use crate::linux::queue::format::Limits;
use crate::linux::queue::open::Shareable;
use crate::sys::Mapping;
use queue_core::sync::atomic::Ordering::Relaxed;
use queue_core::{Capacity, Failure};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// A pipe that is soon full, and the words around it.
pub(super) fn small() -> (Pipe, Control) {
    let limits = Limits {
        bound: Capacity::bounded(1),
        item: 10_000,
        memory: 300_000,
    };
    let mapping = Arc::new(Mapping::create("pipe", 4096, 4096, 0).unwrap());
    (Pipe::create(&mapping, &limits).unwrap(), Control::default())
}

/// The same, to read from.
pub(super) fn read_only(fd: &OwnedFd) -> OwnedFd {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    rustix::fs::open(path, flags, Mode::empty()).unwrap()
}

/// The same pipe for one whose every record is refused.
pub(super) fn in_vain(pipe: &Pipe) -> Pipe {
    Pipe {
        pipe: read_only(&pipe.pipe),
        file: pipe.file.try_clone().unwrap(),
        limits: pipe.limits,
    }
}

pub(super) fn item(number: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![number as u8; len];
    bytes[..8].copy_from_slice(&number.to_ne_bytes());
    bytes
}

/// Adds `item` to `batch`.
pub(super) fn add(batch: &mut Batch, item: &[u8]) {
    let append = |bytes: &mut Vec<u8>| {
        bytes.extend(item);
        Ok::<_, Failure>(())
    };
    batch.add(append).unwrap();
}

/// Writes the batch, as many as go: how many, and the tail then.
pub(super) fn write(pipe: &Pipe, control: &Control, batch: &Batch) -> (usize, Cursor) {
    try_write(pipe, control, batch).unwrap()
}

pub(super) fn try_write(
    pipe: &Pipe,
    control: &Control,
    batch: &Batch,
) -> Result<(usize, Cursor), Failure> {
    let tail = control.tail.cursor(Relaxed);
    let (state, other) = (&control.tail.0, &control.head.0);
    let mut head = PeerCursor {
        cursor: Cursor::from_word(state.cached.load(Relaxed)),
        freed: state.cached_freed.load(Relaxed),
        fresh: false,
        state,
        other,
    };
    let most = batch.len() as u32;
    let (count, position) = match most {
        1 => match pipe.write(control, tail, &mut head, Item::new(batch.get(0)))? {
            Some(position) => (1, position),
            None => (0, tail.position),
        },
        _ => pipe.write_many(control, tail, &mut head, batch, most)?,
    };
    Ok((count as usize, tail.advanced(count, position)))
}

pub(super) fn read(pipe: &Pipe, control: &Control, max: u32) -> (Cursor, Batch) {
    let head = control.head.cursor(Relaxed);
    let mut batch = Batch::default();
    let (count, position) = match max {
        1 => {
            let mut position = 0;
            let read = batch.add(|bytes| {
                position = pipe.read(control, head, bytes)?;
                Ok::<_, Failure>(())
            });
            read.unwrap();
            (1, position)
        }
        _ => pipe.read_many(control, head, max, &mut batch).unwrap(),
    };
    assert_eq!(batch.len(), count as usize);
    (head.advanced(count, position), batch)
}

/// So many items of that length.
pub(super) fn same(items: usize, len: usize) -> Batch {
    let mut batch = Batch::default();
    for _ in 0..items {
        add(&mut batch, &item(0, len));
    }
    batch
}
