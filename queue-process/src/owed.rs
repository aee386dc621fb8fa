//! [`Owed`]: what has come out of the queue with a batch and is still to be given: the failures
//! of items that came with good ones, and the items behind one whose own code panicked.

use crate::codec::Codec;
use crate::per_process::PerProcess;
use queue_core::{Failure, TryPopError};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What the next pops of this process come to, before they look into the queue. Of what a process
/// owes that this one is a copy of, it gives itself.
pub(crate) struct Owed(PerProcess<State>);

#[derive(Default)]
struct State {
    due: Mutex<VecDeque<Due>>,
    /// Whether there is any.
    some: AtomicBool,
    /// How many are items.
    items: AtomicUsize,
}

/// What one pop comes to.
#[derive(Debug)]
pub(crate) enum Due {
    /// That of an item that is gone.
    Failure(Failure),
    /// The bytes of an item.
    Item(Vec<u8>),
}

/// The items of a batch that are still bytes, and the failures so far. They are owed if an
/// item's own code unwinds through this.
struct Rest<'o, 'b, I: Iterator<Item = &'b [u8]>, W: Fn()> {
    owed: &'o Owed,
    items: I,
    failures: Vec<Failure>,
    /// Wakes who waits in this process for something to pop.
    wake: W,
}

impl<'b, I: Iterator<Item = &'b [u8]>, W: Fn()> Drop for Rest<'_, 'b, I, W> {
    fn drop(&mut self) {
        let failures = self.failures.drain(..).map(Due::Failure);
        let items = self.items.by_ref().map(|bytes| Due::Item(bytes.to_vec()));
        let due: VecDeque<_> = failures.chain(items).collect();
        if !due.is_empty() {
            self.owed.owe(due);
            (self.wake)();
        }
    }
}

/// All that is taken by a `close_now`: they go back, but for the one whose own code unwinds
/// through this.
struct All<'a> {
    owed: &'a Owed,
    due: VecDeque<Due>,
    at: usize,
}

impl Drop for All<'_> {
    fn drop(&mut self) {
        self.due.remove(self.at);
        self.owed.owe_first(std::mem::take(&mut self.due));
    }
}

impl Default for Owed {
    fn default() -> Self {
        Self(PerProcess::new())
    }
}

impl Owed {
    /// Whether there is something to give.
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        // Relaxed: given by whichever pop sees it. Who waits for it looks after whoever owes it
        // has woken them, by a lock or an event that orders it.
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

    /// Does `what` with all of it, and says how much there is then, which changes nowhere else.
    fn with<R>(&self, what: impl FnOnce(&mut VecDeque<Due>) -> R) -> R {
        let state = self.0.get_or(State::default);
        let mut due = state.due.lock().unwrap_or_else(PoisonError::into_inner);
        let done = what(&mut due);
        let items = due.iter().filter(|due| matches!(due, Due::Item(_)));
        state.items.store(items.count(), Ordering::Relaxed);
        state.some.store(!due.is_empty(), Ordering::Relaxed);
        done
    }

    #[cold]
    fn owe(&self, mut more: VecDeque<Due>) {
        self.with(|due| due.append(&mut more));
    }

    #[cold]
    fn owe_first(&self, mut first: VecDeque<Due>) {
        if first.is_empty() {
            return;
        }
        self.with(|due| {
            first.append(due);
            *due = first;
        });
    }

    fn next(&self) -> Option<Due> {
        self.with(VecDeque::pop_front)
    }

    /// Takes all of it.
    pub(crate) fn take(&self) -> VecDeque<Due> {
        self.with(std::mem::take)
    }

    /// Pops the first that is owed; `None` if nothing is.
    #[inline]
    pub(crate) fn pop<T, C: Codec<T>>(&self) -> Option<Result<T, TryPopError>> {
        match self.is_some() {
            true => self.pop_due::<T, C>(),
            false => None,
        }
    }

    #[cold]
    fn pop_due<T, C: Codec<T>>(&self) -> Option<Result<T, TryPopError>> {
        let popped = match self.next()? {
            Due::Failure(failure) => Err(failure),
            Due::Item(mut bytes) => decode_from::<T, C>(&mut bytes),
        };
        Some(popped.map_err(TryPopError::Failed))
    }

    /// Pops up to `max` of what is owed into `into`: how many.
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
            match self.pop_due::<T, C>() {
                Some(Ok(item)) => into.push(item),
                Some(Err(failed)) if popped == 0 => return Err(failed),
                Some(Err(TryPopError::Failed(failure))) => {
                    self.owe_first([Due::Failure(failure)].into());
                    break;
                }
                Some(Err(_)) | None => break,
            }
            popped += 1;
        }
        Ok(popped)
    }

    /// Appends the items whose bytes these are to `into`, which already got `popped` of this
    /// batch: how many in all. Those that are none are owed as failures, of which the first is
    /// told at once if there was no item. If an item's own code panics, those behind it are owed,
    /// `wake` is called for who waits for them, and the panic goes on.
    pub(crate) fn decode<'b, T, C: Codec<T>>(
        &self,
        items: impl Iterator<Item = &'b [u8]>,
        into: &mut Vec<T>,
        mut popped: usize,
        wake: impl Fn(),
    ) -> Result<usize, TryPopError> {
        let mut rest = Rest {
            owed: self,
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

    /// The items of `due`, as far as they are any. If the code of one panics, that one is
    /// gone, all others are owed, and the panic goes on.
    pub(crate) fn decode_all<T, C: Codec<T>>(&self, due: VecDeque<Due>) -> Vec<T> {
        let mut all = All {
            owed: self,
            due,
            at: 0,
        };
        let mut left = Vec::with_capacity(all.due.len());
        while let Some(due) = all.due.get(all.at) {
            if let Due::Item(bytes) = due {
                left.extend(C::decode(bytes).ok());
            }
            all.at += 1;
        }
        all.due.clear();
        left
    }
}

/// The item whose bytes these are, that was just popped.
#[inline]
pub(crate) fn decode_from<T, C: Codec<T>>(bytes: &mut Vec<u8>) -> Result<T, Failure> {
    C::decode_from(bytes).map_err(Failure::with_item_consumed)
}
