//! [`Question`]: asking the server for items, and what comes for it.

use crate::server_stream::{CONSUMER, nanos};
use crate::shared::Shared;
use async_nats::{Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_core::Stream;
use queue_core::Failure;
use serde_json::json;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// A server that is there has answered so long after that.
pub(crate) const LATE: Duration = Duration::from_secs(2);

/// No item has such a number.
const NO_ITEM: u64 = 1 << 53;

/// What came for a question.
pub(crate) enum Come {
    Item(Message),
    /// In place of an item: one is not wanted any more.
    Withdrawn,
    /// It has ended without an item.
    Over,
    /// There is no consumer.
    Nobody,
    /// This user may not ask, or not hear the answer.
    Denied(Failure),
    /// The server does not answer.
    Silence,
}

pub(crate) fn is_item(message: &Message) -> bool {
    message.status.is_none() && message.reply.is_some()
}

impl Shared {
    /// Asks for so many items; without a time, for those that wait.
    pub(crate) async fn question(
        self: &Arc<Self>,
        batch: usize,
        expires: Option<Duration>,
    ) -> Option<Question> {
        let link = &self.link;
        let (state, since) = (link.state(), link.refusals());
        if !link.is_connected() {
            return None;
        }
        let inbox = format!("{}.next.{}", self.names.event, self.new_put());
        let mut items = link.client.subscribe(inbox.clone()).await.ok()?;
        // So the server lets go of the question with the last message that comes for it, whatever that is.
        items.unsubscribe_after(batch as u64).await.ok()?;
        let question = match expires {
            Some(expires) => json!({ "batch": batch, "expires": nanos(expires) }),
            None => json!({ "batch": batch, "no_wait": true }),
        };
        let subject = self.next_subject();
        let asked = (link.client)
            .publish_with_reply(subject.clone(), inbox.clone(), question.to_string().into())
            .await;
        asked.is_ok().then_some(Question {
            shared: self.clone(),
            items,
            inbox,
            is_withdrawn: false,
            is_ahead: false,
            subject,
            state,
            since,
            patience: expires.map(|expires| Instant::now() + expires + LATE),
        })
    }
}

/// A question for items that the server is asked.
pub(crate) struct Question {
    shared: Arc<Shared>,
    items: Subscriber,
    /// Where they come.
    inbox: String,
    pub(crate) is_withdrawn: bool,
    /// Of items that are fetched ahead: they are wanted though nobody waits.
    pub(crate) is_ahead: bool,
    subject: String,
    /// Of the connection, and how often the server had refused something, before it was asked.
    state: tokio::sync::watch::Receiver<u64>,
    since: u64,
    /// Until when it has ended by itself, or the server has forgotten it; None if it never does.
    pub(crate) patience: Option<Instant>,
}

impl Question {
    /// Takes the question back: a message of our own comes in place of each of so many items that have not
    /// come. The server puts them in one row with the items, and lets go of the question behind the last one.
    /// So whatever comes comes here, and nothing more is on its way.
    pub(crate) async fn withdraw(&mut self, items: usize) {
        if std::mem::replace(&mut self.is_withdrawn, true) {
            return;
        }
        let Shared { link, timeout, .. } = &*self.shared;
        for _ in 0..items {
            let _ = link.client.publish(self.inbox.clone(), Bytes::new()).await;
        }
        // An item that the server was about to send comes too late, and is the next one again. The server sends
        // such items and answers to acks one after the other: so this is answered behind it.
        let nothing = format!(
            "$JS.ACK.{}.{CONSUMER}.1.{NO_ITEM}.1.0.0",
            self.shared.names.stream
        );
        let _ = link.request(&nothing, None, "+WPI".into(), *timeout).await;
    }

    pub(crate) async fn next(&mut self) -> Come {
        let link = &self.shared.link;
        let mut broken = pin!(self.state.changed());
        let patience = self.patience;
        let mut late = pin!(async move {
            match patience {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        });
        let mut refused = pin!(link.refused_after(self.since, &self.subject));
        let mut deaf = pin!(link.refused_after(self.since, &self.inbox));
        poll_fn(|cx| {
            if let Poll::Ready(message) = Pin::new(&mut self.items).poll_next(cx) {
                return Poll::Ready(match message {
                    None => Come::Silence,
                    Some(message) if is_item(&message) => Come::Item(message),
                    Some(message) if message.status == Some(StatusCode::NO_RESPONDERS) => {
                        Come::Nobody
                    }
                    Some(message) if message.status.is_none() => Come::Withdrawn,
                    Some(_) => Come::Over,
                });
            }
            if refused.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Come::Denied(link.denied("publish", &self.subject)));
            }
            if deaf.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Come::Denied(link.denied("subscribe", &self.inbox)));
            }
            if broken.as_mut().poll(cx).is_ready() || late.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Come::Silence);
            }
            Poll::Pending
        })
        .await
    }
}
