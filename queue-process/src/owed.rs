//! [`Owed`]: what has come out of the queue with a batch and is still to be given: the failures
//! of items that came with good ones, and the items behind one whose own code panicked.

use crate::codec::Codec;
use queue_core::{Failure, TryPopError};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the next pops of this process come to, before they look into the queue.
#[derive(Default)]
pub(crate) struct Owed {
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

impl Owed {
    /// Whether there is something to give.
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        // Relaxed: given by whichever pop sees it. Who waits for it looks after whoever owes it
        // has woken them, by a lock or an event that orders it.
        self.some.load(Ordering::Relaxed)
    }

    /// How many items there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // Relaxed: a number, no more.
        self.items.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Due>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how much of it there is, which only changes under the lock.
    fn count(&self, due: &VecDeque<Due>) {
        let items = due.iter().filter(|due| matches!(due, Due::Item(_)));
        self.items.store(items.count(), Ordering::Relaxed);
        self.some.store(!due.is_empty(), Ordering::Relaxed);
    }

    #[cold]
    fn owe(&self, mut more: VecDeque<Due>) {
        let mut due = self.lock();
        due.append(&mut more);
        self.count(&due);
    }

    #[cold]
    fn owe_first(&self, mut first: VecDeque<Due>) {
        if first.is_empty() {
            return;
        }
        let mut due = self.lock();
        first.append(&mut due);
        *due = first;
        self.count(&due);
    }

    fn next(&self) -> Option<Due> {
        let mut due = self.lock();
        let next = due.pop_front();
        self.count(&due);
        next
    }

    /// Takes all of it.
    pub(crate) fn take(&self) -> VecDeque<Due> {
        let mut due = self.lock();
        let all = std::mem::take(&mut *due);
        self.count(&due);
        all
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
            if let Due::Item(bytes) = due
                && let Ok(item) = C::decode(bytes)
            {
                left.push(item);
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
