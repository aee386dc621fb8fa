//! Tests of the engine over a storage and a platform that look on: how far the others can see
//! it has come whenever something happens; and over a storage that fails unless it is repaired.

use crate::linux::engine::batch::Batch;
use crate::linux::engine::control::Item;
use crate::linux::engine::control::{Control, Cursor, End};
use crate::linux::engine::end_lock::Tries;
use crate::linux::engine::{Engine, PeerCursor, Platform, Storage};
use crate::linux::lease::bytes::{LeaseMemory, NoLeases};
use crate::sys::{Word32, corrupt};
use crate::try_error::TryError;
use queue_core::sync::atomic::Ordering::Relaxed;
use queue_core::{Failure, FailureKind};
use std::ptr;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ME: u32 = 0x100;
const DEAD: u32 = 0x200;

/// What happened, and what a survivor would have found had the process died just then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    what: What,
    /// Who holds the locks of the tail and the head.
    locks: [u32; 2],
    /// How many items have passed each.
    counts: [u32; 2],
    closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Write,
    Read,
    Repair,
    Notify(End),
    Wake(End, u32),
}

/// The world, and how often it still refuses a repair.
#[derive(Debug, Default)]
struct Simulation {
    control: Control,
    seen: Mutex<Vec<Seen>>,
    refusals: AtomicU32,
    is_broken: AtomicU32,
}

impl Simulation {
    fn happens(&self, what: What) {
        let states = [End::Tail, End::Head].map(|end| self.control.end(end));
        self.seen.lock().unwrap().push(Seen {
            what,
            locks: states.map(|state| state.lock.load(Relaxed)),
            counts: states.map(|state| state.cursor(Relaxed).count),
            closed: self.control.closed.load(Relaxed) != 0,
        });
    }

    fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

#[derive(Debug, Clone)]
struct Recorder(Arc<Simulation>);

impl Platform for Recorder {
    fn control(&self) -> &Control {
        &self.0.control
    }
    fn leases(&self) -> &dyn LeaseMemory {
        &NoLeases
    }
    fn owner(&self) -> u32 {
        ME
    }
    fn is_alive(&self, owner: u32) -> bool {
        owner != DEAD
    }
    fn pause(&self, _: u32, _: &Word32, _: u32) {}
    fn now(&self) -> u32 {
        // Time flies: the dead are suspected at once.
        static NOW: AtomicU32 = AtomicU32::new(0);
        NOW.fetch_add(1000, Relaxed)
    }
    fn sleep(&self, _: &Word32, _: u32, _: Duration) -> bool {
        unreachable!("nobody sleeps here")
    }
    fn sleep_as_follower(&self, _: &Word32, _: u32, _: &AtomicU32, _: Duration) -> bool {
        unreachable!("nobody sleeps here")
    }
    fn wake_follower(&self, _: &AtomicU32) {}
    fn wake(&self, word: &Word32, sleepers: u32) {
        let tail = ptr::eq(word, &raw const *self.0.control.tail.wake_seq);
        let end = if tail { End::Tail } else { End::Head };
        self.0.happens(What::Wake(end, sleepers));
    }
    fn notify_futures(&self, end: End) {
        self.0.happens(What::Notify(end));
    }
}

impl Recorder {
    fn works(&self, what: What) -> Result<(), Failure> {
        self.0.happens(what);
        match self.0.is_broken.load(Relaxed) {
            0 => Ok(()),
            _ => Err(corrupt("nobody has repaired it")),
        }
    }
}

impl Storage for Recorder {
    fn write(
        &self,
        _: &Control,
        _: Cursor,
        _: &mut PeerCursor<'_>,
        _: Item<'_>,
    ) -> Result<Option<u32>, Failure> {
        self.works(What::Write).map(|()| Some(0))
    }
    fn read(&self, _: &Control, _: Cursor, _: &mut Vec<u8>) -> Result<u32, Failure> {
        self.works(What::Read).map(|()| 0)
    }
    fn write_many(
        &self,
        _: &Control,
        _: Cursor,
        _: &mut PeerCursor<'_>,
        _: &Batch,
        most: u32,
    ) -> Result<(u32, u32), Failure> {
        self.works(What::Write).map(|()| (most, 0))
    }
    fn read_many(
        &self,
        _: &Control,
        _: Cursor,
        max: u32,
        _: &mut Batch,
    ) -> Result<(u32, u32), Failure> {
        self.works(What::Read).map(|()| (max, 0))
    }
    fn repair(&self, _: &Control) -> Result<(), Failure> {
        self.0.happens(What::Repair);
        let left = self.0.refusals.load(Relaxed);
        if left > 0 {
            self.0.refusals.store(left - 1, Relaxed);
            return Err(Failure::new(FailureKind::Io, "not now"));
        }
        self.0.is_broken.store(0, Relaxed);
        Ok(())
    }
}

/// A queue of two slots with so many items, for either end of which a thread and a future
/// wait.
fn queue(items: u32) -> (Arc<Simulation>, Engine<Recorder, Recorder>) {
    let simulation = Arc::<Simulation>::default();
    let recorder = Recorder(simulation.clone());
    let engine = Engine::new(recorder.clone(), recorder, 2);
    for _ in 0..items {
        engine.push(b"item").unwrap();
    }
    for state in [&simulation.control.tail, &simulation.control.head] {
        state.waiting.store(1, Relaxed);
        state.async_waiting.store(1, Relaxed);
    }
    simulation.seen();
    (simulation, engine)
}

fn batch() -> Batch {
    let mut batch = Batch::default();
    for _ in 0..2 {
        batch.add(|_| Ok::<_, ()>(())).unwrap();
    }
    batch
}

/// All in its order: what is written or read, the eventfd, the end with its lock, the sleeper.
#[test]
fn futures_are_notified_before_the_end_moves_and_sleepers_wake_after() {
    type Verb = fn(&Engine<Recorder, Recorder>);
    let verbs: [(Verb, End, What, u32); 4] = [
        (
            |queue| queue.push(b"item").unwrap(),
            End::Tail,
            What::Write,
            1,
        ),
        (
            |queue| assert_eq!(queue.push_many(&batch()).unwrap(), 2),
            End::Tail,
            What::Write,
            2,
        ),
        (
            |queue| queue.pop(&mut Vec::new()).unwrap(),
            End::Head,
            What::Read,
            1,
        ),
        (
            |queue| {
                queue.pop_many(2, &mut Batch::default()).unwrap();
            },
            End::Head,
            What::Read,
            2,
        ),
    ];
    for (verb, end, moves, items) in verbs {
        let pops = end == End::Head;
        let inside = if pops { 2 } else { 0 };
        let (simulation, queue) = queue(inside);
        verb(&queue);
        let (locks, before) = if pops {
            ([0, ME], [inside, 0])
        } else {
            ([ME, 0], [inside, 0])
        };
        let after = if pops { [inside, items] } else { [items, 0] };
        let seen = |what, locks, counts| Seen {
            what,
            locks,
            counts,
            closed: false,
        };
        let expected = [
            seen(moves, locks, before),
            seen(What::Notify(end), locks, before),
            seen(What::Wake(end, 1), [0; 2], after),
        ];
        assert_eq!(simulation.seen(), expected, "{moves:?} {items}");
        let state = simulation.control.end(end);
        let flags = [&state.waiting, &state.async_waiting].map(|flag| flag.load(Relaxed));
        assert_eq!((flags, state.wake_seq.load(Relaxed)), ([0; 2], 1));
        verb_again(&queue, &simulation, pops);
    }
}

/// Nobody waits any more: nobody is told.
fn verb_again(queue: &Engine<Recorder, Recorder>, simulation: &Simulation, pops: bool) {
    let done = if pops {
        queue.pop(&mut Vec::new())
    } else {
        queue.push(b"item")
    };
    assert!(matches!(done, Ok(()) | Err(TryError::WouldBlock)));
    let told = simulation.seen().iter().any(|seen| {
        let (ring, wake) = (
            matches!(seen.what, What::Notify(_)),
            matches!(seen.what, What::Wake(..)),
        );
        ring || wake
    });
    assert!(!told);
}

#[test]
fn futures_are_notified_before_the_end_and_sleepers_wake_after() {
    let (simulation, queue) = queue(1);
    let states = [&simulation.control.tail, &simulation.control.head];
    // Also those of whom a dead one did not let the others know.
    states
        .iter()
        .for_each(|state| state.waiting.store(0, Relaxed));
    assert!(queue.close());
    let seen = |what, lock, closed| Seen {
        what,
        locks: [lock; 2],
        counts: [1, 0],
        closed,
    };
    let expected = [
        seen(What::Notify(End::Tail), ME, false),
        seen(What::Notify(End::Head), ME, false),
        seen(What::Wake(End::Tail, u32::MAX), 0, true),
        seen(What::Wake(End::Head, u32::MAX), 0, true),
    ];
    assert_eq!(simulation.seen(), expected);
    assert_eq!(states.map(|state| state.wake_seq.load(Relaxed)), [1; 2]);
    assert!(!queue.close());
    assert_eq!(simulation.seen(), [], "once");
}

/// Who died at one end may not have woken those who wait for either: all of them are told,
/// and nothing is written or read before it is repaired.
#[test]
fn a_repair_comes_first_and_tells_all() {
    type Verb = fn(&Engine<Recorder, Recorder>);
    let verbs: [Verb; 4] = [
        |queue| queue.push(b"item").unwrap(),
        |queue| queue.pop(&mut Vec::new()).unwrap(),
        |queue| assert!(queue.close()),
        |queue| queue.recover(Tries::Endless),
    ];
    for (n, verb) in verbs.into_iter().enumerate() {
        for died in [[true, false], [false, true], [true; 2]] {
            let (simulation, queue) = queue(1);
            simulation.is_broken.store(1, Relaxed);
            let ends = [&simulation.control.tail, &simulation.control.head];
            // The dead one had begun to tell who sleeps.
            ends.iter()
                .for_each(|state| state.waiting.store(0, Relaxed));
            for (state, _) in ends.iter().zip(died).filter(|(_, died)| *died) {
                state.lock.store(DEAD, Relaxed);
            }
            // A push comes by the tail alone, a pop by the head.
            if n < 2 && !died[n] {
                continue;
            }
            verb(&queue);
            let seen = simulation.seen();
            let expected = [
                What::Repair,
                What::Notify(End::Tail),
                What::Wake(End::Tail, u32::MAX),
                What::Notify(End::Head),
                What::Wake(End::Head, u32::MAX),
            ];
            let first: Vec<_> = seen.iter().take(5).map(|seen| seen.what).collect();
            assert_eq!(first, expected, "{n} {died:?}");
            assert!(seen[..5].iter().all(|seen| seen.locks == [ME; 2]));
            for state in ends {
                let words = [&state.lock, &state.poisoned].map(|word| word.load(Relaxed));
                assert_eq!(words, [0; 2], "{n} {died:?}");
                assert_ne!(state.wake_seq.load(Relaxed), 0, "who sleeps is told");
            }
        }
    }
}

/// A repair that is refused is tried again by every verb, until it is done.
#[test]
fn what_is_not_repaired_stays_poisoned() {
    for end in [End::Tail, End::Head] {
        let (simulation, queue) = queue(1);
        simulation.is_broken.store(1, Relaxed);
        simulation.refusals.store(3, Relaxed);
        simulation.control.end(end).lock.store(DEAD, Relaxed);
        let verb = || match end {
            End::Tail => queue.push(b"item"),
            End::Head => queue.pop(&mut Vec::new()),
        };
        for _ in 0..2 {
            assert!(matches!(verb(), Err(TryError::Failed(_))));
            let last = simulation.seen().pop().unwrap();
            assert_eq!((last.what, last.locks), (What::Repair, [ME; 2]));
            assert_eq!(
                simulation.control.end(end).lock.load(Relaxed),
                0,
                "given back"
            );
        }
        // Who only looks tries as well, and so does the next.
        queue.recover(Tries::Endless);
        verb().unwrap();
        let repairs = simulation.seen();
        let repairs = repairs.iter().filter(|seen| seen.what == What::Repair);
        assert_eq!(repairs.count(), 2);
    }
}

#[test]
fn nobody_is_disturbed_who_holds_a_lock_and_lives() {
    let (simulation, queue) = queue(1);
    let lock = &simulation.control.tail.lock;
    for holder in [0, ME, 0x300] {
        lock.store(holder, Relaxed);
        queue.recover(Tries::Endless);
        assert_eq!((simulation.seen(), lock.load(Relaxed)), (vec![], holder));
    }
}
