//! [`Guest`]: the queue as seen from a process that does not host it.

use super::ask_host::{Line, Requests, lock, lock_in_time, lock_until, tell};
use super::page::Page;
use super::shared_rings::{LARGEST, Pushed, Pushes, Shelf};
use super::wire::{
    self, Bytes, Call, Ending, Filling, Gone, Handed, Message, Reply, Request, Role, Ticket,
    VERSION, Watch,
};
use crate::deferred::Deferred;
use crate::try_error::TryError;
use crate::types::Types;
use crate::unwind::{catch_panic, ignore_panic};
use ipc_channel::TryRecvError;
use ipc_channel::ipc::IpcBytesReceiver;
use queue_core::event::Event;
use queue_core::sync::{Deadline, TimeLimit};
use queue_core::{EndpointCounts, Failure, FailureKind, Side};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, TryLockError, Weak};
use std::time::{Duration, Instant};
use std::{fmt, thread};
#[cfg(target_os = "linux")]
use {super::wire::Hello, ipc_channel::ipc::IpcSender};

impl From<Gone> for TryError {
    fn from(_: Gone) -> Self {
        Self::Closed
    }
}

/// The bytes of some items.
pub(super) type Items<'a> = dyn Iterator<Item = &'a [u8]> + 'a;

/// A verb whose time is up waits for so much longer for an answer, which a host that runs gives.
const GRACE: Duration = Duration::from_millis(100);

/// A guest that moves so many items between two questions is in a stream: what comes soon is not worth
/// looking for, for more comes a little later.
const STREAM: u32 = 8;

/// As long as it has asked so often since, it is so still.
const STREAM_LASTS: u32 = 16;

/// A line to the host, and who waits in this process.
pub(super) struct Guest {
    line: Mutex<Line>,
    pushes: Page<Pushes>,
    shelf: Page<Shelf>,
    requests: Requests,
    ears: Arc<Ears>,
    pub(super) capacity: Option<usize>,
    pub(super) role: Role,
    pub(super) ends: EndpointCounts,
    pub(super) owed: Deferred,
    /// How many items went by words since the last question.
    moved: AtomicU32,
    /// For how many questions more this is a stream.
    stream: AtomicU32,
}

/// What comes of asking for items.
enum Offered {
    /// There are some on the shelf, and as far as is known so many inside.
    Shelved(usize),
    /// The answer that has them.
    Items(Message),
}

/// What the host's calls reach: a thread of its own listens to them.
#[derive(Default)]
struct Ears {
    places: Event,
    items: Event,
    /// Who waits until the queue is idle; how many calls of that have been heard, and the number of
    /// the last time that is known of.
    idle: Event,
    heard_idle: AtomicU64,
    moments: AtomicU64,
    /// How many calls for each side have been heard.
    heard: [AtomicU64; 2],
    gone: AtomicBool,
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest")
            .field("role", &self.role)
            .field("gone", &self.is_gone())
            .finish_non_exhaustive()
    }
}

impl Ears {
    fn event(&self, side: Side) -> &Event {
        match side {
            Side::Producers => &self.places,
            Side::Consumers => &self.items,
        }
    }

    /// Listens until the host is gone, or has let go of this guest.
    fn listen(&self, calls: &IpcBytesReceiver, guest: &Weak<Guest>) {
        while let Ok(call) = wire::receive(calls) {
            match call.read() {
                Ok(Call::Came(side, count)) => {
                    // Before the notification: who is woken says how many were heard.
                    // Relaxed: the event orders it, as all that it announces.
                    self.heard[side as usize].fetch_add(1, Ordering::Relaxed);
                    self.pass_on(side, count, guest);
                }
                Ok(Call::Retry) => self.wake_all(),
                Ok(Call::Idle(moment)) => {
                    // Before the notification: who is woken says how many were heard.
                    self.heard_idle.fetch_add(1, Ordering::Relaxed);
                    self.moments.fetch_max(moment, Ordering::Relaxed);
                    // Whoever began to wait while the call was on its way has to ask again.
                    ignore_panic(|| self.idle.notify_all());
                }
                Err(_) => break,
            }
        }
        // Relaxed: the events order it, as above.
        self.gone.store(true, Ordering::Relaxed);
        self.wake_all();
        self.was_idle(u64::MAX);
    }

    /// Wakes one sleeper for each item or place, as long as there are both.
    fn pass_on(&self, side: Side, mut count: u64, guest: &Weak<Guest>) {
        let event = self.event(side);
        while count > 0 {
            ignore_panic(|| event.notify());
            count -= 1;
            if !event.has_waiting() {
                return;
            }
            if count == 0 {
                // Who was woken may be a future that nobody polls: the host must go on
                // calling for those who sleep.
                let Some(guest) = guest.upgrade() else { return };
                count = guest.ask_what_came(side);
            }
        }
    }

    fn heard(&self, side: Side) -> u64 {
        // Relaxed: asked after one listens, or was notified. So it is not older than the last
        // notification that came too early to reach that listener.
        self.heard[side as usize].load(Ordering::Relaxed)
    }

    /// The queue was idle, for the time of this number.
    fn was_idle(&self, moment: u64) {
        // Relaxed: the event orders it.
        if self.moments.fetch_max(moment, Ordering::Relaxed) < moment {
            ignore_panic(|| self.idle.notify_all());
        }
    }

    fn wake_all(&self) {
        ignore_panic(|| self.places.notify_all());
        ignore_panic(|| self.items.notify_all());
    }
}

impl Guest {
    /// Takes up the line that `ticket` is for, if it is for a queue of such items.
    pub(super) fn join(ticket: Ticket, types: &Types) -> Result<Arc<Self>, Failure> {
        let Ticket {
            version,
            requests,
            replies,
            calls,
            handed,
            role,
            pushes,
            shelf,
            ..
        } = ticket;
        if version != VERSION {
            let message = format!(
                "the queue's host speaks version {version}, not {VERSION}: build both programs with \
                 the same queue-process"
            );
            return Err(Failure::new(FailureKind::Mismatch, message));
        }
        if ticket.types != *types {
            return Err(types.mismatch(&ticket.types));
        }
        let capacity = match ticket.capacity.map(usize::try_from).transpose() {
            Ok(Some(0)) | Err(_) => {
                let message = "the queue's host says a capacity that none can have";
                return Err(Failure::new(FailureKind::Corrupt, message));
            }
            Ok(capacity) => capacity,
        };
        let (Some(pushes), Some(shelf)) = (Page::<Pushes>::of(pushes), Page::of(shelf)) else {
            let message = "the queue's host shares less memory than it should";
            return Err(Failure::new(FailureKind::Corrupt, message));
        };
        pushes.greet();
        let requests = Arc::new(Mutex::new(requests));
        let line = Line::open(Arc::clone(&requests), replies, handed, &pushes);
        let guest = Arc::new(Self {
            pushes,
            shelf,
            requests,
            line: Mutex::new(line),
            ears: Arc::default(),
            capacity,
            role,
            ends: EndpointCounts::new(),
            owed: Deferred::default(),
            moved: AtomicU32::new(0),
            stream: AtomicU32::new(0),
        });
        // The thread must not keep the line open: the host is to notice when the last
        // handle has gone.
        let (ears, weak) = (Arc::clone(&guest.ears), Arc::downgrade(&guest));
        thread::Builder::new()
            .name("queue-guest".into())
            .spawn(move || ears.listen(&calls, &weak))?;
        Ok(guest)
    }

    /// What those of `side` in this process wait for.
    pub(super) fn event(&self, side: Side) -> &Event {
        self.ears.event(side)
    }

    /// Whether a pop would find something without asking, for one who looks again and again; of pushes
    /// nothing is known.
    pub(super) fn ready_hint(&self, side: Side) -> usize {
        match side {
            _ if self.is_gone() => usize::MAX,
            Side::Producers => 0,
            Side::Consumers if self.is_stream() => self.shelf.has_items().into(),
            Side::Consumers => self.shelf.look().into(),
        }
    }

    /// Pushes of `items`, at least one, as many as find a place: how many, and how many slots are still
    /// free, as far as is known. It is if it `asks` the host, and not if they go by words.
    pub(super) fn push<'a>(
        &self,
        items: impl Iterator<Item = &'a [u8]>,
        asks: bool,
    ) -> Result<(usize, usize), TryError> {
        let items: Vec<_> = items.collect();
        let most = items.len();
        if !asks && self.push_ahead(&items)? {
            return Ok((most, usize::MAX));
        }
        let size: usize = items.iter().map(|item| item.len()).sum();
        let items = items.into_iter().map(Bytes).collect();
        let watch = self.watch(Side::Producers);
        let request = Request::Push { items, watch };
        self.note_question();
        self.converse_in_time(|line| {
            match line.ask_in_time(&request, size, &self.pushes)?.read()? {
                Reply::Pushed { count: 0, .. } => Err(off_the_point().into()),
                Reply::Pushed { count, free } => Ok((saturated(count).min(most), saturated(free))),
                Reply::Full => Err(TryError::WouldBlock),
                other => Err(unexpected(other)),
            }
        })
    }

    /// Pushes `items` by words, if slots are granted for all of them and there is room: whether it did.
    fn push_ahead(&self, items: &[&[u8]]) -> Result<bool, TryError> {
        if self.is_gone() {
            return Err(TryError::Closed);
        } else if items.iter().any(|item| item.len() > LARGEST) {
            return Ok(false);
        }
        // As long as one holds it nobody else writes. One that sends a large item may hold it long.
        let late = || time_limit().map(latest_answer);
        let Some(requests) = lock_in_time(&self.requests, late) else {
            return Err(TryError::WouldBlock);
        };
        match self.pushes.push(items, &self.shelf) {
            Pushed::Done => {}
            Pushed::TooFew => return Ok(false),
            Pushed::Closed => return Err(TryError::Closed),
        }
        self.note_moved(items.len());
        if self.pushes.must_tell() || self.shelf.must_feed() {
            tell(&requests);
        }
        Ok(true)
    }

    /// Pops up to `max` items, but no more large ones than one message carries: what `take` makes of their
    /// bytes, once they are this process's, and how many more of those `max` were inside.
    pub(super) fn pop<R>(
        &self,
        max: usize,
        take: impl FnOnce(&mut Items<'_>) -> R,
    ) -> Result<(R, usize), TryError> {
        if self.is_gone() {
            return Err(TryError::Closed);
        }
        // While others push this might go on and on: no more than are ever inside at once, nor than were
        // inside when the host first said how many.
        let mut max = self.capacity.map_or(max, |capacity| max.min(capacity));
        let mut popped = Vec::new();
        let answer = loop {
            let taken = self.shelf.pop(max - popped.len());
            if !taken.is_empty() && self.shelf.must_tell() {
                tell(&lock(&self.requests));
            }
            self.note_moved(taken.len());
            match popped.is_empty() {
                true => popped = taken,
                false => popped.extend(taken),
            }
            if popped.len() == max {
                break None;
            }
            match self.ask_for_items(max - popped.len(), popped.is_empty()) {
                Ok(Offered::Shelved(inside)) => max = max.min(popped.len().saturating_add(inside)),
                Ok(Offered::Items(answer)) => break Some(answer),
                Err(refusal) if popped.is_empty() => return Err(refusal),
                Err(_) => break None,
            }
        };
        let (left, rest) = match answer.as_ref().map(Message::read).transpose()? {
            Some(Reply::Popped { left, items }) => (saturated(left), items),
            _ => (0, Vec::new()),
        };
        let left = left.min(max.saturating_sub(popped.len() + rest.len()));
        let popped = popped.iter().map(|item| &item[..]);
        Ok((
            take(&mut popped.chain(rest.iter().map(|item| item.0))),
            left,
        ))
    }

    /// So many items went by words. Relaxed, here and below: only speed rests on it.
    fn note_moved(&self, count: usize) {
        let moved = self.moved.load(Ordering::Relaxed);
        let moved = moved.saturating_add(count as u32);
        self.moved.store(moved, Ordering::Relaxed);
    }

    /// It is about to ask for items or places.
    fn note_question(&self) {
        let stream = match self.moved.swap(0, Ordering::Relaxed) {
            STREAM.. => STREAM_LASTS,
            _ => self.stream.load(Ordering::Relaxed).saturating_sub(1),
        };
        self.stream.store(stream, Ordering::Relaxed);
    }

    fn is_stream(&self) -> bool {
        self.stream.load(Ordering::Relaxed) > 0
    }

    /// Asks for up to `max` items, unless it `looks` first and there are some on the shelf.
    fn ask_for_items(&self, max: usize, looks: bool) -> Result<Offered, TryError> {
        let watch = self.watch(Side::Consumers);
        let request = Request::Pop {
            max: max as u64,
            watch,
        };
        self.note_question();
        self.converse_in_time(|line| {
            if looks && self.shelf.has_items() {
                return Ok(Offered::Shelved(max)); // Another thread has asked meanwhile.
            }
            let reply = line.ask_in_time(&request, 0, &self.pushes)?;
            match reply.read()? {
                Reply::Shelved(inside) => Ok(Offered::Shelved(saturated(inside))),
                Reply::Popped { .. } => Ok(Offered::Items(reply)),
                Reply::Empty => Err(TryError::WouldBlock),
                other => Err(unexpected(other)),
            }
        })
    }

    /// What came for `side` since the last call; after nothing the host will call again.
    fn ask_what_came(&self, side: Side) -> u64 {
        let asked = self.converse(|line| {
            let heard = self.ears.heard(side);
            match line.ask(&Request::Watch { side, heard })?.read()? {
                Reply::Came(count) => Ok(count),
                other => Err(unexpected(other)),
            }
        });
        // If the host is gone, whoever listens to its calls is about to notice.
        asked.unwrap_or(0)
    }

    /// Has the oldest item delivered: what `take` makes of its bytes, its number and its attempt.
    pub(super) fn receive<R>(
        &self,
        take: impl FnOnce(&[u8], u64, u32) -> R,
    ) -> Result<R, TryError> {
        let watch = self.watch(Side::Consumers);
        let request = Request::Receive { watch };
        let reply = self.converse_in_time(|line| line.ask_in_time(&request, 0, &self.pushes))?;
        match reply.read()? {
            Reply::Delivered {
                delivery,
                attempt,
                item,
            } => Ok(take(item.0, delivery, attempt)),
            Reply::Empty => Err(TryError::WouldBlock),
            other => Err(unexpected(other)),
        }
    }

    pub(super) fn settle(&self, delivery: u64, how: Ending) -> Result<(), TryError> {
        self.converse(
            |line| match line.ask(&Request::Settle { delivery, how })?.read()? {
                Reply::Done => Ok(()),
                other => Err(unexpected(other)),
            },
        )
    }

    /// How full the queue is.
    pub(super) fn state(&self) -> Filling {
        let asked = self.converse_in_time(|line| {
            // Relaxed: as in `heard`.
            let heard = || self.ears.heard_idle.load(Ordering::Relaxed);
            let join = self.ears.idle.has_waiting().then(heard);
            match line
                .ask_in_time(&Request::State { join }, 0, &self.pushes)?
                .read()?
            {
                Reply::State(filling) => Ok(filling),
                other => Err(unexpected(other)),
            }
        });
        let filling = match asked {
            Ok(filling) => filling,
            // The time is up of a verb that waits until the queue is idle: nothing is known that is new.
            Err(TryError::WouldBlock) => {
                return Filling {
                    len: 1,
                    moments: u64::MAX,
                    ..Filling::default()
                };
            }
            // Who does not answer to the point holds no queue any more.
            Err(_) => Filling {
                closed: true,
                moments: u64::MAX,
                ..Filling::default()
            },
        };
        self.ears.was_idle(filling.moments);
        filling
    }

    /// What is notified when the queue is idle, or the host is gone.
    pub(super) fn idle(&self) -> &Event {
        &self.ears.idle
    }

    /// The number of the last idle time that is known of.
    pub(super) fn moments(&self) -> u64 {
        // Relaxed: the event orders it.
        self.ears.moments.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) -> bool {
        let asked = self.converse(|line| match line.ask(&Request::Close)?.read()? {
            Reply::Closing { first } => Ok(first),
            other => Err(unexpected(other)),
        });
        asked.unwrap_or(false)
    }

    pub(super) fn on_last_endpoint(&self, side: Side) {
        // A host that is gone knows already.
        let _ = self.converse(|line| Ok(line.ask(&Request::Retire(side))?));
    }

    /// A ticket for a third process.
    pub(super) fn share(&self, role: Role) -> Result<Ticket, Failure> {
        match self.hand(&Request::Share(role))? {
            Handed::Ticket(ticket) => Ok(*ticket),
            Handed::Invitation(_) => Err(off_the_point()),
        }
    }

    /// Where the children of a third process can say hello.
    #[cfg(target_os = "linux")]
    pub(super) fn invite(&self, role: Role) -> Result<IpcSender<Hello>, Failure> {
        match self.hand(&Request::Invite(role))? {
            Handed::Invitation(speaks) => Ok(speaks),
            Handed::Ticket(_) => Err(off_the_point()),
        }
    }

    fn hand(&self, request: &Request<'_>) -> Result<Handed, Failure> {
        let doing = "cannot hand over the queue";
        let asked = self.converse(|line| {
            match line.ask(request)?.read()? {
                Reply::Done => {}
                Reply::Failed(why) => return Err(Failure::new(FailureKind::Io, why).into()),
                other => return Err(unexpected(other)),
            }
            // One that stays there would be taken for that of the next question.
            let handed = catch_panic(|| {
                wire::undisturbed(|| line.handed.recv().map_err(TryRecvError::IpcError))
            });
            let handed = handed.ok_or_else(|| wire::cut_short(doing))?;
            Ok(handed.map_err(|error| wire::failure(error, doing))?)
        });
        asked.map_err(|refusal| match refusal {
            TryError::Failed(failure) => failure,
            _ => Failure::new(FailureKind::PeerGone, format!("{doing}: its host is gone")),
        })
    }

    /// Whether the host is known to be gone.
    pub(super) fn is_gone(&self) -> bool {
        // Relaxed: nothing else is read because of it, and who waits is told by the events.
        self.ears.gone.load(Ordering::Relaxed)
    }

    /// Has the line to itself for an exchange, or for several that belong together.
    fn converse<R>(
        &self,
        exchange: impl FnOnce(&mut Line) -> Result<R, TryError>,
    ) -> Result<R, TryError> {
        self.with_line(None, exchange)
    }

    /// The same, for a verb that may have a time limit.
    fn converse_in_time<R>(
        &self,
        exchange: impl FnOnce(&mut Line) -> Result<R, TryError>,
    ) -> Result<R, TryError> {
        self.with_line(time_limit(), exchange)
    }

    fn with_line<R>(
        &self,
        until: Option<Instant>,
        exchange: impl FnOnce(&mut Line) -> Result<R, TryError>,
    ) -> Result<R, TryError> {
        if self.is_gone() {
            return Err(TryError::Closed);
        }
        let late = until.map(latest_answer);
        let line = match late {
            None => self.line.lock().map_err(TryLockError::from),
            Some(late) => lock_until(&self.line, late),
        };
        match line {
            Ok(mut line) => {
                line.until = if line.withdrawn { until } else { late };
                line.looks = !self.is_stream();
                exchange(&mut line)
            }
            Err(TryLockError::WouldBlock) => Err(TryError::WouldBlock),
            // By a panic in the middle of an exchange: then the next answer may be that of the last
            // question, and the line is of no more use.
            Err(TryLockError::Poisoned(_)) => {
                let message = "a thread panicked while it spoke to the queue's host";
                Err(Failure::new(FailureKind::Io, message).into())
            }
        }
    }

    /// Whoever waits here wants to be called, if nothing comes of the next request.
    fn watch(&self, side: Side) -> Watch {
        let waiting = self.event(side).has_waiting();
        waiting.then(|| self.ears.heard(side))
    }
}

/// So many, or as many as this process can count.
fn saturated(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Until when the verb of this thread may wait.
fn time_limit() -> Option<Instant> {
    match TimeLimit::current() {
        Deadline::AT_ONCE => Some(Instant::now()),
        deadline => deadline.instant(),
    }
}

/// Until when the answer has to come, of a verb that may wait until then.
fn latest_answer(until: Instant) -> Instant {
    until.max(Instant::now() + GRACE)
}

/// What an answer that is no success comes to.
fn unexpected(reply: Reply<'_>) -> TryError {
    TryError::Failed(match reply {
        Reply::Closed => return TryError::Closed,
        Reply::Denied => denied(),
        _ => off_the_point(),
    })
}

#[cold]
fn off_the_point() -> Failure {
    let message = "the host answered something else than it was asked";
    Failure::new(FailureKind::Corrupt, message)
}

/// The failure of a verb that this handle has no right to.
#[cold]
pub(super) fn denied() -> Failure {
    Failure::new(
        FailureKind::Denied,
        "this handle is for the other side of the queue",
    )
}
