//! What a worker process does until it is stopped, told that the queue is closed, or killed.

use super::batch;
use super::kind::{Item, Kind};
use super::log::{ENTRIES, Log, Outcome};
use fastrand::Rng;
use queue_core::{
    Consumer, PopError, PopTimeoutError, Producer, PushError, PushTimeoutError, TryPopError,
    TryPushError,
};
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;
use std::{env, fs, thread};

/// Which side a worker is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Producer,
    Consumer,
}

/// What a worker is told.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) kind: String,
    pub(crate) role: Role,
    pub(crate) number: u64,
    pub(crate) seed: u64,
    /// How long it sleeps now and then, at most, in microseconds.
    pub(crate) pace: u64,
    /// Whether it may wait as long as it takes.
    pub(crate) patient: bool,
}

/// How orders reach a worker.
const ORDERS: &str = "CHAOS_ORDERS";
const LOG: &str = "CHAOS_LOG";

impl Orders {
    pub(crate) fn write(&self, command: &mut std::process::Command, log: &Path) {
        let Self {
            kind,
            role,
            number,
            seed,
            pace,
            patient,
        } = self;
        let side = *role as u8;
        let text = format!(
            "{kind} {side} {number} {seed} {pace} {}",
            u8::from(*patient)
        );
        command.env(ORDERS, text).env(LOG, log);
    }

    /// Those of this process, if it is a worker.
    pub(crate) fn read() -> Option<(Self, Log)> {
        let text = env::var(ORDERS).ok()?;
        let words: Vec<&str> = text.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().expect("a number");
        let orders = Self {
            kind: words[0].into(),
            role: if number(1) == 0 {
                Role::Producer
            } else {
                Role::Consumer
            },
            number: number(2),
            seed: number(3),
            pace: number(4),
            patient: number(5) == 1,
        };
        let path = env::var_os(LOG).expect("a log");
        Some((orders, Log::open(Path::new(&path))))
    }
}

/// Works.
pub(crate) fn run<K: Kind>(orders: &Orders, log: &Log) {
    let mut random = Rng::with_seed(orders.seed);
    let queue = K::half(orders.role);
    let mut next = 0;
    while next < ENTRIES {
        if log.is_stopped() {
            return;
        }
        let at = next;
        let many = (ENTRIES - at).min(random.usize(..40) + 1);
        // Now and then a batch.
        next += if random.u8(..8) == 0 { many } else { 1 };
        let count = next - at;
        if random.u8(..8) == 0 && orders.pace > 0 {
            thread::sleep(Duration::from_micros(random.u64(..orders.pace)));
        }
        let closed = match &queue {
            Half::Producer(producer) => {
                let number = orders.number << 32 | (at as u64 + 1);
                match count {
                    1 => push(producer, number, at, orders, log, &mut random),
                    _ => {
                        let numbers = number..number + count as u64;
                        batch::push(producer, numbers, at, orders, log, &mut random)
                    }
                }
            }
            Half::Consumer(consumer) => match count {
                1 => pop(consumer, at, orders, log, &mut random),
                _ => batch::pop(consumer, count, at, orders, log, &mut random),
            },
        };
        if closed {
            return;
        }
    }
}

/// The half of the queue that a worker was given.
pub(crate) enum Half<K: Kind> {
    Producer(Producer<K>),
    Consumer(Consumer<K>),
}

/// How a verb waits.
enum Verb {
    Try,
    Timeout(Duration),
    Block,
    Future,
}

impl Verb {
    fn choose(orders: &Orders, random: &mut Rng) -> Self {
        match random.u64(..if orders.patient { 10 } else { 6 }) {
            0..2 => Self::Try,
            2..6 => Self::Timeout(Duration::from_micros(random.u64(..30_000))),
            6..9 => Self::Block,
            _ => Self::Future,
        }
    }

    fn patience(&self) -> u64 {
        match self {
            Self::Try => 1,
            Self::Timeout(time) => time.as_nanos() as u64 + 1,
            Self::Block | Self::Future => 0,
        }
    }
}

fn push<K: Kind>(
    producer: &Producer<K>,
    number: u64,
    at: usize,
    orders: &Orders,
    log: &Log,
    random: &mut Rng,
) -> bool {
    let item = K::item(number, random);
    let verb = Verb::choose(orders, random);
    let outcome = log.note(at, Some(number), verb.patience(), || match verb {
        Verb::Try => match producer.try_push(item) {
            Ok(()) => Outcome::Pushed,
            Err(TryPushError::Full(_)) => Outcome::Full,
            Err(TryPushError::Closed(_)) => Outcome::Closed,
            Err(TryPushError::Failed(_, failure)) => failed(&failure),
        },
        Verb::Timeout(time) => match producer.push_timeout(item, time) {
            Ok(()) => Outcome::Pushed,
            Err(PushTimeoutError::Timeout(_)) => Outcome::Full,
            Err(PushTimeoutError::Closed(_)) => Outcome::Closed,
            Err(PushTimeoutError::Failed(_, failure)) => failed(&failure),
        },
        Verb::Block => pushed(producer.push(item)),
        Verb::Future => pushed(pollster::block_on(producer.push_async(item))),
    });
    matches!(outcome, Outcome::Closed)
}

fn pushed(result: Result<(), PushError<Item>>) -> Outcome {
    match result {
        Ok(()) => Outcome::Pushed,
        Err(PushError::Closed(_)) => Outcome::Closed,
        Err(PushError::Failed(_, failure)) => failed(&failure),
    }
}

fn pop<K: Kind>(
    consumer: &Consumer<K>,
    at: usize,
    orders: &Orders,
    log: &Log,
    random: &mut Rng,
) -> bool {
    let verb = Verb::choose(orders, random);
    let outcome = log.note(at, None, verb.patience(), || match verb {
        Verb::Try => match consumer.try_pop() {
            Ok(item) => checked(&item),
            Err(TryPopError::Empty) => Outcome::Empty,
            Err(TryPopError::Closed) => Outcome::Closed,
            Err(TryPopError::Failed(failure)) => failed(&failure),
        },
        Verb::Timeout(time) => match consumer.pop_timeout(time) {
            Ok(item) => checked(&item),
            Err(PopTimeoutError::Timeout) => Outcome::Empty,
            Err(PopTimeoutError::Closed) => Outcome::Closed,
            Err(PopTimeoutError::Failed(failure)) => failed(&failure),
        },
        Verb::Block => popped(consumer.pop()),
        Verb::Future => popped(pollster::block_on(consumer.pop_async())),
    });
    matches!(outcome, Outcome::Closed)
}

fn popped(result: Result<Item, PopError>) -> Outcome {
    match result {
        Ok(item) => checked(&item),
        Err(PopError::Closed) => Outcome::Closed,
        Err(PopError::Failed(failure)) => failed(&failure),
    }
}

pub(crate) fn checked(item: &Item) -> Outcome {
    match item.is_whole() {
        true => Outcome::Popped(item.number),
        false => failed(&format!("item {} is torn", item.number)),
    }
}

pub(super) fn failed(why: &dyn Display) -> Outcome {
    // To where the parent looks if it must explain itself.
    let _ = fs::write(
        format!("{}.failed", env::var(LOG).unwrap_or_default()),
        why.to_string(),
    );
    Outcome::Failed
}
