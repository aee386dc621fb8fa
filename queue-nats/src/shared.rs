//! [`Shared`]: what all handles of one opened queue have in common: what the server counts, closing, and
//! who waits.

use crate::connection::{Link, before};
use crate::failure;
use crate::lease::{Delivered, Leases};
use crate::options::NatsOptions;
use crate::server_stream::{self, Closing, Names, Opened, Refusal, StreamInfo};
use crate::stuck::Stuck;
use crate::supply::Supply;
use crate::watch::Watch;
use crate::window::STRETCH;
use async_nats::PublishError;
use bytes::Bytes;
use queue_core::event::Event;
use queue_core::sync::Deadline;
use queue_core::work::Idle;
use queue_core::{EndpointCounts, Failure, FailureKind, QueueId, Side};
use std::collections::{HashSet, VecDeque};
use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) type BoxFuture<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// An opened queue, without the type of its items.
pub(crate) struct Shared {
    pub(crate) link: Arc<Link>,
    pub(crate) names: Names,
    pub(crate) timeout: Duration,
    pub(crate) capacity: Option<usize>,
    pub(crate) ack_wait: Duration,
    /// How many items are fetched ahead.
    pub(crate) prefetch: usize,
    /// Whether a question can be taken back. A server of 2.9 that has an item come back for a question that
    /// has ended keeps it for `ack_wait`, and sends another one twice.
    pub(crate) may_withdraw: bool,
    /// How many items of a window are answered together.
    pub(crate) together: usize,
    /// How many items are put in one go: fewer where other producers put theirs in between.
    pub(crate) stretch: AtomicUsize,
    id: QueueId,
    pub(crate) ends: EndpointCounts,
    /// How far it is known to be closed; it is never open again.
    closing: AtomicU8,
    /// There is a free slot, or the queue is closed.
    pub(crate) room: Event,
    /// For those who wait without a pull: there is an item. For all: it is closed and drained.
    pub(crate) items: Event,
    pub(crate) idle: Idle,
    pub(crate) watch: Watch,
    pub(crate) stuck: Mutex<Option<Stuck>>,
    pub(crate) leases: Leases,
    pub(crate) supply: Mutex<Supply>,
    /// What was asked for ahead has come.
    pub(crate) fetched: Event,
    /// Somebody has begun or ended to wait for an item, or a question has ended.
    pub(crate) unasked: Event,
    pub(crate) pops: Pops,
    /// A failure that the next pop tells of.
    untold: Mutex<VecDeque<Failure>>,
    /// The items that this process gave back, until they are delivered to it again.
    pub(crate) returned: Mutex<HashSet<u64>>,
    /// How many operations go on though their future was dropped: begun and ended.
    unwanted: watch::Sender<(u64, u64)>,
    /// What the puts of this process are told apart by.
    run: u64,
    puts: AtomicU64,
    pub(crate) halves: [Mutex<Option<Half>>; 2],
    /// Answers who asks whether a queue without a name of its own is in use.
    pub(crate) use_of_it: Mutex<Option<Half>>,
    /// Whether the queue goes with its last handle in this process.
    is_temporary: bool,
}

/// How many items there are.
pub(crate) struct Counts {
    /// In the stream.
    pub(crate) messages: usize,
    /// Delivered and not acked, those included that came back.
    pub(crate) unacked: usize,
    /// How many items the server is asked for, by all processes.
    pub(crate) asked: usize,
    /// At the server.
    pub(crate) waiting: usize,
    /// On their way out of the queue, and taken by nobody yet.
    spare: usize,
    pub(crate) in_flight: usize,
    pub(crate) closing: Closing,
}

/// What ends a task that answers whoever asks, and that task.
pub(crate) type Half = (watch::Sender<()>, JoinHandle<()>);

/// Who counts looks so often at most.
const LOOKS: u32 = 5;
/// What ids are written in.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// So many bear all that a run is told apart by.
const RUN_DIGITS: u32 = 11;

/// Locks; a panic elsewhere has left nothing half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(
        link: Arc<Link>,
        names: Names,
        opened: &Opened,
        options: &NatsOptions,
        is_temporary: bool,
    ) -> Arc<Self> {
        let mut hasher = DefaultHasher::new();
        opened.identity.hash(&mut hasher);
        let high = hasher.finish();
        0x51.hash(&mut hasher);
        Arc::new(Self {
            may_withdraw: link.client.is_server_compatible(2, 10, 0),
            link,
            names,
            timeout: options.timeout,
            capacity: opened.capacity,
            ack_wait: opened.ack_wait,
            prefetch: options.prefetch,
            together: opened.together,
            stretch: AtomicUsize::new(STRETCH),
            id: QueueId::new(high, hasher.finish()),
            ends: EndpointCounts::new(),
            closing: AtomicU8::new(opened.closing as u8),
            room: Event::new(),
            items: Event::new(),
            idle: Idle::new(),
            watch: Watch::default(),
            stuck: Mutex::default(),
            leases: Leases::default(),
            supply: Mutex::default(),
            fetched: Event::new(),
            unasked: Event::new(),
            pops: Pops::default(),
            untold: Mutex::default(),
            returned: Mutex::default(),
            unwanted: watch::Sender::default(),
            run: RandomState::new().hash_one(0),
            puts: AtomicU64::new(0),
            halves: [Mutex::default(), Mutex::default()],
            use_of_it: Mutex::default(),
            is_temporary,
        })
    }

    pub(crate) fn id(&self) -> QueueId {
        self.id
    }

    /// An id that no other put has, of any process. It is short: in a window the server spends a good part of
    /// its time on ids.
    pub(crate) fn new_put(&self) -> String {
        let mut id = String::with_capacity(20);
        let mut push_digits = |mut number: u64, digits: u32| {
            for _ in 0..digits {
                id.push(char::from(DIGITS[number as usize % DIGITS.len()]));
                number /= DIGITS.len() as u64;
            }
        };
        push_digits(self.run, RUN_DIGITS);
        let number = self.puts.fetch_add(1, Ordering::Relaxed);
        push_digits(
            number,
            number.checked_ilog(DIGITS.len() as u64).unwrap_or(0) + 1,
        );
        id
    }

    /// Whether it is known to take no item any more.
    pub(crate) fn is_known_closed(&self) -> bool {
        self.closing.load(Ordering::SeqCst) >= Closing::Begun as u8
    }

    /// Whether it is known that no item comes in any more, not even one whose push has begun.
    pub(crate) fn is_known_sealed(&self) -> bool {
        self.closing.load(Ordering::SeqCst) == Closing::Done as u8
    }

    fn note(&self, closing: Closing) {
        self.closing.fetch_max(closing as u8, Ordering::SeqCst);
    }

    /// What the stream is like now.
    pub(crate) async fn info(&self) -> Result<StreamInfo, Failure> {
        let info = server_stream::stream_info(&self.link, &self.names, self.patience_now()).await;
        let info = info.map_err(|refusal| self.refused(refusal))?;
        self.note(info.closing(&self.names));
        Ok(info)
    }

    /// As [`info`](Self::info), with what this process has begun to clear up behind it.
    pub(crate) async fn info_after_all(&self) -> Result<StreamInfo, Failure> {
        self.undone().await;
        self.info().await
    }

    pub(crate) fn refused(&self, refusal: Refusal) -> Failure {
        refusal.failure(&format!("the queue {:?}", self.names.queue))
    }

    /// How many items wait and how many are in flight.
    pub(crate) async fn counts(&self) -> Result<(usize, usize), Failure> {
        let mut looks = 0;
        let lent = || self.leases.len().saturating_sub(self.spare());
        let (before, counts) = loop {
            let changes = self.undone().await;
            self.fetched().await;
            let before = lent();
            let counts = self.all_counts().await?;
            looks += 1;
            // What began to go back meanwhile is counted as lent.
            if looks == LOOKS || !self.has_changed(changes) {
                break (before, counts);
            }
        };
        // What came back, or was taken, while the server was asked may be counted twice: no more wait than
        // are not with this process all the time.
        let most = counts.messages.saturating_sub(before.min(lent()));
        let waiting = (counts.waiting + counts.spare).min(most);
        // What changes meanwhile is not counted twice.
        let most = self.capacity.unwrap_or(usize::MAX);
        Ok((waiting.min(most), counts.in_flight.min(most)))
    }

    pub(crate) async fn all_counts(&self) -> Result<Counts, Failure> {
        // Before: what this process takes or gives back meanwhile is not counted twice.
        let known: Vec<u64> = lock(&self.returned).iter().copied().collect();
        let (returned, spare) = (known.len(), self.spare());
        // At once, and the stream last: an item that leaves in between does not count as waiting.
        let consumer = server_stream::consumer_info(&self.link, &self.names, self.patience_now());
        let (consumer, info) = both(consumer, self.info()).await;
        let consumer = match consumer {
            Err(refusal) if refusal.is(failure::NO_CONSUMER) => self.create_consumer().await,
            known => known,
        };
        let consumer = consumer.map_err(|refusal| self.refused(refusal))?;
        let unacked = consumer.unacked();
        lock(&self.returned).retain(|number| *number > consumer.ack_floor());
        let info = info?;
        let messages = info.messages();
        self.revive_if_stuck(&consumer, &info).await;
        // Of those that this process gave back another one may have got hold.
        let returned = returned.min(unacked);
        if unacked == 0 {
            let mut returned = lock(&self.returned);
            for number in &known {
                returned.remove(number);
            }
        }
        // An item that was acked may still be counted as a message, for a moment. One that was
        // withdrawn has a number and is no message.
        let fresh = info.last().saturating_sub(consumer.delivered());
        let fresh = usize::try_from(fresh).unwrap_or(usize::MAX);
        Ok(Counts {
            messages,
            unacked,
            asked: consumer.asked(),
            waiting: (messages + returned)
                .saturating_sub(unacked)
                .min(fresh.saturating_add(returned))
                .min(messages),
            spare,
            // A server that was killed counts some for a while that are gone.
            in_flight: unacked.saturating_sub(returned + spare).min(messages),
            closing: info.closing(&self.names),
        })
    }

    /// Waits until what dropped futures left behind is cleared up, as far as it was begun, and no longer
    /// than for an answer of the server: how much was.
    pub(crate) async fn undone(&self) -> u64 {
        let mut unwanted = self.unwanted.subscribe();
        let (begun, _) = *unwanted.borrow_and_update();
        let undone = async {
            while unwanted.borrow_and_update().1 < begun {
                if unwanted.changed().await.is_err() {
                    break;
                }
            }
        };
        let _ = before(Deadline::after(self.timeout), undone).await;
        begun
    }

    /// Whether nothing is being cleared up.
    pub(crate) fn is_cleared_up(&self) -> bool {
        let (begun, ended) = *self.unwanted.borrow();
        begun == ended
    }

    /// Whether more has begun to be cleared up since.
    pub(crate) fn has_changed(&self, since: u64) -> bool {
        self.unwanted.borrow().0 != since
    }

    /// Runs `task` to its end though nobody waits for it. Verbs that begin later see what it did.
    pub(crate) fn clear_up(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        self.unwanted.send_modify(|(begun, _)| *begun += 1);
        let shared = self.clone();
        self.link.spawn(async move {
            task.await;
            shared.unwanted.send_modify(|(_, ended)| *ended += 1);
        });
    }

    /// Takes an item out though nobody waits for the server's word: verbs that begin later do. So a future
    /// that is dropped has taken nothing out.
    pub(crate) fn take_out_soon(self: &Arc<Self>, delivered: Delivered) {
        let shared = self.clone();
        self.clear_up(async move {
            let acked = delivered.done().await.acked;
            if let Some(why) = acked.err().filter(|why| why.kind() == FailureKind::Denied) {
                shared.tell_next(why);
            }
        });
    }

    /// Has the next pop or receive tell of this, or one that waits already.
    pub(crate) fn tell_next(&self, why: Failure) {
        lock(&self.untold).push_back(why);
        self.items.notify_all();
    }

    /// What an earlier pop or receive could not tell.
    pub(crate) fn untold(&self) -> Result<(), Failure> {
        lock(&self.untold).pop_front().map_or(Ok(()), Err)
    }

    /// Says that an item has left the queue. Who waits looks by itself, if this is lost.
    pub(crate) async fn tell_room(&self) {
        let _ = self.tell("room").await;
    }

    /// Says that the queue may be closed and drained, and waits until that is sent: this process may end
    /// now.
    pub(crate) async fn tell_end(&self) {
        if self.tell("end").await.is_ok() {
            let _ = before(Deadline::after(self.timeout), self.link.client.flush()).await;
        }
    }

    async fn tell(&self, what: &str) -> Result<(), PublishError> {
        let subject = format!("{}.{what}", self.names.event);
        self.link.client.publish(subject, Bytes::new()).await
    }

    /// Closes the queue: whether this call did. While the server cannot, it tries again for a while: the
    /// servers of a cluster may be electing a leader.
    pub(crate) async fn close(&self) -> Result<bool, Failure> {
        // One `timeout` may pass in silence.
        let end = Deadline::after(self.timeout.saturating_mul(2));
        // One for all tries: an answer that was lost must not make another closer of it.
        let closer = self.new_put();
        let mut first = false;
        loop {
            match self.close_at_once(&closer, &mut first).await {
                Err(failure)
                    if failure.kind() == FailureKind::Unavailable
                        && self.link.try_again(end).await => {}
                closed => return closed.map(|()| first),
            }
        }
    }

    async fn close_at_once(&self, closer: &str, first: &mut bool) -> Result<(), Failure> {
        // The mark of a close long ago may be gone, behind too many younger ones.
        if self.info().await?.closing(&self.names) == Closing::No {
            *first |= self.mark_closed(closer).await?;
        }
        self.seal().await
    }

    /// Closes the queue to its end, though another process has begun to: that may have died.
    pub(crate) async fn seal(&self) -> Result<(), Failure> {
        let closed = server_stream::close(&self.link, &self.names, self.timeout).await;
        closed.map_err(|refusal| self.refused(refusal))?;
        self.note(Closing::Done);
        self.tell_end().await;
        self.room.notify_all();
        self.items.notify_all();
        self.watch.look();
        Ok(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if !self.is_temporary {
            return;
        }
        let (link, names, timeout) = (self.link.clone(), self.names.clone(), self.timeout);
        let (done, when_done) = std::sync::mpsc::channel();
        let delete = async move {
            let _ = server_stream::delete(&link, &names, timeout).await;
            let _ = done.send(());
        };
        self.link.spawn(delete);
        if !self.link.is_own_thread() {
            // A program that ends now leaves nothing behind.
            let _ = when_done.recv_timeout(self.timeout);
        }
    }
}

/// The pops that have an item and are about to ack it.
#[derive(Default)]
pub(crate) struct Pops {
    under_way: AtomicUsize,
    ended: AtomicU64,
}

impl Pops {
    pub(crate) fn begin(&self) {
        self.under_way.fetch_add(1, Ordering::SeqCst);
    }

    /// In this order: who finds none under way sees those that have ended.
    pub(crate) fn end(&self) {
        self.ended.fetch_add(1, Ordering::SeqCst);
        self.under_way.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }

    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Ordering::SeqCst)
    }
}

/// Work that goes on to its end if it is dropped; then its result is undone.
pub(crate) struct Whole<R: Send + 'static> {
    shared: Arc<Shared>,
    work: Option<BoxFuture<R>>,
    undo: fn(Arc<Shared>, R) -> BoxFuture<()>,
}

impl<R: Send + 'static> Whole<R> {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        work: impl Future<Output = R> + Send + 'static,
        undo: fn(Arc<Shared>, R) -> BoxFuture<()>,
    ) -> Self {
        Self {
            shared: shared.clone(),
            work: Some(Box::pin(work)),
            undo,
        }
    }
}

impl<R: Send + 'static> Future for Whole<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let work = self.work.as_mut().expect("it is polled until it is ready");
        let polled = work.as_mut().poll(cx);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl<R: Send + 'static> Drop for Whole<R> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            let (shared, undo) = (self.shared.clone(), self.undo);
            self.shared.clear_up(async move {
                let result = work.await;
                undo(shared, result).await;
            });
        }
    }
}

/// Runs both at once; of what they do at first, `a` does first.
async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut done_a, mut done_b) = (None, None);
    poll_fn(|cx| {
        if done_a.is_none() {
            done_a = if_ready(a.as_mut().poll(cx));
        }
        if done_b.is_none() {
            done_b = if_ready(b.as_mut().poll(cx));
        }
        match (done_a.take(), done_b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (done_a, done_b) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

/// What comes of the first of two that is ready.
pub(crate) async fn either<R>(a: impl Future<Output = R>, b: impl Future<Output = R>) -> R {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|cx| match a.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(output),
        Poll::Pending => b.as_mut().poll(cx),
    })
    .await
}

fn if_ready<R>(polled: Poll<R>) -> Option<R> {
    match polled {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Runs all of them at once, and gives what they came to, in order.
pub(crate) async fn join_all<F: Future + Unpin>(mut all: Vec<F>) -> Vec<F::Output> {
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

/// Which half of [`Shared::halves`] is that of `side`.
pub(crate) fn half(side: Side) -> usize {
    match side {
        Side::Producers => 0,
        Side::Consumers => 1,
    }
}
