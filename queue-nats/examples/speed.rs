//! How fast a queue is beside `async-nats` by itself, at one server, in turn.
//!
//! ```sh
//! nats-server -js &
//! cargo run --release -p queue-nats --example speed
//! ```

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_LAST_MESSAGE_ID, NATS_MESSAGE_ID};
use async_nats::jetstream::{self, consumer::PullConsumer, stream};
use futures_core::Stream;
use queue_nats::{Capacity, NatsOptions, NatsQueue, Queue, WorkQueue};
use std::collections::VecDeque;
use std::error::Error;
use std::future::{IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const ROUNDS: usize = 8;
const SINGLE: u64 = 3_000;
const BATCH: u64 = 20_000;
const WINDOW: usize = 256;
const AHEAD: usize = 256;

type Outcome = Result<(), Box<dyn Error>>;

/// The same through `async-nats`.
struct Plain {
    context: jetstream::Context,
    consumer: PullConsumer,
    /// How many ids it has given.
    ids: AtomicU64,
}

impl Plain {
    async fn open(server: &str) -> Result<Self, Box<dyn Error>> {
        let context = jetstream::new(async_nats::connect(server).await?);
        let _ = context.delete_stream("speed-plain").await;
        let stream = context
            .create_stream(stream::Config {
                name: "speed-plain".into(),
                subjects: vec!["speed.plain".into()],
                retention: stream::RetentionPolicy::WorkQueue,
                discard: stream::DiscardPolicy::New,
                max_messages: 100_000,
                ..Default::default()
            })
            .await?;
        let consumer = stream
            .create_consumer(jetstream::consumer::pull::Config {
                durable_name: Some("workers".into()),
                ..Default::default()
            })
            .await?;
        let ids = AtomicU64::new(0);
        Ok(Self {
            context,
            consumer,
            ids,
        })
    }

    async fn push(&self, count: u64) -> Outcome {
        for number in 0..count {
            let sent = self.context.publish("speed.plain", encoded(number));
            sent.await?.await?;
        }
        Ok(())
    }

    /// An id, which differs from all others by as much as ours do.
    fn id(&self) -> String {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        format!("{:x}.{number:x}", u64::MAX)
    }

    /// With ids, each message names the one before it, as ours do.
    async fn push_many(&self, count: u64, ids: bool) -> Outcome {
        let mut acks = VecDeque::new();
        let mut before: Option<String> = None;
        for number in 0..count {
            let mut headers = HeaderMap::new();
            if ids {
                let id = self.id();
                headers.insert(NATS_MESSAGE_ID, &*id);
                if let Some(before) = before.replace(id) {
                    headers.insert(NATS_EXPECTED_LAST_MESSAGE_ID, before);
                }
            }
            let (context, subject) = (&self.context, "speed.plain");
            let sent = match ids {
                false => context.publish(subject, encoded(number)).await?,
                true => {
                    let sent = context.publish_with_headers(subject, headers, encoded(number));
                    sent.await?
                }
            };
            acks.push_back(sent.into_future());
            if acks.len() == WINDOW {
                acks.pop_front().expect("it is full").await?;
            }
        }
        for ack in acks {
            ack.await?;
        }
        Ok(())
    }

    /// Each message by a question of its own.
    async fn receive(&self, count: u64) -> Outcome {
        for _ in 0..count {
            let mut messages = self.consumer.fetch().max_messages(1).messages().await?;
            let next = poll_fn(|cx| Pin::new(&mut messages).poll_next(cx)).await;
            let message = next
                .ok_or("there is no message")?
                .map_err(|e| e.to_string())?;
            message.double_ack().await.map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    /// Messages that come ahead.
    async fn receive_ahead(&self, count: u64) -> Outcome {
        let mut messages = self.consumer.messages().await?;
        for _ in 0..count {
            let next = poll_fn(|cx| Pin::new(&mut messages).poll_next(cx)).await;
            let message = next.ok_or("the stream of messages ended")??;
            message.double_ack().await.map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}

fn encoded(number: u64) -> bytes::Bytes {
    number.to_le_bytes().to_vec().into()
}

fn push(queue: &NatsQueue<u64>, count: u64) -> Outcome {
    for number in 0..count {
        queue.push(number)?;
    }
    Ok(())
}

fn push_many(queue: &NatsQueue<u64>, count: u64) -> Outcome {
    Ok(queue.push_many(&mut (0..count).collect())?)
}

fn receive(queue: &NatsQueue<u64>, count: u64) -> Outcome {
    for _ in 0..count {
        queue.receive()?.ack()?;
    }
    Ok(())
}

/// Operations in a second.
fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    let middle = rates.len() / 2;
    (rates[middle - 1] + rates[middle]) / 2.0
}

fn main() -> Outcome {
    let server = std::env::var("NATS_URL").unwrap_or("nats://localhost:4222".into());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let plain = runtime.block_on(Plain::open(&server))?;
    let options = NatsOptions::new(server).capacity(Capacity::bounded(100_000));
    let queue = NatsQueue::<u64>::open("speed-queue", &options)?;
    let ahead = NatsQueue::<u64>::open("speed-queue", &options.prefetch(AHEAD))?;
    let cells = [
        "push",
        "receive and ack",
        "push, in windows",
        "receive and ack, prefetch",
        "push, both with the ids",
    ];
    let mut rates = cells.map(|_| (Vec::new(), Vec::new()));
    for round in 0..ROUNDS {
        let mut time =
            |cell: usize, count: u64, ours: &dyn Fn() -> Outcome, theirs: &dyn Fn() -> Outcome| {
                let (a, b): &mut (Vec<f64>, Vec<f64>) = &mut rates[cell];
                let mut both = [(ours, a), (theirs, b)];
                // Who goes first finds a server that has just done something else.
                if round % 2 == 1 {
                    both.reverse();
                }
                for (which, rates) in both {
                    let start = Instant::now();
                    which()?;
                    rates.push(rate(count, start.elapsed()));
                }
                Outcome::Ok(())
            };
        time(0, SINGLE, &|| push(&queue, SINGLE), &|| {
            runtime.block_on(plain.push(SINGLE))
        })?;
        time(1, SINGLE, &|| receive(&queue, SINGLE), &|| {
            runtime.block_on(plain.receive(SINGLE))
        })?;
        time(2, BATCH, &|| push_many(&queue, BATCH), &|| {
            runtime.block_on(plain.push_many(BATCH, false))
        })?;
        time(3, BATCH, &|| receive(&ahead, BATCH), &|| {
            runtime.block_on(plain.receive_ahead(BATCH))
        })?;
        time(4, BATCH, &|| push_many(&queue, BATCH), &|| {
            runtime.block_on(plain.push_many(BATCH, true))
        })?;
        // For the next round.
        receive(&ahead, BATCH)?;
        runtime.block_on(plain.receive_ahead(BATCH))?;
    }
    println!(
        "{:26} {:>10} {:>12} {:>6}",
        "", "NatsQueue", "async-nats", "ratio"
    );
    for (what, (ours, theirs)) in cells.iter().zip(rates) {
        let (ours, theirs) = (median(ours), median(theirs));
        println!(
            "{what:26} {ours:>8.0}/s {theirs:>10.0}/s {:>6.2}",
            ours / theirs
        );
    }
    queue.delete()?;
    runtime.block_on(async { plain.context.delete_stream("speed-plain").await })?;
    Ok(())
}
