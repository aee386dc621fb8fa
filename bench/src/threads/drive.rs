//! The loads, over any channel between threads.

use super::channel::{Channel, Rx, Tx};
use crate::cell::{Cell, Load, Shape};
use crate::heap;
use crate::item::{Block, Item, Tally, share};
use crate::machine::own_cpu;
use crate::subject::Outcome;
use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Items of a batch.
const BATCH: usize = 32;
/// What an idle queue holds, and who waits on it.
const IDLE: Shape = Shape::new(1, 1, Some(1024));

/// Whether the load itself fits the channel.
pub fn supports<C: Channel>(cell: &Cell) -> bool {
    match cell.load {
        // 64 waiters on one queue, or one each on 64.
        Load::Idle => C::supports(&cell.shape) || C::supports(&IDLE),
        Load::Work | Load::Select => false, // See `family` and `select`.
        _ => true,
    }
}

/// One run. Only streams come with large items.
pub fn run<C: Channel>(cell: &Cell, items: u64) -> Result<Outcome, String> {
    let shape = &cell.shape;
    match (cell.load, cell.size) {
        (Load::Stream, 8) => stream::<C, u64>(shape, items, 1),
        (Load::Stream, _) => stream::<C, Block>(shape, items, 1),
        (Load::Batch, _) => stream::<C, u64>(shape, items, BATCH),
        (Load::PingPong, _) => Ok(ping_pong::<C>(shape, items)),
        (Load::Alone, _) => alone::<C>(shape, items),
        (Load::Idle, _) => Ok(idle::<C>(shape)),
        (Load::Empty, _) => Ok(empty::<C>(shape, items)),
        (Load::Queued, _) => Ok(queued::<C>(shape, items)),
        (Load::Burst, _) => Ok(burst::<C>(shape, items)),
        (Load::Work | Load::Select, _) => Err("it is no channel's own".to_owned()),
    }
}

/// Producers to consumers, until all is through.
fn stream<C: Channel, T: Item>(shape: &Shape, items: u64, batch: usize) -> Result<Outcome, String> {
    let (txs, rxs) = C::open::<T>(shape);
    let start_line = Barrier::new(txs.len() + rxs.len());
    let producers = txs.len();
    let cpu = own_cpu();
    let (times, tallies): (Vec<_>, Vec<_>) = thread::scope(|scope| {
        let start_line = &start_line;
        let consumers: Vec<_> = rxs
            .into_iter()
            .map(|rx| {
                scope.spawn(move || {
                    start_line.wait();
                    let start = Instant::now();
                    let tally = if batch > 1 {
                        drain_many(rx, batch)
                    } else {
                        drain(rx)
                    };
                    ((start, Instant::now()), tally)
                })
            })
            .collect();
        for (which, tx) in txs.into_iter().enumerate() {
            scope.spawn(move || {
                start_line.wait();
                let numbers = share(items, producers, which);
                if batch > 1 {
                    feed_many(tx, numbers, batch)
                } else {
                    feed(tx, numbers)
                }
            });
        }
        consumers
            .into_iter()
            .map(|c| c.join().expect("a consumer panicked"))
            .unzip()
    });
    Tally::check(&tallies, items, producers)?;
    let start = times.iter().map(|time| time.0).min().expect("a consumer");
    let end = times.iter().map(|time| time.1).max().expect("a consumer");
    Ok(Outcome::rate(
        items,
        (end - start).as_secs_f64(),
        own_cpu() - cpu,
    ))
}

fn feed<T: Item>(mut tx: impl Tx<T>, numbers: std::ops::Range<u64>) {
    for number in numbers {
        tx.send(T::new(number));
    }
}

fn feed_many<T: Item>(mut tx: impl Tx<T>, mut numbers: std::ops::Range<u64>, batch: usize) {
    let mut items = VecDeque::with_capacity(batch);
    while !numbers.is_empty() {
        items.extend(numbers.by_ref().take(batch).map(T::new));
        tx.send_many(&mut items);
    }
}

fn drain<T: Item>(mut rx: impl Rx<T>) -> Tally {
    let mut tally = Tally::default();
    while let Some(item) = rx.recv() {
        tally.note(item.number());
    }
    tally
}

fn drain_many<T: Item>(mut rx: impl Rx<T>, batch: usize) -> Tally {
    let mut tally = Tally::default();
    let mut items = Vec::with_capacity(batch);
    loop {
        rx.recv_many(&mut items, batch);
        if items.is_empty() {
            return tally;
        }
        items.drain(..).for_each(|item| tally.note(item.number()));
    }
}

fn one<C: Channel>(shape: &Shape) -> (C::Tx<u64>, C::Rx<u64>) {
    let (mut txs, mut rxs) = C::open::<u64>(shape);
    (txs.remove(0), rxs.remove(0))
}

/// There over one queue and back over another; every trip timed.
fn ping_pong<C: Channel>(shape: &Shape, items: u64) -> Outcome {
    let (mut ping, mut pinged) = one::<C>(shape);
    let (mut pong, mut ponged) = one::<C>(shape);
    thread::scope(|scope| {
        scope.spawn(move || {
            while let Some(item) = pinged.recv() {
                pong.send(item);
            }
        });
        let begin = Instant::now();
        let mut last = begin;
        let times = (0..items)
            .map(|number| {
                ping.send(number);
                black_box(ponged.recv());
                let now = Instant::now();
                (now - std::mem::replace(&mut last, now)).as_nanos() as u32
            })
            .collect();
        // The sender goes before the scope waits for the other thread.
        drop(ping);
        Outcome::times(times, begin.elapsed().as_secs_f64())
    })
}

/// Push and pop with nobody else there.
fn alone<C: Channel>(shape: &Shape, items: u64) -> Result<Outcome, String> {
    let (mut tx, mut rx) = one::<C>(shape);
    let mut tally = Tally::default();
    let start = Instant::now();
    for number in 0..items {
        tx.send(black_box(number));
        tally.note(rx.recv().map_or(u64::MAX, |item| item));
    }
    let outcome = Outcome::each(items, start.elapsed().as_secs_f64());
    Tally::check(&[tally], items, 1)?;
    Ok(outcome)
}

/// CPU milliseconds that waiters use in a second in which nothing comes.
fn idle<C: Channel>(shape: &Shape) -> Outcome {
    let (_txs, rxs): (Vec<_>, Vec<_>) = if C::supports(shape) {
        C::open::<u64>(shape)
    } else {
        (0..shape.consumers).map(|_| one::<C>(&IDLE)).unzip()
    };
    for mut rx in rxs {
        // They end with the process.
        thread::spawn(move || rx.recv());
    }
    thread::sleep(Duration::from_millis(200));
    let before = own_cpu();
    thread::sleep(Duration::from_secs(1));
    let outcome = Outcome::plain((own_cpu() - before) * 1e3);
    std::mem::forget(_txs);
    outcome
}

/// Bytes of an empty queue.
fn empty<C: Channel>(shape: &Shape, queues: u64) -> Outcome {
    drop(one::<C>(shape));
    let mut all = Vec::with_capacity(queues as usize);
    let bytes = heap::growth(|| all.extend((0..queues).map(|_| one::<C>(shape))));
    Outcome::plain(bytes / queues as f64)
}

/// Bytes per queued item.
fn queued<C: Channel>(shape: &Shape, items: u64) -> Outcome {
    let (mut tx, _rx) = one::<C>(shape);
    let bytes = heap::growth(|| (0..items).for_each(|number| tx.send(number)));
    Outcome::plain(bytes / items as f64)
}

/// Bytes that a queue keeps when many items have come and gone.
fn burst<C: Channel>(shape: &Shape, items: u64) -> Outcome {
    let (mut tx, mut rx) = one::<C>(shape);
    let bytes = heap::growth(|| {
        (0..items).for_each(|number| tx.send(number));
        (0..items).for_each(|_| _ = black_box(rx.recv()));
    });
    Outcome::plain(bytes)
}
