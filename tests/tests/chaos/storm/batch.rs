//! Batches, noted item by item: as many pushes, or pops, at the same time.

use super::kind::{Item, Kind};
use super::log::{Log, Outcome};
use super::worker::{Orders, checked, failed};
use fastrand::Rng;
use queue_core::{Consumer, Producer, PushError, TryPopError, TryPushError};
use std::collections::{HashMap, VecDeque};
use std::iter::repeat_n;
use std::ops::Range;

/// Pushes the items of these numbers; whether the queue is closed.
pub(super) fn push<K: Kind>(
    producer: &Producer<K>,
    numbers: Range<u64>,
    at: usize,
    orders: &Orders,
    log: &Log,
    random: &mut Rng,
) -> bool {
    let pushes: Vec<_> = numbers.clone().map(Some).collect();
    let mut items: VecDeque<Item> = numbers.map(|number| K::item(number, random)).collect();
    let waits = orders.patient && (random.u8(..2) == 0);
    let outcomes = log.note_many(at, &pushes, u64::from(!waits), || {
        let ended = match (waits, random.u8(..3) == 0) {
            (true, false) => blocked(producer.push_many(&mut items)),
            (true, true) => blocked(pollster::block_on(producer.push_many_async(&mut items))),
            (false, _) => match producer.try_push_many(&mut items) {
                Ok(_) => Outcome::Nothing,
                Err(TryPushError::Full(())) => Outcome::Full,
                Err(TryPushError::Closed(())) => Outcome::Closed,
                Err(TryPushError::Failed((), failure)) => failed(&failure),
            },
        };
        let pushed = repeat_n(Outcome::Pushed, pushes.len() - items.len());
        pushed.chain(rest(ended, items.len())).collect()
    });
    outcomes.iter().any(|o| matches!(o, Outcome::Closed))
}

fn blocked(result: Result<(), PushError<()>>) -> Outcome {
    match result {
        Ok(()) => Outcome::Nothing,
        Err(PushError::Closed(())) => Outcome::Closed,
        Err(PushError::Failed((), failure)) => failed(&failure),
    }
}

/// Pops up to `count` items; whether the queue is closed.
pub(super) fn pop<K: Kind>(
    consumer: &Consumer<K>,
    count: usize,
    at: usize,
    orders: &Orders,
    log: &Log,
    random: &mut Rng,
) -> bool {
    let waits = orders.patient && (random.u8(..2) == 0);
    let outcomes = log.note_many(at, &vec![None; count], u64::from(!waits), || {
        let mut items = Vec::new();
        let result = match (waits, random.u8(..3) == 0) {
            (true, false) => consumer.pop_many(&mut items, count).map_err(Into::into),
            (true, true) => {
                let popped = consumer.pop_many_async(&mut items, count);
                pollster::block_on(popped).map_err(Into::into)
            }
            (false, _) => consumer.try_pop_many(&mut items, count),
        };
        let ended = match result {
            Ok(n) if n == items.len() && n > 0 => Outcome::Nothing,
            Ok(n) => failed(&format!("{n} items, it says, and gives {}", items.len())),
            Err(TryPopError::Empty) => Outcome::Empty,
            Err(TryPopError::Closed) => Outcome::Closed,
            Err(TryPopError::Failed(failure)) => failed(&failure),
        };
        let mut outcomes: Vec<_> = items.iter().map(checked).collect();
        if !in_order(&items) {
            outcomes[0] = failed(&"the items of a batch are out of order");
        }
        outcomes.extend(rest(ended, count - items.len()));
        outcomes
    });
    outcomes.iter().any(|o| matches!(o, Outcome::Closed))
}

/// The outcomes of the `count` of a batch that came to nothing.
fn rest(ended: Outcome, count: usize) -> impl Iterator<Item = Outcome> {
    let first = (count > 0).then_some(ended);
    first
        .into_iter()
        .chain(repeat_n(Outcome::Nothing, count.saturating_sub(1)))
}

/// Whether those of each producer are in the order in which it numbered them.
fn in_order(items: &[Item]) -> bool {
    let mut last = HashMap::new();
    let mut numbers = items.iter().map(|item| item.number);
    numbers.all(|number| last.insert(number >> 32, number) < Some(number))
}
