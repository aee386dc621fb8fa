//! [`Deferred`]: what was popped in a batch and is still to be returned: the failures of items that
//! came with good ones, and the items behind one whose own code panicked.

use crate::codec::Codec;
use crate::per_process::PerProcess;
use queue_core::{Failure, TryPopError};
use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What the next pops of this process return, before they look into the queue. In a forked child it
/// is empty: the parent itself returns what it has deferred.
pub(crate) struct Deferred(PerProcess<State>);

#[derive(Default)]
struct State {
    all: Mutex<Outcomes>,
    /// Whether there is any.
    some: AtomicBool,
    /// How many are items.
    items: AtomicUsize,
}

/// In the order in which they are returned.
#[derive(Default)]
struct Outcomes {
    all: VecDeque<Outcome>,
    /// How many of them are items: to count these anew for each pop would take long.
    items: usize,
}

impl Outcomes {
    fn append(&mut self, mut last: Self) {
        self.items += last.items;
        self.all.append(&mut last.all);
    }

    fn prepend(&mut self, first: Self) {
        let rest = mem::replace(self, first);
        self.append(rest);
    }

    /// Puts `item` before those that were deferred later.
    fn insert(&mut self, item: Item) {
        let is_later =
            |other: &Outcome| matches!(other, Outcome::Item(other) if other.number > item.number);
        let place = self.all.iter().position(is_later);
        let place = place.unwrap_or(self.all.len());
        self.all.insert(place, Outcome::Item(item));
        self.items += 1;
    }

    fn pop(&mut self) -> Option<Outcome> {
        let first = self.all.pop_front()?;
        self.items -= usize::from(first.is_item());
        Some(first)
    }
}

impl From<VecDeque<Outcome>> for Outcomes {
    fn from(all: VecDeque<Outcome>) -> Self {
        let items = all.iter().filter(|outcome| outcome.is_item()).count();
        Self { all, items }
    }
}

/// What one pop returns.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The failure of an item that is gone.
    Failure(Failure),
    /// An item.
    Item(Item),
}

/// An item that is deferred.
#[derive(Debug)]
pub(crate) struct Item {
    pub bytes: Vec<u8>,
    /// Which attempt its next delivery is.
    pub attempt: u32,
    /// Less than that of all that were deferred later.
    number: u64,
}

impl Outcome {
    /// An item that was never delivered.
    pub(crate) fn item(bytes: &[u8]) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self::Item(Item {
            bytes: bytes.to_vec(),
            attempt: 1,
            // Relaxed: those of one batch, or of one thread, are in order.
            number: NEXT.fetch_add(1, Ordering::Relaxed),
        })
    }

    fn is_item(&self) -> bool {
        matches!(self, Self::Item(_))
    }
}

/// The items of a batch that are still bytes, and the failures so far. They are deferred if an
/// item's own code unwinds through this.
struct Undecoded<'d, 'b, I: Iterator<Item = &'b [u8]>, W: Fn()> {
    deferred: &'d Deferred,
    items: I,
    failures: Vec<Failure>,
    /// Wakes who waits in this process for something to pop.
    wake: W,
}

impl<'b, I: Iterator<Item = &'b [u8]>, W: Fn()> Drop for Undecoded<'_, 'b, I, W> {
    fn drop(&mut self) {
        let failures = self.failures.drain(..).map(Outcome::Failure);
        let items = self.items.by_ref().map(Outcome::item);
        let new: VecDeque<_> = failures.chain(items).collect();
        if !new.is_empty() {
            let new = Outcomes::from(new);
            self.deferred.with(|outcomes| outcomes.append(new));
            (self.wake)();
        }
    }
}

/// All that is taken by a `close_now`: what is not given goes back, but for the one whose own code
/// unwinds through this.
struct Remaining<'a> {
    deferred: &'a Deferred,
    outcomes: VecDeque<Outcome>,
    at: usize,
}

impl Drop for Remaining<'_> {
    fn drop(&mut self) {
        self.outcomes.remove(self.at);
        self.deferred.prepend(mem::take(&mut self.outcomes));
    }
}

impl Default for Deferred {
    fn default() -> Self {
        Self(PerProcess::new())
    }
}

impl Deferred {
    /// Whether there is something to return.
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        // Relaxed: returned by whichever pop sees it. A waiter looks here after it was woken by the
        // thread that deferred it, by a lock or an event that orders it.
        let state = self.0.get();
        state.is_some_and(|state| state.some.load(Ordering::Relaxed))
    }

    /// How many items there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // Relaxed: a number, no more.
        let state = self.0.get();
        state.map_or(0, |state| state.items.load(Ordering::Relaxed))
    }

    /// Does `what` with all of it, and publishes how much there is then.
    #[cold]
    fn with<R>(&self, what: impl FnOnce(&mut Outcomes) -> R) -> R {
        let state = self.0.get_or_init(State::default);
        let mut all = state.all.lock().unwrap_or_else(PoisonError::into_inner);
        let done = what(&mut all);
        state.items.store(all.items, Ordering::Relaxed);
        state.some.store(!all.all.is_empty(), Ordering::Relaxed);
        done
    }

    /// Puts these before all else.
    #[cold]
    pub(crate) fn prepend(&self, first: VecDeque<Outcome>) {
        if !first.is_empty() {
            let first = Outcomes::from(first);
            self.with(|outcomes| outcomes.prepend(first));
        }
    }

    /// The next pop fails with this.
    pub(crate) fn tell_later(&self, failure: Failure) {
        self.prepend([Outcome::Failure(failure)].into());
    }

    /// Takes back an item whose delivery ended, to before those that were deferred later; `counted` says
    /// whether that was an attempt.
    pub(crate) fn give_back(&self, mut item: Item, counted: bool) {
        item.attempt = item.attempt.saturating_add(u32::from(counted));
        self.with(|outcomes| outcomes.insert(item));
    }

    /// Takes the first, if there is any.
    #[inline]
    pub(crate) fn next(&self) -> Option<Outcome> {
        match self.is_some() {
            true => self.with(Outcomes::pop),
            false => None,
        }
    }

    /// Takes all of it.
    pub(crate) fn take(&self) -> VecDeque<Outcome> {
        self.with(mem::take).all
    }

    /// Pops the first that is deferred; `None` if nothing is.
    #[inline]
    pub(crate) fn pop<T, C: Codec<T>>(&self) -> Option<Result<T, TryPopError>> {
        match self.is_some() {
            true => Some(self.pop_first::<T, C>()?.map_err(TryPopError::Failed)),
            false => None,
        }
    }

    #[cold]
    fn pop_first<T, C: Codec<T>>(&self) -> Option<Result<T, Failure>> {
        Some(match self.next()? {
            Outcome::Failure(failure) => Err(failure),
            Outcome::Item(mut item) => decode_from::<T, C>(&mut item.bytes),
        })
    }

    /// Pops up to `max` of what is deferred into `into`: how many.
    ///
    /// # Errors
    /// If the first is a failure. A later one ends it, and stays.
    pub(crate) fn pop_many<T, C: Codec<T>>(
        &self,
        into: &mut Vec<T>,
        max: usize,
    ) -> Result<usize, TryPopError> {
        let mut popped = 0;
        while popped < max && self.is_some() {
            // Before it is taken: it may panic.
            into.reserve(1);
            match self.pop_first::<T, C>() {
                Some(Ok(item)) => into.push(item),
                Some(Err(failure)) if popped == 0 => return Err(TryPopError::Failed(failure)),
                Some(Err(failure)) => {
                    self.tell_later(failure);
                    break;
                }
                None => break,
            }
            popped += 1;
        }
        Ok(popped)
    }

    /// Appends the items whose bytes these are to `into`, which already got `popped` of this
    /// batch: how many in all. Those that are none are deferred as failures, of which the
    /// first is returned at once if there was no item. If an item's own code panics, those behind it
    /// are deferred, `wake` is called for those who wait for them, and the panic goes on.
    pub(crate) fn decode<'b, T, C: Codec<T>>(
        &self,
        items: impl Iterator<Item = &'b [u8]>,
        into: &mut Vec<T>,
        mut popped: usize,
        wake: impl Fn(),
    ) -> Result<usize, TryPopError> {
        let mut rest = Undecoded {
            deferred: self,
            items,
            failures: Vec::new(),
            wake,
        };
        loop {
            // Before the item is taken: it may panic.
            into.reserve(1);
            let Some(bytes) = rest.items.next() else {
                break;
            };
            match C::decode(bytes) {
                Ok(item) => {
                    into.push(item);
                    popped += 1;
                }
                Err(failure) => rest.failures.push(failure.with_item_consumed()),
            }
        }
        if popped == 0 && !rest.failures.is_empty() {
            return Err(TryPopError::Failed(rest.failures.remove(0)));
        }
        Ok(popped)
    }

    /// The items of `outcomes`, as far as they are any; the failures of the others are deferred. If
    /// the code of one panics, that one is gone, all others are deferred, and the panic goes on.
    pub(crate) fn decode_all<T, C: Codec<T>>(&self, outcomes: VecDeque<Outcome>) -> Vec<T> {
        let mut all = Remaining {
            deferred: self,
            outcomes,
            at: 0,
        };
        let mut left = Vec::with_capacity(all.outcomes.len());
        let mut failures = VecDeque::new();
        while let Some(outcome) = all.outcomes.get(all.at) {
            match outcome {
                Outcome::Item(item) => match C::decode(&item.bytes) {
                    Ok(item) => left.push(item),
                    Err(failure) => failures.push_back(failure.with_item_consumed()),
                },
                Outcome::Failure(failure) => failures.push_back(failure.clone()),
            }
            all.at += 1;
        }
        all.outcomes = failures.into_iter().map(Outcome::Failure).collect();
        all.at = usize::MAX;
        left
    }
}

/// The item whose bytes these are, that was just popped.
#[inline]
pub(crate) fn decode_from<T, C: Codec<T>>(bytes: &mut Vec<u8>) -> Result<T, Failure> {
    C::decode_from(bytes).map_err(Failure::with_item_consumed)
}
