//! The counts of a queue go round after 2^32 items, which a fast one passes in minutes.

use crate::codec::Raw;
use crate::linux::engine::Platform;
use crate::linux::engine::control::Cursor;
use crate::{PipeQueue, ShmQueue};
use queue_core::sync::atomic::Ordering::Relaxed;
use queue_core::{Capacity, Queue};
use std::collections::VecDeque;

type Bytes = Vec<u8>;

/// A queue through which all but the last `left` items of a round have gone.
macro_rules! late {
    ($kind:ident, $bound:expr, $left:expr) => {{
        let queue = $kind::<Bytes, Raw>::options().create($bound).unwrap();
        let control = queue.shared.engine.platform().control();
        let cursor = Cursor {
            count: 0_u32.wrapping_sub($left),
            position: 0,
        };
        for state in [&control.tail.0, &control.head.0] {
            state.set_cursor(cursor);
            state.cached.store(cursor.word(), Relaxed);
            state.cached_freed.store(cursor.count, Relaxed);
            state.published.freed.store(cursor.count, Relaxed);
        }
        queue
    }};
}

fn item(number: usize, longest: usize) -> Bytes {
    let mut bytes = vec![number as u8; 8 + number * 31 % longest];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// Fills the queue with single items and batches, up to `most`, and empties it in part, a few
/// times: what comes out is what went in.
fn goes_round(queue: &impl Queue<Item = Bytes>, most: usize, longest: usize) {
    let (mut pushed, mut popped) = (0, 0);
    for round in 1..20 {
        let mut some: VecDeque<_> = (pushed..pushed + most * round / 20)
            .map(|number| item(number, longest))
            .collect();
        let before = some.len();
        if round % 2 == 0 {
            while queue.try_push_many(&mut some).is_ok_and(|count| count > 0) {}
        } else {
            while let Some(item) = some.pop_front() {
                if let Err(error) = queue.try_push(item) {
                    some.push_front(error.into_item());
                    break;
                }
            }
        }
        pushed += before - some.len();
        assert!(some.is_empty() || queue.is_full());
        assert_eq!(queue.len(), pushed - popped);
        let mut out = Vec::new();
        let wanted = (pushed - popped) * 3 / 4;
        while out.len() < wanted / 2 {
            let more = wanted / 2 - out.len();
            queue.try_pop_many(&mut out, more).unwrap();
        }
        out.extend((wanted / 2..wanted).map(|_| queue.try_pop().unwrap()));
        for bytes in out {
            assert!(bytes == item(popped, longest), "another item");
            popped += 1;
        }
    }
    for bytes in queue.close_now() {
        assert!(bytes == item(popped, longest), "another item");
        popped += 1;
    }
    assert_eq!(popped, pushed);
}

#[test]
fn counts_go_round() {
    for left in [0, 1, 7, 60, 100] {
        for longest in [1, 90, 9000] {
            goes_round(&late!(ShmQueue, Capacity::bounded(60), left), 60, longest);
            goes_round(&late!(ShmQueue, Capacity::Unbounded, left), 60, longest);
            goes_round(&late!(PipeQueue, Capacity::bounded(60), left), 60, longest);
            goes_round(&late!(PipeQueue, Capacity::Unbounded, left), 60, longest);
        }
    }
}

#[test]
fn the_log_of_a_pipe_goes_round() {
    // More than the pipe holds, by which the log is in use all the time.
    for left in [20_000, 100_000] {
        let queue = late!(PipeQueue, Capacity::bounded(50_000), left);
        goes_round(&queue, 50_000, 1);
    }
}
