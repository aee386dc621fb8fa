//! Putting an item into the stream, with its id.

use crate::connection::{Answer, before};
use crate::failure::{self, ApiError};
use crate::server_stream::{self, Refusal};
use crate::shared::{Shared, Whole};
use crate::watch::Who;
use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_LAST_MESSAGE_ID, NATS_MESSAGE_ID};
use bytes::Bytes;
use queue_core::sync::{Deadline, TimeLimit};
use queue_core::{Failure, FailureKind};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// A server that is there answers within this, however soon the deadline is.
const SOONEST: Duration = Duration::from_secs(1);
/// So long it is tried to take out an item whose push was dropped, though the server is away.
const WITHDRAWN: Duration = Duration::from_secs(30);

/// An item as bytes, with the id by which the server knows it if it comes twice.
#[derive(Clone)]
pub(crate) struct Put {
    pub(crate) id: String,
    pub(crate) bytes: Bytes,
}

/// What one try came to.
#[derive(Debug)]
pub(crate) enum Outcome {
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

pub(crate) fn outcome(payload: &[u8]) -> Outcome {
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
    pub(crate) fn put_of(&self, bytes: Bytes) -> Put {
        Put {
            id: self.new_put(),
            bytes,
        }
    }

    pub(crate) fn headers(put: &Put, behind: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, put.id.as_str());
        if let Some(behind) = behind {
            headers.insert(NATS_EXPECTED_LAST_MESSAGE_ID, behind);
        }
        headers
    }

    /// One try; of an item that may be in by an earlier one, if so said. If it is dropped in the midst, an item
    /// that it put is taken out again.
    fn put_once(self: &Arc<Self>, put: &Put, unsure: bool, patience: Duration) -> Whole<Outcome> {
        let (shared, put) = (self.clone(), put.clone());
        let work = async move {
            let headers = Self::headers(&put, None);
            let items = &shared.names.items;
            let bytes = put.bytes.clone();
            let asked = (shared.link).request(items, Some(headers), bytes, patience);
            match asked.await {
                Answer::Reply(message) => outcome(&message.payload),
                Answer::NoResponders => match shared.nobody_takes_items().await {
                    Outcome::Closed if unsure => shared.was_put(&put).await,
                    why => why,
                },
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

    pub(crate) fn too_large(&self) -> Failure {
        let most = self.link.client.max_payload();
        let message = format!("the item is over the server's limit of {most} bytes (max_payload)");
        Failure::new(FailureKind::TooLarge, message)
    }

    /// Why no stream takes items of this subject.
    pub(crate) async fn nobody_takes_items(&self) -> Outcome {
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

    /// What became of an item that no answer came for, in a queue that takes none any more. The server is
    /// asked to take it again, by the name that the stream has now: it knows the ids of what it has, and
    /// takes nothing that is to come after what was never there.
    pub(crate) async fn was_put(&self, put: &Put) -> Outcome {
        let headers = Self::headers(put, Some("none"));
        // It may be renamed in between.
        for subject in [&self.names.closing, &self.names.closed] {
            let asked =
                self.link
                    .request(subject, Some(headers.clone()), Bytes::new(), self.timeout);
            match asked.await {
                Answer::Reply(message) => {
                    return match outcome(&message.payload) {
                        Outcome::OutOfLine => Outcome::Closed,
                        known => known,
                    };
                }
                Answer::Silence | Answer::NotSent => return Outcome::Unanswered(true),
                Answer::NoResponders | Answer::Denied(_) | Answer::TooLarge => {}
            }
        }
        Outcome::Failed(self.unanswered(true))
    }

    /// Takes out an item whose push was dropped, unless a consumer has it already.
    pub(crate) async fn withdraw(&self, number: u64) {
        let deadline = Deadline::after(WITHDRAWN);
        loop {
            match server_stream::delete_item(&self.link, &self.names, number, self.timeout).await {
                Ok(()) => break,
                Err(Refusal::Failed(_)) if self.link.try_again(deadline).await => {}
                Err(_) => return,
            }
        }
        self.tell_room().await;
        self.room.notify();
    }

    /// As long as one question may take where all must be over by `deadline`.
    pub(crate) fn patience(&self, deadline: Deadline) -> Duration {
        match deadline.remaining() {
            None => self.timeout,
            Some(left) => left.max(SOONEST).min(self.timeout),
        }
    }

    /// As long as one question may take of the verb that this thread is in.
    pub(crate) fn patience_now(&self) -> Duration {
        self.patience(TimeLimit::current())
    }

    /// What is told of an item that no answer came for.
    pub(crate) fn unanswered(&self, unsure: bool) -> Failure {
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
        let patience = self.patience_now();
        let deadline = Deadline::after(patience);
        let mut unsure = false;
        loop {
            match self.put_once(&put, unsure, patience).await {
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
            match self.put_once(&put, unsure, self.patience(deadline)).await {
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
}
