//! A queue as the server has it: a stream, its consumer, and the stream of its marks.
//!
//! The questions are those of JetStream's own API, asked with a deadline.

use crate::connection::{Answer, Link};
use crate::failure::{self, ApiError};
use crate::options::{Mode, NatsOptions};
use crate::window::TOGETHER;
use async_nats::HeaderMap;
use bytes::Bytes;
use queue_core::{Capacity, Failure, FailureKind};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

/// The consumer that all who pop share.
pub(crate) const CONSUMER: &str = "workers";
/// What comes back where nobody says how long it may take.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// As long the server knows an item that was put twice, or up to a second or so less.
const DUPLICATES: Duration = Duration::from_secs(120);
/// So many releases are remembered, of all items that are in the queue.
const MARKS: u64 = 100_000;
/// So many may be in flight, and wait for an item, at once.
const MOST: u64 = 1_000_000;
/// The server hands an item to its stream within this.
const HANDED_OVER: Duration = Duration::from_millis(10);

/// What the server calls the parts of a queue.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) queue: String,
    /// The stream of the items, and the subject that puts one into it.
    pub(crate) stream: String,
    pub(crate) items: String,
    /// The subject of a stream that takes no more items, and of one whose last items have arrived too.
    pub(crate) closing: String,
    pub(crate) closed: String,
    /// The stream of what must be remembered beside the items.
    pub(crate) marks: String,
    pub(crate) mark: String,
    /// What those who wait are told: `.room` and `.end`.
    pub(crate) event: String,
    /// To which the processes that hold a half listen.
    pub(crate) half: String,
    /// To which those listen who use a queue without a name of its own.
    pub(crate) in_use: String,
}

impl Names {
    pub(crate) fn new(queue: &str) -> Result<Self, Failure> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if queue.is_empty() || queue.len() > 200 || !queue.chars().all(is_plain) {
            let message = format!(
                "{queue:?} cannot name a queue: a name has 1 to 200 letters, digits, '-' and '_'"
            );
            return Err(Failure::new(FailureKind::Unsupported, message));
        }
        Ok(Self {
            queue: queue.to_owned(),
            stream: format!("Q_{queue}"),
            items: format!("q.{queue}.items"),
            closing: format!("q.{queue}.closing"),
            closed: format!("q.{queue}.closed"),
            marks: format!("QM_{queue}"),
            mark: format!("q.{queue}.mark"),
            event: format!("q.{queue}.event"),
            half: format!("q.{queue}.half"),
            in_use: format!("q.{queue}.half.use"),
        })
    }
}

/// How far a queue is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Closing {
    No,
    /// No push goes in any more. One that went in may not have arrived.
    Begun,
    /// All have arrived.
    Done,
}

/// What a stream is like at this moment.
#[derive(Debug, Deserialize)]
pub(crate) struct StreamInfo {
    created: String,
    config: Value,
    state: StreamState,
}

#[derive(Debug, Deserialize)]
struct StreamState {
    messages: u64,
    first_seq: u64,
    last_seq: u64,
}

impl StreamInfo {
    fn replicas(&self) -> usize {
        let replicas = self.config["num_replicas"].as_u64();
        replicas.map_or(1, |replicas| replicas as usize)
    }

    pub(crate) fn messages(&self) -> usize {
        usize::try_from(self.state.messages).unwrap_or(usize::MAX)
    }

    /// The number of the youngest item, whether it is still there or not.
    pub(crate) fn last(&self) -> u64 {
        self.state.last_seq
    }

    /// The number of the oldest item.
    pub(crate) fn first(&self) -> u64 {
        self.state.first_seq
    }

    pub(crate) fn closing(&self, names: &Names) -> Closing {
        let subjects = &self.config["subjects"];
        if *subjects == json!([names.closed]) {
            Closing::Done
        } else if *subjects == json!([names.closing]) {
            Closing::Begun
        } else {
            Closing::No
        }
    }

    fn capacity(&self) -> Option<usize> {
        let most = self.config["max_msgs"].as_i64()?;
        usize::try_from(most).ok()
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct ConsumerInfo {
    config: Value,
    num_ack_pending: usize,
    #[serde(default)]
    num_waiting: usize,
    delivered: Delivered,
    ack_floor: Delivered,
}

#[derive(Debug, Deserialize)]
struct Delivered {
    stream_seq: u64,
}

impl ConsumerInfo {
    /// How many items were delivered and are not acked, those included that came back.
    pub(crate) fn unacked(&self) -> usize {
        self.num_ack_pending
    }

    /// The number of the youngest item that was delivered.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.stream_seq
    }

    /// Up to which number all items are acked.
    pub(crate) fn ack_floor(&self) -> u64 {
        self.ack_floor.stream_seq
    }

    /// How many items the server is asked for, by all.
    pub(crate) fn asked(&self) -> usize {
        self.num_waiting
    }

    fn ack_wait(&self) -> Duration {
        Duration::from_nanos(self.config["ack_wait"].as_u64().unwrap_or(0))
    }
}

/// What an opened queue is like, for good.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) capacity: Option<usize>,
    pub(crate) ack_wait: Duration,
    /// How many items of a window are answered together. Replicas may take an id for put whose item they
    /// refused: there each item has its answer, and no id is sent again that was refused.
    pub(crate) together: usize,
    /// The same for all who open this queue, and no other.
    pub(crate) identity: String,
    pub(crate) closing: Closing,
}

/// What a question comes to.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The server says no.
    Api(ApiError),
    Failed(Failure),
}

impl Refusal {
    pub(crate) fn failure(self, tried: &str) -> Failure {
        match self {
            Self::Api(error) => error.failure(tried),
            Self::Failed(failure) => failure,
        }
    }

    pub(crate) fn is(&self, code: u64) -> bool {
        matches!(self, Self::Api(error) if error.err_code == code)
    }
}

/// Asks JetStream's API.
pub(crate) async fn ask<R: DeserializeOwned>(
    link: &Link,
    subject: &str,
    question: &Value,
    patience: Duration,
) -> Result<R, Refusal> {
    #[derive(Deserialize)]
    struct Refused {
        error: ApiError,
    }
    let subject = format!("$JS.API.{subject}");
    let body = match question {
        Value::Null => String::new(),
        some => some.to_string(),
    };
    let message = match link.request(&subject, None, body.into(), patience).await {
        Answer::Reply(message) => message,
        Answer::NoResponders => {
            let message = format!("JetStream is off at the NATS server at {}", link.server);
            return Err(Refusal::Failed(Failure::new(
                FailureKind::Unsupported,
                message,
            )));
        }
        Answer::Denied(failure) => return Err(Refusal::Failed(failure)),
        Answer::Silence | Answer::NotSent | Answer::TooLarge => {
            return Err(Refusal::Failed(link.unavailable()));
        }
    };
    if let Ok(refused) = serde_json::from_slice::<Refused>(&message.payload) {
        return Err(Refusal::Api(refused.error));
    }
    serde_json::from_slice(&message.payload).map_err(|error| {
        let message = format!("the server's answer to {subject} cannot be read");
        Refusal::Failed(Failure::caused(FailureKind::Corrupt, message, error))
    })
}

/// The items' type and codec, as the stream's description says it.
fn description(item: &str, codec: &str) -> String {
    format!("queue-nats 1: items {item}, codec {codec}")
}

/// Opens or creates the queue.
pub(crate) struct Opening<'a> {
    pub(crate) link: &'a Arc<Link>,
    pub(crate) names: &'a Names,
    pub(crate) options: &'a NatsOptions,
    pub(crate) item: &'a str,
    pub(crate) codec: &'a str,
}

impl Opening<'_> {
    pub(crate) async fn open(self) -> Result<Opened, Failure> {
        let Self { names, options, .. } = self;
        let replicas = options.replicas.unwrap_or(1);
        if replicas > 1 && !self.link.client.is_server_compatible(2, 15, 0) {
            let version = self.link.client.server_info().version;
            let message = format!(
                "{replicas} replicas need NATS servers of version 2.15 at least, and this one has \
                 {version}: older ones were seen to lose items that they had accepted"
            );
            return Err(Failure::new(FailureKind::Unsupported, message));
        }
        if options.ack_wait.is_some_and(|wait| wait.as_millis() < 1) {
            let why = "an ack_wait of less than a millisecond: it is how long a worker may take for one item";
            return Err(Failure::new(FailureKind::Unsupported, why));
        }
        let tried = format!("open the queue {:?}", names.queue);
        let found = match self.stream().await {
            Ok(info) => Some(info),
            Err(refusal) if refusal.is(failure::NO_STREAM) => None,
            Err(refusal) => return Err(refusal.failure(&tried)),
        };
        let info = match (found, options.mode) {
            (Some(_), Mode::Create) => return Err(self.taken()),
            (Some(info), _) => info,
            (None, Mode::Open) => {
                let (queue, server) = (&names.queue, &self.link.server);
                let message = format!("there is no queue {queue:?} at {server}");
                return Err(Failure::new(FailureKind::PeerGone, message));
            }
            (None, _) => self.create(replicas).await?,
        };
        self.check(&info)?;
        let ack_wait = self.check_consumer().await?;
        Ok(Opened {
            capacity: info.capacity(),
            ack_wait,
            together: if info.replicas() == 1 { TOGETHER } else { 1 },
            identity: format!("{} {} {}", self.link.server, names.stream, info.created),
            closing: info.closing(names),
        })
    }

    async fn stream(&self) -> Result<StreamInfo, Refusal> {
        stream_info(self.link, self.names, self.options.timeout).await
    }

    fn taken(&self) -> Failure {
        let message = format!("there is a queue {:?} already", self.names.queue);
        Failure::new(FailureKind::Denied, message)
    }

    /// Creates the streams; somebody else may be doing the same.
    async fn create(&self, replicas: usize) -> Result<StreamInfo, Failure> {
        let Self { names, options, .. } = self;
        let tried = format!("create the queue {:?}", names.queue);
        let marks = json!({
            "name": names.marks,
            "subjects": [format!("{}.>", names.mark)],
            "description": format!("what queue-nats remembers beside the items of {:?}", names.queue),
            "retention": "limits",
            "discard": "old",
            "max_msgs": MARKS,
            "max_msgs_per_subject": 1,
            "allow_direct": true,
            "storage": "file",
            "num_replicas": replicas,
        });
        match self.create_stream(&names.marks, &marks).await {
            Err(refusal) if !refusal.is(failure::NAME_IN_USE) => {
                return Err(refusal.failure(&tried));
            }
            _ => {}
        }
        let most = match options.capacity.and_then(Capacity::capacity) {
            None => -1,
            Some(most) => i64::try_from(most).map_err(|_| {
                let message = format!("a capacity of {most} is more than a stream counts");
                Failure::new(FailureKind::TooLarge, message)
            })?,
        };
        let stream = json!({
            "name": names.stream,
            "subjects": [names.items],
            "description": description(self.item, self.codec),
            "retention": "workqueue",
            "discard": "new",
            "max_msgs": most,
            "storage": "file",
            "num_replicas": replicas,
            "duplicate_window": nanos(self.duplicates()),
        });
        let info = match self.create_stream(&names.stream, &stream).await {
            Ok(info) => info,
            Err(refusal) if refusal.is(failure::NAME_IN_USE) => {
                if options.mode == Mode::Create {
                    return Err(self.taken());
                }
                let found = self.stream().await;
                found.map_err(|refusal| refusal.failure(&tried))?
            }
            Err(refusal) => return Err(refusal.failure(&tried)),
        };
        self.create_consumer(&tried).await?;
        Ok(info)
    }

    /// The server takes a stream that is like the one that is there for the same. So where the queue must not
    /// be there no two are alike: in this, which servers of 2.9 know, too, as they know no metadata.
    fn duplicates(&self) -> Duration {
        match self.options.mode {
            Mode::Create => DUPLICATES - Duration::from_nanos(RandomState::new().hash_one(0) >> 34),
            Mode::OpenOrCreate | Mode::Open => DUPLICATES,
        }
    }

    async fn create_stream(&self, name: &str, config: &Value) -> Result<StreamInfo, Refusal> {
        let subject = format!("STREAM.CREATE.{name}");
        let create = || ask(self.link, &subject, config, self.options.timeout);
        let mut tries = 0..5;
        loop {
            match create().await {
                // If it is the one of that name, its name is in use in a moment.
                Err(refusal) if refusal.is(failure::OVERLAP) && tries.next().is_some() => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                made => return made,
            }
        }
    }

    async fn create_consumer(&self, tried: &str) -> Result<ConsumerInfo, Failure> {
        let ack_wait = self.options.ack_wait.unwrap_or(ACK_WAIT);
        let made = create_consumer(self.link, self.names, ack_wait, self.options.timeout).await;
        made.map_err(|refusal| refusal.failure(tried))
    }

    /// Whether the stream is this queue.
    fn check(&self, info: &StreamInfo) -> Result<(), Failure> {
        let Self { names, options, .. } = self;
        let mismatch = |why: String| {
            let message = format!("the queue {:?} is another one: {why}", names.queue);
            Err(Failure::new(FailureKind::Mismatch, message))
        };
        let ours = description(self.item, self.codec);
        let theirs = info.config["description"].as_str().unwrap_or("");
        let stream = &names.stream;
        if theirs != ours {
            return match theirs.starts_with("queue-nats ") {
                true => mismatch(format!("it has {theirs:?}, and this program {ours:?}")),
                false => mismatch(format!("the stream {stream} was not made by queue-nats")),
            };
        }
        for (setting, wanted) in [
            ("retention", "workqueue"),
            ("discard", "new"),
            ("storage", "file"),
        ] {
            let found = &info.config[setting];
            if found != wanted {
                return mismatch(format!(
                    "its stream has the {setting} {found}, not {wanted:?}"
                ));
            }
        }
        let capacity = options.capacity.map(Capacity::capacity);
        if capacity.is_some_and(|wanted| wanted != info.capacity()) {
            let say = |capacity: Option<usize>| match capacity {
                Some(n) => format!("the capacity {n}"),
                None => "no bound".to_owned(),
            };
            return mismatch(format!(
                "it has {}, and this program wants {}",
                say(info.capacity()),
                say(capacity.flatten())
            ));
        }
        let replicas = info.replicas();
        if let Some(wanted) = options.replicas.filter(|wanted| *wanted != replicas) {
            return mismatch(format!(
                "it has {replicas} replicas, and this program wants {wanted}"
            ));
        }
        Ok(())
    }

    /// How long an item may be silent. Who may not ask, a producer, needs not know.
    async fn check_consumer(&self) -> Result<Duration, Failure> {
        let Self { names, options, .. } = self;
        let tried = format!("open the queue {:?}", names.queue);
        let info = match consumer_info(self.link, names, options.timeout).await {
            Ok(info) => info,
            // Its creator died in between.
            Err(refusal) if refusal.is(failure::NO_CONSUMER) => {
                self.create_consumer(&tried).await?
            }
            Err(Refusal::Failed(failure)) if failure.kind() == FailureKind::Denied => {
                return Ok(options.ack_wait.unwrap_or(ACK_WAIT));
            }
            Err(refusal) => return Err(refusal.failure(&tried)),
        };
        let found = info.ack_wait();
        match options.ack_wait {
            Some(wanted) if wanted != found => {
                let message = format!(
                    "the queue {:?} has the ack_wait {found:?}, and this program wants {wanted:?}",
                    names.queue
                );
                Err(Failure::new(FailureKind::Mismatch, message))
            }
            _ => Ok(found),
        }
    }
}

pub(crate) async fn stream_info(
    link: &Link,
    names: &Names,
    patience: Duration,
) -> Result<StreamInfo, Refusal> {
    let subject = format!("STREAM.INFO.{}", names.stream);
    ask(link, &subject, &Value::Null, patience).await
}

pub(crate) async fn consumer_info(
    link: &Link,
    names: &Names,
    patience: Duration,
) -> Result<ConsumerInfo, Refusal> {
    let subject = format!("CONSUMER.INFO.{}.{CONSUMER}", names.stream);
    ask(link, &subject, &Value::Null, patience).await
}

/// The queues whose names begin so, in order; of some only the marks may be there.
pub(crate) async fn queues(
    link: &Link,
    prefix: &str,
    patience: Duration,
) -> Result<BTreeSet<String>, Refusal> {
    #[derive(Deserialize)]
    struct Page {
        total: usize,
        #[serde(default)]
        streams: Option<Vec<String>>,
    }
    let (mut queues, mut offset) = (BTreeSet::new(), 0);
    loop {
        let question = json!({ "offset": offset });
        let page: Page = ask(link, "STREAM.NAMES", &question, patience).await?;
        let streams = page.streams.unwrap_or_default();
        offset += streams.len();
        let is_last = streams.is_empty() || offset >= page.total;
        let names = streams.iter().filter_map(|stream| {
            let queue = stream.strip_prefix("Q_").or(stream.strip_prefix("QM_"));
            queue.filter(|queue| queue.starts_with(prefix))
        });
        queues.extend(names.map(str::to_owned));
        if is_last {
            return Ok(queues);
        }
    }
}

/// Makes the consumer, which begins with the oldest item. It is no error if there is the same already.
pub(crate) async fn create_consumer(
    link: &Link,
    names: &Names,
    ack_wait: Duration,
    patience: Duration,
) -> Result<ConsumerInfo, Refusal> {
    let consumer = json!({
        "stream_name": names.stream,
        "config": {
            "durable_name": CONSUMER,
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": nanos(ack_wait),
            "max_deliver": -1,
            "max_ack_pending": MOST,
            "max_waiting": MOST,
            "replay_policy": "instant",
            "num_replicas": 0,
        },
    });
    let subject = format!("CONSUMER.DURABLE.CREATE.{}.{CONSUMER}", names.stream);
    ask(link, &subject, &consumer, patience).await
}

pub(crate) async fn delete_consumer(
    link: &Link,
    names: &Names,
    patience: Duration,
) -> Result<(), Refusal> {
    let subject = format!("CONSUMER.DELETE.{}.{CONSUMER}", names.stream);
    let _: Value = ask(link, &subject, &Value::Null, patience).await?;
    Ok(())
}

/// Takes an item out of the stream, whoever has it.
pub(crate) async fn delete_item(
    link: &Link,
    names: &Names,
    number: u64,
    patience: Duration,
) -> Result<(), Refusal> {
    let subject = format!("STREAM.MSG.DELETE.{}", names.stream);
    let question = json!({ "seq": number, "no_erase": true });
    let _: Value = ask(link, &subject, &question, patience).await?;
    Ok(())
}

/// Takes the subject away from the stream, so that it takes no item any more, and waits for those that it
/// took.
pub(crate) async fn close(link: &Link, names: &Names, patience: Duration) -> Result<(), Refusal> {
    let info = stream_info(link, names, patience).await?;
    let closing = info.closing(names);
    let mut config = info.config;
    if closing == Closing::Done {
        return Ok(());
    } else if closing == Closing::No {
        rename(link, names, &mut config, &names.closing, patience).await?;
    }
    // The server may be about to hand over an item that came before it knew of the change.
    tokio::time::sleep(HANDED_OVER).await;
    flush(link, names, patience).await?;
    rename(link, names, &mut config, &names.closed, patience).await
}

async fn rename(
    link: &Link,
    names: &Names,
    config: &mut Value,
    subject: &str,
    patience: Duration,
) -> Result<(), Refusal> {
    config["subjects"] = json!([subject]);
    let update = format!("STREAM.UPDATE.{}", names.stream);
    let _: StreamInfo = ask(link, &update, config, patience).await?;
    Ok(())
}

/// Waits until the stream has stored, or refused, each item that it was handed. It takes them one after
/// the other, so it answers last what is asked last: an item that it cannot take, for the one that it is
/// to come after was never there.
async fn flush(link: &Link, names: &Names, patience: Duration) -> Result<(), Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Expected-Last-Msg-Id", "none");
    let asked = link.request(&names.closing, Some(headers), Bytes::new(), patience);
    match asked.await {
        Answer::Reply(_) => Ok(()),
        // Somebody else has closed it meanwhile.
        Answer::NoResponders => Ok(()),
        Answer::Denied(failure) => Err(Refusal::Failed(failure)),
        Answer::Silence | Answer::NotSent | Answer::TooLarge => {
            Err(Refusal::Failed(link.unavailable()))
        }
    }
}

/// Removes the queue and all that is in it: whether there was one.
pub(crate) async fn delete(
    link: &Link,
    names: &Names,
    patience: Duration,
) -> Result<bool, Refusal> {
    let mut was_there = false;
    for stream in [&names.stream, &names.marks] {
        let subject = format!("STREAM.DELETE.{stream}");
        let gone: Result<Value, _> = ask(link, &subject, &Value::Null, patience).await;
        match gone {
            Ok(_) => was_there = true,
            Err(refusal) if refusal.is(failure::NO_STREAM) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(was_there)
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
