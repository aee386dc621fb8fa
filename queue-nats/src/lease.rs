//! Items that were delivered to this process and are not settled. The server gives to others what nobody
//! extends here for the `ack_wait` that [`server_stream`] sets.
//! A death on the side of a half is noticed in [`halves`](crate::halves).

use crate::connection::Answer;
use crate::failure;
use crate::server_stream;
use crate::shared::{Shared, Whole, join_all, lock};
use async_nats::Message;
use bytes::Bytes;
use queue_core::sync::Deadline;
use queue_core::{Failure, FailureKind};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// So many items are given back at once.
const AT_ONCE: usize = 64;
/// An item is done.
const ACK: &str = "+ACK";
/// A server that has just started again and does not answer for so long may have forgotten a delivery.
const FORGOTTEN: Duration = Duration::from_millis(100);

/// The leases of this process, which one task extends.
#[derive(Default)]
pub(crate) struct Leases(Mutex<Held>);

#[derive(Default)]
struct Held {
    /// By its subject for acks, which no other delivery has: since when the server is known to wait.
    leases: HashMap<String, Instant>,
    is_extended: bool,
}

impl Leases {
    pub(crate) fn len(&self) -> usize {
        lock(&self.0).leases.len()
    }
}

/// An item that was delivered, as bytes. Dropped, it goes back, and the delivery does not count.
pub(crate) struct Delivered {
    shared: Arc<Shared>,
    /// In the stream.
    number: u64,
    /// How often the server delivered it.
    times: u32,
    /// How many of these do not count.
    /// Less than none if it was given back here, and counted, without the server.
    released: i64,
    reply: String,
    /// Of the connection by which it came.
    connection: u64,
    pub(crate) payload: Bytes,
    /// Whether it counts as on its way out of the queue.
    goes_out: bool,
    is_settled: bool,
}

/// The [`Lease`](queue_core::work::Lend::Lease) of a [`NatsQueue`](crate::NatsQueue).
pub struct NatsLease(pub(crate) Delivered);

/// Whether an item is done.
pub(crate) struct Done {
    pub(crate) acked: Result<(), Failure>,
    /// It is out of the queue, or may be: it would be lost if nobody took it.
    pub(crate) is_out: bool,
}

/// Why an item was not settled, and whether it may be all the same.
struct NotSettled {
    why: Failure,
    unsure: bool,
}

/// Items that a pop has taken. Those that are left when it is dropped are for whoever comes next.
#[derive(Default)]
pub(crate) struct Several(pub(crate) VecDeque<Delivered>);

impl Drop for Several {
    fn drop(&mut self) {
        if let Some(first) = self.0.front() {
            let shared = first.shared.clone();
            shared.untake(self.0.drain(..));
        }
    }
}

impl fmt::Debug for NatsLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsLease")
            .field("attempt", &self.0.attempt())
            .finish_non_exhaustive()
    }
}

impl Delivered {
    /// Of a message that came from the consumer, if it is one.
    pub(crate) async fn new(shared: &Arc<Shared>, message: Message) -> Option<Self> {
        let reply = message.reply?.to_string();
        let (times, number) = delivery_of(&reply)?;
        shared.extend_lease(&reply);
        let mut delivered = Self {
            shared: shared.clone(),
            number,
            times,
            released: 0,
            reply,
            connection: shared.link.number(),
            payload: message.payload,
            goes_out: false,
            is_settled: false,
        };
        if times > 1 {
            lock(&shared.returned).remove(&number);
            delivered.released = shared.releases(number).await;
        }
        Some(delivered)
    }

    /// In the stream: the older an item, the smaller.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// How often it was delivered, releases not counted.
    pub(crate) fn attempt(&self) -> u32 {
        let attempt = i64::from(self.times) - self.released;
        u32::try_from(attempt.max(1)).unwrap_or(u32::MAX)
    }

    /// Whether the server may have given the item to somebody else meanwhile.
    pub(crate) fn is_lost(&self) -> bool {
        let held = lock(&self.shared.leases.0);
        let since = held.leases.get(&self.reply);
        since.is_none_or(|since| since.elapsed() >= self.shared.ack_wait)
    }

    /// It has been taken, and counts as on its way out of the queue until it is lent or settled.
    pub(crate) fn goes_out(&mut self) {
        if !std::mem::replace(&mut self.goes_out, true) {
            self.shared.pops.begin();
        }
    }

    /// It stays in the queue, as far as is known.
    pub(crate) fn stays(&mut self) {
        if std::mem::take(&mut self.goes_out) {
            self.shared.pops.end();
        }
    }

    /// Ends the lease in this process.
    pub(crate) fn forget(&mut self) {
        self.stays();
        self.is_settled = true;
        lock(&self.shared.leases.0).leases.remove(&self.reply);
    }

    /// The item is done. If it is dropped in the midst it goes on.
    pub(crate) fn done(mut self) -> Whole<Done> {
        let shared = self.shared.clone();
        let work = async move {
            let acked = self.ask(ACK).await;
            self.forget();
            if acked.is_ok() {
                let shared = &self.shared;
                if self.released != 0 {
                    shared.forget_releases(self.number).await;
                }
                shared.tell_room().await;
                shared.room.notify();
                if shared.is_known_closed() {
                    shared.tell_end().await;
                }
                shared.watch.look_if_needed();
            }
            Done {
                is_out: acked.as_ref().is_ok() || acked.as_ref().is_err_and(|no| no.unsure),
                acked: acked.map_err(|no| no.why),
            }
        };
        Whole::new(&shared, work, |_, _| Box::pin(async {}))
    }

    /// The item goes back.
    pub(crate) fn back(self, counted: bool) -> Whole<Result<(), Failure>> {
        let shared = self.shared.clone();
        let work = async move {
            match self.shared.keeps_items() && !self.is_lost() {
                true => self.stay(counted).await,
                false => self.leave(counted).await,
            }
        };
        Whole::new(&shared, work, |_, _| Box::pin(async {}))
    }

    /// The item goes to those who wait in this process: what was fetched ahead is younger, and would
    /// overtake it.
    async fn stay(mut self, counted: bool) -> Result<(), Failure> {
        let shared = self.shared.clone();
        if counted {
            // The server knows nothing of this delivery.
            let noted = shared.note_release(self.number, self.released - 1).await;
            if noted.is_err() {
                return self.leave(counted).await;
            }
            self.released -= 1;
        }
        match shared.keep_item(self) {
            None => Ok(()),
            Some(delivered) => delivered.leave(false).await,
        }
    }

    /// The item goes back to the server.
    async fn leave(mut self, counted: bool) -> Result<(), Failure> {
        let back = self.give_back(counted).await;
        self.forget();
        back
    }

    /// Gives all of them back, the first one first. These deliveries do not count.
    pub(crate) async fn all_back(mut all: VecDeque<Self>) {
        while !all.is_empty() {
            let some: Vec<_> = all.drain(..all.len().min(AT_ONCE)).collect();
            let noted = some.iter().map(|one| Box::pin(one.note_return()));
            join_all(noted.collect()).await;
            let back = some.into_iter().map(|one| Box::pin(one.return_once()));
            join_all(back.collect()).await;
        }
    }

    /// Without it an attempt is counted that was none: better than an item that is away.
    async fn note_return(&self) {
        if !self.is_lost() {
            let _ = (self.shared.note_release(self.number, self.released + 1)).await;
        }
    }

    /// If it fails the item comes back when its lease ends.
    async fn return_once(mut self) {
        if !self.is_lost() {
            let shared = &self.shared;
            lock(&shared.returned).insert(self.number);
            let asked = (shared.link).request(&self.reply, None, "-NAK".into(), shared.timeout);
            if !matches!(asked.await, Answer::Reply(_)) {
                lock(&shared.returned).remove(&self.number);
            }
            shared.items.notify();
        }
        self.forget();
    }

    async fn give_back(&self, counted: bool) -> Result<(), Failure> {
        if !counted && !self.is_lost() {
            (self.shared.note_release(self.number, self.released + 1)).await?;
        }
        lock(&self.shared.returned).insert(self.number);
        let back = self.ask("-NAK").await;
        if back.is_err() {
            lock(&self.shared.returned).remove(&self.number);
        }
        self.shared.items.notify();
        back.map_err(|no| no.why)
    }

    /// Whether the server, which may have died, takes the item for one that was never delivered. For such a
    /// one it answers no ack.
    async fn is_forgotten(&self) -> bool {
        let shared = &self.shared;
        let consumer =
            server_stream::consumer_info(&shared.link, &shared.names, shared.timeout).await;
        consumer.is_ok_and(|consumer| consumer.delivered() < self.number)
    }

    /// Settles it at the server, and waits until that says so.
    async fn ask(&self, how: &'static str) -> Result<(), NotSettled> {
        let shared = &self.shared;
        let deadline = Deadline::after(shared.timeout);
        let (mut unsure, mut in_doubt) = (false, false);
        loop {
            if self.is_lost() {
                let message = format!(
                    "this process could not extend its hold on an item of {:?} for {:?} (ack_wait): \
                     another worker may have it",
                    shared.names.queue, shared.ack_wait
                );
                let why = Failure::new(FailureKind::PeerGone, message);
                return Err(NotSettled { why, unsure: false });
            }
            in_doubt |= self.connection != shared.link.number();
            if how == ACK && in_doubt && self.is_forgotten().await {
                match server_stream::delete_item(
                    &shared.link,
                    &shared.names,
                    self.number,
                    shared.timeout,
                )
                .await
                {
                    Ok(()) => return Ok(()),
                    // The ack came through before the server died.
                    Err(refusal) if refusal.is(failure::NOT_DELETED) => return Ok(()),
                    Err(_) => {}
                }
            }
            let patience = match shared.link.is_fresh() {
                true => FORGOTTEN.min(shared.timeout),
                false => shared.timeout,
            };
            let asked = (shared.link).request(&self.reply, None, how.into(), patience);
            match asked.await {
                Answer::Reply(_) => return Ok(()),
                Answer::Denied(why) => return Err(NotSettled { why, unsure: false }),
                Answer::Silence => (unsure, in_doubt) = (true, true),
                // The consumer is between two leaders, or gone.
                Answer::NoResponders | Answer::NotSent | Answer::TooLarge => {}
            }
            if !shared.link.try_again(deadline).await {
                let mut why = shared.link.unavailable();
                if unsure {
                    let message = format!("{why}: the item may be settled or not");
                    why = Failure::new(FailureKind::Ambiguous, message);
                }
                return Err(NotSettled { why, unsure });
            }
        }
    }
}

impl Drop for Delivered {
    fn drop(&mut self) {
        self.stays();
        if self.is_settled {
            return;
        }
        self.is_settled = true;
        let whole = Self {
            shared: self.shared.clone(),
            number: self.number,
            times: self.times,
            released: self.released,
            reply: std::mem::take(&mut self.reply),
            connection: self.connection,
            payload: std::mem::take(&mut self.payload),
            goes_out: false,
            is_settled: false,
        };
        // Dropped at once, it goes on by itself.
        drop(whole.back(false));
    }
}

/// How often, and which one in the stream: what stands in the subject of an ack.
fn delivery_of(reply: &str) -> Option<(u32, u64)> {
    let parts: Vec<_> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
    // Newer servers name the domain and the account first.
    let skip = match parts.len() {
        7 => 2,
        9.. => 4,
        _ => return None,
    };
    Some((
        parts.get(skip)?.parse().ok()?,
        parts.get(skip + 1)?.parse().ok()?,
    ))
}

impl Shared {
    /// Extends this lease, as all of this process, for as long as there are any.
    fn extend_lease(self: &Arc<Self>, reply: &str) {
        let mut held = lock(&self.leases.0);
        held.leases.insert(reply.to_owned(), Instant::now());
        if std::mem::replace(&mut held.is_extended, true) {
            return;
        }
        drop(held);
        let (weak, link) = (Arc::downgrade(self), self.link.clone());
        let period = (self.ack_wait / 3).max(Duration::from_millis(1));
        self.link.spawn(async move {
            loop {
                tokio::time::sleep(period).await;
                let Some(shared) = weak.upgrade() else { return };
                let mut held = lock(&shared.leases.0);
                if held.leases.is_empty() {
                    held.is_extended = false;
                    return;
                }
                let leases: Vec<_> = held.leases.keys().cloned().collect();
                drop(held);
                for reply in leases {
                    let shared = shared.clone();
                    // Each by itself: one that gets no answer holds up no other.
                    link.spawn(async move {
                        let asked = Instant::now();
                        let link = &shared.link;
                        let answer = link.request(&reply, None, "+WPI".into(), period).await;
                        if matches!(answer, Answer::Reply(_)) {
                            let mut held = lock(&shared.leases.0);
                            let since = held.leases.get_mut(&reply);
                            // What is lost stays lost: a server answers who holds nothing any more, too.
                            if let Some(since) = since.filter(|s| s.elapsed() < shared.ack_wait) {
                                *since = asked.max(*since);
                            }
                        }
                    });
                }
            }
        });
    }
}
