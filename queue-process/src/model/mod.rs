//! Modelled processes, for the models of this crate. Under `--cfg loom` alone.
//!
//! A [`World`] is a queue's shared memory and the kernel around it; each thread of a
//! model that runs [`World::process`] stands for a process. The engine, the lock and the
//! ring in it are what ships; the memory is loom's, and these stand in for the system:
//!
//! * the futex: a mutex and a condition variable; that a sleeper looks again after a while
//!   is modelled where it matters: every sleeper does so once after each death;
//! * the bell: a flag, a mutex and a condition variable; no death wakes who listens;
//! * death: a process with `steps` steps to live stops before its next access to shared
//!   memory, or system call. What it would do then, also while its stack unwinds, does not
//!   happen. The kernel knows of the death after that.

mod bed;
pub mod members;

use crate::shared::arena::Arena;
use crate::shared::engine::{Engine, Refusal, Standing};
use crate::shared::frames::Frames;
use crate::shared::layout::{Control, End};
use crate::shared::platform::Platform;
use crate::shared::ring::Ring;
use crate::shared::word::{Word32, Word64};
use bed::{Bed, Queue, newest};
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use queue_core::Failure;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

loom::thread_local! {
    /// How many steps this process has still to live.
    static STEPS: Cell<usize> = Cell::new(usize::MAX);
    static DEAD: Cell<bool> = Cell::new(false);
    /// Of how many deaths the net of this process knows.
    static MOURNED: Cell<usize> = Cell::new(0);
}

/// What unwinds a process that dies.
struct Death;

/// One access to shared memory, or system call: false if the process is dead.
pub(crate) fn step() -> bool {
    if DEAD.with(Cell::get) {
        return false;
    }
    let left = STEPS.with(Cell::get);
    if left == 0 {
        DEAD.with(|dead| dead.set(true));
        resume_unwind(Box::new(Death));
    }
    if left != usize::MAX {
        STEPS.with(|steps| steps.set(left - 1));
    }
    true
}

/// How many processes a world can have: as many as loom has threads.
const PROCESSES: usize = 5;

/// A queue's shared memory, and the kernel.
#[derive(Debug)]
pub struct World {
    control: Control,
    cells: Vec<Word64>,
    locks: [Queue; 2],
    futexes: [Bed; 2],
    bells: [Bed; 2],
    alive: [AtomicBool; PROCESSES],
    deaths: AtomicUsize,
    /// The ring's settings.
    capacity: u32,
    window: usize,
    keep: usize,
}

impl World {
    /// A queue of `capacity` numbers in an arena of `words` words, where a number takes
    /// two, with a small window of `window` words, and keeping `keep`.
    pub fn new(capacity: u32, words: usize, window: usize, keep: usize) -> Arc<Self> {
        let bed = || [Bed::new(), Bed::new()];
        Arc::new(Self {
            control: Control::default(),
            cells: (0..words).map(|_| Word64::default()).collect(),
            locks: [Queue::new(), Queue::new()],
            futexes: bed(),
            bells: bed(),
            alive: std::array::from_fn(|_| AtomicBool::new(true)),
            deaths: AtomicUsize::new(0),
            capacity,
            window,
            keep,
        })
    }

    /// Process number `me` of this world.
    pub fn join(self: &Arc<Self>, me: usize) -> Process {
        let ring = Ring::new(Memory(self.clone()), 8, self.window, self.keep);
        let platform = Modelled {
            world: self.clone(),
            me,
        };
        Process {
            engine: Engine::new(ring, platform, self.capacity),
        }
    }

    /// Runs `life` as process `me`, which dies before its step number `steps`, unless it is
    /// done by then: what `life` returns, or `None` if it died.
    pub fn process<R>(
        self: &Arc<Self>,
        me: usize,
        steps: usize,
        life: impl FnOnce(&Process) -> R,
    ) -> Option<R> {
        STEPS.with(|left| left.set(steps));
        let process = self.join(me);
        match catch_unwind(AssertUnwindSafe(|| life(&process))) {
            Ok(result) => {
                STEPS.with(|left| left.set(usize::MAX));
                Some(result)
            }
            Err(cause) if cause.is::<Death>() => {
                self.bury(me);
                None
            }
            Err(cause) => resume_unwind(cause),
        }
    }

    /// The kernel learns of a death; the nets of all who sleep catch them.
    fn bury(&self, me: usize) {
        // Release: who sees it sees all that the dead did.
        self.alive[me].store(false, Ordering::Release);
        self.deaths.fetch_add(1, Ordering::Release);
        self.futexes.iter().for_each(Bed::bury);
        self.locks.iter().for_each(Queue::bury);
    }
}

/// The memory of a world, as an arena.
#[derive(Debug)]
struct Memory(Arc<World>);

// Relaxed, all: what orders them is on trial.
impl Arena for Memory {
    fn words(&self) -> usize {
        self.0.cells.len()
    }

    fn set(&self, at: usize, word: u64) {
        self.0.cells[at].store(word, Ordering::Relaxed);
    }

    fn get(&self, at: usize) -> u64 {
        self.0.cells[at].load(Ordering::Relaxed)
    }

    fn write(&self, at: usize, bytes: &[u8]) {
        for (n, word) in bytes.chunks(8).enumerate() {
            let word = word.try_into().expect("the items are numbers");
            self.set(at + n, u64::from_ne_bytes(word));
        }
    }

    fn read(&self, at: usize, len: usize, into: &mut Vec<u8>) {
        assert_eq!(len % 8, 0, "the items are numbers");
        for n in 0..len / 8 {
            into.extend(self.get(at + n).to_ne_bytes());
        }
    }

    fn grow(&self, _: usize, _: usize) -> Result<(), Failure> {
        Ok(())
    }

    /// Memory that was given back reads as zero.
    fn shrink(&self, from: usize, to: usize) {
        for cell in &self.0.cells[from..to] {
            cell.store(0, Ordering::Relaxed);
        }
    }
}

#[derive(Debug)]
struct Modelled {
    world: Arc<World>,
    me: usize,
}

impl Modelled {
    fn futex(&self, word: &Word32) -> &Bed {
        let tail = std::ptr::eq(word, &raw const *self.world.control.line(End::Tail).moved);
        &self.world.futexes[usize::from(!tail)]
    }

    fn lock(&self, word: &Word32) -> &Queue {
        let tail = std::ptr::eq(word, &raw const self.world.control.line(End::Tail).lock);
        &self.world.locks[usize::from(!tail)]
    }

    fn bell(&self, end: End) -> &Bed {
        &self.world.bells[usize::from(end == End::Head)]
    }
}

impl Platform for Modelled {
    fn control(&self) -> &Control {
        &self.world.control
    }

    fn me(&self) -> u32 {
        self.me as u32 + 1
    }

    fn is_alive(&self, owner: u32) -> bool {
        // Acquire: pairs with the Release in `bury`.
        self.world.alive[owner as usize - 1].load(Ordering::Acquire)
    }

    fn pause(&self, _: u32, word: &Word32, holder: u32) {
        if !step() {
            return;
        }
        self.lock(word)
            .pause(word, holder, |holder| self.is_alive(holder));
    }

    fn given_back(&self, word: &Word32) {
        // The dead tell nobody: that is for the kernel to do.
        if !DEAD.with(Cell::get) {
            self.lock(word).given_back();
        }
    }

    fn now(&self) -> u32 {
        // In models it is time for everything.
        0
    }

    fn sleep(&self, word: &Word32, seen: u32, _: Duration) -> bool {
        if !step() {
            return false;
        }
        let futex = self.futex(word);
        let bed = futex.rung.lock().expect("nobody panics in bed");
        let deaths = self.world.deaths.load(Ordering::Acquire);
        if MOURNED.with(|mourned| mourned.replace(deaths)) != deaths {
            return true;
        }
        // The kernel looks under its lock.
        if newest(word) == seen {
            drop(futex.bell.wait(bed));
        }
        false
    }

    fn wake(&self, word: &Word32, sleepers: u32) {
        if !step() {
            return;
        }
        let futex = self.futex(word);
        let _bed = futex.rung.lock().expect("nobody panics in bed");
        if sleepers == 1 {
            futex.bell.notify_one();
        } else {
            futex.bell.notify_all();
        }
    }

    fn ring(&self, end: End) {
        if step() {
            *self.bell(end).rung.lock().expect("nobody panics in bed") = true;
            self.bell(end).bell.notify_all();
        }
    }

    fn silence(&self, end: End) {
        if step() {
            *self.bell(end).rung.lock().expect("nobody panics in bed") = false;
        }
    }
}

/// Why a modelled process did not get what it wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    /// There is no place, or no item.
    NotNow,
    /// Closed.
    Closed,
}

fn no(refusal: Refusal) -> No {
    match refusal {
        Refusal::NotNow => No::NotNow,
        Refusal::Closed => No::Closed,
        Refusal::Failed(failure) => panic!("{failure}"),
    }
}

/// A modelled process's queue of numbers.
#[derive(Debug)]
pub struct Process {
    engine: Engine<Ring<Memory>, Modelled>,
}

impl Process {
    /// Pushes if there is a place.
    ///
    /// # Errors
    /// [`No`].
    pub fn try_push(&self, number: u64) -> Result<(), No> {
        self.engine.push(&number.to_ne_bytes()).map_err(no)
    }

    /// Pops if there is an item.
    ///
    /// # Errors
    /// [`No`].
    pub fn try_pop(&self) -> Result<u64, No> {
        let mut bytes = Vec::new();
        self.engine.pop(&mut bytes).map_err(no)?;
        Ok(u64::from_ne_bytes(bytes.try_into().expect("a number")))
    }

    /// Pushes as many of `numbers` as there are places for: how many.
    ///
    /// # Errors
    /// [`No`], if there is no place for the first.
    pub fn try_push_many(&self, numbers: &[u64]) -> Result<usize, No> {
        let mut frames = Frames::new();
        for number in numbers {
            let add = |bytes: &mut Vec<u8>| {
                bytes.extend(number.to_ne_bytes());
                Ok::<_, No>(())
            };
            frames.add(add).expect("no reason not to");
        }
        self.engine.push_many(&frames).map_err(no)
    }

    /// Pops up to `max` items.
    ///
    /// # Errors
    /// [`No`], if there is none.
    pub fn try_pop_many(&self, max: u32) -> Result<Vec<u64>, No> {
        let mut frames = Frames::new();
        self.engine.pop_many(max, &mut frames).map_err(no)?;
        let number = |n| u64::from_ne_bytes(frames.get(n).try_into().expect("a number"));
        Ok((0..frames.len()).map(number).collect())
    }

    /// Pushes, waiting as a thread.
    ///
    /// # Errors
    /// `Closed`.
    pub fn push(&self, number: u64) -> Result<(), No> {
        self.wait(End::Head, || self.try_push(number))
    }

    /// Pops, waiting as a thread.
    ///
    /// # Errors
    /// `Closed`.
    pub fn pop(&self) -> Result<u64, No> {
        self.wait(End::Tail, || self.try_pop())
    }

    /// As the listener of the crate waits.
    fn wait<R>(&self, end: End, mut attempt: impl FnMut() -> Result<R, No>) -> Result<R, No> {
        loop {
            match attempt() {
                Err(No::NotNow) => {}
                done => return done,
            }
            let mut back = false;
            while let Standing::Asleep(seen) = self.engine.stand(end, back).expect("can repair") {
                let platform = self.engine.platform();
                platform.sleep(
                    &platform.control().line(end).moved,
                    seen,
                    crate::shared::NET,
                );
                back = true;
            }
        }
    }

    /// Pops, waiting as a future whose runtime polls the bell.
    ///
    /// # Errors
    /// `Closed`.
    pub fn pop_by_bell(&self) -> Result<u64, No> {
        loop {
            match self.try_pop() {
                Err(No::NotNow) => {}
                done => return done,
            }
            while self.engine.listen(End::Tail).expect("can repair") {
                let bell = self.engine.platform().bell(End::Tail);
                let mut rung = bell.rung.lock().expect("nobody panics in bed");
                while !*rung {
                    rung = bell.bell.wait(rung).expect("nobody panics in bed");
                }
            }
        }
    }

    /// Closes; whether it was open.
    pub fn close(&self) -> bool {
        self.engine.close()
    }

    /// How many are inside.
    pub fn len(&self) -> u32 {
        self.engine.len()
    }

    /// Whether none are.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
