//! Batches of more than one message carries, and than one lock is held for.

use crate::codec::{Codec, Raw};
use crate::ipc::IpcQueue;
use crate::ipc::page::Page;
use crate::ipc::shared_rings::{Pushes, Shelf};
use crate::ipc::wire::BATCH_BYTES;
use queue_core::work::WorkQueue;
use queue_core::{Capacity, Failure, FailureKind, Queue, WithCapacity};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Bytes as they are. Before it makes them of an item, and an item of them, it does what the thread wants.
struct Acting;

type Queued = IpcQueue<Vec<u8>, Acting>;

thread_local! {
    static BEFORE: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
}

fn act() {
    // What it does is not interrupted.
    if let Some(before) = BEFORE.take() {
        before();
        BEFORE.set(Some(before));
    }
}

/// What comes of `what` if this is done before each item.
fn acting<R>(before: impl Fn() + 'static, what: impl FnOnce() -> R) -> R {
    BEFORE.set(Some(Box::new(before)));
    let result = what();
    BEFORE.set(None);
    result
}

/// The first byte of items that do not come out, and of those that panic.
const BAD: u8 = 8;
const PANICS: u8 = 2;

impl Codec<Vec<u8>> for Acting {
    const NAME: &'static str = "acting";

    fn encode(item: &Vec<u8>, into: &mut Vec<u8>) -> Result<(), Failure> {
        act();
        Raw::encode(item, into)
    }

    fn decode(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        act();
        match bytes.first() {
            Some(&BAD) => Err(Failure::new(FailureKind::Codec, "as it is meant to be")),
            // Without the hook's message.
            Some(&PANICS) => resume_unwind(Box::new(())),
            _ => Raw::decode(bytes),
        }
    }
}

/// So large that a message carries one of them.
const LARGE: usize = BATCH_BYTES / 3 * 2;

/// Has `test` use a queue in its host, in a guest, and in one that shares no memory with it.
fn everywhere(bound: Capacity, test: impl Fn(&Queued, &Queued)) {
    let host = Queued::with_capacity(bound);
    test(&host, &host);
    let host = Queued::with_capacity(bound);
    test(&host, &Queued::admit(host.ticket().unwrap()).unwrap());
    let host = Queued::with_capacity(bound);
    let mut ticket = host.ticket().unwrap();
    ticket.pushes = Page::<Pushes>::new().unwrap().memory();
    ticket.shelf = Page::<Shelf>::new().unwrap().memory();
    test(&host, &Queued::admit(ticket).unwrap());
}

/// Items of such lengths, which begin with these bytes.
fn items(lengths: &[usize], first: impl Fn(usize) -> u8) -> VecDeque<Vec<u8>> {
    let item = |(n, &len)| vec![first(n); len];
    lengths.iter().enumerate().map(item).collect()
}

#[test]
fn a_batch_of_any_size_goes_in_and_out() {
    let mixed: Vec<_> = (0..40)
        .map(|n| if n % 5 == 4 { LARGE } else { 3 * n })
        .collect();
    everywhere(Capacity::Unbounded, |_, queue| {
        for lengths in [&[3; 1000][..], &[LARGE; 7], &mixed] {
            let expected = items(lengths, |n| n as u8 | 1 << 7);
            let (mut batch, all) = (expected.clone(), lengths.len());
            assert_eq!(queue.try_push_many(&mut batch), Ok(all));
            let some: Vec<_> = (0..3).map(|_| queue.receive().unwrap()).collect();
            some.into_iter().for_each(|item| item.nack().unwrap());
            let mut popped = Vec::new();
            assert_eq!(queue.try_pop_many(&mut popped, all - 1), Ok(all - 1));
            assert_eq!(queue.pop_many(&mut popped, usize::MAX), Ok(1));
            assert!(expected == popped, "{all}");
        }
    });
}

#[test]
fn a_batch_pops_no_more_than_were_inside_however_fast_others_push() {
    everywhere(Capacity::Unbounded, |host, queue| {
        for len in [3, LARGE] {
            queue.push_many(&mut items(&[len; 4], |_| 1)).unwrap();
            let other = host.clone();
            let times = Cell::new(0);
            let push = move || {
                assert!(times.replace(times.get() + 1) < 20, "it goes on");
                other.push(vec![1; len]).unwrap();
            };
            let mut popped = Vec::new();
            let first = acting(push, || queue.try_pop_many(&mut popped, usize::MAX));
            assert_eq!(first, Ok(4));
            assert_eq!(queue.try_pop_many(&mut popped, usize::MAX), Ok(4));
        }
    });
}

#[test]
fn a_batch_pushes_no_more_than_there_were_free_slots_however_fast_others_pop() {
    const CAPACITY: usize = 1000;
    everywhere(Capacity::bounded(CAPACITY), |host, queue| {
        for (len, inside, at_once) in [(LARGE, CAPACITY - 3, 2), (3, 400, 256)] {
            queue
                .push_many(&mut items(&vec![3; inside], |_| 1))
                .unwrap();
            // It looks, and grants a guest slots ahead.
            assert_eq!(host.len(), inside);
            let other = host.clone();
            let pop = move || drop(other.try_pop());
            let all = CAPACITY - inside + at_once + 3;
            let mut batch = items(&vec![len; all], |_| 1);
            let pushed = acting(pop, || queue.try_push_many(&mut batch)).unwrap();
            // A guest is told with the first message, after what that carries was made bytes.
            let free = CAPACITY - inside;
            assert!([free, free + at_once].contains(&pushed), "{pushed}");
            assert_eq!(batch.len(), all - pushed);
            host.try_pop_many(&mut Vec::new(), usize::MAX).unwrap();
        }
    });
}

#[test]
fn what_is_bad_in_a_later_message_ends_the_batch_and_is_told() {
    everywhere(Capacity::Unbounded, |_, queue| {
        let mut batch = items(&[LARGE; 7], |n| [1, 1, BAD, 3, 3, PANICS, 5][n]);
        queue.push_many(&mut batch).unwrap();
        let mut popped = Vec::new();
        let mut pop = || queue.try_pop_many(&mut popped, usize::MAX);
        assert_eq!(pop(), Ok(2));
        assert!(pop().unwrap_err().failure().unwrap().consumed_item());
        assert!(catch_unwind(AssertUnwindSafe(&mut pop)).is_err());
        assert_eq!(pop(), Ok(1));
        let firsts: Vec<_> = popped.iter().map(|item| item[0]).collect();
        assert_eq!(firsts, [1, 1, 3, 3, 5]);
    });
}
