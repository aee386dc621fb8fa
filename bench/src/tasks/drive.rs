//! The loads, over any channel between tasks.

use super::channel::{Channel, Rx, Tx};
use crate::cell::{Cell, Load, Place, Shape};
use crate::heap;
use crate::item::{Block, Item, Tally, share};
use crate::machine::own_cpu;
use crate::subject::Outcome;
use std::collections::VecDeque;
use std::future::Future;
use std::hint::black_box;
use std::ops::Range;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Items of a batch.
const BATCH: usize = 32;
/// What an idle queue holds, and who waits on it.
const IDLE: Shape = Shape::new(1, 1, Some(1024));
/// From so many tasks on, they are given time to lie down before the others begin.
const CROWD: usize = 1000;

/// Whether 64 idle waiters can lie on 64 queues where one queue takes just one.
pub fn spreads<C: Channel>(cell: &Cell) -> bool {
    cell.load == Load::Idle && C::supports(&IDLE)
}

/// One run.
pub fn run<C: Channel>(cell: &Cell, items: u64) -> Result<Outcome, String> {
    let runtime = match cell.place {
        Place::Local => Builder::new_current_thread().enable_time().build(),
        _ => Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build(),
    }
    .map_err(|error| error.to_string())?;
    let (rt, shape) = (&runtime, cell.shape);
    // Only streams come with large items.
    match (cell.load, cell.size) {
        (Load::Stream, 8) => on(rt, stream::<C, u64>(shape, items, 1))?,
        (Load::Stream, _) => on(rt, stream::<C, Block>(shape, items, 1))?,
        (Load::Batch, _) => on(rt, stream::<C, u64>(shape, items, BATCH))?,
        (Load::PingPong, _) => on(rt, ping_pong::<C>(shape, items)),
        (Load::Alone, _) => on(rt, alone::<C>(shape, items))?,
        (Load::Idle, _) => on(rt, idle::<C>(shape)),
        (Load::Empty, _) => Ok(empty::<C>(&shape, items)),
        (Load::Queued, _) => on(rt, queued::<C>(shape, items)),
        (Load::Burst, _) => on(rt, burst::<C>(shape, items)),
        (Load::Work | Load::Select, _) => Err("it is measured between threads".to_owned()),
    }
}

/// Runs `task` as a task of the runtime: on a worker, not on the thread that blocks.
fn on<R: Send + 'static>(
    rt: &Runtime,
    task: impl Future<Output = R> + Send + 'static,
) -> Result<R, String> {
    rt.block_on(rt.spawn(task))
        .map_err(|error| error.to_string())
}

/// Producers to consumers, until all is through.
async fn stream<C: Channel, T: Item>(
    shape: Shape,
    items: u64,
    batch: usize,
) -> Result<Outcome, String> {
    let (txs, rxs) = C::open::<T>(&shape);
    let (senders, receivers) = (txs.len(), rxs.len());
    let crowd = senders.max(receivers) >= CROWD;
    let mut txs = txs.into_iter().enumerate();
    let mut feed_all = || -> Vec<_> {
        txs.by_ref()
            .map(|(which, tx)| tokio::spawn(feed(tx, share(items, senders, which), batch)))
            .collect()
    };
    let mut producers = Vec::new();
    if crowd && senders > receivers {
        producers = feed_all();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut cpu = own_cpu();
    let mut start = Instant::now();
    let consumers: Vec<_> = rxs
        .into_iter()
        .map(|rx| tokio::spawn(drain(rx, batch)))
        .collect();
    if crowd && receivers > senders {
        tokio::time::sleep(Duration::from_millis(20)).await;
        (cpu, start) = (own_cpu(), Instant::now());
    }
    producers.extend(feed_all());
    for producer in producers {
        producer.await.map_err(|error| error.to_string())?;
    }
    let mut tallies = Vec::with_capacity(receivers);
    for consumer in consumers {
        tallies.push(consumer.await.map_err(|error| error.to_string())?);
    }
    let seconds = start.elapsed().as_secs_f64();
    Tally::check(&tallies, items, senders)?;
    Ok(Outcome::rate(items, seconds, own_cpu() - cpu))
}

async fn feed<T: Item>(mut tx: impl Tx<T>, mut numbers: Range<u64>, batch: usize) {
    if batch == 1 {
        for number in numbers {
            tx.send(T::new(number)).await;
        }
        return;
    }
    let mut items = VecDeque::with_capacity(batch);
    while !numbers.is_empty() {
        items.extend(numbers.by_ref().take(batch).map(T::new));
        tx.send_many(&mut items).await;
    }
}

async fn drain<T: Item>(mut rx: impl Rx<T>, batch: usize) -> Tally {
    let mut tally = Tally::default();
    if batch == 1 {
        while let Some(item) = rx.recv().await {
            tally.note(item.number());
        }
        return tally;
    }
    let mut items = Vec::with_capacity(batch);
    loop {
        rx.recv_many(&mut items, batch).await;
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
async fn ping_pong<C: Channel>(shape: Shape, items: u64) -> Outcome {
    let (mut ping, mut pinged) = one::<C>(&shape);
    let (mut pong, mut ponged) = one::<C>(&shape);
    tokio::spawn(async move {
        while let Some(item) = pinged.recv().await {
            pong.send(item).await;
        }
    });
    let begin = Instant::now();
    let mut last = begin;
    let mut times = Vec::with_capacity(items as usize);
    for number in 0..items {
        ping.send(number).await;
        black_box(ponged.recv().await);
        let now = Instant::now();
        times.push((now - std::mem::replace(&mut last, now)).as_nanos() as u32);
    }
    Outcome::times(times, begin.elapsed().as_secs_f64())
}

/// Push and pop with nobody else there.
async fn alone<C: Channel>(shape: Shape, items: u64) -> Result<Outcome, String> {
    let (mut tx, mut rx) = one::<C>(&shape);
    let mut tally = Tally::default();
    let start = Instant::now();
    for number in 0..items {
        tx.send(black_box(number)).await;
        tally.note(rx.recv().await.map_or(u64::MAX, |item| item));
    }
    let outcome = Outcome::each(items, start.elapsed().as_secs_f64());
    Tally::check(&[tally], items, 1)?;
    Ok(outcome)
}

/// CPU milliseconds that waiters use in a second in which nothing comes.
async fn idle<C: Channel>(shape: Shape) -> Outcome {
    let (txs, rxs): (Vec<_>, Vec<_>) = if C::supports(&shape) {
        C::open::<u64>(&shape)
    } else {
        (0..shape.consumers).map(|_| one::<C>(&IDLE)).unzip()
    };
    for mut rx in rxs {
        // They end with the runtime.
        tokio::spawn(async move { rx.recv().await });
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = own_cpu();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let outcome = Outcome::plain((own_cpu() - before) * 1e3);
    drop(txs);
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
async fn queued<C: Channel>(shape: Shape, items: u64) -> Outcome {
    let (mut tx, _rx) = one::<C>(&shape);
    let counted = heap::Growth::begin();
    for number in 0..items {
        tx.send(number).await;
    }
    Outcome::plain(counted.end() / items as f64)
}

/// Bytes that a queue keeps when many items have come and gone.
async fn burst<C: Channel>(shape: Shape, items: u64) -> Outcome {
    let (mut tx, mut rx) = one::<C>(&shape);
    let counted = heap::Growth::begin();
    for number in 0..items {
        tx.send(number).await;
    }
    for _ in 0..items {
        black_box(rx.recv().await);
    }
    Outcome::plain(counted.end())
}
