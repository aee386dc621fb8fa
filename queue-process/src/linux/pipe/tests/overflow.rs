//! Tests of the way into the log, and back.

use super::fixtures::{read, read_only, same, small, try_write, write};
use crate::linux::engine::control::Control;
use crate::linux::pipe::storage::Pipe;
use crate::linux::pipe::storage::SIZE;
use queue_core::Failure;
use queue_core::sync::atomic::Ordering::Relaxed;
use rustix::io::ioctl_fionread;

/// Pushes small items until the pipe is full, and one more goes or fails: what came of it.
fn fill(pipe: &Pipe, control: &Control) -> Result<u32, Failure> {
    loop {
        let before = ioctl_fionread(&pipe.pipe).unwrap();
        let (written, tail) = try_write(pipe, control, &same(1, 8))?;
        control.tail.set_cursor(tail);
        if ioctl_fionread(&pipe.pipe).unwrap() == before {
            return Ok(written as u32);
        }
    }
}

fn drain(pipe: &Pipe, control: &Control, items: u32) {
    for _ in 0..items {
        control.head.set_cursor(read(pipe, control, 1).0);
    }
}

#[test]
fn who_has_read_the_log_is_back_at_the_pipe() {
    let (pipe, control) = small();
    assert_eq!(fill(&pipe, &control).unwrap(), 1);
    drain(&pipe, &control, control.tail.cursor(Relaxed).count);
    for items in 1..3 {
        control
            .tail
            .set_cursor(write(&pipe, &control, &same(1, 8)).1);
        assert_eq!(ioctl_fionread(&pipe.pipe).unwrap(), items * SIZE as u64);
    }
}

#[test]
fn what_fits_into_a_record_takes_no_other_memory() {
    let (pipe, control) = small();
    assert_eq!(write(&pipe, &control, &same(1, 56)).1.position, 0);
    assert_eq!(write(&pipe, &control, &same(1, 57)).1.position, 1);
}

#[test]
fn a_log_that_fails_keeps_nobody_from_the_pipe() {
    let (mut pipe, control) = small();
    pipe.file = read_only(&pipe.file);
    fill(&pipe, &control).unwrap_err();
    // A page of the pipe.
    drain(&pipe, &control, 64);
    assert_eq!(write(&pipe, &control, &same(1, 8)).0, 1);
}

#[test]
fn a_log_that_fails_later_keeps_what_it_has() {
    let (mut pipe, control) = small();
    fill(&pipe, &control).unwrap();
    let items = control.tail.cursor(Relaxed).count;
    let writable = pipe.file.try_clone().unwrap();
    pipe.file = read_only(&writable);
    for items in [1, 2] {
        try_write(&pipe, &control, &same(items, 8)).unwrap_err();
    }
    pipe.file = writable;
    let (written, tail) = write(&pipe, &control, &same(1, 8));
    assert_eq!(written, 1);
    control.tail.set_cursor(tail);
    // Each in its turn: none but those of the log comes out behind those of the pipe.
    drain(&pipe, &control, items + 1);
    assert_eq!(control.head.cursor(Relaxed).count, tail.count);
}
