//! [`Owed`]: failures of items that came out in a batch with good ones.

use queue_core::{Failure, TryPopError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Failures still to be told: each by one of the next pops of this process.
#[derive(Default)]
pub(crate) struct Owed {
    failures: Mutex<Vec<Failure>>,
    /// Whether there are any.
    some: AtomicBool,
}

impl Owed {
    /// Whether there is a failure to tell.
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        // Relaxed: told by whichever pop sees it.
        self.some.load(Ordering::Relaxed)
    }

    /// Fails with the first failure that is owed.
    #[inline]
    pub(crate) fn tell(&self) -> Result<(), TryPopError> {
        match self.is_some() {
            true => self.tell_first(),
            false => Ok(()),
        }
    }

    #[cold]
    fn tell_first(&self) -> Result<(), TryPopError> {
        let mut owed = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let first = (!owed.is_empty()).then(|| owed.remove(0));
        self.some.store(!owed.is_empty(), Ordering::Relaxed);
        first.map_or(Ok(()), |failure| Err(TryPopError::Failed(failure)))
    }

    /// What a batch comes to of which so many were `popped` and the others are `failures`: those
    /// are owed, but for the first where nothing else was popped.
    pub(crate) fn after_batch(
        &self,
        popped: usize,
        mut failures: Vec<Failure>,
    ) -> Result<usize, TryPopError> {
        let now = (popped == 0 && !failures.is_empty()).then(|| failures.remove(0));
        if !failures.is_empty() {
            self.owe(failures);
        }
        now.map_or(Ok(popped), |failure| Err(TryPopError::Failed(failure)))
    }

    #[cold]
    fn owe(&self, failures: Vec<Failure>) {
        let mut owed = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        owed.extend(failures);
        self.some.store(true, Ordering::Relaxed);
    }
}
