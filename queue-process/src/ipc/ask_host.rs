//! [`Line`]: what a guest asks its host, and the answers.

use super::shared_rings::Pushes;
use super::wire::{self, Gone, Handed, Message, Request};
use crate::try_error::TryError;
use ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender, IpcReceiver};
use queue_core::coop;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, TryLockResult};
use std::time::{Duration, Instant};

/// A host that answered so long ago is there.
const FRESH: Duration = Duration::from_millis(10);

/// Where requests go, each whole before the next. Who pushes by words has it, and sends what needs no
/// answer.
pub(super) type Requests = Arc<Mutex<IpcBytesSender>>;

/// The guest's ends of the channels.
pub(super) struct Line {
    pub(super) requests: Requests,
    pub(super) replies: IpcBytesReceiver,
    pub(super) handed: IpcReceiver<Handed>,
    buffer: Vec<u8>,
    /// When the time is up of the verb that has the line.
    pub(super) until: Option<Instant>,
    /// Whether an answer is worth looking for before one sleeps.
    pub(super) looks: bool,
    /// The number of the latest question that may be withdrawn.
    asked: u64,
    /// When the latest answer came, and how many in a row did not come soon.
    heard: Instant,
    misses: u32,
    /// A question was withdrawn, and the answer that says so has not come.
    pub(super) withdrawn: bool,
    /// The host sees when a question is withdrawn.
    may_withdraw: bool,
}

impl Line {
    /// Asks a first question, to learn whether the memory is shared.
    pub(super) fn open(
        requests: Requests,
        replies: IpcBytesReceiver,
        handed: IpcReceiver<Handed>,
        pushes: &Pushes,
    ) -> Self {
        let mut line = Self {
            requests,
            replies,
            handed,
            buffer: Vec::new(),
            until: None,
            looks: true,
            asked: 1,
            heard: Instant::now(),
            misses: 0,
            withdrawn: false,
            may_withdraw: false,
        };
        pushes.ask(line.asked);
        // A host that is gone is noticed by who comes next.
        let _ = (line.send(line.asked, &Request::State { join: None }))
            .and_then(|()| wire::receive(&line.replies));
        line.may_withdraw = pushes.is_answered();
        line
    }

    /// One question, one answer.
    pub(super) fn ask(&mut self, request: &Request<'_>) -> Result<Message, Gone> {
        if mem::take(&mut self.withdrawn) {
            wire::receive(&self.replies)?;
        }
        self.send(0, request)?;
        self.hear()
    }

    /// The same, in the time of the verb: a question that the host has not begun with by then is
    /// withdrawn. Its items, if it has any, have `size` bytes.
    pub(super) fn ask_in_time(
        &mut self,
        request: &Request<'_>,
        size: usize,
        pushes: &Pushes,
    ) -> Result<Message, TryError> {
        if size >= wire::PIECE && self.heard.elapsed() > FRESH {
            // The system takes no more than that from us before the host has it, and until then others of
            // this process cannot push: is it there?
            self.ask_in_time(&Request::State { join: None }, 0, pushes)?;
        }
        let until = match self.until {
            Some(until) if self.may_withdraw => until,
            _ => return Ok(self.ask(request)?),
        };
        let in_time = |line: &Self| wire::receive_until(&line.replies, until);
        if self.withdrawn {
            in_time(self)?.ok_or(TryError::WouldBlock)?;
            self.withdrawn = false;
        }
        self.asked += 1;
        pushes.ask(self.asked);
        self.send(self.asked, request)?;
        if let Some(answer) = in_time(self)? {
            self.heard = Instant::now();
            return Ok(answer);
        }
        if pushes.withdraw(self.asked) {
            self.withdrawn = true;
            return Err(TryError::WouldBlock);
        }
        Ok(self.hear()?)
    }

    /// The answer to the question that was sent last.
    fn hear(&mut self) -> Result<Message, Gone> {
        let answer = match self.looks {
            true => wire::receive_soon(&self.replies, &mut self.misses)?,
            false => wire::receive(&self.replies)?,
        };
        self.heard = Instant::now();
        Ok(answer)
    }

    fn send(&mut self, number: u64, request: &Request<'_>) -> Result<(), Gone> {
        // A task that asks again and again keeps others waiting much longer than one whose
        // queue is in its process.
        coop::spend(usize::MAX);
        let sent = wire::send(&lock(&self.requests), &(number, request), &mut self.buffer);
        self.buffer.shrink_to(wire::KEPT);
        sent
    }
}

/// Locks `mutex`, unless it is locked until then.
pub(super) fn lock_until<T>(mutex: &Mutex<T>, until: Instant) -> TryLockResult<MutexGuard<'_, T>> {
    let since = Instant::now();
    loop {
        match mutex.try_lock() {
            Err(TryLockError::WouldBlock) if wire::pause(since, until) => {}
            done => return done,
        }
    }
}

/// Locks `requests`, unless they are locked until then; that is asked where one has to wait.
pub(super) fn lock_in_time(
    requests: &Mutex<IpcBytesSender>,
    until: impl FnOnce() -> Option<Instant>,
) -> Option<MutexGuard<'_, IpcBytesSender>> {
    let taken = |locked| match locked {
        Ok(requests) => Some(requests),
        Err(TryLockError::Poisoned(requests)) => Some(requests.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    };
    taken(requests.try_lock()).or_else(|| match until() {
        None => Some(lock(requests)),
        Some(until) => taken(lock_until(requests, until)),
    })
}

pub(super) fn lock(requests: &Mutex<IpcBytesSender>) -> MutexGuard<'_, IpcBytesSender> {
    // A sender alone, which no panic leaves half changed.
    requests.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the host look what this process has taken or pushed.
pub(super) fn tell(requests: &IpcBytesSender) {
    // One that is gone needs not to know.
    let _ = wire::send(requests, &(0, Request::Look), &mut Vec::new());
}
