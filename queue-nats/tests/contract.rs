//! The family's contract, against a real server.

mod server;

use queue_core::contract::{Item, set_answer_time, set_step_timeout};
use queue_nats::{Capacity, Failure, Mode, NatsConnection, NatsOptions, NatsQueue};
use serde::{Deserialize, Serialize, Serializer};
use server::Server;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A number that refuses to be serialized, or panics.
#[derive(Debug, PartialEq, Deserialize)]
struct Moody(u64);

const REFUSES: u64 = u64::MAX;
const PANICS: u64 = u64::MAX - 1;

impl Serialize for Moody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            REFUSES => Err(serde::ser::Error::custom("not today")),
            PANICS => panic!("an item that panics"),
            number => serializer.serialize_u64(number),
        }
    }
}

impl Item for Moody {
    fn new(number: u64) -> Self {
        Self(number)
    }
    fn number(&self) -> u64 {
        self.0
    }
}

/// A queue on the server that all tests of this process share.
fn create<T: Send>(capacity: Capacity) -> Result<NatsQueue<T>, Failure>
where
    queue_nats::Postcard: queue_nats::Codec<T>,
{
    create_with(0, capacity)
}

/// One that fetches ahead.
fn create_ahead<T: Send>(capacity: Capacity) -> Result<NatsQueue<T>, Failure>
where
    queue_nats::Postcard: queue_nats::Codec<T>,
{
    create_with(16, capacity)
}

fn create_with<T: Send>(prefetch: usize, capacity: Capacity) -> Result<NatsQueue<T>, Failure>
where
    queue_nats::Postcard: queue_nats::Codec<T>,
{
    static SHARED: OnceLock<(NatsConnection, NatsOptions)> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let (connection, options) = SHARED.get_or_init(|| {
        set_answer_time(Duration::from_millis(20));
        set_step_timeout(Duration::from_secs(30));
        let server = Server::start_for_process("the contract");
        let options = server.options().mode(Mode::Create);
        (NatsConnection::connect(&options).unwrap(), options)
    });
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let options = options.clone().capacity(capacity).prefetch(prefetch);
    connection.queue(&format!("q{number}"), &options)
}

queue_core::contract! {
    mod nats;
    kind: NatsQueue;
    items: Moody;
    create: create;
    refused: Moody(REFUSES);
    panicking: Moody(PANICS);
}

queue_core::work_contract! {
    mod nats_works;
    kind: NatsQueue;
    create: create;
    unordered: "the server redelivers in the order in which items were given back";
}

queue_core::contract! {
    mod nats_ahead;
    kind: NatsQueue;
    items: Moody;
    create: create_ahead;
    refused: Moody(REFUSES);
    panicking: Moody(PANICS);
}

queue_core::work_contract! {
    mod nats_ahead_works;
    kind: NatsQueue;
    create: create_ahead;
    unordered: "the server redelivers in the order in which items were given back";
}
