//! Putting items into the stream: one with its id, and a window of them at once.

use crate::connection::{Answer, before, no_responders};
use crate::failure::{self, ApiError};
use crate::shared::{BoxFuture, Shared, Whole, lock};
use crate::stream::ask;
use crate::watch::Who;
use async_nats::client::PublishErrorKind;
use async_nats::header::{NATS_EXPECTED_LAST_MESSAGE_ID, NATS_MESSAGE_ID};
use async_nats::{HeaderMap, Subject};
use bytes::Bytes;
use futures_core::Stream;
use queue_core::sync::Deadline;
use queue_core::{Failure, FailureKind};
use serde::Deserialize;
use serde_json::{Value, json};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

/// So many items are on their way at once, at most.
pub(crate) const WINDOW: usize = 256;
/// So many are put in one go, at most.
pub(crate) const STRETCH: usize = 2048;
/// And so many bytes, beside the first item.
pub(crate) const STRETCH_BYTES: usize = 1 << 20;
/// A server that is there answers within this, however soon the deadline is.
const SOONEST: Duration = Duration::from_secs(1);

/// An item as bytes, with the id by which the server knows it if it comes twice.
#[derive(Clone)]
struct Put {
    id: String,
    bytes: Bytes,
}

/// What one try came to.
#[derive(Debug)]
enum Outcome {
    /// It is in the stream, under this number.
    In(u64),
    Full,
    Closed,
    Failed(Failure),
    /// It could not be tried, or (true) nobody knows whether it is in.
    Unanswered(bool),
    /// The item before it in its window is not the last one in the stream.
    OutOfLine,
}

/// Why an item was not put.
#[derive(Debug)]
pub(crate) enum NotPut {
    Full,
    Timeout,
    Closed,
    Failed(Failure),
}

/// How many items of a stretch are known to be in, until whoever puts them has taken note: what goes in
/// from then on is taken out again.
#[derive(Default)]
pub(crate) struct Known(Mutex<(usize, bool)>);

impl Known {
    fn set(&self, count: usize) {
        let mut known = lock(&self.0);
        if !known.1 {
            known.0 = count;
        }
    }

    /// Takes note: it is as many for good.
    pub(crate) fn settle(&self) -> usize {
        let mut known = lock(&self.0);
        known.1 = true;
        known.0
    }

    fn is_settled(&self) -> bool {
        lock(&self.0).1
    }
}

/// What became of a stretch of items.
pub(crate) struct Went {
    /// Of those that are in, from the front.
    pub(crate) numbers: Vec<u64>,
    /// Why the next one is not. None if all are in, or it may be tried again.
    pub(crate) why: Option<NotPut>,
    known: Arc<Known>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PubAck {
    seq: u64,
    error: Option<ApiError>,
}

fn outcome(payload: &[u8]) -> Outcome {
    let ack: PubAck = match serde_json::from_slice(payload) {
        Ok(ack) => ack,
        Err(error) => {
            let message = "the server's answer to a push cannot be read";
            let failure = Failure::caused(FailureKind::Ambiguous, message, error);
            return Outcome::Failed(failure);
        }
    };
    match ack.error {
        None if ack.seq > 0 => Outcome::In(ack.seq),
        None => Outcome::Unanswered(true),
        Some(error) => match error.err_code {
            failure::FULL => Outcome::Full,
            failure::WRONG_LAST_ID => Outcome::OutOfLine,
            _ if error.is_passing() => Outcome::Unanswered(true),
            _ => Outcome::Failed(error.failure("push")),
        },
    }
}

impl Shared {
    fn put_of(&self, bytes: Bytes) -> Put {
        Put {
            id: self.new_put(),
            bytes,
        }
    }

    fn headers(put: &Put, behind: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, put.id.as_str());
        if let Some(behind) = behind {
            headers.insert(NATS_EXPECTED_LAST_MESSAGE_ID, behind);
        }
        headers
    }

    /// One try. If it is dropped in the midst, an item that it put is taken out again.
    fn put_once(self: &Arc<Self>, put: &Put, patience: Duration) -> Whole<Outcome> {
        let (shared, put) = (self.clone(), put.clone());
        let work = async move {
            let headers = Self::headers(&put, None);
            let items = &shared.names.items;
            let asked = (shared.link).request(items, Some(headers), put.bytes, patience);
            match asked.await {
                Answer::Reply(message) => outcome(&message.payload),
                Answer::NoResponders => shared.nobody_takes_items().await,
                Answer::Silence => Outcome::Unanswered(true),
                Answer::NotSent => Outcome::Unanswered(false),
                Answer::Denied(failure) => Outcome::Failed(failure),
                Answer::TooLarge => Outcome::Failed(shared.too_large()),
            }
        };
        Whole::new(self, work, |shared, outcome| {
            Box::pin(async move {
                if let Outcome::In(number) = outcome {
                    shared.withdraw(number).await;
                }
            })
        })
    }

    fn too_large(&self) -> Failure {
        let most = self.link.client.max_payload();
        let message = format!("the item is over the server's limit of {most} bytes (max_payload)");
        Failure::new(FailureKind::TooLarge, message)
    }

    /// Why no stream takes items of this subject.
    async fn nobody_takes_items(&self) -> Outcome {
        match self.info().await {
            Ok(_) if self.is_known_closed() => Outcome::Closed,
            // Between two leaders.
            Ok(_) => Outcome::Unanswered(false),
            Err(failure) if failure.kind() == FailureKind::Unavailable => {
                Outcome::Unanswered(false)
            }
            Err(failure) => Outcome::Failed(failure),
        }
    }

    /// Takes out an item whose push was dropped, unless a consumer has it already.
    async fn withdraw(&self, number: u64) {
        let subject = format!("STREAM.MSG.DELETE.{}", self.names.stream);
        let question = json!({ "seq": number });
        let gone: Result<Value, _> = ask(&self.link, &subject, &question, self.timeout).await;
        if gone.is_ok() {
            self.tell_room().await;
            self.room.notify();
        }
    }

    /// As long as one question may take where all must be over by `deadline`.
    pub(crate) fn patience(&self, deadline: Deadline) -> Duration {
        match deadline.remaining() {
            None => self.timeout,
            Some(left) => left.max(SOONEST).min(self.timeout),
        }
    }

    /// What is told of an item that no answer came for.
    fn unanswered(&self, unsure: bool) -> Failure {
        match unsure {
            false => self.link.unavailable(),
            true => {
                let message = format!(
                    "the NATS server at {} did not say whether it took the item",
                    self.link.server
                );
                Failure::new(FailureKind::Ambiguous, message)
            }
        }
    }

    /// Puts an item if there is a slot. It asks once; again only to learn what became of it.
    pub(crate) async fn try_put(self: &Arc<Self>, bytes: Bytes) -> Result<(), NotPut> {
        self.undone().await;
        let put = self.put_of(bytes);
        let deadline = Deadline::after(self.timeout);
        let mut unsure = false;
        loop {
            match self.put_once(&put, self.timeout).await {
                Outcome::In(_) => return Ok(()),
                Outcome::Full => return Err(NotPut::Full),
                Outcome::Closed => return Err(NotPut::Closed),
                Outcome::Failed(failure) => return Err(NotPut::Failed(failure)),
                Outcome::OutOfLine => {}
                Outcome::Unanswered(sent) => {
                    unsure |= sent;
                    if !unsure || !self.link.try_again(deadline).await {
                        return Err(NotPut::Failed(self.unanswered(unsure)));
                    }
                }
            }
        }
    }

    /// Puts an item, waiting for a slot, and for the server.
    pub(crate) async fn put(
        self: &Arc<Self>,
        bytes: Bytes,
        deadline: Deadline,
    ) -> Result<(), NotPut> {
        self.undone().await;
        let mut put = self.put_of(bytes);
        let (mut _waiting, mut listener) = (None, None);
        let mut unsure = false;
        loop {
            match self.put_once(&put, self.patience(deadline)).await {
                Outcome::In(_) => return Ok(()),
                Outcome::Closed => return Err(NotPut::Closed),
                Outcome::Failed(failure) => return Err(NotPut::Failed(failure)),
                Outcome::OutOfLine => {}
                Outcome::Unanswered(sent) => {
                    unsure |= sent;
                    if !self.link.try_again(deadline).await {
                        return Err(NotPut::Failed(self.unanswered(unsure)));
                    }
                }
                Outcome::Full => {
                    // Some servers take an id for put though they refused it as full.
                    put = self.put_of(put.bytes);
                    unsure = false;
                    if let Some(listener) = listener.take() {
                        if before(deadline, listener).await.is_none() {
                            return Err(NotPut::Timeout);
                        }
                    } else {
                        let here = self.watch_for(Who::Push);
                        if before(deadline, here.ready()).await.is_none() {
                            return Err(NotPut::Timeout);
                        }
                        _waiting = Some(here);
                    }
                    // Registered before the next try: what it misses wakes this listener.
                    listener = Some(self.room.listen());
                }
            }
        }
    }

    /// Puts items, one behind the other, as many as go in. It stops before the first that does not go in,
    /// so that none overtakes it: each is taken only if the one before it is the last in the stream.
    /// What no answer comes for is asked for again until `deadline`. If it is dropped in the midst it
    /// puts no more, and what is not `known` to be in is taken out again.
    pub(crate) fn put_stretch(
        self: &Arc<Self>,
        stretch: Vec<Bytes>,
        deadline: Deadline,
        known: &Arc<Known>,
    ) -> Whole<Went> {
        let (shared, known) = (self.clone(), known.clone());
        let work = async move {
            let puts: Vec<_> = (stretch.into_iter().map(|bytes| shared.put_of(bytes))).collect();
            let outcomes = shared.put_all(&puts, &known).await;
            let mut numbers = Vec::new();
            let mut why = None;
            for (put, outcome) in puts.iter().zip(outcomes) {
                let outcome = match outcome {
                    // Nothing behind it is in unless it is.
                    Outcome::Unanswered(unsure) => shared.ask_again(put, unsure, deadline).await,
                    answered => answered,
                };
                match outcome {
                    Outcome::In(number) => {
                        numbers.push(number);
                        continue;
                    }
                    Outcome::OutOfLine => {}
                    Outcome::Full => why = Some(NotPut::Full),
                    Outcome::Closed => why = Some(NotPut::Closed),
                    Outcome::Failed(failure) => why = Some(NotPut::Failed(failure)),
                    Outcome::Unanswered(unsure) => {
                        why = Some(NotPut::Failed(shared.unanswered(unsure)));
                    }
                }
                break;
            }
            known.set(numbers.len());
            Went {
                numbers,
                why,
                known,
            }
        };
        Whole::new(self, work, |shared, went| -> BoxFuture<()> {
            Box::pin(async move {
                let stays = went.known.settle();
                for number in went.numbers.into_iter().skip(stays) {
                    shared.withdraw(number).await;
                }
            })
        })
    }

    /// What became of an item that no answer came for; it is put if it is not in.
    async fn ask_again(self: &Arc<Self>, put: &Put, unsure: bool, deadline: Deadline) -> Outcome {
        let mut unsure = unsure;
        while self.link.try_again(deadline).await {
            match self.put_once(put, self.patience(deadline)).await {
                Outcome::Unanswered(sent) => unsure |= sent,
                known => return known,
            }
        }
        Outcome::Unanswered(unsure)
    }

    /// Puts them, with at most [`WINDOW`] of them unanswered, until one is refused: what became of those
    /// that it has tried to put.
    async fn put_all(&self, puts: &[Put], known: &Known) -> Vec<Outcome> {
        let not_sent = || vec![Outcome::Unanswered(false)];
        if !self.link.is_connected() {
            return not_sent();
        }
        let client = &self.link.client;
        let inbox = client.new_inbox();
        let Ok(mut answers) = client.subscribe(format!("{inbox}.*")).await else {
            return not_sent();
        };
        let (mut state, since) = (self.link.state(), self.link.refusals());
        let mut late = pin!(tokio::time::sleep(self.timeout));
        let mut broken = pin!(state.changed());
        let mut refused = pin!(self.link.refused_after(since, &self.names.items));
        let subject = Subject::from(self.names.items.as_str());
        let mut outcomes = Vec::with_capacity(puts.len());
        let (mut sent, mut come, mut in_line) = (0, 0, 0);
        let mut goes_on = true;
        loop {
            // What follows one that is refused would be refused too.
            while goes_on && sent < puts.len() && sent - come < WINDOW {
                let put = &puts[sent];
                let behind = sent.checked_sub(1).map(|before| &*puts[before].id);
                let headers = Self::headers(put, behind);
                let (reply, bytes) = (format!("{inbox}.{sent}"), put.bytes.clone());
                let put_it =
                    client.publish_with_reply_and_headers(subject.clone(), reply, headers, bytes);
                if let Err(error) = put_it.await {
                    outcomes.push(match error.kind() {
                        PublishErrorKind::MaxPayloadExceeded => Outcome::Failed(self.too_large()),
                        _ => Outcome::Unanswered(false),
                    });
                    goes_on = false;
                    break;
                }
                outcomes.push(Outcome::Unanswered(true));
                sent += 1;
            }
            if come == sent {
                return outcomes;
            }
            let next = poll_fn(|cx| {
                if let Poll::Ready(message) = Pin::new(&mut answers).poll_next(cx) {
                    return Poll::Ready(Ok(message));
                }
                if refused.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(true));
                }
                if broken.as_mut().poll(cx).is_ready() || late.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(false));
                }
                Poll::Pending
            });
            let message = match next.await {
                Ok(Some(message)) => message,
                Err(true) => {
                    outcomes[come] =
                        Outcome::Failed(self.link.denied("publish", &self.names.items));
                    return outcomes;
                }
                Ok(None) | Err(false) => return outcomes,
            };
            if no_responders(&message) {
                outcomes[come] = self.nobody_takes_items().await;
                return outcomes;
            }
            let nth = message.subject.rsplit('.').next();
            let Some(nth) = nth.and_then(|nth| nth.parse::<usize>().ok()) else {
                continue;
            };
            if nth >= sent {
                continue;
            }
            outcomes[nth] = outcome(&message.payload);
            come += 1;
            while matches!(outcomes.get(in_line), Some(Outcome::In(_))) {
                in_line += 1;
            }
            known.set(in_line);
            goes_on &= matches!(outcomes[nth], Outcome::In(_)) && !known.is_settled();
            late.as_mut()
                .reset(tokio::time::Instant::now() + self.timeout);
        }
    }
}
