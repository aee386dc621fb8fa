//! Tests of the storage: what deaths, damage and strangers leave of it.

use super::fixtures::{add, in_vain, item, read, same, small, try_write, write};
use crate::Raw;
use crate::linux::engine::batch::Batch;
use crate::linux::engine::control::{Control, Cursor, End};
use crate::linux::engine::end_lock::{Tries, acquire_lock};
use crate::linux::engine::{Platform, Storage};
use crate::linux::pipe::overflow::GRANULE;
use crate::linux::pipe::queue::PipeQueue;
use crate::linux::pipe::storage::{Pipe, TailState};
use crate::linux::pipe::storage::{Record, SIZE};
use crate::linux::queue::format::Limits;
use crate::linux::queue::linux_queue::LinuxQueue;
use crate::linux::queue::open::Shareable;
use crate::sys::Mapping;
use proptest::prelude::*;
use queue_core::sync::atomic::Ordering::Relaxed;
use queue_core::{
    Capacity, FailureKind, Queue, Side, TryPopError, TryPushError, WithCapacity, WorkQueue,
};
use rustix::fd::OwnedFd;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// What the participants do, one after the other, each wholly or up to the moment
/// before the engine would have published it.
#[derive(Clone, Copy, Debug)]
enum Step {
    Push {
        items: usize,
        len: usize,
        dies: bool,
    },
    /// No record goes in: it fails, or dies, right before.
    PushInVain {
        items: usize,
        len: usize,
        dies: bool,
    },
    Pop {
        items: usize,
        dies: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let items = || prop_oneof![Just(1usize), 1..150usize];
    let len = prop_oneof![4 => 8..60usize, 1 => 60..9000usize];
    prop_oneof![
        (items(), len, prop::bool::weighted(0.2)).prop_map(|(items, len, dies)| Step::Push {
            items,
            len,
            dies
        }),
        (1..64usize, 60..9000usize, any::<bool>())
            .prop_map(|(items, len, dies)| Step::PushInVain { items, len, dies }),
        (items(), prop::bool::weighted(0.2)).prop_map(|(items, dies)| Step::Pop { items, dies }),
    ]
}

proptest! {
    /// After each death and its repair the count is that of the items which come out
    /// then: all whose push had ended, in order, each once; of the dead's own push a
    /// first part; and only what a dead one had taken out of the pipe is missing. When it is
    /// empty all of the memory is free again.
    #[test]
    fn a_death_leaves_order_and_count(steps in prop::collection::vec(step(), 1..60)) {
        let (pipe, control) = small();
        let mut inside = VecDeque::new();
        let mut next = 0;
        for step in steps {
            match step {
                Step::Push { items, len, dies } => {
                    let mut batch = Batch::default();
                    let mut pushed = Vec::new();
                    for _ in 0..items {
                        pushed.push(item(next, len));
                        add(&mut batch, &item(next, len));
                        next += 1;
                    }
                    let (written, tail) = write(&pipe, &control, &batch);
                    let before = inside.len();
                    inside.extend(pushed.drain(..written));
                    if dies {
                        pipe.repair(&control).unwrap();
                        let count = control.head.cursor(Relaxed)
                            .items_until(control.tail.cursor(Relaxed)) as usize;
                        prop_assert!((before..=before + written).contains(&count));
                        inside.truncate(count);
                    } else {
                        control.tail.set_cursor(tail);
                    }
                }
                Step::PushInVain { items, len, dies } => {
                    // (What goes to the log is nowhere until it is published.)
                    let _ = try_write(&in_vain(&pipe), &control, &same(items, len));
                    if dies {
                        pipe.repair(&control).unwrap();
                    }
                }
                Step::Pop { items, dies } if !inside.is_empty() => {
                    let max = items.min(inside.len());
                    let (head, batch) = read(&pipe, &control, max as u32);
                    for (n, expected) in inside.iter().take(batch.len()).enumerate() {
                        prop_assert!(batch.get(n) == expected, "another item");
                    }
                    if dies {
                        pipe.repair(&control).unwrap();
                        let count = control.head.cursor(Relaxed)
                            .items_until(control.tail.cursor(Relaxed)) as usize;
                        let lost = inside.len().checked_sub(count);
                        prop_assert!(lost.is_some_and(|lost| lost <= batch.len()));
                        inside.drain(..lost.unwrap());
                    } else {
                        control.head.set_cursor(head);
                        inside.drain(..batch.len());
                    }
                }
                Step::Pop { .. } => {}
            }
        }
        while let Some(expected) = inside.pop_front() {
            let (head, batch) = read(&pipe, &control, 1);
            prop_assert!(batch.get(0) == expected, "another item");
            control.head.set_cursor(head);
        }
        pipe.repair(&control).unwrap();
        prop_assert_eq!(control.head.cursor(Relaxed).count, control.tail.cursor(Relaxed).count);
        prop_assert_eq!(write(&pipe, &control, &same(29, 10_000)).0, 29, "something is taken");
    }
}

#[test]
fn both_may_have_died() {
    let (pipe, control) = small();
    let mut batch = Batch::default();
    add(&mut batch, &item(0, 5000));
    control.tail.set_cursor(write(&pipe, &control, &batch).1);
    // One pushes, one pops, and nobody says so.
    batch.clear();
    add(&mut batch, &item(1, 5000));
    write(&pipe, &control, &batch);
    read(&pipe, &control, 1);
    pipe.repair(&control).unwrap();
    let (head, tail) = (control.head.cursor(Relaxed), control.tail.cursor(Relaxed));
    assert_eq!(head.items_until(tail), 1);
    // What comes next does not lie where the item inside does.
    batch.clear();
    add(&mut batch, &item(2, 5000));
    control.tail.set_cursor(write(&pipe, &control, &batch).1);
    for number in [1, 2] {
        let (head, batch) = read(&pipe, &control, 1);
        assert_eq!(batch.get(0), item(number, 5000));
        control.head.set_cursor(head);
    }
}

/// Who dies may have said that the arena is taken, and put no record into the pipe that would
/// ever free it.
#[test]
fn an_empty_queue_has_room_whoever_died() {
    let (pipe, control) = small();
    let batch = same(1, 10_000);
    let all = pipe.limits.memory as u32 / GRANULE as u32;
    for round in 1..4 {
        TailState(&control).set_high_water(control.tail.cursor(Relaxed).position + round * all);
        pipe.repair(&control).unwrap();
        let (written, tail) = write(&pipe, &control, &batch);
        assert_eq!(written, 1, "the queue is empty, and full");
        control.tail.set_cursor(tail);
        let (head, read) = read(&pipe, &control, 1);
        assert_eq!(read.get(0), batch.get(0));
        control.head.set_cursor(head);
    }
}

/// Records that none of ours writes.
fn no_items() -> [[u8; SIZE]; 3] {
    let forged = Record::Indirect {
        at: 0,
        len: 1 << 30,
    };
    [[0; SIZE], [0xff; SIZE], forged.encode()]
}

#[test]
fn what_is_no_item_is_counted_out() {
    let (pipe, control) = small();
    for record in no_items() {
        rustix::io::write(&pipe.pipe, &record).unwrap();
        let tail = control.tail.cursor(Relaxed);
        control.tail.set_cursor(tail.advanced(1, tail.position));
        let head = control.head.cursor(Relaxed);
        let failure = pipe.read(&control, head, &mut Vec::new()).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Corrupt);
        repairs_to_nothing(&pipe, &control);
    }
}

/// As [`what_is_no_item_is_counted_out`], where it is to be lent: no lease is left, and whoever comes
/// next has the next item.
#[test]
fn what_is_no_item_is_not_lent() {
    let queue = PipeQueue::<String>::bounded(8);
    let engine = &queue.shared.engine;
    queue.push("first".into()).unwrap();
    let tail = &engine.platform().control().tail;
    for record in no_items() {
        rustix::io::write(&engine.storage().pipe, &record).unwrap();
        let end = tail.cursor(Relaxed);
        tail.set_cursor(end.advanced(1, end.position));
    }
    queue.push("last".into()).unwrap();
    let first = queue.receive().unwrap();
    for _ in 0..3 {
        match queue.try_receive().unwrap_err() {
            TryPopError::Failed(failure) => assert_eq!(failure.kind(), FailureKind::Corrupt),
            error => panic!("{error}"),
        }
    }
    let last = queue.try_receive().unwrap();
    assert_eq!((first.as_str(), last.as_str()), ("first", "last"));
    assert_eq!((queue.in_flight(), queue.len()), (2, 0));
    first.nack().unwrap();
    last.ack().unwrap();
    assert_eq!(queue.try_pop().unwrap(), "first");
    assert_eq!((queue.in_flight(), queue.len()), (0, 0));
}

/// The head is known to be poisoned, and its repair finds that nothing is left.
fn repairs_to_nothing(pipe: &Pipe, control: &Control) {
    assert_ne!(control.head.poisoned.load(Relaxed), 0);
    pipe.repair(control).unwrap();
    let (head, tail) = (control.head.cursor(Relaxed), control.tail.cursor(Relaxed));
    assert_eq!(head.count, tail.count);
}

#[test]
fn what_is_no_item_takes_no_others_with_it() {
    let (pipe, control) = small();
    let item = |bytes| Record::Inline(bytes).encode();
    for record in [item(b"1"), [0; SIZE], item(b"3"), item(b"4")] {
        rustix::io::write(&pipe.pipe, &record).unwrap();
        let tail = control.tail.cursor(Relaxed);
        control.tail.set_cursor(tail.advanced(1, tail.position));
    }
    let (head, batch) = read(&pipe, &control, 3);
    let items: Vec<_> = (0..batch.len()).map(|n| batch.get(n)).collect();
    assert_eq!(items, [b"1", b"3", b"4"]);
    control.head.set_cursor(head);
    repairs_to_nothing(&pipe, &control);
}

#[test]
fn strange_descriptors_are_refused() {
    let limits = Limits {
        bound: Capacity::bounded(1),
        item: 8,
        memory: 1 << 20,
    };
    let mapping = Arc::new(Mapping::create("pipe", 4096, 4096, 0).unwrap());
    let pipe = Pipe::create(&mapping, &limits).unwrap();
    let own = || {
        pipe.descriptors()
            .iter()
            .map(|fd| fd.try_clone_to_owned().unwrap())
            .collect()
    };
    let open = |own| Pipe::open(&mapping, &limits, own);
    assert!(open(own()).is_ok());
    let corrupt = |own: Vec<OwnedFd>| {
        assert_eq!(open(own).unwrap_err().kind(), FailureKind::Corrupt);
    };
    corrupt(own().into_iter().rev().collect());
    corrupt(own().into_iter().take(1).collect());
    corrupt(vec![]);
    let (blocking, _) = rustix::pipe::pipe().unwrap();
    corrupt(vec![blocking, own().pop().unwrap()]);
}

/// Wakes by a message.
struct Eventfd(mpsc::SyncSender<()>);

impl Wake for Eventfd {
    fn wake(self: Arc<Self>) {
        let _ = self.0.try_send(());
    }
}

/// Another participant.
fn another(queue: &PipeQueue<Vec<u8>, Raw>) -> LinuxQueue<Vec<u8>, Raw, Pipe> {
    let fds = queue.fds().into_iter();
    let fds = fds.map(|fd| fd.try_clone_to_owned().unwrap()).collect();
    LinuxQueue::open(fds, None).unwrap()
}

/// It dies with so many items in the pipe, before it says so.
fn dies_pushing(dead: LinuxQueue<Vec<u8>, Raw, Pipe>, items: u64) {
    let engine = &dead.shared.engine;
    let control = engine.platform().control();
    acquire_lock(&control.tail.lock, engine.platform(), Tries::Endless);
    let mut batch = Batch::default();
    for number in 0..items {
        add(&mut batch, &item(number, 8));
    }
    assert_eq!(write(engine.storage(), control, &batch).0 as u64, items);
}

/// It dies with an item in its hands.
fn dies_popping(dead: LinuxQueue<Vec<u8>, Raw, Pipe>) {
    let engine = &dead.shared.engine;
    let control = engine.platform().control();
    acquire_lock(&control.head.lock, engine.platform(), Tries::Endless);
    assert_eq!(read(engine.storage(), control, 1).1.len(), 1);
}

/// No end moves back in a repair: those at the other end remember how far it was.
#[test]
fn a_repair_moves_no_end_back() {
    let queue = PipeQueue::<Vec<u8>, Raw>::try_with_capacity(Capacity::bounded(2)).unwrap();
    // Who pops saw both items at one look, of which the second is lost.
    queue.try_push(item(1, 8)).unwrap();
    queue.try_push(item(2, 8)).unwrap();
    assert_eq!(queue.try_pop(), Ok(item(1, 8)));
    dies_popping(another(&queue));
    assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
    // Who pushes saw one place, which is taken by the item that nobody had announced.
    queue.try_push(item(3, 8)).unwrap();
    dies_pushing(another(&queue), 1);
    let full = queue.try_push(item(4, 8));
    assert!(matches!(full, Err(TryPushError::Full(_))), "{full:?}");
    assert_eq!(queue.len(), 2);
}

/// Whoever dies in the middle of a push or a pop, as many come out as are told.
#[test]
fn as_many_come_out_as_are_told_after_a_death() {
    type Dies = fn(LinuxQueue<Vec<u8>, Raw, Pipe>);
    let deaths: [(Dies, usize); 2] = [(dies_popping, 3), (|dead| dies_pushing(dead, 2), 6)];
    for (dies, left) in deaths {
        let queue = PipeQueue::<Vec<u8>, Raw>::try_with_capacity(Capacity::bounded(6)).unwrap();
        (0..4).for_each(|n| queue.try_push(item(n, 8)).unwrap());
        dies(another(&queue));
        assert_eq!(queue.len(), left);
        assert_eq!(queue.is_full(), left == 6);
        assert_eq!(std::iter::from_fn(|| queue.try_pop().ok()).count(), left);
    }
}

/// A batch that fills the queue is in the pipe when its pusher dies, and a future waits.
/// The next to push finds no place, so it wakes nobody for an item of its own: it must
/// for those that it repaired.
#[test]
fn a_repair_tells_who_waits() {
    let queue = PipeQueue::<Vec<u8>, Raw>::try_with_capacity(Capacity::bounded(2)).unwrap();
    let dead = another(&queue);

    let (told, tidings) = mpsc::sync_channel(1);
    let waker = Waker::from(Arc::new(Eventfd(told)));
    let mut cx = Context::from_waker(&waker);
    let mut waiting = pin!(queue.pop_async());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());

    dies_pushing(dead, 2);
    let full = queue.try_push(item(2, 8));
    assert!(matches!(full, Err(TryPushError::Full(_))), "{full:?}");
    tidings.recv_timeout(Duration::from_secs(30)).expect("told");
    assert_eq!(waiting.as_mut().poll(&mut cx), Poll::Ready(Ok(item(0, 8))));
}

/// As [`a_repair_tells_who_waits`], but nobody comes after the death, and no net catches a
/// future: whoever looks for the dead in its place finds what one left.
#[test]
fn a_death_tells_who_waits() {
    let queue = PipeQueue::<Vec<u8>, Raw>::try_with_capacity(Capacity::bounded(2)).unwrap();
    let dead = another(&queue);

    let (told, tidings) = mpsc::sync_channel(1);
    let waker = Waker::from(Arc::new(Eventfd(told)));
    let mut cx = Context::from_waker(&waker);
    let mut waiting = pin!(queue.pop_async());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());

    dies_pushing(dead, 1);
    tidings.recv_timeout(Duration::from_secs(30)).expect("told");
    assert_eq!(waiting.as_mut().poll(&mut cx), Poll::Ready(Ok(item(0, 8))));
}

/// As [`a_repair_tells_who_waits`], of threads: they need not wait until they look again by
/// themselves.
#[test]
fn a_repair_wakes_who_sleeps() {
    let queue = PipeQueue::<Vec<u8>, Raw>::try_with_capacity(Capacity::bounded(2)).unwrap();
    let dead = another(&queue);
    let platform = queue.shared.engine.platform();
    std::thread::scope(|scope| {
        let sleepers = [End::Tail, End::Head].map(|end| {
            let wake_seq = &platform.control().end(end).wake_seq;
            let seen = wake_seq.load(Relaxed);
            scope.spawn(move || platform.sleep(wake_seq, seen, Duration::from_secs(20)))
        });
        // They are asleep then, or else find that it has moved.
        std::thread::sleep(Duration::from_millis(200));
        dies_pushing(dead, 1);
        queue.try_push(item(1, 8)).unwrap();
        for sleeper in sleepers {
            let overslept = sleeper.join().unwrap();
            assert!(!overslept);
        }
    });
}

/// Who leaves looks whether it was the last on its side: nobody has to wait for that to be
/// seen.
#[test]
fn the_last_to_leave_closes_the_queue() {
    let queue = PipeQueue::<Vec<u8>, Raw>::try_with_capacity(Capacity::bounded(2)).unwrap();
    let fds = queue.fds().into_iter();
    let fds = fds.map(|fd| fd.try_clone_to_owned().unwrap()).collect();
    let consumer: LinuxQueue<Vec<u8>, Raw, Pipe> =
        LinuxQueue::open(fds, Some(Side::Consumers)).unwrap();
    assert!(!consumer.shared.engine.is_closed());
    drop(queue);
    assert!(consumer.shared.engine.is_closed());
}

/// Items have numbers of 32 bits. Before a log that never gets empty has gone half way
/// round, it is said to begin where the head is.
#[test]
fn a_log_without_end_keeps_its_order() {
    let (pipe, control) = small();
    let at = |count| Cursor { count, position: 0 };
    control.head.set_cursor(at(1 << 30));
    control.tail.set_cursor(at((1 << 30) + 5));
    let tail_state = TailState(&control);
    tail_state.set_log_start(Some(0));
    let mut batch = Batch::default();
    add(&mut batch, &item(0, 8));
    assert_eq!(write(&pipe, &control, &batch).0, 1);
    assert_eq!(tail_state.log_start(), Some(1 << 30));
}
