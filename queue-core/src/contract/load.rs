//! [`Storm`]: many parties on one queue at once, with notes of all they do.

use super::Item;
use super::crew::{Crew, Worker, run};
use super::executor::Hand;
use super::history::{History, Recorder, What};
use super::verbs::{Pop, Push};
use crate::Queue;
use std::collections::VecDeque;
use std::thread::{sleep, yield_now};
use std::time::{Duration, Instant};

/// A small generator of pseudo-random numbers (xorshift), so that a storm is varied
/// and needs no dependency.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// 0 to `n` - 1.
    fn roll(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) % n
    }
}

/// Producers and consumers that all go at one queue at once, with every verb there is,
/// chosen at random, and note what they do.
///
/// ```
/// # fn check<Q: queue_core::Queue<Item = u64> + Clone + 'static>(queue: &Q) {
/// use queue_core::contract::Storm;
/// let storm = Storm { seed: 7, cancel: true, ..Storm::PLAIN };
/// let history = storm.record(queue);
/// assert_eq!(history.check(), Ok(()), "seed {}", storm.seed);
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// What the choices follow from. (The threads' timing does not, so a seed repeats a
    /// storm but not always its outcome.)
    pub seed: u64,
    /// How many threads push.
    pub producers: u64,
    /// How many threads pop.
    pub consumers: u64,
    /// How many items each producer tries to push.
    pub each: u64,
    /// Whether futures are dropped at random.
    pub cancel: bool,
    /// Whether items go in batches; no cancelling then.
    pub batches: bool,
    /// Whether parties pause at random, up to a fifth of a millisecond.
    pub pauses: bool,
    /// Whether the queue is closed in the middle; else after the last push.
    pub close_early: bool,
}

impl Storm {
    /// Four against four, every verb for single items.
    pub const PLAIN: Self = Self {
        seed: 1,
        producers: 4,
        consumers: 4,
        each: 400,
        cancel: false,
        batches: false,
        pauses: false,
        close_early: false,
    };

    /// Lets it loose on `queue`, which is open and empty, until it is closed and
    /// drained.
    ///
    /// # Panics
    /// If it hangs, or a verb answers what it never may.
    pub fn record<T: Item, Q: Queue<Item = T> + Clone + 'static>(self, queue: &Q) -> History {
        let queue = queue.clone();
        run(format!("{self:?}"), move |crew| self.rage(crew, &queue))
    }

    /// [`record`](Self::record) as a step of a clause.
    pub(super) fn rage<T, Q>(self, crew: &Crew, queue: &Q) -> History
    where
        T: Item,
        Q: Queue<Item = T> + Clone + 'static,
    {
        let epoch = Instant::now();
        let producers: Vec<Worker<Recorder>> = (0..self.producers)
            .map(|id| {
                let queue = queue.clone();
                crew.spawn(move || self.produce(&queue, id, Recorder::new(epoch)))
            })
            .collect();
        let consumers: Vec<Worker<Recorder>> = (0..self.consumers)
            .map(|id| {
                let queue = queue.clone();
                crew.spawn(move || self.consume(&queue, id, Recorder::new(epoch)))
            })
            .collect();
        let mut history = History::new(queue.capacity());
        if self.close_early {
            sleep(Duration::from_millis(2));
        } else {
            producers
                .into_iter()
                .for_each(|worker| history.extend(worker.join()));
            return self.finish(queue, consumers, history, epoch);
        }
        let mut history = self.finish(queue, consumers, history, epoch);
        producers
            .into_iter()
            .for_each(|worker| history.extend(worker.join()));
        history
    }

    /// Closes, and waits for the consumers to drain.
    fn finish<T: Item, Q: Queue<Item = T>>(
        self,
        queue: &Q,
        consumers: Vec<Worker<Recorder>>,
        mut history: History,
        epoch: Instant,
    ) -> History {
        let mut notes = Recorder::new(epoch);
        notes.note(|| ((), What::Closed(queue.close())));
        history.extend(notes);
        consumers
            .into_iter()
            .for_each(|worker| history.extend(worker.join()));
        history
    }

    fn pause(self, dice: &mut Dice) {
        match dice.roll(32) {
            0 if self.pauses => sleep(Duration::from_micros(dice.roll(200))),
            0..2 => yield_now(),
            _ => {}
        }
    }

    fn produce<T: Item, Q: Queue<Item = T>>(
        self,
        queue: &Q,
        id: u64,
        mut notes: Recorder,
    ) -> Recorder {
        let mut dice = Dice::new(self.seed.wrapping_add(id));
        let verbs: Vec<Push> = Push::all()
            .filter(|verb| !matches!(verb, Push::Many | Push::ManyFuture | Push::TryMany))
            .collect();
        let mut next = id * self.each;
        let end = next + self.each;
        while next < end {
            self.pause(&mut dice);
            if self.batches {
                let count = (1 + dice.roll(7)).min(end - next);
                let batch = (next..next + count).map(T::new).collect();
                next += count;
                if push_batch(queue, batch, dice.roll(3), &mut notes) {
                    return notes;
                }
                continue;
            }
            if self.cancel && dice.roll(3) == 0 {
                let start = notes.now();
                let mut push = Hand::new(queue.push_async(T::new(next)));
                let done = push.poll();
                drop(push);
                match done {
                    None => notes.ended(start, What::PushCut(next)),
                    Some(Ok(())) => notes.ended(start, What::Pushed(next)),
                    Some(Err(_)) => notes.ended(start, What::PushClosed(next)),
                }
                next += 1;
                continue;
            }
            let verb = verbs[dice.roll(verbs.len() as u64) as usize];
            let start = notes.now();
            match verb.run(queue, T::new(next)) {
                Ok(()) => notes.ended(start, What::Pushed(next)),
                Err((item, refusal)) => {
                    assert_eq!(item.number(), next, "another item came back from {verb:?}");
                    if refusal.is_closed() {
                        notes.ended(start, What::PushClosed(next));
                        return notes;
                    }
                    assert!(refusal.is_open(), "{verb:?} failed: {refusal:?}");
                    notes.ended(start, What::Full(next));
                    yield_now();
                    // A refused number is not used again: all items stay different.
                }
            }
            next += 1;
        }
        notes
    }

    fn consume<T: Item, Q: Queue<Item = T>>(
        self,
        queue: &Q,
        id: u64,
        mut notes: Recorder,
    ) -> Recorder {
        let mut dice = Dice::new(self.seed.wrapping_add(500 + id));
        let verbs: Vec<Pop> = Pop::all()
            .filter(|verb| !matches!(verb, Pop::Many | Pop::ManyFuture | Pop::TryMany))
            .collect();
        // What the notes cannot tell: the order inside a batch.
        let mut seen = vec![None; self.producers as usize];
        loop {
            self.pause(&mut dice);
            if self.cancel && dice.roll(3) == 0 {
                let mut pop = Hand::new(queue.pop_async());
                let start = notes.now();
                let Some(done) = pop.poll() else {
                    if dice.roll(2) == 0 {
                        yield_now();
                    }
                    drop(pop);
                    continue;
                };
                match done {
                    Ok(item) => notes.ended(start, What::Popped(item.number())),
                    Err(_) => {
                        notes.ended(start, What::Drained);
                        return notes;
                    }
                }
                continue;
            }
            if self.batches {
                let max = 1 + dice.roll(7) as usize;
                let (numbers, closed) = pop_batch(queue, max, dice.roll(3), &mut notes);
                for number in numbers {
                    let last = &mut seen[(number / self.each) as usize];
                    assert!(
                        last.is_none_or(|last| last < number),
                        "item {number} came after {last:?} of the same producer"
                    );
                    *last = Some(number);
                }
                if closed {
                    return notes;
                }
                continue;
            }
            let verb = verbs[dice.roll(verbs.len() as u64) as usize];
            let start = notes.now();
            match verb.run(queue) {
                Ok(item) => notes.ended(start, What::Popped(item.number())),
                Err(refusal) if refusal.is_closed() => {
                    notes.ended(start, What::Drained);
                    return notes;
                }
                Err(refusal) => {
                    assert!(refusal.is_open(), "{verb:?} failed: {refusal:?}");
                    notes.ended(start, What::Empty);
                    yield_now();
                }
            }
        }
    }
}

/// Pushes a batch: whether the queue was found closed.
///
/// Each item of a batch has its own moment between the beginning and the end of the
/// call, so each is noted as an operation of its own.
fn push_batch<T: Item, Q: Queue<Item = T>>(
    queue: &Q,
    mut batch: VecDeque<T>,
    verb: u64,
    notes: &mut Recorder,
) -> bool {
    let numbers: Vec<u64> = batch.iter().map(T::number).collect();
    let start = notes.now();
    let closed = match verb {
        0 => queue.push_many(&mut batch).is_err(),
        1 => super::executor::block_on(queue.push_many_async(&mut batch)).is_err(),
        _ => match queue.try_push_many(&mut batch) {
            Ok(count) => {
                let gone = numbers.len() - batch.len();
                assert_eq!(
                    count, gone,
                    "try_push_many counts {count}, and {gone} went in"
                );
                false
            }
            Err(error) => error.is_closed(),
        },
    };
    let pushed = numbers.len() - batch.len();
    let left: Vec<u64> = batch.iter().map(T::number).collect();
    assert_eq!(
        left,
        numbers[pushed..],
        "what did not go in stays, in order"
    );
    for &number in &numbers[..pushed] {
        notes.ended(start, What::Pushed(number));
    }
    if closed {
        left.iter()
            .for_each(|&number| notes.ended(start, What::PushClosed(number)));
    }
    closed
}

/// Pops a batch: what came, and whether the queue was found drained.
fn pop_batch<T: Item, Q: Queue<Item = T>>(
    queue: &Q,
    max: usize,
    verb: u64,
    notes: &mut Recorder,
) -> (Vec<u64>, bool) {
    let mut into = Vec::new();
    let start = notes.now();
    let (count, closed) = match verb {
        0 => queue
            .pop_many(&mut into, max)
            .map_or((0, true), |n| (n, false)),
        1 => super::executor::block_on(queue.pop_many_async(&mut into, max))
            .map_or((0, true), |n| (n, false)),
        _ => match queue.try_pop_many(&mut into, max) {
            Ok(count) => (count, false),
            Err(error) => (0, error.is_closed()),
        },
    };
    assert_eq!(
        count,
        into.len(),
        "a batch of {} counts {count}",
        into.len()
    );
    assert!(count <= max, "a batch of at most {max} gave {count}");
    let numbers: Vec<u64> = into.iter().map(T::number).collect();
    numbers
        .iter()
        .for_each(|&number| notes.ended(start, What::Popped(number)));
    if closed {
        notes.ended(start, What::Drained);
    }
    (numbers, closed)
}
