//! Putting items into the stream: one with its id, and a window of them at once.

use crate::connection::{Answer, before, no_responders};
use crate::failure::{self, ApiError};
use crate::shared::{BoxFuture, Shared, Whole};
use crate::stream::ask;
use crate::watch::Who;
use async_nats::HeaderMap;
use bytes::Bytes;
use futures_core::Stream;
use queue_core::sync::Deadline;
use queue_core::{Failure, FailureKind};
use serde::Deserialize;
use serde_json::{Value, json};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// So many items are put at once, at most.
pub(crate) const WINDOW: usize = 256;
/// And so many bytes, beside the first item.
pub(crate) const WINDOW_BYTES: usize = 1 << 20;
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
        headers.insert("Nats-Msg-Id", put.id.as_str());
        if let Some(behind) = behind {
            headers.insert("Nats-Expected-Last-Msg-Id", behind);
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

    /// Puts items at once, one behind the other, as many as go in: their numbers, from the front. It
    /// stops before the first that does not go in, so that none overtakes it: each is taken only
    /// if the one before it is the last in the stream. What no answer comes for is asked for again
    /// until `deadline`. If it is dropped in the midst, what it put is taken out again.
    pub(crate) fn put_window(
        self: &Arc<Self>,
        window: Vec<Bytes>,
        deadline: Deadline,
    ) -> Whole<(Vec<u64>, Option<NotPut>)> {
        let shared = self.clone();
        let work = async move {
            let puts: Vec<_> = (window.into_iter().map(|bytes| shared.put_of(bytes))).collect();
            let outcomes = shared.put_all(&puts).await;
            let mut numbers = Vec::new();
            for (put, outcome) in puts.iter().zip(outcomes) {
                let outcome = match outcome {
                    // Nothing behind it is in unless it is.
                    Outcome::Unanswered(unsure) => shared.ask_again(put, unsure, deadline).await,
                    known => known,
                };
                let why = match outcome {
                    Outcome::In(number) => {
                        numbers.push(number);
                        continue;
                    }
                    Outcome::OutOfLine => None,
                    Outcome::Full => Some(NotPut::Full),
                    Outcome::Closed => Some(NotPut::Closed),
                    Outcome::Failed(failure) => Some(NotPut::Failed(failure)),
                    Outcome::Unanswered(unsure) => Some(NotPut::Failed(shared.unanswered(unsure))),
                };
                return (numbers, why);
            }
            (numbers, None)
        };
        let undo = |shared: Arc<Self>, (numbers, _): (Vec<u64>, _)| -> BoxFuture<()> {
            Box::pin(async move {
                for number in numbers {
                    shared.withdraw(number).await;
                }
            })
        };
        Whole::new(self, work, undo)
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

    /// Puts all of them, and waits for the answers.
    async fn put_all(&self, puts: &[Put]) -> Vec<Outcome> {
        let mut outcomes: Vec<_> = puts.iter().map(|_| Outcome::Unanswered(false)).collect();
        if !self.link.is_connected() {
            return outcomes;
        }
        let client = &self.link.client;
        let inbox = client.new_inbox();
        let Ok(mut answers) = client.subscribe(format!("{inbox}.*")).await else {
            return outcomes;
        };
        let (mut state, since) = (self.link.state(), self.link.refusals());
        let mut behind = None;
        let mut sent = 0;
        for (nth, put) in puts.iter().enumerate() {
            let headers = Self::headers(put, behind);
            let reply = format!("{inbox}.{nth}");
            let items = self.names.items.clone();
            let put_it =
                client.publish_with_reply_and_headers(items, reply, headers, put.bytes.clone());
            if let Err(error) = put_it.await {
                if error.kind() == async_nats::client::PublishErrorKind::MaxPayloadExceeded {
                    outcomes[nth] = Outcome::Failed(self.too_large());
                }
                break;
            }
            outcomes[nth] = Outcome::Unanswered(true);
            behind = Some(put.id.as_str());
            sent += 1;
        }
        let mut late = pin!(tokio::time::sleep(self.timeout));
        let mut broken = pin!(state.changed());
        let mut refused = pin!(self.link.refused_after(since, &self.names.items));
        let mut come = 0;
        while come < sent {
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
                    outcomes[come] = Outcome::Failed(self.link.denied(&self.names.items));
                    break;
                }
                Ok(None) | Err(false) => break,
            };
            if no_responders(&message) {
                outcomes[come] = self.nobody_takes_items().await;
                break;
            }
            let nth = message.subject.rsplit('.').next();
            let Some(nth) = nth.and_then(|nth| nth.parse::<usize>().ok()) else {
                continue;
            };
            if let Some(known) = outcomes.get_mut(nth) {
                *known = outcome(&message.payload);
                come += 1;
            }
        }
        outcomes
    }
}
