//! [`StressRun`]: many producers and consumers on one queue at once, with a history of what they do.

use super::Item;
use super::executor::PolledFuture;
use super::history::{History, OpKind, Recorder};
use super::verbs::{Pop, Push};
use super::watchdog::{Watchdog, Worker, answer_time, run};
use crate::Queue;
use std::collections::VecDeque;
use std::thread::{sleep, yield_now};
use std::time::{Duration, Instant};

/// A small generator of pseudo-random numbers (xorshift), so that the crate needs no dependency.
#[derive(Clone, Debug)]
struct Rng(u64);

impl Rng {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// 0 to `n` - 1.
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) % n
    }
}

/// Producers and consumers that use one queue at once, by every verb there is, chosen at random, and
/// record what they do.
///
/// ```
/// # fn check<Q: queue_core::Queue<Item = u64> + Clone + 'static>(queue: &Q) {
/// use queue_core::contract::StressRun;
/// let run = StressRun { seed: 7, cancel: true, ..StressRun::PLAIN };
/// let history = run.record(queue);
/// assert_eq!(history.check(), Ok(()), "seed {}", run.seed);
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct StressRun {
    /// Determines the random choices. The threads' timing does not follow from it, so the same seed
    /// does not always have the same outcome.
    pub seed: u64,
    /// How many threads push.
    pub producers: u64,
    /// How many threads pop.
    pub consumers: u64,
    /// How many items each producer tries to push.
    pub each: u64,
    /// Whether futures are dropped at random.
    pub cancel: bool,
    /// Whether items go in batches. Nothing is cancelled then.
    pub batches: bool,
    /// Whether threads pause at random, for up to a fifth of a millisecond.
    pub pauses: bool,
    /// Whether the queue is closed in the middle, or else after the last push.
    pub close_early: bool,
}

impl StressRun {
    /// Four producers and four consumers, with every verb for single items.
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

    /// Runs on `queue`, which is open and empty, until it is closed and drained, and returns what
    /// happened.
    ///
    /// # Panics
    /// If it hangs, or if a verb returns what it never may.
    pub fn record<T: Item, Q: Queue<Item = T> + Clone + 'static>(self, queue: &Q) -> History {
        let queue = queue.clone();
        run(format!("{self:?}"), move |watchdog| {
            self.run_under(watchdog, &queue)
        })
    }

    /// [`record`](Self::record) as a step of a clause.
    pub(super) fn run_under<T, Q>(self, watchdog: &Watchdog, queue: &Q) -> History
    where
        T: Item,
        Q: Queue<Item = T> + Clone + 'static,
    {
        let crowd = Self {
            each: super::watchdog::crowd(self.each),
            ..self
        };
        crowd.run_whole(watchdog, queue)
    }

    fn run_whole<T, Q>(self, watchdog: &Watchdog, queue: &Q) -> History
    where
        T: Item,
        Q: Queue<Item = T> + Clone + 'static,
    {
        let epoch = Instant::now();
        let producers: Vec<Worker<Recorder>> = (0..self.producers)
            .map(|id| {
                let queue = queue.clone();
                watchdog.spawn(move || self.produce(&queue, id, Recorder::new(epoch)))
            })
            .collect();
        let consumers: Vec<Worker<Recorder>> = (0..self.consumers)
            .map(|id| {
                let queue = queue.clone();
                watchdog.spawn(move || self.consume(&queue, id, Recorder::new(epoch)))
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
        let mut recorder = Recorder::new(epoch);
        recorder.note(|| ((), OpKind::Closed(queue.close())));
        history.extend(recorder);
        consumers
            .into_iter()
            .for_each(|worker| history.extend(worker.join()));
        history
    }

    fn pause(self, rng: &mut Rng) {
        match rng.below(32) {
            0 if self.pauses => sleep(Duration::from_micros(rng.below(200))),
            0..2 => yield_now(),
            _ => {}
        }
    }

    fn produce<T: Item, Q: Queue<Item = T>>(
        self,
        queue: &Q,
        id: u64,
        mut recorder: Recorder,
    ) -> Recorder {
        let mut rng = Rng::new(self.seed.wrapping_add(id));
        let verbs: Vec<Push> = Push::all()
            .filter(|verb| !matches!(verb, Push::Many | Push::ManyFuture | Push::TryMany))
            .collect();
        let mut next = id * self.each;
        let end = next + self.each;
        while next < end {
            self.pause(&mut rng);
            if self.batches {
                let count = (1 + rng.below(7)).min(end - next);
                let batch = (next..next + count).map(T::new).collect();
                next += count;
                if push_batch(queue, batch, rng.below(3), &mut recorder) {
                    return recorder;
                }
                continue;
            }
            if self.cancel && rng.below(3) == 0 {
                let start = recorder.now();
                let mut push = PolledFuture::new(queue.push_async(T::new(next)));
                let done = push.poll_once();
                drop(push);
                match done {
                    None if answer_time().is_zero() => {
                        recorder.ended(start, OpKind::PushCut(next));
                    }
                    // It may be on its way still.
                    None => recorder.cut(start, OpKind::PushCut(next)),
                    Some(Ok(())) => recorder.ended(start, OpKind::Pushed(next)),
                    Some(Err(_)) => recorder.ended(start, OpKind::PushClosed(next)),
                }
                next += 1;
                continue;
            }
            let verb = verbs[rng.below(verbs.len() as u64) as usize];
            let start = recorder.now();
            match verb.run(queue, T::new(next)) {
                Ok(()) => recorder.ended(start, OpKind::Pushed(next)),
                Err((item, refusal)) => {
                    assert_eq!(item.number(), next, "another item came back from {verb:?}");
                    if refusal.is_closed() {
                        recorder.ended(start, OpKind::PushClosed(next));
                        return recorder;
                    }
                    assert!(refusal.is_open(), "{verb:?} failed: {refusal:?}");
                    recorder.ended(start, OpKind::Full(next));
                    yield_now();
                    // A refused number is not used again: all items stay different.
                }
            }
            next += 1;
        }
        recorder
    }

    fn consume<T: Item, Q: Queue<Item = T>>(
        self,
        queue: &Q,
        id: u64,
        mut recorder: Recorder,
    ) -> Recorder {
        let mut rng = Rng::new(self.seed.wrapping_add(500 + id));
        let verbs: Vec<Pop> = Pop::all()
            .filter(|verb| {
                use Pop::{Many, ManyFuture, ManyTimeout, ManyZero, TryMany};
                !matches!(verb, Many | ManyFuture | ManyTimeout | ManyZero | TryMany)
            })
            .collect();
        // The recorder does not see the order inside a batch.
        let mut seen = vec![None; self.producers as usize];
        loop {
            self.pause(&mut rng);
            if self.cancel && rng.below(3) == 0 {
                let mut pop = PolledFuture::new(queue.pop_async());
                let start = recorder.now();
                let Some(done) = pop.poll_once() else {
                    if rng.below(2) == 0 {
                        yield_now();
                    }
                    drop(pop);
                    continue;
                };
                match done {
                    Ok(item) => recorder.ended(start, OpKind::Popped(item.number())),
                    Err(_) => {
                        recorder.ended(start, OpKind::Drained);
                        return recorder;
                    }
                }
                continue;
            }
            if self.batches {
                let max = 1 + rng.below(7) as usize;
                let (numbers, closed) = pop_batch(queue, max, rng.below(4), &mut recorder);
                for number in numbers {
                    let last = &mut seen[(number / self.each) as usize];
                    assert!(
                        last.is_none_or(|last| last < number),
                        "item {number} came after {last:?} of the same producer"
                    );
                    *last = Some(number);
                }
                if closed {
                    return recorder;
                }
                continue;
            }
            let verb = verbs[rng.below(verbs.len() as u64) as usize];
            let start = recorder.now();
            match verb.run(queue) {
                Ok(item) => recorder.ended(start, OpKind::Popped(item.number())),
                Err(refusal) if refusal.is_closed() => {
                    recorder.ended(start, OpKind::Drained);
                    return recorder;
                }
                Err(refusal) => {
                    assert!(refusal.is_open(), "{verb:?} failed: {refusal:?}");
                    recorder.ended(start, OpKind::Empty);
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
    recorder: &mut Recorder,
) -> bool {
    let numbers: Vec<u64> = batch.iter().map(T::number).collect();
    let start = recorder.now();
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
        recorder.ended(start, OpKind::Pushed(number));
    }
    if closed {
        left.iter()
            .for_each(|&number| recorder.ended(start, OpKind::PushClosed(number)));
    }
    closed
}

/// Pops a batch: what came, and whether the queue was found drained.
fn pop_batch<T: Item, Q: Queue<Item = T>>(
    queue: &Q,
    max: usize,
    verb: u64,
    recorder: &mut Recorder,
) -> (Vec<u64>, bool) {
    let mut into = Vec::new();
    let start = recorder.now();
    let (count, closed) = match verb {
        0 => queue
            .pop_many(&mut into, max)
            .map_or((0, true), |n| (n, false)),
        1 => super::executor::block_on(queue.pop_many_async(&mut into, max))
            .map_or((0, true), |n| (n, false)),
        2 => match queue.pop_many_timeout(&mut into, max, Duration::from_micros(100)) {
            Ok(count) => (count, false),
            Err(error) => (0, error.is_closed()),
        },
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
        .for_each(|&number| recorder.ended(start, OpKind::Popped(number)));
    if closed {
        recorder.ended(start, OpKind::Drained);
    }
    (numbers, closed)
}
