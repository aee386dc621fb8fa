//! [`Simple`]: mutex and deque under the family's waiting, and a switch for each way to
//! break it.

use super::{Broken, Fault, Sound, Waiter};
use queue_core::event::{Event, Listen};
use queue_core::sync::Deadline;
use queue_core::{
    Bound, Create, Ends, Failure, FailureKind, PopError, PopTimeoutError, PushError,
    PushTimeoutError, Queue, Side, TryPopError, TryPushError,
};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread::{sleep, yield_now};
use std::time::Duration;

/// What an item lets a queue do to it.
pub(crate) trait Sample: Clone + Send + 'static {
    /// The item's own code, as serialization would run it.
    fn touch(&self) {}

    /// Whether it cannot be serialized.
    fn is_bad(&self) -> bool {
        false
    }
}

impl Sample for u64 {}
impl Sample for Vec<u8> {}
impl Sample for queue_core::contract::Probe {}

struct State<T> {
    inside: VecDeque<T>,
    closed: bool,
    /// Pushes so far.
    pushes: usize,
    /// Places that are lost for ever.
    lost: usize,
    /// Items that are gone and still count.
    late: usize,
}

struct Shared<T: Sample, F: Broken> {
    state: Mutex<State<T>>,
    items: Event,
    /// Where futures wait for items, with `OneSort`.
    task_items: Event,
    task_was_last: AtomicBool,
    places: Event,
    ends: Ends,
    pushing: AtomicUsize,
    fault: PhantomData<fn() -> F>,
}

impl<T: Sample, F: Broken> Drop for Shared<T, F> {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        match F::FAULT {
            Fault::Leaks => std::mem::forget(std::mem::take(&mut state.inside)),
            Fault::DropsTwice => drop(state.inside.clone()),
            _ => {}
        }
    }
}

pub(crate) struct Simple<T: Sample, F: Broken = Sound> {
    shared: Arc<Shared<T, F>>,
    capacity: Option<usize>,
    own_ends: Ends,
}

impl<T: Sample, F: Broken> Clone for Simple<T, F> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            capacity: self.capacity,
            own_ends: Ends::new(),
        }
    }
}

impl<T: Sample, F: Broken> Create for Simple<T, F> {
    fn create(bound: Bound) -> Result<Self, Failure> {
        let state = State {
            inside: VecDeque::new(),
            closed: false,
            pushes: 0,
            lost: 0,
            late: 0,
        };
        let shared = Shared {
            state: Mutex::new(state),
            items: Event::new(),
            task_items: Event::new(),
            task_was_last: AtomicBool::new(false),
            places: Event::new(),
            ends: Ends::new(),
            pushing: AtomicUsize::new(0),
            fault: PhantomData,
        };
        Ok(Self {
            shared: Arc::new(shared),
            capacity: bound.capacity(),
            own_ends: Ends::new(),
        })
    }
}

impl<T: Sample, F: Broken> Simple<T, F> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        let state = self.shared.state.lock();
        match F::FAULT {
            Fault::Poisoned => state.expect("not poisoned"),
            _ => state.unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// How many the queue takes, broken or not.
    fn limit(&self) -> Option<usize> {
        match (F::FAULT, self.capacity) {
            (Fault::OneMore, Some(n)) => Some(n + 1),
            (Fault::OneLess, Some(n)) => Some((n - 1).max(1)),
            (Fault::PowerOfTwo, Some(n)) => Some(n.next_power_of_two()),
            (Fault::SecretBound, None) => Some(1000),
            (_, capacity) => capacity,
        }
    }

    fn an_item_came(&self) {
        match F::FAULT {
            Fault::NoItemNotify => {}
            Fault::OneAtATime => self.shared.items.notify_unless_pending(),
            Fault::OneSort if self.shared.task_was_last.load(Ordering::Relaxed) => {
                self.shared.task_items.notify();
            }
            _ => self.shared.items.notify(),
        }
    }

    fn put(&self, state: &mut State<T>, item: T) {
        state.pushes += 1;
        state.late = 0;
        let fiftieth = state.pushes.is_multiple_of(50);
        match F::FAULT {
            Fault::Lifo => state.inside.push_front(item),
            Fault::Overtakes if fiftieth && !state.inside.is_empty() => {
                let last = state.inside.len() - 1;
                state.inside.insert(last, item);
            }
            Fault::Loses if fiftieth => {}
            _ => state.inside.push_back(item),
        }
    }

    fn push_once(&self, item: T) -> Result<(), TryPushError<T>> {
        let fault = F::FAULT;
        if fault != Fault::Poisoned {
            item.touch();
        }
        if item.is_bad() && fault != Fault::LateFailure {
            if fault == Fault::FailureKeepsPlace {
                self.state().lost += 1;
            }
            let failure = Failure::new(FailureKind::Codec, "a bad item");
            return Err(TryPushError::Failed(item, failure));
        }
        let mut state = self.state();
        if fault == Fault::Poisoned {
            item.touch();
        }
        let full = self
            .limit()
            .is_some_and(|n| state.inside.len() + state.lost >= n);
        if state.closed && (full || fault != Fault::OpenWithRoom) {
            return Err(match fault {
                Fault::FullWins if full => TryPushError::Full(item),
                _ => TryPushError::Closed(item),
            });
        }
        if full {
            if fault == Fault::Ghost && self.capacity > Some(1) {
                let ghost = item.clone();
                state.inside.pop_back();
                state.inside.push_back(ghost);
            }
            return Err(TryPushError::Full(item));
        }
        self.put(&mut state, item);
        drop(state);
        self.an_item_came();
        Ok(())
    }

    fn pop_once(&self) -> Result<T, TryPopError> {
        let fault = F::FAULT;
        let mut state = self.state();
        if fault == Fault::ClosedEarly && state.closed {
            return Err(TryPopError::Closed);
        }
        let Some(item) = state.inside.pop_front() else {
            return Err(match state.closed && fault != Fault::NeverDrained {
                true => TryPopError::Closed,
                false => TryPopError::Empty,
            });
        };
        if fault == Fault::Duplicates && state.pushes.is_multiple_of(50) {
            state.pushes += 1;
            state.inside.push_back(item.clone());
        }
        state.late += 1;
        drop(state);
        if fault != Fault::NoPlaceNotify {
            self.shared.places.notify();
        }
        if item.is_bad() {
            return Err(TryPopError::Failed(Failure::new(
                FailureKind::Codec,
                "a bad item",
            )));
        }
        Ok(item)
    }
}

impl<T: Sample, F: Broken> Queue<T> for Simple<T, F> {
    type Listener<'a>
        = Waiter<'a, F>
    where
        Self: 'a;

    fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        match F::FAULT {
            Fault::CountsPushers => {
                self.shared.pushing.fetch_add(1, Ordering::SeqCst);
                yield_now();
                let pushed = self.push_once(item);
                self.shared.pushing.fetch_sub(1, Ordering::SeqCst);
                pushed
            }
            Fault::BlockingTry => {
                let mut item = item;
                loop {
                    match self.push_once(item) {
                        Err(TryPushError::Full(back)) => item = back,
                        done => return done,
                    }
                    sleep(Duration::from_millis(1));
                }
            }
            _ => self.push_once(item),
        }
    }

    fn try_pop(&self) -> Result<T, TryPopError> {
        match self.pop_once() {
            Err(TryPopError::Empty) if F::FAULT == Fault::PoliteTry => {
                sleep(Duration::from_millis(20));
                self.pop_once()
            }
            popped => popped,
        }
    }

    fn listen_items(&self) -> Waiter<'_, F> {
        self.shared.task_was_last.store(false, Ordering::Relaxed);
        Waiter::new(self.shared.items.listen())
    }

    fn listen_places(&self) -> Waiter<'_, F> {
        Waiter::new(self.shared.places.listen())
    }

    fn ends(&self) -> &Ends {
        match F::FAULT {
            Fault::EndsPerHandle => &self.own_ends,
            _ => &self.shared.ends,
        }
    }

    fn len(&self) -> usize {
        let pushing = self.shared.pushing.load(Ordering::SeqCst);
        let state = self.state();
        match F::FAULT {
            Fault::CountsLate => state.inside.len() + state.late,
            _ => state.inside.len() + pushing,
        }
    }

    fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    fn is_closed(&self) -> bool {
        self.state().closed
    }

    fn close(&self) -> bool {
        let was = std::mem::replace(&mut self.state().closed, true);
        if F::FAULT == Fault::CloseWakesOne {
            self.shared.items.notify();
            self.shared.places.notify();
        } else {
            self.shared.items.notify_all();
            self.shared.task_items.notify_all();
            self.shared.places.notify_all();
        }
        !was || F::FAULT == Fault::AlwaysFirst
    }

    fn close_now(&self) -> Vec<T> {
        self.close();
        let left = std::mem::take(&mut self.state().inside);
        match F::FAULT {
            Fault::CloseNowForgets => Vec::new(),
            _ => left.into(),
        }
    }

    fn retire(&self, side: Side) {
        match (F::FAULT, side) {
            (Fault::EndsNeverClose, _) | (Fault::OneSidedEnds, Side::Consumers) => {}
            _ => drop(self.close()),
        }
    }

    fn push_timeout(&self, item: T, timeout: Duration) -> Result<(), PushTimeoutError<T>> {
        if is_over(F::FAULT, timeout) {
            return Err(PushTimeoutError::Timeout(item));
        }
        self.push_until(item, Deadline::after(timeout))
    }

    fn pop_timeout(&self, timeout: Duration) -> Result<T, PopTimeoutError> {
        if is_over(F::FAULT, timeout) {
            return Err(PopTimeoutError::Timeout);
        }
        self.pop_until(Deadline::after(timeout))
    }

    fn push_until(&self, item: T, deadline: Deadline) -> Result<(), PushTimeoutError<T>> {
        let deadline = shortened(F::FAULT, deadline);
        if F::FAULT == Fault::ClockFirst && deadline.has_passed() {
            return Err(PushTimeoutError::Timeout(item));
        }
        let mut item = item;
        loop {
            let listener = self.listen_places();
            item = match self.try_push(item) {
                Ok(()) => return Ok(()),
                Err(TryPushError::Closed(item)) => return Err(PushTimeoutError::Closed(item)),
                Err(TryPushError::Failed(item, why)) => {
                    return Err(PushTimeoutError::Failed(item, why));
                }
                Err(TryPushError::Full(item)) => item,
            };
            if !listener.wait(deadline) {
                return self.try_push(item).map_err(late_push);
            }
        }
    }

    fn pop_until(&self, deadline: Deadline) -> Result<T, PopTimeoutError> {
        let deadline = shortened(F::FAULT, deadline);
        if F::FAULT == Fault::ClockFirst && deadline.has_passed() {
            return Err(PopTimeoutError::Timeout);
        }
        loop {
            let listener = self.listen_items();
            match self.try_pop() {
                Ok(item) => return Ok(item),
                Err(TryPopError::Closed) => return Err(PopTimeoutError::Closed),
                Err(TryPopError::Failed(why)) => return Err(PopTimeoutError::Failed(why)),
                Err(TryPopError::Empty) => {}
            }
            if !listener.wait(deadline) {
                return self.try_pop().map_err(late_pop);
            }
        }
    }

    async fn push_async(&self, item: T) -> Result<(), PushError<T>> {
        let ghost = (F::FAULT == Fault::PushesFromGrave).then(|| item.clone());
        let mut grave = Grave {
            queue: self,
            waits: true,
            ghost,
        };
        let mut item = item;
        loop {
            let listener = self.listen_places();
            let pushed = self.try_push(item);
            if !matches!(pushed, Err(TryPushError::Full(_))) {
                grave.waits = false;
            }
            item = match pushed {
                Ok(()) => return Ok(()),
                Err(TryPushError::Full(item)) => item,
                Err(TryPushError::Closed(item)) => return Err(PushError::Closed(item)),
                Err(TryPushError::Failed(item, why)) => return Err(PushError::Failed(item, why)),
            };
            listener.await;
        }
    }

    async fn pop_async(&self) -> Result<T, PopError> {
        loop {
            let listener = match F::FAULT {
                Fault::OneSort => {
                    self.shared.task_was_last.store(true, Ordering::Relaxed);
                    Waiter::new(self.shared.task_items.listen())
                }
                _ => self.listen_items(),
            };
            match self.try_pop() {
                Ok(item) => {
                    if F::FAULT == Fault::TakesThenYields {
                        yield_once().await;
                    }
                    return Ok(item);
                }
                Err(TryPopError::Closed) => return Err(PopError::Closed),
                Err(TryPopError::Failed(why)) => return Err(PopError::Failed(why)),
                Err(TryPopError::Empty) => {}
            }
            listener.await;
        }
    }

    fn try_push_many(&self, items: &mut VecDeque<T>) -> Result<usize, TryPushError<()>> {
        let mut pushed = 0;
        while let Some(item) = match F::FAULT {
            Fault::BatchReversed => items.pop_back(),
            _ => items.pop_front(),
        } {
            let done = match F::FAULT {
                Fault::BatchOverfills | Fault::BatchWakesOne => self.push_quietly(item),
                _ => self.try_push(item),
            };
            if let Err(refused) = done {
                let error = refused.map(|item| items.push_front(item));
                match (F::FAULT, pushed) {
                    (Fault::SwallowsBatch, 0) | (Fault::BatchDropsRest, 1..) => items.clear(),
                    _ => {}
                }
                return if pushed == 0 { Err(error) } else { Ok(pushed) };
            }
            pushed += 1;
        }
        Ok(pushed)
    }
}

impl<T: Sample, F: Broken> Simple<T, F> {
    /// One item of a batch, with a wake for the first alone.
    fn push_quietly(&self, item: T) -> Result<(), TryPushError<T>> {
        let mut state = self.state();
        let full = self.limit().is_some_and(|n| state.inside.len() >= n);
        if state.closed {
            return Err(TryPushError::Closed(item));
        }
        if full && F::FAULT != Fault::BatchOverfills {
            return Err(TryPushError::Full(item));
        }
        let first = state.inside.is_empty();
        self.put(&mut state, item);
        drop(state);
        if first || F::FAULT != Fault::BatchWakesOne {
            self.an_item_came();
        }
        Ok(())
    }
}

fn is_over(fault: Fault, timeout: Duration) -> bool {
    match fault {
        Fault::Overflows => timeout > Duration::from_secs(u32::MAX.into()),
        Fault::ClockFirst => timeout.is_zero(),
        _ => false,
    }
}

fn shortened(fault: Fault, deadline: Deadline) -> Deadline {
    match (fault, deadline.remaining()) {
        (Fault::Impatient, Some(left)) => Deadline::after(left / 2),
        _ => deadline,
    }
}

fn late_push<T>(error: TryPushError<T>) -> PushTimeoutError<T> {
    match error {
        TryPushError::Full(item) => PushTimeoutError::Timeout(item),
        TryPushError::Closed(item) => PushTimeoutError::Closed(item),
        TryPushError::Failed(item, why) => PushTimeoutError::Failed(item, why),
    }
}

fn late_pop(error: TryPopError) -> PopTimeoutError {
    match error {
        TryPopError::Empty => PopTimeoutError::Timeout,
        TryPopError::Closed => PopTimeoutError::Closed,
        TryPopError::Failed(why) => PopTimeoutError::Failed(why),
    }
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What a push that is dropped while it waits leaves behind.
struct Grave<'a, T: Sample, F: Broken> {
    queue: &'a Simple<T, F>,
    waits: bool,
    ghost: Option<T>,
}

impl<T: Sample, F: Broken> Drop for Grave<'_, T, F> {
    fn drop(&mut self) {
        if !self.waits {
            return;
        }
        if F::FAULT == Fault::KeepsPermit {
            self.queue.state().lost += 1;
        }
        if let Some(ghost) = self.ghost.take() {
            self.queue.state().inside.push_back(ghost);
        }
    }
}
