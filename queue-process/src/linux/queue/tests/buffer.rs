//! Tests of the buffers that a thread keeps, in [`linux_queue`](crate::linux::queue::linux_queue).

use crate::linux::engine::batch::Batch;
use crate::linux::queue::linux_queue::*;

/// In a thread of its own, which has no buffer yet. `fill` gives one room for so many
/// bytes, and some content.
fn is_kept<B: Buffer>(bytes: usize, fill: fn(&mut B, usize)) -> bool {
    let lives = move || {
        let mut buffer = take_buffer::<B>();
        assert_eq!(buffer.clear(), 0, "a new one");
        fill(&mut buffer, bytes);
        recycle(buffer);
        let mut again = take_buffer::<B>();
        assert_eq!(take_buffer::<B>().clear(), 0, "lent already");
        again.clear() >= bytes
    };
    std::thread::spawn(lives).join().unwrap()
}

#[test]
fn a_thread_keeps_its_buffers_unless_they_are_large() {
    let one = |buffer: &mut Vec<u8>, bytes| buffer.resize(bytes, 1);
    let many = |buffer: &mut Batch, bytes| {
        let add = |buffer: &mut Vec<u8>| -> Result<(), ()> {
            buffer.resize(bytes, 1);
            Ok(())
        };
        buffer.add(add).unwrap();
    };
    for (bytes, retained) in [
        (1000, true),
        (2 << 20, true),
        (MAX_RETAINED_BYTES + 1, false),
    ] {
        assert_eq!(is_kept::<Vec<u8>>(bytes, one), retained, "{bytes}");
        assert_eq!(is_kept::<Batch>(bytes, many), retained, "{bytes}");
    }
}

#[test]
fn what_is_lent_again_is_empty() {
    let mut buffer = take_buffer::<Vec<u8>>();
    buffer.extend(b"of an item before");
    recycle(buffer);
    assert!(take_buffer::<Vec<u8>>().is_empty());
    let mut batch = take_buffer::<Batch>();
    batch.add(|_| Ok::<_, ()>(())).unwrap();
    recycle(batch);
    assert_eq!(take_buffer::<Batch>().len(), 0);
}
