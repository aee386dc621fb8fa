//! [`Link`]: a client's way to its host, and what has arrived by it.

use super::channel::{self, Gone, Received};
use super::inbox::{For, Inbox, News, Source};
use super::page::SHARED;
use super::wire::{Answer, Ask, Body, Reply, Request};
use super::words::Words;
use ipc_channel::ipc::{IpcReceiver, IpcSender};
use queue_core::sync::Deadline;
use queue_core::{Failure, Side};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a host may take for the one try that comes before a look at the clock. One that needs
/// more is stopped.
pub(super) const GRACE: Duration = Duration::from_millis(600);

/// How often whoever could not be sent tries again.
pub(super) const AGAIN: Duration = Duration::from_millis(2);

/// Why the queue took or gave nothing.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Full or empty, and open; or there was no time.
    Wait,
    Closed,
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Gone> for Refusal {
    fn from(_: Gone) -> Self {
        Self::Closed
    }
}

/// What is shared with the thread that receives for tasks.
pub(super) struct Link {
    pub(super) number: u64,
    pub(super) words: Words,
    pub(super) requests: Mutex<IpcSender<Request>>,
    pub(super) replies: Mutex<IpcReceiver<Reply>>,
    pub(super) inbox: Inbox<Inner>,
    /// How many bytes this process has sent, and how many questions it has asked.
    pub(super) sent: AtomicU64,
    pub(super) asked: AtomicU32,
}

/// What has arrived.
#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) loan: u32,
    pub(super) items: VecDeque<Body>,
    /// Of the questions that somebody waits to be answered.
    pub(super) answers: HashMap<u32, Option<Answer>>,
    /// Somebody has offered a push, and no other can.
    pub(super) offering: bool,
    /// How many wait for slots and items.
    pub(super) waiting: [usize; 2],
    /// The queue is closed and drained.
    pub(super) ended: bool,
    /// The host is gone.
    pub(super) gone: bool,
    /// There is a thread that receives for tasks.
    pub(super) has_thread: bool,
}

impl Source<Inner> for Link {
    fn receive(&self, deadline: Deadline) -> impl FnOnce(&mut Inner) -> News {
        let replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        let received = channel::receive(&replies, deadline);
        drop(replies);
        move |inner| self.arrive(inner, received)
    }
}

impl Link {
    pub(super) fn arrive(&self, inner: &mut Inner, received: Received<Reply>) -> News {
        let mut news = News::default();
        match received {
            Received::Message(Reply::Lent { loan, items }) => {
                self.told(Side::Consumers);
                news.sides[1] = items.len();
                if SHARED {
                    inner.items.clear();
                }
                inner.loan = loan;
                inner.items.extend(items);
                self.wait_for_more(inner, Side::Consumers, inner.items.len());
            }
            Received::Message(Reply::Granted(count)) => {
                self.told(Side::Producers);
                news.sides[0] = count as usize;
                self.wait_for_more(inner, Side::Producers, news.sides[0]);
            }
            Received::Message(Reply::Look { closed }) => {
                if closed && !SHARED {
                    self.words.close();
                }
                news = News::ALL;
            }
            Received::Message(Reply::Ended) => {
                inner.ended = true;
                news = News::ALL;
            }
            Received::Message(Reply::To { number, answer }) => {
                if let Some(waits) = inner.answers.get_mut(&number) {
                    *waits = Some(answer);
                    news.answers = true;
                }
            }
            Received::Nothing => {}
            Received::Garbage | Received::Gone => {
                inner.gone = true;
                news = News::ALL;
            }
        }
        news
    }

    /// So many came for those who wait here: the host is to know of those who go on waiting.
    pub(super) fn wait_for_more(&self, inner: &Inner, side: Side, came: usize) {
        if inner.waiting[side as usize] > came {
            self.wait(side);
        }
    }

    /// Where no memory is shared, the host cannot say that it has heard of who waits.
    pub(super) fn told(&self, side: Side) {
        if !SHARED {
            self.words.leave(side);
        }
    }

    /// Whether `ask` can be sent without waiting for a host that may be stopped.
    pub(super) fn may_send(&self, cost: u64, needed: bool) -> bool {
        !SHARED
            || self
                .words
                .may_send(self.sent.load(Ordering::Relaxed), cost, needed)
    }

    pub(super) fn send(&self, ask: Ask) -> Result<(), Gone> {
        self.sent.fetch_add(ask.cost(), Ordering::Relaxed);
        let from = self.number;
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        channel::send(&requests, Request { from, ask })
    }

    /// The same, as soon as it can be done without waiting for a host that may be stopped.
    pub(super) fn send_by(&self, ask: Ask, deadline: Deadline) -> Result<(), Refusal> {
        while !self.may_send(ask.cost(), true) {
            if deadline.has_passed() {
                return Err(Refusal::Wait);
            }
            if self.inbox.with(|inner| inner.gone) {
                return Err(Refusal::Closed);
            }
            thread::sleep(AGAIN);
        }
        self.send_at_once(ask)
    }

    pub(super) fn send_at_once(&self, ask: Ask) -> Result<(), Refusal> {
        let sent = self.send(ask);
        if sent.is_err() {
            self.inbox.with(|inner| inner.gone = true);
            self.inbox.events.tell(News::ALL);
        }
        Ok(sent?)
    }

    /// The answer to a question, or `None` if there was none in time.
    pub(super) fn ask(
        &self,
        deadline: Deadline,
        question: impl FnOnce(u32) -> Ask,
    ) -> Result<Option<Answer>, Refusal> {
        let number = self.number();
        self.inbox.with(|inner| inner.answers.insert(number, None));
        let sent = self.send_by(question(number), deadline);
        let answer = sent.map(|()| {
            self.inbox.wait(self, For::Answer, deadline, |inner| {
                let answer = inner.answers.get_mut(&number)?.take();
                answer.map(Some).or(inner.gone.then_some(None))
            })
        });
        self.inbox.with(|inner| inner.answers.remove(&number));
        match answer {
            Ok(Some(Some(answer))) => Ok(Some(answer)),
            Ok(Some(None)) => Err(Refusal::Closed),
            Ok(None) | Err(Refusal::Wait) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// A number other than zero, of at most 31 bits.
    pub(super) fn number(&self) -> u32 {
        self.asked.fetch_add(1, Ordering::Relaxed) % (u32::MAX >> 1) + 1
    }

    /// Tells the host that somebody here waits, unless it knows: false if it could not be told.
    pub(super) fn wait(&self, side: Side) -> bool {
        if self.words.is_waiting(side) {
            return true;
        }
        let ask = Ask::Wait(side);
        if !self.may_send(ask.cost(), true) {
            return false;
        }
        self.words.wait(side);
        let sent = self.send(ask).is_ok();
        if !sent {
            self.words.leave(side);
        }
        sent
    }

    /// Takes up to `most` of the items that lie here.
    pub(super) fn take(&self, inner: &mut Inner, most: usize) -> Option<Vec<Body>> {
        let (count, notify) = match SHARED {
            true => self.words.take_items(inner.loan, most)?,
            false => match inner.items.len().min(most) {
                0 => return None,
                count => (count, false),
            },
        };
        let count = count.min(inner.items.len());
        let items = inner.items.drain(..count).collect();
        if notify {
            let _ = self.send(Ask::Taken);
        } else if !SHARED {
            let _ = self.send(Ask::Arrived(count as u64));
        }
        Some(items)
    }

    /// Whether items are on their way here.
    pub(super) fn comes(&self, inner: &Inner) -> bool {
        let items = self.words.items();
        SHARED && items.left() > 0 && items.loan != inner.loan
    }

    /// How many items lie here or are on their way.
    pub(super) fn lies(&self, inner: &Inner) -> usize {
        match SHARED {
            true => self.words.items().left(),
            false => inner.items.len(),
        }
    }

    /// One who waited does so no more. If nobody does, and what came meanwhile was not taken
    /// (`unused`), others get it.
    pub(super) fn leave(&self, side: Side, unused: bool) {
        let left = self.inbox.with(|inner| {
            inner.waiting[side as usize] -= 1;
            inner.waiting[side as usize] == 0 && !self.words.leave(side)
        });
        if left && unused {
            let _ = self.send_by(Ask::Return(side), Deadline::after(GRACE));
        }
    }
}
