//! Getting items: what is there, and what comes.

use crate::connection::before;
use crate::lease::Delivered;
use crate::put::WINDOW;
use crate::shared::{BoxFuture, Shared, Whole};
use crate::stream::{CONSUMER, nanos};
use crate::watch::Who;
use async_nats::{Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_core::Stream;
use queue_core::sync::Deadline;
use queue_core::{Failure, FailureKind};
use serde_json::json;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::watch;

/// A pull that waits ends by itself after this, and is made again.
const EXPIRES: Duration = Duration::from_secs(30);
/// The server says so often that a pull still waits.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Why there is no item.
#[derive(Debug)]
pub(crate) enum NotGot {
    Empty,
    Closed,
    Failed(Failure),
}

/// What came for a pull that waits.
enum Come {
    Item(Message),
    /// It still waits.
    Alive,
    /// It has ended without an item.
    Over,
    /// The server does not answer.
    Silence,
    /// There is no consumer.
    Nobody,
    /// This user may not ask.
    Denied,
    /// The queue may be closed and drained.
    End,
}

fn is_item(message: &Message) -> bool {
    message.status.is_none() && message.reply.is_some()
}

impl Shared {
    fn next_subject(&self) -> String {
        format!("$JS.API.CONSUMER.MSG.NEXT.{}.{CONSUMER}", self.names.stream)
    }

    /// Gets the item that is next, if one waits.
    pub(crate) async fn try_get(self: &Arc<Self>) -> Result<Delivered, NotGot> {
        self.undone().await;
        let deadline = Deadline::after(self.timeout);
        let mut races = 0;
        loop {
            match self.get_once().await {
                Come::Item(message) => {
                    if let Some(delivered) = self.delivered(message).await {
                        return Ok(delivered);
                    }
                }
                Come::Denied => return Err(NotGot::Failed(self.link.denied(&self.next_subject()))),
                Come::Silence => return Err(NotGot::Failed(self.link.unavailable())),
                Come::Over => {
                    let info = self.info().await.map_err(NotGot::Failed)?;
                    if info.messages() == 0 && self.is_known_closed() {
                        return Err(NotGot::Closed);
                    }
                    // The server announces an item to its consumer a little after it has taken it.
                    let waits = info.messages() > 0
                        && (self.counts().await).is_ok_and(|(waiting, _)| waiting > 0);
                    if !waits || races == 20 {
                        return Err(NotGot::Empty);
                    }
                    races += 1;
                    tokio::time::sleep(Duration::from_micros(200)).await;
                }
                Come::Nobody | Come::Alive | Come::End => {
                    self.info().await.map_err(NotGot::Failed)?;
                    if !self.link.try_again(deadline).await {
                        return Err(NotGot::Failed(self.link.unavailable()));
                    }
                }
            }
        }
    }

    /// Asks for an item that waits.
    async fn get_once(self: &Arc<Self>) -> Come {
        let Some(mut pull) = self.pull(1, false).await else {
            return Come::Silence;
        };
        let mut end = std::future::pending::<()>();
        let come = before(Deadline::after(self.timeout), pull.next(&mut end)).await;
        come.unwrap_or(Come::Silence)
    }

    /// The delivery of a message. If it is dropped in the midst it goes back.
    fn delivered(self: &Arc<Self>, message: Message) -> Whole<Option<Delivered>> {
        let shared = self.clone();
        let work = async move { Delivered::new(&shared, message).await };
        Whole::new(self, work, go_back)
    }

    async fn give_back_all(self: &Arc<Self>, messages: Vec<Message>) {
        for message in messages.into_iter().filter(is_item) {
            if let Some(delivered) = Delivered::new(self, message).await {
                let _ = delivered.back(false).await;
            }
        }
    }

    /// Gets the next item, waiting for one, and for the server: `None` if the deadline comes first.
    pub(crate) async fn get(
        self: &Arc<Self>,
        deadline: Deadline,
    ) -> Result<Option<Delivered>, NotGot> {
        let _here = match self.try_get().await {
            Ok(delivered) => return Ok(Some(delivered)),
            Err(NotGot::Empty) if deadline == Deadline::AT_ONCE => return Ok(None),
            Err(NotGot::Empty) => self.watch_for(Who::Pop),
            Err(NotGot::Failed(why)) if why.kind() == FailureKind::Unavailable => {
                if !self.link.try_again(deadline).await {
                    return Err(NotGot::Failed(why));
                }
                self.watch_for(Who::Pop)
            }
            Err(other) => return Err(other),
        };
        loop {
            // Before the pull: what it misses wakes this listener.
            let mut end = self.items.listen();
            if self.has_stashed() {
                return Ok(None);
            }
            let Some(mut pull) = self.pull(1, true).await else {
                if !self.link.try_again(deadline).await {
                    return Err(NotGot::Failed(self.link.unavailable()));
                }
                continue;
            };
            self.watch.look();
            loop {
                let come = match before(deadline, pull.next(&mut end)).await {
                    Some(come) => come,
                    None => {
                        let (answered, last) = (pull.is_answered, pull.end().await);
                        return match last {
                            Some(delivered) => Ok(Some(delivered)),
                            None if answered && self.link.is_connected() => Ok(None),
                            None => Err(NotGot::Failed(self.link.unavailable())),
                        };
                    }
                };
                match come {
                    Come::Item(message) => match self.delivered(message).await {
                        Some(delivered) => return Ok(Some(delivered)),
                        None => break,
                    },
                    Come::Alive => {}
                    Come::Over | Come::Silence => break,
                    Come::Denied => {
                        let denied = self.link.denied(&self.next_subject());
                        return Err(NotGot::Failed(denied));
                    }
                    Come::Nobody => {
                        let info = self.info().await;
                        match info {
                            Err(why) if why.kind() != FailureKind::Unavailable => {
                                return Err(NotGot::Failed(why));
                            }
                            _ => {}
                        }
                        if !self.link.try_again(deadline).await {
                            return Err(NotGot::Failed(self.link.unavailable()));
                        }
                        break;
                    }
                    Come::End => {
                        end = self.items.listen();
                        if self.has_stashed() {
                            return Ok(pull.end().await);
                        }
                        let info = self.info().await;
                        if info.is_ok_and(|info| info.messages() == 0) && self.is_known_closed() {
                            return pull.end().await.map(Some).ok_or(NotGot::Closed);
                        }
                    }
                }
            }
        }
    }

    /// Gets up to `most` items, as many as wait, in order: at least one.
    pub(crate) async fn try_get_many(
        self: &Arc<Self>,
        most: usize,
    ) -> Result<Vec<Delivered>, NotGot> {
        let mut all = vec![self.try_get().await?];
        let waiting = match most {
            0 | 1 => 0,
            _ => self.counts().await.map_or(0, |(waiting, _)| waiting),
        };
        let most = waiting.min(most.saturating_sub(1)).min(WINDOW);
        if most == 0 {
            return Ok(all);
        }
        let Some(mut pull) = self.pull(most, false).await else {
            return Ok(all);
        };
        let mut end = std::future::pending::<()>();
        for _ in 0..most {
            let deadline = Deadline::after(self.timeout);
            match before(deadline, pull.next(&mut end)).await {
                Some(Come::Item(message)) => all.extend(self.delivered(message).await),
                _ => break,
            }
        }
        Ok(all)
    }

    /// Takes up to `max` items out for good, as many as wait. If it is dropped in the midst they are
    /// kept for the next pop.
    pub(crate) fn take_many(
        self: &Arc<Self>,
        max: usize,
    ) -> Whole<Result<VecDeque<Bytes>, NotGot>> {
        let shared = self.clone();
        let work = async move {
            let mut all = shared.try_get_many(max).await?;
            let acks = all.drain(..).map(|one| one.done(|_, _| Box::pin(async {})));
            let mut out = VecDeque::new();
            let mut why = None;
            for (bytes, acked) in join_all(acks.collect()).await {
                match acked {
                    Err(failure) if failure.kind() != FailureKind::Ambiguous => why = Some(failure),
                    // Who does not know whether it is out keeps it.
                    Ok(()) | Err(_) => out.push_back(bytes),
                }
            }
            match why {
                Some(failure) if out.is_empty() => Err(NotGot::Failed(failure)),
                _ => Ok(out),
            }
        };
        Whole::new(self, work, |shared, taken| {
            if let Ok(items) = taken {
                shared.stash_first(items);
            }
            Box::pin(async {})
        })
    }

    /// Asks for items: to be given once there is one, or those that wait.
    async fn pull(self: &Arc<Self>, batch: usize, waits: bool) -> Option<Pull> {
        if !self.link.is_connected() {
            return None;
        }
        let client = &self.link.client;
        let inbox = client.new_inbox();
        let items = client.subscribe(inbox.clone()).await.ok()?;
        // From here on it is unsubscribed, and what came goes back, if it is dropped.
        let mut pull = Pull {
            shared: self.clone(),
            items: Some(items),
            left: batch,
            is_answered: false,
            state: self.link.state(),
            since: self.link.refusals(),
        };
        let question = match waits {
            true => json!({
                "batch": batch,
                "expires": nanos(EXPIRES),
                "idle_heartbeat": nanos(HEARTBEAT),
            }),
            false => json!({ "batch": batch, "no_wait": true }),
        };
        let subject = self.next_subject();
        let asked = client.publish_with_reply(subject, inbox, question.to_string().into());
        pull.is_answered = asked.await.is_ok() && self.link.is_connected();
        pull.is_answered.then_some(pull)
    }
}

/// A question for an item that waits at the server. Dropped, it is taken back, and an item that was
/// on its way goes back too.
struct Pull {
    shared: Arc<Shared>,
    items: Option<Subscriber>,
    /// So many may still come.
    left: usize,
    /// Whether the server is known to be there.
    is_answered: bool,
    /// Of the connection, and how often the server had refused something, before it was asked.
    state: watch::Receiver<u64>,
    since: u64,
}

impl Pull {
    /// What comes next. It may be dropped, and called again.
    async fn next(&mut self, end: &mut (impl Future<Output = ()> + Unpin)) -> Come {
        let Some(items) = &mut self.items else {
            return Come::Over;
        };
        let mut broken = pin!(self.state.changed());
        let subject = self.shared.next_subject();
        let mut silence = pin!(tokio::time::sleep(HEARTBEAT * 2 + HEARTBEAT / 2));
        let mut refused = pin!(self.shared.link.refused_after(self.since, &subject));
        let come = poll_fn(|cx| {
            if let Poll::Ready(message) = Pin::new(&mut *items).poll_next(cx) {
                return Poll::Ready(match message {
                    None => Come::Silence,
                    Some(message) if is_item(&message) => Come::Item(message),
                    Some(message) => match message.status {
                        Some(StatusCode::IDLE_HEARTBEAT) => Come::Alive,
                        Some(StatusCode::NO_RESPONDERS) => Come::Nobody,
                        _ => Come::Over,
                    },
                });
            }
            if refused.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Come::Denied);
            }
            if broken.as_mut().poll(cx).is_ready() || silence.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Come::Silence);
            }
            Pin::new(&mut *end).poll(cx).map(|()| Come::End)
        })
        .await;
        match come {
            Come::Item(_) => self.left = self.left.saturating_sub(1),
            Come::Over | Come::Nobody | Come::Denied => self.left = 0,
            Come::Alive | Come::Silence | Come::End => {}
        }
        if self.left == 0 {
            // Nothing more comes.
            self.items = None;
        }
        come
    }

    /// Takes the question back: an item that had been sent already.
    async fn end(mut self) -> Option<Delivered> {
        let items = self.items.take()?;
        let shared = self.shared.clone();
        let work = async move {
            let mut messages = rest(&shared, items).await.into_iter();
            let first = match messages.next() {
                Some(message) => Delivered::new(&shared, message).await,
                None => None,
            };
            shared.give_back_all(messages.collect()).await;
            first
        };
        Whole::new(&self.shared, work, go_back).await
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        if let Some(items) = self.items.take() {
            let shared = self.shared.clone();
            self.shared.clear_up(async move {
                let messages = rest(&shared, items).await;
                shared.give_back_all(messages).await;
            });
        }
    }
}

/// Runs all of them at once, and gives what they came to, in order.
async fn join_all<F: Future + Unpin>(mut all: Vec<F>) -> Vec<F::Output> {
    let mut outputs: Vec<_> = all.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut pending = false;
        for (future, output) in all.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                match Pin::new(future).poll(cx) {
                    Poll::Ready(ready) => *output = Some(ready),
                    Poll::Pending => pending = true,
                }
            }
        }
        match pending {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

fn go_back(_: Arc<Shared>, delivered: Option<Delivered>) -> BoxFuture<()> {
    Box::pin(async move {
        if let Some(delivered) = delivered {
            let _ = delivered.back(false).await;
        }
    })
}

/// Unsubscribes, and gives what had been sent already.
async fn rest(shared: &Arc<Shared>, mut items: Subscriber) -> Vec<Message> {
    let mut messages = Vec::new();
    if !shared.link.is_connected() || items.drain().await.is_err() {
        return messages;
    }
    let mut state = shared.link.state();
    let mut broken = pin!(state.changed());
    let mut late = pin!(tokio::time::sleep(shared.timeout));
    loop {
        let next = poll_fn(|cx| {
            if let Poll::Ready(message) = Pin::new(&mut items).poll_next(cx) {
                return Poll::Ready(message);
            }
            let over = broken.as_mut().poll(cx).is_ready() || late.as_mut().poll(cx).is_ready();
            match over {
                true => Poll::Ready(None),
                false => Poll::Pending,
            }
        });
        match next.await {
            Some(message) if is_item(&message) => messages.push(message),
            Some(_) => {}
            None => return messages,
        }
    }
}
