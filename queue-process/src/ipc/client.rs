//! [`Client`]: the queue in every other process than its host.

use super::channel::Own;
use super::host::spawn;
use super::inbox::{For, Inbox};
use super::link::{AGAIN, GRACE, Inner, Link, Refusal};
use super::page::{Page, SHARED};
use super::wire::{Answer, Ask, Body, COST, Invited, Role, Ticket, VERSION};
use super::words::{Slots, Words};
use crate::owed::Owed;
use crate::per_process::generation;
use crate::types::Types;
use ipc_channel::ipc::IpcSender;
use queue_core::event::{Event, Listen, Listener};
use queue_core::sync::Deadline;
use queue_core::{EndpointCounts, Failure, FailureKind, Side};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread;

/// The queue as this process sees it, which is present as long as this is there.
pub(super) struct Client {
    link: Arc<Link>,
    /// The host hears of this process' end by the end of this.
    _life: Own<IpcSender<()>>,
    pub(super) ends: EndpointCounts,
    pub(super) owed: Owed,
    /// Nobody here offers a push any more.
    offers: Event,
    capacity: Option<usize>,
    id: [u64; 2],
    role: Role,
    /// The sides on which this process still stands.
    present: Mutex<[bool; 2]>,
    /// This process: a forked child does not share the channels.
    generation: u32,
}

/// The failure of a verb that a handle does not allow.
#[cold]
pub(super) fn denied() -> Failure {
    let message = "this handle is for one side alone, which does not have this verb";
    Failure::new(FailureKind::Denied, message)
}

/// What an answer means that fits no question.
#[cold]
fn other(answer: Option<Answer>) -> Refusal {
    Refusal::Failed(match answer {
        Some(Answer::Denied) => denied(),
        Some(Answer::Failed(why)) => {
            Failure::new(FailureKind::Io, format!("the queue's host refused: {why}"))
        }
        Some(_) => Failure::new(FailureKind::Corrupt, "the queue's host speaks nonsense"),
        None => {
            let message = "the queue's host does not answer (is it stopped?)";
            Failure::new(FailureKind::PeerGone, message)
        }
    })
}

impl Client {
    /// Takes part by `ticket`, in a queue of these types.
    pub(super) fn join(ticket: Ticket, types: &Types) -> Result<Arc<Self>, Failure> {
        let found = Types {
            item: ticket.item.into(),
            codec: ticket.codec.into(),
            word: ticket.word,
        };
        if ticket.version != VERSION {
            let message = format!(
                "the queue's host speaks version {} of this crate's messages, and this program \
                 version {VERSION}: build both with the same version of queue-process",
                ticket.version
            );
            return Err(Failure::new(FailureKind::Mismatch, message));
        }
        if found != *types {
            return Err(types.mismatch(&found));
        }
        let page = match ticket.words.0 {
            _ if !SHARED => Page::new()?,
            Some(words) => Page::from(words),
            None => {
                let message = "the queue did not arrive whole: this process had no descriptor to \
                               spare (ulimit -n)";
                return Err(Failure::new(FailureKind::Io, message));
            }
        };
        if !page.is_whole() {
            let message = "the queue's host shares less memory than it should";
            return Err(Failure::new(FailureKind::Corrupt, message));
        }
        let capacity = ticket.capacity.map(usize::try_from).transpose();
        let link = Link {
            number: ticket.number,
            words: Words(page),
            requests: Mutex::new(ticket.requests),
            replies: Mutex::new(ticket.replies),
            inbox: Inbox::new(Inner::default()),
            sent: AtomicU64::new(0),
            asked: AtomicU32::new(0),
        };
        Ok(Arc::new(Self {
            link: Arc::new(link),
            _life: Own::new(ticket.life),
            ends: EndpointCounts::new(),
            owed: Owed::default(),
            offers: Event::new(),
            capacity: capacity.unwrap_or(Some(usize::MAX)),
            id: ticket.id,
            role: ticket.role,
            present: Mutex::new(
                [Side::Producers, Side::Consumers].map(|side| ticket.role.allows(side)),
            ),
            generation: generation(),
        }))
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    pub(super) fn id(&self) -> [u64; 2] {
        self.id
    }

    /// Whether the host is known to be gone.
    pub(super) fn is_gone(&self) -> bool {
        self.link.inbox.with(|inner| inner.gone)
    }

    pub(super) fn event(&self, side: Side) -> &Event {
        self.link.inbox.events.of(For::Side(side))
    }

    /// Pushes of `items` as many as there are slots for, and takes these out; by `deadline`, or
    /// without one at once.
    pub(super) fn push(
        &self,
        items: &mut Vec<Body>,
        by: Option<Deadline>,
    ) -> Result<usize, Refusal> {
        let link = &self.link;
        loop {
            if let Some(pushed) = self.push_into_slots(items) {
                if self.offers.has_waiting() {
                    // It may have been this one that was to offer next.
                    self.offers.notify();
                }
                return pushed;
            }
            let offers = |inner: &mut Inner| std::mem::replace(&mut inner.offering, true);
            if !link.inbox.with(offers) {
                let offered = self.offer_by(items, by);
                link.inbox.with(|inner| inner.offering = false);
                self.offers.notify();
                return offered;
            }
            self.wait_for_offers(by)?;
        }
    }

    /// The same if enough slots have been granted; else the host looks how many there are.
    fn push_into_slots(&self, items: &mut Vec<Body>) -> Option<Result<usize, Refusal>> {
        let link = &self.link;
        if link.words.is_closed() || self.is_gone() {
            return Some(Err(Refusal::Closed));
        }
        let cost = items.iter().map(|item| item.cost() + 8).sum::<u64>() + COST;
        if !SHARED || link.words.slots() < items.len() || !link.may_send(cost, false) {
            return None;
        }
        match link.words.take_slots(items.len()) {
            Slots::Taken(count) => {
                let ask = Ask::Push(items.drain(..count).collect());
                Some(link.send_at_once(ask).map(|()| count))
            }
            Slots::Closed => Some(Err(Refusal::Closed)),
            Slots::None => None,
        }
    }

    /// Another thread has offered a push: waits until it has not, or there is a slot.
    fn wait_for_offers(&self, by: Option<Deadline>) -> Result<(), Refusal> {
        let Some(deadline) = by else {
            let (len, closed) = self.state();
            return match self.capacity {
                _ if closed => Err(Refusal::Closed),
                Some(capacity) if len >= capacity => Err(Refusal::Wait),
                _ => Ok(()),
            };
        };
        let listener = self.offers.listen();
        let busy = self.link.inbox.with(|inner| inner.offering);
        match busy && !listener.wait(deadline) {
            true => Err(Refusal::Wait),
            false => Ok(()),
        }
    }

    fn offer_by(&self, items: &mut Vec<Body>, by: Option<Deadline>) -> Result<usize, Refusal> {
        let Some(deadline) = by else {
            return self.offer(items, false, Deadline::NEVER);
        };
        // One who has no time left tries once.
        if is_brief(deadline) {
            match self.offer(items, false, Deadline::after(GRACE)) {
                Err(Refusal::Wait) if !deadline.has_passed() => {}
                offered => return offered,
            }
        }
        self.offer(items, true, deadline)
    }

    /// Offers these items to the host, which accepts as many as there are slots for.
    fn offer(
        &self,
        items: &mut Vec<Body>,
        wait: bool,
        deadline: Deadline,
    ) -> Result<usize, Refusal> {
        let link = &self.link;
        let number = link.number();
        link.inbox.with(|inner| inner.answers.insert(number, None));
        link.words.offer(number);
        let copies = items.iter().map(Body::to_send).collect();
        let ask = Ask::Offer {
            number,
            items: copies,
            wait,
        };
        let answered = link.send_by(ask, deadline).map(|()| {
            link.inbox.wait(&**link, For::Answer, deadline, |inner| {
                let accepted = if SHARED { link.words.accepted() } else { None };
                let answer = match accepted {
                    Some(count) => Some(Answer::Accepted(count as u64)),
                    None => inner.answers.get_mut(&number)?.take(),
                };
                answer.map(Some).or(inner.gone.then_some(None))
            })
        });
        link.inbox.with(|inner| inner.answers.remove(&number));
        // Whatever the host is about to do with it: it was accepted or it was not.
        let withdrawn = !SHARED || link.words.withdraw(number);
        let accepted = match answered {
            _ if !withdrawn => link.words.accepted(),
            Ok(Some(Some(Answer::Accepted(count)))) => Some(count as usize),
            Ok(Some(Some(Answer::Full)) | None) | Err(Refusal::Wait) => return Err(Refusal::Wait),
            Ok(Some(Some(Answer::Closed) | None)) => return Err(Refusal::Closed),
            Ok(Some(Some(answer))) => return Err(other(Some(answer))),
            Err(refusal) => return Err(refusal),
        };
        let count = accepted.unwrap_or(0).min(items.len());
        items.drain(..count);
        Ok(count)
    }

    /// Up to `most` of the oldest items, at once.
    pub(super) fn try_pop(&self, most: usize) -> Result<Vec<Body>, Refusal> {
        self.pop_now(most, Deadline::NEVER)
    }

    fn pop_now(&self, most: usize, deadline: Deadline) -> Result<Vec<Body>, Refusal> {
        let link = &self.link;
        let mut asked = false;
        loop {
            let here = link.inbox.with(|inner| {
                // For a batch the host has those that lie here go out with the rest, in order.
                let enough = asked || inner.gone || most == 1 || link.lies(inner) >= most;
                let items = enough.then(|| link.take(inner, most)).flatten();
                let over = inner.ended || inner.gone;
                items.map(Ok).or(over.then_some(Err(Refusal::Closed)))
            });
            if let Some(popped) = here {
                return popped;
            }
            asked = true;
            let most = most as u64;
            match link.ask(deadline, |number| Ask::Items { number, most })? {
                Some(Answer::Some) => {}
                Some(Answer::Empty) | None => return Err(Refusal::Wait),
                Some(Answer::Closed) => return Err(Refusal::Closed),
                answer => return Err(other(answer)),
            }
        }
    }

    /// The same by `deadline`, or until `interrupted`, which is `Ok` of nothing.
    pub(super) fn pop(
        &self,
        most: usize,
        deadline: Deadline,
        interrupted: impl Fn() -> bool,
    ) -> Result<Vec<Body>, Refusal> {
        let link = &self.link;
        let here = link.inbox.with(|inner| match link.lies(inner) >= most {
            true => link.take(inner, most),
            false => None,
        });
        if let Some(items) = here {
            return Ok(items);
        }
        // Who has no time left tries once; and of a batch as many are asked for as it may have.
        if is_brief(deadline) || most > 1 {
            let soon = Deadline::after(GRACE);
            match self.pop_now(most, soon) {
                Err(Refusal::Wait) if !deadline.has_passed() => {}
                popped => return popped,
            }
        }
        let side = Side::Consumers;
        link.inbox.with(|inner| inner.waiting[side as usize] += 1);
        let popped = loop {
            let ready = |inner: &mut Inner| {
                if let Some(items) = link.take(inner, most) {
                    return Some(Some(Ok(items)));
                }
                if inner.ended || inner.gone {
                    return Some(Some(Err(Refusal::Closed)));
                }
                if interrupted() {
                    return Some(Some(Ok(Vec::new())));
                }
                // What was lent has gone to others: the host must be told again.
                let told = link.words.is_waiting(side) || link.comes(inner);
                (!told).then_some(None)
            };
            let told = link
                .inbox
                .with(|inner| link.lies(inner) > 0 || link.wait(side));
            if !told {
                thread::sleep(AGAIN);
            }
            let limit = if told { deadline } else { Deadline::AT_ONCE };
            match link.inbox.wait(&**link, For::Side(side), limit, ready) {
                Some(Some(popped)) => break popped,
                _ if deadline.has_passed() => break Err(Refusal::Wait),
                _ => {}
            }
        };
        if !matches!(popped, Err(Refusal::Wait)) {
            link.leave(side, false);
            return popped;
        }
        self.pop_late(most)
    }

    /// The time is over: but an item that the host has lent meanwhile is this one's.
    fn pop_late(&self, most: usize) -> Result<Vec<Body>, Refusal> {
        let link = &self.link;
        let side = Side::Consumers;
        let nothing = link.inbox.with(|inner| {
            inner.waiting[side as usize] > 1 || link.words.leave(side) || link.lies(inner) == 0
        });
        let late = match nothing {
            true => None,
            false => {
                let soon = Deadline::after(GRACE);
                link.inbox.wait(&**link, For::Side(side), soon, |inner| {
                    match link.take(inner, most) {
                        Some(items) => Some(Some(items)),
                        // They were taken back, or others here have them.
                        None => (!link.comes(inner) || inner.gone).then_some(None),
                    }
                })
            }
        };
        let late = late.flatten();
        link.leave(side, late.is_none());
        late.ok_or(Refusal::Wait)
    }

    /// Has whoever waits in this process look again.
    pub(super) fn look_again(&self) {
        self.event(Side::Consumers).notify_all();
        let _ = self.link.send_by(Ask::Echo, Deadline::after(GRACE));
    }

    /// How many items are inside, and whether the queue is closed.
    pub(super) fn state(&self) -> (usize, bool) {
        match self
            .link
            .ask(Deadline::NEVER, |number| Ask::State { number })
        {
            Ok(Some(Answer::State { len, closed })) => (len as usize, closed),
            _ => (0, true),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.link.words.is_closed() || self.is_gone() || self.state().1
    }

    /// How many items or slots lie here; `usize::MAX` at the end.
    pub(super) fn ready_hint(&self, side: Side) -> usize {
        let (ended, gone) = self.link.inbox.with(|inner| (inner.ended, inner.gone));
        match side {
            _ if gone => usize::MAX,
            Side::Producers if self.link.words.is_closed() => usize::MAX,
            Side::Producers => self.link.words.slots(),
            Side::Consumers if ended => usize::MAX,
            Side::Consumers => self.link.words.items().left(),
        }
    }

    pub(super) fn close(&self) -> bool {
        let answer = self
            .link
            .ask(Deadline::NEVER, |number| Ask::Close { number });
        matches!(answer, Ok(Some(Answer::Closing(true))))
    }

    /// This process leaves a side, and soon, for it may be about to end.
    pub(super) fn retire(&self, side: Side) {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if self.generation == generation() && std::mem::take(&mut present[side as usize]) {
            let soon = Deadline::after(GRACE);
            let _ = self.link.ask(soon, |number| Ask::Retire { number, side });
        }
    }

    /// A ticket for one more process.
    pub(super) fn ticket(&self, role: Role) -> Result<Ticket, Failure> {
        match self
            .link
            .ask(Deadline::NEVER, |number| Ask::Ticket { number, role })
        {
            Ok(Some(Answer::Ticket(ticket))) => Ok(*ticket),
            answer => Err(not_shared(answer)),
        }
    }

    /// Where the children that a command starts ask for tickets.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(super) fn invite(&self, role: Role) -> Result<Invited, Failure> {
        match self
            .link
            .ask(Deadline::NEVER, |number| Ask::Invite { number, role })
        {
            Ok(Some(Answer::Invited(asks))) => Ok(asks),
            answer => Err(not_shared(answer)),
        }
    }

    /// Listens for slots or items, for a task or a thread.
    pub(super) fn listen(&self, side: Side) -> Waits<'_> {
        let link = &self.link;
        let starts = link.inbox.with(|inner| {
            inner.waiting[side as usize] += 1;
            !std::mem::replace(&mut inner.has_thread, true)
        });
        if starts {
            let link = Arc::clone(link);
            let receives = move || {
                let all = |inner: &mut Inner| inner.gone.then_some(());
                link.inbox.wait(&*link, For::Answer, Deadline::NEVER, all);
            };
            if spawn("queue-client", receives).is_err() {
                self.link.inbox.with(|inner| inner.has_thread = false);
            }
        }
        let listener = self.event(side).listen();
        if !link.inbox.with(|_| link.wait(side)) {
            // The host is stopped or gone: it is tried again.
            self.event(side).notify();
        }
        Waits {
            listener: Some(listener),
            at: (link, side),
        }
    }
}

/// Whether there is little time, or none.
fn is_brief(deadline: Deadline) -> bool {
    deadline.remaining().is_some_and(|left| left < GRACE / 10)
}

#[cold]
fn not_shared(answer: Result<Option<Answer>, Refusal>) -> Failure {
    match answer.map(other) {
        Ok(Refusal::Failed(failure)) | Err(Refusal::Failed(failure)) => failure,
        _ => Failure::new(FailureKind::PeerGone, "the queue's host is gone"),
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.retire(Side::Producers);
        self.retire(Side::Consumers);
    }
}

/// A listener of a client, whose host knows of it.
pub(super) struct Waits<'a> {
    /// Until it was notified.
    listener: Option<Listener<'a>>,
    at: (&'a Arc<Link>, Side),
}

impl Waits<'_> {
    fn is_done(&mut self) {
        drop(self.listener.take());
        self.at.0.leave(self.at.1, false);
    }

    pub(super) fn wait(mut self, deadline: Deadline) -> bool {
        let notified = self
            .listener
            .take()
            .is_none_or(|listener| listener.wait(deadline));
        self.at.0.leave(self.at.1, !notified);
        notified
    }
}

impl Future for Waits<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(listener) = &mut self.listener else {
            return Poll::Ready(());
        };
        if Pin::new(listener).poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.is_done();
        Poll::Ready(())
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.take() {
            // It passes on what it was told.
            drop(listener);
            self.at.0.leave(self.at.1, true);
        }
    }
}
