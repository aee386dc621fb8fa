//! One run: a queue, some workers, a number of kills, an ending, and the judgement.

use super::crew::Crew;
use super::judge::{Tally, judge, stall};
use super::kind::Kind;
use super::log::{Outcome, now};
use super::noise::Noise;
use super::watchdog;
use super::worker::{Half, Role, checked};
use fastrand::Rng;
use queue_core::contract::history::{NEVER, OpKind, Operation};
use queue_core::{Capacity, Consumer, Producer, TryPopError, TryPushError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Survivors must go on within this, beside what the machine itself keeps them waiting.
const PROGRESS: u64 = 100_000_000;

/// No machine is late by so much.
const HANGS: u64 = 20_000_000_000;

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// All stop; then the queue must hold exactly what it should.
    Quiet,
    /// All producers are killed: the consumers drain the queue and are told.
    NoProducers,
    /// All consumers are killed: the producers are told.
    NoConsumers,
}

/// Runs and judges.
pub(crate) fn run<K: Kind>(seed: u64, kills: u64, directory: &Path) -> Result<Tally, String> {
    watchdog::alive(|| format!("--kind {} --seed {seed}", K::NAME));
    let mut random = Rng::with_seed(seed);
    let bound = match random.u8(..6) {
        0 => Capacity::Unbounded,
        n => Capacity::bounded([1, 2, 7, 64, 1000][n as usize - 1]),
    };
    let ending = [Ending::Quiet, Ending::NoProducers, Ending::NoConsumers][random.usize(..3)];
    // Who sleeps: nobody much, the consumers, or the producers. Without a bound
    // somebody must keep the producers back.
    let paces = match (bound, random.u8(..3)) {
        (Capacity::Unbounded, _) => [500, 0],
        (_, 0) => [100, 100],
        (_, 1) => [3000, 0],
        _ => [0, 3000],
    };
    let patient = ending != Ending::Quiet;
    let pace = |role: Role| paces[role as usize];
    let started = Instant::now();

    let noise = Noise::start();
    let queue = K::try_with_capacity(bound).map_err(|failure| format!("no queue: {failure}"))?;
    let (producer, consumer) = queue.into_ends();
    let (producer, consumer) = (Half::Producer(producer), Half::Consumer(consumer));
    let mut crew = Crew::new(directory);
    let half = |role: Role| match role {
        Role::Producer => &producer,
        Role::Consumer => &consumer,
    };
    for role in [Role::Producer, Role::Consumer] {
        for _ in 0..2 + random.u8(..2) {
            crew.spawn::<K>(half(role), pace(role), patient, random.u64(..));
        }
    }
    crew.wait_for_all()?;
    let begun = now();
    let mut killed = 0;
    while killed < kills {
        // Often before the last death is dealt with, so that repairers die as well.
        let longest = if random.u8(..3) == 0 { 300 } else { 5000 };
        thread::sleep(Duration::from_micros(random.u64(..longest)));
        let full = crew.take_full()?;
        let dead = crew.kill_one(&mut random);
        killed += u64::from(dead.is_some());
        for role in full.into_iter().chain(dead) {
            crew.spawn::<K>(half(role), pace(role), patient, random.u64(..));
        }
        if started.elapsed() > Duration::from_secs(100) {
            return Err(format!("only {killed} of {kills} kills in 100 s"));
        }
    }
    let over = now();
    let (Half::Producer(producer), Half::Consumer(consumer)) = (producer, consumer) else {
        unreachable!("as they were made");
    };
    let mut end = End::default();
    match ending {
        Ending::Quiet => {
            for role in [Role::Producer, Role::Consumer] {
                crew.stop(role);
                crew.wait_for(role)?;
            }
            end.capacity_is_intact(bound, &producer, &consumer)?;
            end.close(|| drop(producer));
            end.drained(&consumer)?;
        }
        Ending::NoProducers => {
            end.close(|| {
                drop(producer);
                killed += crew.kill_side(Role::Producer) as u64;
            });
            crew.wait_for(Role::Consumer)?;
            end.drained(&consumer)?;
        }
        Ending::NoConsumers => {
            end.close(|| {
                drop(consumer);
                killed += crew.kill_side(Role::Consumer) as u64;
            });
            crew.wait_for(Role::Producer)?;
        }
    }
    let mut tally = judge(bound, &crew.notes, &end.history, end.closed)?;
    tally.kills = killed;
    tally.stall = stall(&crew.notes, begun, over);
    tally.noise = noise.stop();
    in_time(&mut tally, ending)?;
    Ok(tally)
}

/// Fails for what took so long that it hangs, and notes what was late.
fn in_time(tally: &mut Tally, ending: Ending) -> Result<(), String> {
    let limit = PROGRESS + 4 * tally.noise;
    for (what, time) in [
        ("nobody finished anything", tally.stall),
        ("an operation took longer than it might", tally.overrun),
        ("nobody was told of the end", tally.told),
    ] {
        if time > limit {
            let ms = |nanos: u64| nanos as f64 / 1e6;
            let (late, limit) = (ms(time), ms(limit));
            let why = format!("{what} for {late:.1} ms, over {limit:.1} ms ({ending:?})");
            if time > HANGS {
                return Err(why);
            }
            tally.late = Some(why);
        }
    }
    Ok(())
}

/// What the parent itself did at the end.
#[derive(Default)]
struct End {
    history: Vec<Operation>,
    /// When the last of a side was gone.
    closed: u64,
}

impl End {
    /// Does what makes the queue close.
    fn close(&mut self, act: impl FnOnce()) {
        let start = now();
        act();
        self.closed = now();
        let kind = OpKind::Closed(true);
        self.history.push(Operation {
            start,
            end: NEVER,
            kind,
        });
    }

    fn note(&mut self, act: impl FnOnce() -> OpKind) -> OpKind {
        let start = now();
        let kind = act();
        let end = now();
        self.history.push(Operation { start, end, kind });
        kind
    }

    fn pop<K: Kind>(&mut self, consumer: &Consumer<K>) -> Result<OpKind, String> {
        let mut failed = None;
        let kind = self.note(|| match consumer.try_pop() {
            Ok(item) => match checked(&item) {
                Outcome::Popped(number) => OpKind::Popped(number),
                _ => OpKind::PopCut,
            },
            Err(TryPopError::Empty) => OpKind::Empty,
            Err(TryPopError::Closed) => OpKind::Drained,
            Err(TryPopError::Failed(failure)) => {
                failed = Some(failure.to_string());
                OpKind::PopCut
            }
        });
        failed.map_or(Ok(kind), Err)
    }

    fn push<K: Kind>(&mut self, producer: &Producer<K>, number: u64) -> Result<OpKind, String> {
        let item = K::item(number, &mut Rng::with_seed(number));
        let mut failed = None;
        let kind = self.note(|| match producer.try_push(item) {
            Ok(()) => OpKind::Pushed(number),
            Err(TryPushError::Full(_)) => OpKind::Full(number),
            Err(TryPushError::Closed(_)) => OpKind::PushClosed(number),
            Err(TryPushError::Failed(_, failure)) => {
                failed = Some(failure.to_string());
                OpKind::PushCut(number)
            }
        });
        failed.map_or(Ok(kind), Err)
    }

    /// C3 and C10 after all those deaths: empty is empty, full is full.
    fn capacity_is_intact<K: Kind>(
        &mut self,
        bound: Capacity,
        producer: &Producer<K>,
        consumer: &Consumer<K>,
    ) -> Result<(), String> {
        for round in 0..2 {
            while matches!(self.pop(consumer)?, OpKind::Popped(_)) {}
            if !consumer.is_empty() {
                return Err(format!("a drained queue says it holds {}", consumer.len()));
            }
            let capacity = bound.capacity().unwrap_or(100);
            for n in 0..capacity {
                let number = (round + 1) << 56 | n as u64;
                let kind = self.push(producer, number)?;
                if kind != OpKind::Pushed(number) {
                    return Err(format!("push {n} of {capacity} after the kills: {kind:?}"));
                }
            }
            let more = self.push(producer, (round + 1) << 56 | capacity as u64)?;
            let full = matches!(more, OpKind::Full(_)) || bound == Capacity::Unbounded;
            let len = producer.len() - usize::from(bound == Capacity::Unbounded);
            if !full || len != capacity {
                return Err(format!("one more than {capacity}: {more:?}, len {len}"));
            }
        }
        Ok(())
    }

    /// Takes what is left, and is told the end.
    fn drained<K: Kind>(&mut self, consumer: &Consumer<K>) -> Result<(), String> {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            match self.pop(consumer)? {
                OpKind::Drained => return Ok(()),
                OpKind::Popped(_) => {}
                kind if Instant::now() > end => return Err(format!("no end comes: {kind:?}")),
                _ => thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}
