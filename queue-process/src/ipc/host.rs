//! [`Host`]: the queue in the process that created it, and the thread that serves its clients.

use super::channel::{self, Own, Received};
use super::page::{Page, SHARED};
use super::rules::{Refusal, Rules};
use super::watch::{Order, Watch};
use super::wire::{
    Answer, Arrived, Ask, Body, Invited, ON_THE_WAY, Reply, Request, Role, Ticket, VERSION,
};
use super::words::Words;
use crate::foreign::calmly;
use crate::owed::Owed;
use crate::per_process::generation;
use crate::types::Types;
use ipc_channel::ipc::{IpcReceiver, IpcSender};
use queue_core::event::Event;
use queue_core::sync::Deadline;
use queue_core::{Capacity, EndpointCounts, Failure, FailureKind, Side};
use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::{io, thread};

thread_local! {
    /// Whether this thread serves clients: it cannot wait for one that does.
    static SERVES: Cell<bool> = const { Cell::new(false) };
}

/// This thread serves clients from now on.
pub(super) fn serves() {
    SERVES.set(true);
}

/// This process hosts the queue, and is present as long as it has handles.
pub(super) struct Host {
    core: Arc<Core>,
    pub(super) ends: EndpointCounts,
    pub(super) owed: Owed,
    /// This process.
    generation: u32,
}

/// What the handles share with the threads that serve clients.
pub(super) struct Core {
    state: Mutex<State>,
    synchronized: Condvar,
    events: [Event; 2],
    capacity: Option<usize>,
    types: Types,
    /// Tells the queue from all others.
    id: [u64; 2],
}

struct State {
    rules: Rules,
    /// How each client is told something.
    clients: HashMap<u64, Peer>,
    threads: Option<Threads>,
    /// Whether this process has handles, and on which sides it stands.
    handles: bool,
    present: [bool; 2],
    /// How many commands may start children that become clients.
    invitations: usize,
    /// Of all rounds of synchronization, how many were begun and ended.
    rounds: [u64; 2],
}

struct Peer {
    replies: Own<IpcSender<Reply>>,
    #[cfg(target_os = "linux")]
    life: std::os::fd::OwnedFd,
}

struct Threads {
    requests: IpcSender<Request>,
    /// The number by which the host itself sends requests.
    own: u64,
    watch: Watch,
}

impl Threads {
    fn tell(&self, ask: Ask) {
        let from = self.own;
        // It cannot fail as long as this process receives.
        let _ = channel::send(&self.requests, Request { from, ask });
    }
}

/// A number that nobody guesses.
fn draw() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl Core {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `what` to the queue, and then all that follows from it.
    fn with<R>(&self, what: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let done = what(&mut state);
        let news = state.follow();
        drop(state);
        self.announce(news);
        done
    }

    /// Wakes those who wait in this process.
    fn announce(&self, news: [usize; 2]) {
        for (event, came) in self.events.iter().zip(news) {
            if came == usize::MAX {
                calmly(|| event.notify_all());
            }
            for _ in 0..came {
                if !event.has_waiting() {
                    break;
                }
                calmly(|| event.notify());
            }
        }
    }

    /// Waits until all that was sent to this process before has arrived, and with `watched` all
    /// who had ended before are missed.
    fn synchronize(&self, watched: bool) {
        let mut state = self.lock();
        if SERVES.get() {
            return;
        }
        let Some(round) = state.begin_round(watched) else {
            return;
        };
        while state.rounds[1] < round && state.threads.is_some() {
            let waited = self.synchronized.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A ticket for one more process, which counts from now on.
    pub(super) fn ticket(self: &Arc<Self>, role: Role) -> Result<Ticket, Failure> {
        self.with(|state| state.ticket(self, role))
    }

    /// Where the children that a command starts ask for tickets.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    fn invite(self: &Arc<Self>, role: Role) -> Result<Invited, Failure> {
        let mut state = self.lock();
        let (asks, asked) = channel::open()?;
        state.start(self)?.watch.order(Order::Invite(role, asked));
        state.invitations += 1;
        Ok(asks)
    }

    /// A command that was to start children is gone.
    pub(super) fn uninvite(&self) {
        self.with(|state| state.invitations -= 1);
    }

    /// The thread that serves clients.
    fn serve(self: Arc<Self>, requests: Own<IpcReceiver<Request>>, own: u64) {
        serves();
        loop {
            match channel::receive(&requests, Deadline::NEVER) {
                Received::Message(request) => {
                    let synchronized = matches!(request.ask, Ask::Synchronized { .. });
                    let goes_on = self.with(|state| state.handle(&self, request, own));
                    if synchronized {
                        self.synchronized.notify_all();
                    }
                    if goes_on.is_break() {
                        break;
                    }
                }
                // Who sends what is no message is not known, and harms nobody.
                Received::Nothing | Received::Garbage => {}
                Received::Gone => break,
            }
        }
        let mut state = self.lock();
        let (threads, clients) = (state.threads.take(), std::mem::take(&mut state.clients));
        drop(state);
        self.synchronized.notify_all();
        drop((threads, clients));
    }
}

impl State {
    /// Sends what is to be sent, and closes a queue that nobody uses: what is to be announced.
    fn follow(&mut self) -> [usize; 2] {
        if self.rules.is_abandoned() && !self.rules.is_closed() {
            // A child that was just started may not have been heard of.
            if self.invitations == 0 || self.begin_round(true).is_none() {
                self.rules.close();
            }
        }
        for (number, reply) in std::mem::take(&mut self.rules.outbox) {
            if let Some(client) = self.clients.get(&number) {
                // One that is gone is missed by another way.
                let _ = channel::send(&client.replies, reply);
            }
        }
        std::mem::take(&mut self.rules.news)
    }

    /// Begins to synchronize: the number of this round, if there is anybody to wait for.
    fn begin_round(&mut self, watched: bool) -> Option<u64> {
        let threads = self.threads.as_ref()?;
        self.rounds[0] += 1;
        let round = self.rounds[0];
        if watched {
            threads.watch.order(Order::Synchronize(round));
        } else {
            threads.tell(Ask::Synchronized { round, watched });
        }
        Some(round)
    }

    /// The threads, which are started with the first client.
    fn start(&mut self, core: &Arc<Core>) -> Result<&Threads, Failure> {
        if self.threads.is_none() {
            if !self.handles {
                let message = "the queue's host has let go of it";
                return Err(Failure::new(FailureKind::PeerGone, message));
            }
            let own = draw();
            let (requests, received) = channel::open()?;
            let watch = Watch::start(core, own, requests.clone())?;
            let core = Arc::clone(core);
            spawn("queue-host", move || core.serve(Own::new(received), own))?;
            self.threads = Some(Threads {
                requests,
                own,
                watch,
            });
        }
        Ok(self.threads.as_ref().expect("they were started"))
    }

    fn ticket(&mut self, core: &Arc<Core>, role: Role) -> Result<Ticket, Failure> {
        let page = Page::new()?;
        let (replies, to_client) = (channel::open()?, draw());
        let (life, ended) = channel::open()?;
        let memory = channel::memory(0, |_| page.memory())?;
        let peer = Peer {
            replies: Own::new(replies.0),
            #[cfg(target_os = "linux")]
            life: crate::sys::relay::duplicate(&ended)?,
        };
        let number = to_client;
        let threads = self.start(core)?;
        let requests = threads.requests.clone();
        threads.watch.order(Order::Watch(number, ended));
        self.rules.enroll(number, Words(page), SHARED, role);
        self.clients.insert(number, peer);
        self.share_out();
        Ok(Ticket {
            version: VERSION,
            item: core.types.item.to_string(),
            codec: core.types.codec.to_string(),
            word: core.types.word,
            capacity: core.capacity.map(|n| n as u64),
            role,
            id: core.id,
            number,
            words: Arrived(Some(memory)),
            requests,
            replies: replies.1,
            life,
        })
    }

    /// Says to each client how much it may have under way.
    fn share_out(&mut self) {
        let words = self.rules.words();
        let share = ON_THE_WAY / words.len().max(1) as u64;
        words.for_each(|words| words.set_share(share));
    }

    /// Does what was asked: `Break` if nobody needs this thread any more.
    fn handle(&mut self, core: &Arc<Core>, request: Request, own: u64) -> ControlFlow<()> {
        let Request { from, ask } = request;
        if from == own {
            self.handle_own(ask);
        } else if let Some(words) = self.rules.words_of(from) {
            words.received(ask.cost());
            if self.handle_client(core, from, ask).is_none() {
                // It spoke nonsense, and is gone for this process.
                self.dismiss(from);
            }
        }
        match self.handles || self.rules.has_clients() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }

    fn handle_own(&mut self, ask: Ask) {
        match ask {
            Ask::Push(items) => self.rules.filled(items),
            Ask::Gone(number) => self.dismiss(number),
            Ask::Synchronized { round, watched } => {
                if watched && self.rules.is_abandoned() {
                    self.rules.close();
                }
                self.rounds[1] = self.rounds[1].max(round);
            }
            _ => {}
        }
    }

    fn dismiss(&mut self, number: u64) {
        self.rules.bury(number);
        self.clients.remove(&number);
        self.share_out();
    }

    /// Does what a client asked, and answers; `None` if it asked nonsense.
    fn handle_client(&mut self, core: &Arc<Core>, from: u64, ask: Ask) -> Option<()> {
        let role = self.rules.role(from)?;
        match ask {
            Ask::Push(items) => return self.rules.pushed(from, items).then_some(()),
            Ask::Offer { number, .. } if !role.allows(Side::Producers) => {
                self.rules.answer(from, number, Answer::Denied);
            }
            Ask::Offer {
                number,
                items,
                wait,
            } => self.rules.offered(from, number, items, wait),
            Ask::Wait(side) => self.rules.wait(from, side),
            Ask::Taken => self.rules.serve(),
            Ask::Arrived(count) => self.rules.arrived(from, count as usize),
            Ask::Return(side) => self.rules.give_back(from, side),
            Ask::Echo => self
                .rules
                .outbox
                .push((from, Reply::Look { closed: false })),
            Ask::Gone(_) | Ask::Synchronized { .. } => return None,
            question => {
                let (number, answer) = self.answer(core, from, role, question)?;
                self.rules.answer(from, number, answer);
            }
        }
        Some(())
    }

    /// The answer to a question, with its number.
    fn answer(
        &mut self,
        core: &Arc<Core>,
        from: u64,
        role: Role,
        question: Ask,
    ) -> Option<(u32, Answer)> {
        let failed = |failure: Failure| Answer::Failed(format!("{failure:#}"));
        Some(match question {
            Ask::Items { number, most } => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                (number, self.rules.asked(from, most))
            }
            Ask::State { number } => {
                let (len, closed) = (self.rules.len() as u64, self.rules.is_closed());
                (number, Answer::State { len, closed })
            }
            Ask::Close { number } => (number, Answer::Closing(self.rules.close())),
            Ask::Retire { number, side } => {
                self.rules.retire(from, side);
                (number, Answer::Done)
            }
            Ask::Ticket {
                number,
                role: other,
            }
            | Ask::Invite {
                number,
                role: other,
            } if !role.includes(other) => (number, Answer::Denied),
            Ask::Ticket { number, role } => {
                let ticket = self.ticket(core, role);
                let ticket = ticket.map(|ticket| Answer::Ticket(Box::new(ticket)));
                (number, ticket.unwrap_or_else(failed))
            }
            Ask::Invite { number, role } => {
                let asks = channel::open().and_then(|(asks, asked)| {
                    self.start(core)?.watch.order(Order::Invite(role, asked));
                    self.invitations += 1;
                    Ok(Answer::Invited(asks))
                });
                (number, asks.unwrap_or_else(failed))
            }
            _ => return None,
        })
    }

    /// Whether somebody who stood on `side` has ended and is not missed yet, where the system
    /// says so and nobody of this process stands there.
    fn misses(&self, side: Side) -> bool {
        #[cfg(target_os = "linux")]
        let hung_up =
            || crate::sys::relay::any_hung_up(self.clients.values().map(|client| &client.life));
        #[cfg(not(target_os = "linux"))]
        let hung_up = || false;
        let closes = self.rules.is_abandoned() && !self.rules.is_closed();
        !self.present[side as usize] && (closes || hung_up())
    }
}

/// A thread of the default stack: it runs the wakers of tasks.
pub(super) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let cannot = |error: io::Error| {
        let message = "cannot start a thread that serves other processes";
        Failure::caused(FailureKind::Io, message, error)
    };
    let thread = thread::Builder::new().name(name.into());
    thread.spawn(body).map(drop).map_err(cannot)
}

impl Host {
    pub(super) fn new(bound: Capacity, types: Types) -> Self {
        let state = State {
            rules: Rules::new(bound.capacity()),
            clients: HashMap::new(),
            threads: None,
            handles: true,
            present: [true; 2],
            invitations: 0,
            rounds: [0; 2],
        };
        Self {
            core: Arc::new(Core {
                state: Mutex::new(state),
                synchronized: Condvar::new(),
                events: [Event::new(), Event::new()],
                capacity: bound.capacity(),
                types,
                id: [draw(), draw()],
            }),
            ends: EndpointCounts::new(),
            owed: Owed::default(),
            generation: generation(),
        }
    }

    pub(super) fn ticket(&self, role: Role) -> Result<Ticket, Failure> {
        self.core.ticket(role)
    }

    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(super) fn invite(&self, role: Role) -> Result<Invited, Failure> {
        self.core.invite(role)
    }

    pub(super) fn event(&self, side: Side) -> &Event {
        &self.core.events[side as usize]
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        self.core.capacity
    }

    pub(super) fn id(&self) -> [u64; 2] {
        self.core.id
    }

    /// How many items are inside, and whether the queue is closed.
    pub(super) fn state(&self) -> (usize, bool) {
        let state = self.core.lock();
        (state.rules.len(), state.rules.is_closed())
    }

    /// About how many items, or slots, those of `side` would find; `usize::MAX` at the end.
    pub(super) fn ready_hint(&self, side: Side) -> usize {
        let state = self.core.lock();
        let (len, closed) = (state.rules.len(), state.rules.is_closed());
        match side {
            Side::Producers if closed => usize::MAX,
            Side::Producers => self
                .capacity()
                .map_or(usize::MAX, |capacity| capacity - len.min(capacity)),
            Side::Consumers if closed && len == 0 => usize::MAX,
            Side::Consumers => state.rules.ready(),
        }
    }

    /// Whether a push would be refused now.
    pub(super) fn refuses(&self) -> Option<Refusal> {
        let mut state = self.core.lock();
        match state.rules.is_closed() {
            true => Some(Refusal::Closed),
            false => (state.rules.room(1) == 0).then_some(Refusal::Wait),
        }
    }

    /// Pushes as many of `items` as find a slot: how many.
    pub(super) fn push(&self, items: &mut Vec<Body>) -> Result<usize, Refusal> {
        let mut state = self.core.lock();
        if state.misses(Side::Consumers) {
            drop(state);
            self.core.synchronize(true);
            state = self.core.lock();
        }
        let pushed = state.rules.push(items);
        let sender = state
            .threads
            .as_ref()
            .map(|it| (it.requests.clone(), it.own));
        let news = state.follow();
        drop(state);
        self.core.announce(news);
        let (count, rest) = pushed?;
        if let (false, Some((requests, from))) = (rest.is_empty(), sender) {
            let ask = Ask::Push(rest);
            let _ = channel::send(&requests, Request { from, ask });
        }
        Ok(count)
    }

    /// Takes up to `max` of the oldest items.
    pub(super) fn pop(&self, max: usize) -> Result<Vec<Body>, Refusal> {
        let mut looked = [false; 2];
        loop {
            let (popped, moving, misses) = self.core.with(|state| {
                let popped = state.rules.pop(max);
                let waits = matches!(popped, Err(Refusal::Wait));
                let moving = waits && state.rules.is_moving();
                (popped, moving, waits && state.misses(Side::Producers))
            });
            // What is on its way is inside, and who has just ended is not there.
            if misses && !std::mem::replace(&mut looked[1], true) {
                self.core.synchronize(true);
            } else if moving && !std::mem::replace(&mut looked[0], true) {
                self.core.synchronize(false);
            } else {
                return popped;
            }
        }
    }

    pub(super) fn close(&self) -> bool {
        self.core.with(|state| state.rules.close())
    }

    pub(super) fn retire(&self, side: Side) {
        if self.generation != generation() {
            // A forked child's copy: the queue is its parent's.
            return;
        }
        let asks = self.core.with(|state| {
            if std::mem::take(&mut state.present[side as usize]) {
                state.rules.leave(side);
            }
            state.rules.is_abandoned() && !state.rules.is_closed()
        });
        if asks {
            self.core.synchronize(true);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.generation != generation() {
            return;
        }
        self.retire(Side::Producers);
        self.retire(Side::Consumers);
        self.core.with(|state| {
            state.handles = false;
            if let Some(threads) = &state.threads {
                threads.tell(Ask::Echo);
            }
        });
    }
}
