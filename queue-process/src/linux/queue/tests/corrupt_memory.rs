//! Shared memory that lies: a participant may write anything there. Whatever it wrote,
//! the others' operations end, in a failure if need be, and nobody panics.

use crate::codec::Raw;
use crate::linux::engine::Platform;
use crate::linux::engine::control::EndState;
use crate::linux::lease::table::Table;
use crate::linux::queue::header::Header;
use crate::linux::queue::linux_queue::LinuxQueue;
use crate::linux::queue::open::Shareable;
use crate::sys::{Word32, Word64};
use crate::{PipeQueue, ShmQueue};
use proptest::prelude::*;
use queue_core::work::{Lend, WorkQueue};
use queue_core::{Capacity, FailureKind, Queue, TryPopError, TryPushError, WithCapacity};
use rustix::fd::BorrowedFd;
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// A word of the shared memory, and what to write to it.
#[derive(Clone, Copy, Debug)]
struct Lie {
    word: usize,
    /// Added to what is there, or put in its place.
    value: u64,
    added: bool,
}

fn lie() -> impl Strategy<Value = Lie> {
    let value = prop_oneof![
        0..4u64,
        (0..100u64).prop_map(|n| n << 32),
        (0..100u64).prop_map(|n| u64::MAX - n),
        (0..100u64).prop_map(|n| u64::from(u32::MAX) - n),
        any::<u64>(),
    ];
    (0..130usize, value, any::<bool>()).prop_map(|(word, value, added)| Lie { word, value, added })
}

impl Lie {
    /// All but who holds the locks: who says that a living one does makes all wait.
    fn tell(self, header: &Header) {
        let control = &header.control;
        let states: [&EndState; 2] = [&control.tail, &control.head];
        let mut small: Vec<&Word32> = vec![&control.closed, &control.needs_trim];
        small.extend(control.leases.words());
        let published = &control.head.published;
        small.extend([
            &published.freed,
            &published.held,
            &published.returned,
            &published.joining,
        ]);
        let mut large: Vec<&Word64> = Vec::new();
        for state in states {
            small.extend([
                &state.poisoned,
                &state.waiting,
                &state.async_waiting,
                &state.wake_seq.0,
            ]);
            large.extend([&state.cached, &state.published.cursor]);
            large.extend(&state.storage_words);
        }
        let word = self.word % (small.len() + large.len());
        let new = |old: u64| {
            if self.added {
                old.wrapping_add(self.value)
            } else {
                self.value
            }
        };
        match small.get(word) {
            Some(small) => small.store(new(small.load(Relaxed).into()) as u32, Relaxed),
            None => {
                let large = large[word - small.len()];
                large.store(new(large.load(Relaxed)), Relaxed);
            }
        }
    }
}

/// What does not depend on the lies: whoever is told something fails in a way it may.
fn use_it<Q: Lend<Item = Vec<u8>>>(queue: &Q) {
    let allowed = |kind| {
        let kinds = [FailureKind::Corrupt, FailureKind::TooLarge, FailureKind::Io];
        assert!(kinds.contains(&kind), "{kind}");
    };
    for size in [3, 300, 3000] {
        if let Err(TryPushError::Failed(item, failure)) = queue.try_push(vec![1; size]) {
            assert_eq!(item.len(), size);
            allowed(failure.kind());
        }
        let mut items: VecDeque<_> = (0..5).map(|n| vec![n; size]).collect();
        let _ = queue.try_push_many(&mut items);
        if let Err(TryPopError::Failed(failure)) = queue.try_pop() {
            allowed(failure.kind());
        }
        let mut into = Vec::new();
        let _ = queue.try_pop_many(&mut into, 3);
        let mut lent: Vec<_> = (0..3).map(|_| queue.try_receive()).collect();
        for lent in &lent {
            if let Err(TryPopError::Failed(failure)) = lent {
                allowed(failure.kind());
            }
        }
        // One comes back, one is done, and one stays.
        let may_settle = |settled: Result<(), queue_core::Failure>| {
            if let Err(failure) = settled {
                let ours = failure.kind() == FailureKind::Denied;
                assert!(
                    ours || failure.kind() == FailureKind::Corrupt,
                    "{failure:#}"
                );
            }
        };
        lent.pop()
            .into_iter()
            .flatten()
            .for_each(|lent| may_settle(lent.nack()));
        lent.pop()
            .into_iter()
            .flatten()
            .for_each(|lent| may_settle(lent.ack()));
        std::mem::forget(lent);
        let _ = (queue.len(), queue.is_full(), queue.is_closed());
        let _ = (queue.in_flight(), queue.join_timeout(Duration::ZERO));
    }
}

fn lie_to<S: Shareable>(queue: &LinuxQueue<Vec<u8>, Raw, S>, lies: &[Lie]) {
    (0..20).for_each(|n| drop(queue.try_push(vec![n; 100 * usize::from(n)])));
    for lie in lies {
        lie.tell(Header::of(queue.mapping()));
        use_it(queue);
    }
    queue.close();
}

proptest! {
    #[test]
    fn lies_to_a_pipe_queue(lies in prop::collection::vec(lie(), 1..8), bounded: bool) {
        let bound = if bounded { queue_core::Capacity::bounded(30) } else { queue_core::Capacity::Unbounded };
        let options = PipeQueue::<Vec<u8>, Raw>::options().max_item_bytes(10_000);
        let queue = options.memory_limit(1 << 20).create(bound).unwrap();
        lie_to(&queue, &lies);
    }

    #[test]
    fn lies_to_a_shm_queue(lies in prop::collection::vec(lie(), 1..8), bounded: bool) {
        let bound = if bounded { queue_core::Capacity::bounded(30) } else { queue_core::Capacity::Unbounded };
        let options = ShmQueue::<Vec<u8>, Raw>::options().max_item_bytes(10_000);
        let queue = options.memory_limit(1 << 20).create(bound).unwrap();
        lie_to(&queue, &lies);
    }
}

/// One item that came back has a length that none has: it is gone, and takes no other with it.
fn damage_what_came_back<S: Shareable>(queue: &LinuxQueue<Vec<u8>, Raw, S>) {
    let platform = queue.shared.engine.platform();
    let leases = Table {
        state: &platform.control().leases,
        memory: platform.leases(),
    };
    for receives in [false, true] {
        for item in [[1], [2], [3]] {
            queue.push(item.to_vec()).unwrap();
        }
        let lent: Vec<_> = (0..3).map(|_| queue.receive().unwrap()).collect();
        lent.into_iter().for_each(|item| item.nack().unwrap());
        leases.oldest().unwrap().0.say_inline(1 << 20);
        let next = || match receives {
            true => {
                let item = queue.try_receive()?;
                item.take().map_err(TryPopError::Failed)
            }
            false => queue.try_pop(),
        };
        match next().unwrap_err() {
            TryPopError::Failed(failure) => assert_eq!(failure.kind(), FailureKind::Corrupt),
            error => panic!("{error}"),
        }
        assert_eq!((next().unwrap(), next().unwrap()), (vec![2], vec![3]));
        assert_eq!((queue.len(), queue.in_flight()), (0, 0));
        // Its slot is free again.
        (0..3).for_each(|n| queue.try_push(vec![n]).unwrap());
        assert_eq!(queue.try_push(vec![3]), Err(TryPushError::Full(vec![3])));
        (0..3).for_each(|n| assert_eq!(queue.try_pop().unwrap(), [n]));
    }
}

#[test]
fn a_damaged_item_that_came_back_takes_no_other_with_it() {
    let bound = Capacity::bounded(3);
    damage_what_came_back(&PipeQueue::<Vec<u8>, Raw>::try_with_capacity(bound).unwrap());
    damage_what_came_back(&ShmQueue::<Vec<u8>, Raw>::try_with_capacity(bound).unwrap());
}

/// The second of those that came back: what is younger stays behind the others.
fn damage_amid_what_came_back<S: Shareable>(queue: &LinuxQueue<Vec<u8>, Raw, S>) {
    let platform = queue.shared.engine.platform();
    let leases = Table {
        state: &platform.control().leases,
        memory: platform.leases(),
    };
    (1..4).for_each(|n| queue.push(vec![n]).unwrap());
    let lent: Vec<_> = (0..3).map(|_| queue.receive().unwrap()).collect();
    lent.into_iter().for_each(|item| item.nack().unwrap());
    queue.push(vec![4]).unwrap();
    leases.lease(1).unwrap().say_inline(1 << 20);
    let mut popped = Vec::new();
    queue.try_pop_many(&mut popped, usize::MAX).unwrap();
    assert_eq!(popped, [[1], [3], [4]]);
}

#[test]
fn a_damaged_item_that_came_back_lets_no_younger_one_overtake() {
    let bound = Capacity::bounded(4);
    damage_amid_what_came_back(&PipeQueue::<Vec<u8>, Raw>::try_with_capacity(bound).unwrap());
    damage_amid_what_came_back(&ShmQueue::<Vec<u8>, Raw>::try_with_capacity(bound).unwrap());
}

/// Opens the queue a second time, after one word of what it says of itself was changed.
fn lie_of<S: Shareable>(queue: &LinuxQueue<Vec<u8>, Raw, S>, lie: Lie) {
    let at = (lie.word % 7 * 8) as u64;
    let memory = queue.mapping().file();
    let mut word = [0; 8];
    rustix::io::pread(memory, &mut word, at).unwrap();
    let value = match lie.added {
        true => u64::from_ne_bytes(word).wrapping_add(lie.value),
        false => lie.value,
    };
    rustix::io::pwrite(memory, &value.to_ne_bytes(), at).unwrap();
    let duplicate = |fd: &BorrowedFd<'_>| fd.try_clone_to_owned().unwrap();
    let fds = queue.fds().iter().map(duplicate).collect();
    match LinuxQueue::<Vec<u8>, Raw, S>::open(fds, None) {
        // It may do: a limit that is another one, say.
        Ok(queue) => use_it(&queue),
        Err(failure) => {
            let kinds = [FailureKind::Corrupt, FailureKind::Mismatch];
            assert!(kinds.contains(&failure.kind()), "{failure:#}");
        }
    }
}

proptest! {
    #[test]
    fn lies_of_a_pipe_queue(lie in lie()) {
        let queue = PipeQueue::<Vec<u8>, Raw>::try_with_capacity(Capacity::bounded(30)).unwrap();
        lie_of(&queue, lie);
    }

    #[test]
    fn lies_of_a_shm_queue(lie in lie()) {
        let queue = ShmQueue::<Vec<u8>, Raw>::try_with_capacity(Capacity::bounded(30)).unwrap();
        lie_of(&queue, lie);
    }
}
