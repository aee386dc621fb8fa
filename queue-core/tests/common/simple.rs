//! [`Simple`]: mutex and deque under the family's waiting, and a switch for each way to
//! break it.

mod verbs;
mod work;

use super::{Broken, Fault, Sound, Waiter};
use queue_core::event::{Event, Listen};
use queue_core::sync::Deadline;
use queue_core::work::Idle;
use queue_core::{
    Capacity, EndpointCounts, Failure, FailureKind, Kind, PopError, PopTimeoutError, Producer,
    PushError, PushTimeoutError, Queue, QueueId, Side, TryPopError, TryPushError, WithCapacity,
};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread::{sleep, yield_now};
use std::time::Duration;
use work::Lending;

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
impl Sample for queue_core::contract::DropProbe {}

struct State<T> {
    inside: VecDeque<T>,
    closed: bool,
    /// Pushes so far.
    pushes: usize,
    /// Slots that are lost for ever.
    lost: usize,
    /// Items that are gone and still count.
    late: usize,
    lending: Lending<T>,
}

struct Shared<T: Sample, F: Broken> {
    state: Mutex<State<T>>,
    items: Event,
    /// Where futures wait for items, with `OneSort`.
    task_items: Event,
    task_was_last: AtomicBool,
    /// How many items were announced.
    announced: AtomicUsize,
    slots: Event,
    idle: Idle,
    endpoints: EndpointCounts,
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
    own_endpoints: EndpointCounts,
    /// How many times the handle was cloned on its way here: twice in what keeps a half.
    clones: usize,
}

impl<T: Sample, F: Broken> Clone for Simple<T, F> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            capacity: self.capacity,
            own_endpoints: EndpointCounts::new(),
            clones: self.clones + 1,
        }
    }
}

impl<T: Sample, F: Broken> WithCapacity for Simple<T, F> {
    fn try_with_capacity(bound: Capacity) -> Result<Self, Failure> {
        let state = State {
            inside: VecDeque::new(),
            closed: false,
            pushes: 0,
            lost: 0,
            late: 0,
            lending: Lending::new(),
        };
        let shared = Shared {
            state: Mutex::new(state),
            items: Event::new(),
            task_items: Event::new(),
            task_was_last: AtomicBool::new(false),
            announced: AtomicUsize::new(0),
            slots: Event::new(),
            idle: Idle::new(),
            endpoints: EndpointCounts::new(),
            pushing: AtomicUsize::new(0),
            fault: PhantomData,
        };
        Ok(Self {
            shared: Arc::new(shared),
            capacity: bound.capacity(),
            own_endpoints: EndpointCounts::new(),
            clones: 0,
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
            Fault::EveryOther if self.shared.announced.fetch_add(1, Ordering::Relaxed) % 2 == 1 => {
            }
            Fault::OneUnderWay if self.state().inside.len() > 1 => {}
            Fault::OneSort if self.shared.task_was_last.load(Ordering::Relaxed) => {
                self.shared.task_items.notify();
            }
            _ => self.shared.items.notify(),
        }
    }

    fn put(&self, state: &mut State<T>, item: T) {
        state.pushes += 1;
        state.late = 0;
        let fiftieth = state.pushes % 50 == 0;
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
            if fault == Fault::FailureKeepsSlot {
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
            .is_some_and(|n| state.inside.len() + state.lost + Self::held(&state) >= n);
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
        let returned = state.lending.returned.pop();
        let Some(item) = returned.or_else(|| state.inside.pop_front()) else {
            return Err(
                match Self::has_ended(&state) && fault != Fault::NeverDrained {
                    true => TryPopError::Closed,
                    false => TryPopError::Empty,
                },
            );
        };
        if fault == Fault::Duplicates && state.pushes % 50 == 0 {
            state.pushes += 1;
            state.inside.push_back(item.clone());
        }
        state.late += 1;
        let more = !state.inside.is_empty();
        drop(state);
        if fault == Fault::OneUnderWay && more {
            self.shared.items.notify();
        }
        if fault != Fault::NoSlotNotify {
            self.shared.slots.notify();
        }
        self.idle_if_done();
        if item.is_bad() {
            let failure = Failure::new(FailureKind::Codec, "a bad item");
            return Err(TryPopError::Failed(failure.with_item_consumed()));
        }
        Ok(item)
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
