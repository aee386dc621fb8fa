//! Queues that are made, opened and left, as their handles see it.

use crate::codec::Raw;
use crate::linux::engine::Platform;
use crate::linux::engine::control::{End, needs_trim};
use crate::linux::engine::end_lock::Tries;
use crate::linux::queue::format;
use crate::linux::queue::header::Header;
use crate::linux::queue::open::{QueueFds, lease_layout};
use crate::linux::shm::arena::Mapped;
use crate::linux::shm::storage::Ring;
use crate::linux::wait::RECHECK_INTERVAL;
use crate::linux::wait::eventfd::eventfds;
use crate::linux::wait::target::WaitTarget;
use crate::sys::Mapping;
use crate::types::Types;
use crate::{PipeQueue, ShmQueue};
use queue_core::work::WorkQueue;
use queue_core::{Capacity, FailureKind, Kind, Queue, Side, WithCapacity};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

type Bytes = ShmQueue<Vec<u8>, Raw>;

/// Duplicates of what the queue is made of.
fn fds(queue: &Bytes) -> QueueFds {
    let duplicate = |fd: &BorrowedFd<'_>| fd.try_clone_to_owned().unwrap();
    queue.fds().iter().map(duplicate).collect()
}

#[test]
fn limits_that_are_too_high_are_refused() {
    let item = |bytes| PipeQueue::<Vec<u8>, Raw>::options().max_item_bytes(bytes);
    let too_large = |options: crate::PipeOptions<_, _>, bound| match options.create(bound) {
        Ok(_) => false,
        Err(failure) => failure.kind() == FailureKind::TooLarge,
    };
    assert!(!too_large(item(1 << 30), Capacity::bounded(1)));
    assert!(too_large(item((1 << 30) + 1), Capacity::bounded(1)));
    // As little as nothing, if it were cut to 32 bits.
    let huge = 1_usize.checked_shl(32).unwrap_or(usize::MAX);
    assert!(too_large(item(huge), Capacity::bounded(1)));
    assert!(!too_large(item(1), Capacity::bounded(1 << 31)));
    assert!(too_large(item(1), Capacity::bounded((1 << 31) + 1)));
}

#[test]
fn a_bounded_queue_has_memory_for_all_its_items() {
    let options = || PipeQueue::<Vec<u8>, Raw>::options().max_item_bytes(1000);
    let memory = |bound| {
        let queue = options().memory_limit(5000).create(bound).unwrap();
        queue.shared.limits.memory
    };
    assert_eq!(memory(Capacity::bounded(3)), 3 * (1000 + 128));
    assert_eq!(memory(Capacity::bounded(1 << 31)), 64 << 30, "the most");
    assert_eq!(memory(Capacity::Unbounded), 5000);
}

#[test]
fn what_is_too_small_is_no_queue() {
    let corrupt = |fds| {
        let opened = Bytes::open(fds, None);
        assert_eq!(opened.err().unwrap().kind(), FailureKind::Corrupt);
    };
    let with = |mapping: &Mapping| {
        let eventfds = eventfds().unwrap();
        let fds = [mapping.file(), eventfds[0].as_fd(), eventfds[1].as_fd()];
        fds.map(|fd| fd.try_clone_to_owned().unwrap()).into()
    };
    corrupt(with(&Mapping::create("no page", 4096, 4096, 0).unwrap()));
    corrupt(QueueFds::new());

    // It says that it has one page more than it has.
    let limits = Bytes::options().limits(Capacity::bounded(1));
    let leases = lease_layout::<Ring<Mapped>>(&limits).unwrap();
    let (len, beyond) = (leases.mapped(), leases.beyond());
    let mapping = Mapping::create("queue", len, Header::END, beyond).unwrap();
    let says = |memory| {
        let types = Types::of::<Vec<u8>, Raw>();
        let limits = format::Limits { memory, ..limits };
        Header::of(&mapping).format.write(1, &types, &limits);
        with(&mapping)
    };
    Bytes::open(says(limits.memory), None).unwrap();
    corrupt(says(limits.memory + 4096));
    corrupt(says(limits.memory + Header::END as u64));
}

#[test]
fn a_hint_says_about_how_much_there_is() {
    let queue = Bytes::try_with_capacity(Capacity::bounded(3)).unwrap();
    queue.try_push(vec![]).unwrap();
    let shared = &queue.shared;
    assert_eq!(
        (shared.ready_hint(End::Tail), shared.ready_hint(End::Head)),
        (1, 2)
    );
    let sides = [Side::Consumers, Side::Producers];
    assert_eq!(sides.map(|side| queue.ready_hint(side)), [1, 2]);
    queue.close();
    let much = usize::MAX;
    assert_eq!(
        (shared.ready_hint(End::Tail), shared.ready_hint(End::Head)),
        (much, much)
    );
}

#[test]
fn who_tries_again_and_again_looks_for_the_dead_now_and_then() {
    let half = RECHECK_INTERVAL.as_millis() as u32 / 2;
    for (ago, due) in [(0, false), (1, false), (half, false), (half + 10, true)] {
        loop {
            let queue = Bytes::try_with_capacity(Capacity::bounded(1)).unwrap();
            let shared = &queue.shared;
            let linux = shared.engine.platform();
            linux.leave(Side::Producers);
            let now = linux.now();
            shared
                .last_check
                .store(now.wrapping_sub(ago), Ordering::Relaxed);
            shared.check_peers_if_due();
            if linux.now() == now {
                assert_eq!(queue.is_closed(), due, "{ago} ms after the last look");
                break;
            }
            // The clock moved meanwhile: that was not exact. Once more.
        }
    }
}

#[test]
fn who_pushes_and_always_finds_a_place_looks_for_the_dead_all_the_same() {
    let queue = Bytes::try_with_capacity(Capacity::bounded(1000)).unwrap();
    let shared = &queue.shared;
    let linux = shared.engine.platform();
    // For a while it looks in vain, and so less and less often.
    let push = || queue.try_push(vec![]).is_ok();
    assert!((0..100).all(|_| push()));
    linux.leave(Side::Consumers);
    let long_ago = linux.now().wrapping_sub(1000);
    shared.last_check.store(long_ago, Ordering::Relaxed);
    assert!((0..100).take_while(|_| push()).count() < 20);
    assert!(queue.is_closed());
}

/// How many bytes all of the queue takes.
fn memory(queue: &Bytes) -> u64 {
    rustix::fs::fstat(queue.mapping().file()).unwrap().st_blocks as u64 * 512
}

#[test]
fn what_lent_items_take_is_given_back_after_the_last_of_them() {
    let queue = Bytes::try_with_capacity(Capacity::bounded(50)).unwrap();
    let shared = &queue.shared;
    let (linux, needs_trim) = (
        shared.engine.platform(),
        &shared.engine.control().needs_trim,
    );
    let is_due = || {
        let long_ago = linux.now().wrapping_sub(2 * needs_trim::DELAY_MS);
        assert_ne!(needs_trim.load(Ordering::Relaxed), 0, "it is planned");
        needs_trim.store(long_ago, Ordering::Relaxed);
        shared.check_peers(Tries::Endless);
    };
    (0..50).for_each(|n| queue.push(vec![n; 60_000]).unwrap());
    let lent: Vec<_> = (0..50).map(|_| queue.receive().unwrap()).collect();
    let most = memory(&queue);
    is_due();
    lent.into_iter().for_each(|item| item.ack().unwrap());
    is_due();
    assert!(most - memory(&queue) >= 50 * 60_000);
}

/// At once, for the queue may never be empty.
#[test]
fn what_a_large_item_took_is_given_back_with_it() {
    let queue = Bytes::try_with_capacity(Capacity::bounded(2)).unwrap();
    let large = 1 << 19;
    queue.push(vec![7; large]).unwrap();
    queue.push(vec![]).unwrap();
    let item = queue.receive().unwrap();
    let most = memory(&queue);
    item.ack().unwrap();
    assert!(most - memory(&queue) >= large as u64);
}

#[test]
fn the_last_of_a_side_closes_as_it_goes() {
    for side in [Side::Producers, Side::Consumers] {
        let queue = Bytes::try_with_capacity(Capacity::bounded(1)).unwrap();
        let half = queue.half(side).unwrap();
        assert!(!half.shared.engine.is_closed());
        drop(queue);
        assert!(half.shared.engine.is_closed(), "nobody on the other side");
    }
}

#[test]
fn who_has_no_ends_of_a_side_does_not_count_there() {
    let queue = Bytes::try_with_capacity(Capacity::bounded(1)).unwrap();
    let other = Bytes::open(fds(&queue), None).unwrap();
    let held = |side| other.shared.engine.platform().is_held(side);
    for queue in [&queue, &other] {
        queue.shared.on_last_endpoint(Side::Producers);
    }
    assert!(!held(Side::Producers) && held(Side::Consumers));
    assert!(queue.is_closed());
    queue.shared.on_first_endpoint(Side::Producers);
    assert!(held(Side::Producers));

    // Who was given one half stands on that side alone.
    let consumer = queue.half(Side::Consumers).unwrap();
    queue.shared.on_last_endpoint(Side::Producers);
    consumer.shared.on_first_endpoint(Side::Producers);
    assert!(!held(Side::Producers));
}

#[test]
fn a_queue_describes_itself() {
    let queue = ShmQueue::<u8>::options()
        .max_item_bytes(9)
        .create(Capacity::bounded(3))
        .unwrap();
    queue.try_push(1).unwrap();
    let said = format!("{queue:?}");
    let expected = "ShmQueue { len: 1, capacity: Some(3), closed: false, max_item_bytes: 9, ";
    assert!(said.starts_with(expected), "{said}");
    let said = format!("{:?}", queue.listen(Side::Producers));
    assert_eq!(said, "Listener { end: Head, .. }");
}

#[test]
fn the_parts_are_all_that_a_queue_is() {
    let queue = Bytes::try_with_capacity(Capacity::bounded(1)).unwrap();
    assert_eq!(queue.fds().len(), 3);
    assert!(Arc::ptr_eq(queue.mapping(), queue.clone().mapping()));
}

/// Whether they are kept where leases are, or outside.
#[test]
fn items_of_any_length_come_back() {
    fn come_back<Q: WorkQueue<Item = Vec<u8>>>(queue: &Q) {
        for len in 0..200 {
            queue.push(vec![7; len]).unwrap();
            queue.receive().unwrap().release().unwrap();
            let again = queue.receive().unwrap();
            assert_eq!(*again, vec![7; len]);
            again.ack().unwrap();
        }
    }
    come_back(&ShmQueue::<Vec<u8>>::bounded(1));
    come_back(&PipeQueue::<Vec<u8>>::bounded(1));
}
