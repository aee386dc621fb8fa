//! [`TimeLimit`]: what a try knows of the verb that it is part of.

use super::Deadline;
use std::cell::Cell;
use std::marker::PhantomData;
use std::time::Duration;

/// How long the verb may take that this thread is in.
///
/// The verbs with a time limit are made of tries, which wait for nobody. A kind whose tries ask another
/// process needs to know when an answer comes too late.
#[derive(Debug)]
pub struct TimeLimit {
    /// That of the verb around this one, if one was called by the code of an item or a waker.
    before: Limit,
    /// It is of this thread.
    here: PhantomData<*const ()>,
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    /// So long, from the moment when somebody asks: most tries need no clock.
    Within(Duration),
    Until(Deadline),
}

thread_local! {
    static CURRENT: Cell<Limit> = const { Cell::new(Limit::Until(Deadline::NEVER)) };
}

impl TimeLimit {
    /// Until when the verb of this thread may wait: [`NEVER`](Deadline::NEVER) for one without a time
    /// limit, and for a try that is no part of another verb.
    ///
    /// ```
    /// use queue_core::sync::{Deadline, TimeLimit};
    /// assert_eq!(TimeLimit::current(), Deadline::NEVER);
    /// ```
    #[must_use]
    pub fn current() -> Deadline {
        match CURRENT.get() {
            Limit::Until(deadline) => deadline,
            Limit::Within(timeout) => {
                let deadline = Deadline::after(timeout);
                CURRENT.set(Limit::Until(deadline));
                deadline
            }
        }
    }

    /// From now until it is dropped, this thread's verb may wait for `timeout`.
    #[inline]
    pub(crate) fn within(timeout: Duration) -> Self {
        Self::new(Limit::Within(timeout))
    }

    /// The same, until `deadline`.
    #[inline]
    pub(crate) fn until(deadline: Deadline) -> Self {
        Self::new(Limit::Until(deadline))
    }

    /// Until when.
    #[inline]
    pub(crate) fn deadline(&self) -> Deadline {
        Self::current()
    }

    #[inline]
    fn new(limit: Limit) -> Self {
        Self {
            before: CURRENT.replace(limit),
            here: PhantomData,
        }
    }
}

impl Drop for TimeLimit {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn the_time_runs_from_the_first_question_and_the_verb_around_comes_back() {
        let long = TimeLimit::within(Duration::from_secs(60));
        let deadline = long.deadline();
        assert!(deadline.instant().is_some());
        {
            let now = Instant::now();
            let _inner = TimeLimit::until(Deadline::at(now));
            assert_eq!(TimeLimit::current(), Deadline::at(now));
        }
        assert_eq!(TimeLimit::current(), deadline);
        drop(long);
        assert_eq!(TimeLimit::current(), Deadline::NEVER);
    }
}
