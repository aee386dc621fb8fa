//! [`Inbox`]: how the threads and tasks of a process wait for messages that come by one channel.
//!
//! There is no thread that receives for all: whoever waits and finds nobody receiving does so
//! itself, until something came for it, and then has another go on. (Tasks cannot receive; a
//! thread does so for them, which waits for ever as one more.)

use queue_core::Side;
use queue_core::event::{Event, Listen};
use queue_core::sync::{Deadline, Lock};

/// What there is to wait for, each with those who do.
#[derive(Debug, Default)]
pub(super) struct Events {
    sides: [Event; 2],
    /// An answer.
    answers: Event,
}

/// For what somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    Side(Side),
    Answer,
}

/// Who is to be told after a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    pub(super) sides: [usize; 2],
    pub(super) answers: bool,
}

impl News {
    /// All.
    pub(super) const ALL: Self = Self {
        sides: [usize::MAX; 2],
        answers: true,
    };
}

/// Receives.
pub(super) trait Source<S>: Sync {
    /// Waits for a message until `deadline`, and returns what to do about it, under the lock.
    fn receive(&self, deadline: Deadline) -> impl FnOnce(&mut S) -> News;
}

#[derive(Debug)]
struct State<S> {
    /// Whether somebody receives.
    receiving: bool,
    inner: S,
}

#[derive(Debug)]
pub(super) struct Inbox<S> {
    state: Lock<State<S>>,
    pub(super) events: Events,
}

impl Events {
    pub(super) fn of(&self, what: For) -> &Event {
        match what {
            For::Side(side) => &self.sides[side as usize],
            For::Answer => &self.answers,
        }
    }

    /// Tells those whom `news` concerns. The panic of a waker is nobody else's.
    pub(super) fn tell(&self, news: News) {
        for (event, count) in self.sides.iter().zip(news.sides) {
            if count == usize::MAX {
                crate::foreign::calmly(|| event.notify_all());
            } else {
                for _ in 0..count {
                    crate::foreign::calmly(|| event.notify());
                }
            }
        }
        if news.answers {
            self.answers.notify_all();
        }
    }

    /// Has one of those who wait look again.
    fn rouse(&self) {
        let all = [&self.answers, &self.sides[1], &self.sides[0]];
        if let Some(event) = all.into_iter().find(|event| event.has_waiting()) {
            crate::foreign::calmly(|| event.notify());
        }
    }
}

impl<S> Inbox<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            state: Lock::new(State {
                receiving: false,
                inner,
            }),
            events: Events::default(),
        }
    }

    /// Does `what` under the lock.
    pub(super) fn with<R>(&self, what: impl FnOnce(&mut S) -> R) -> R {
        what(&mut self.state.lock().inner)
    }

    /// Waits until `ready` has something or `deadline` has passed.
    pub(super) fn wait<R>(
        &self,
        source: &impl Source<S>,
        what: For,
        deadline: Deadline,
        mut ready: impl FnMut(&mut S) -> Option<R>,
    ) -> Option<R> {
        loop {
            let mut state = self.state.lock();
            let done = ready(&mut state.inner);
            if done.is_some() || deadline.has_passed() {
                let somebody = state.receiving;
                drop(state);
                if !somebody {
                    // It may have been this one that was to.
                    self.events.rouse();
                }
                return done;
            }
            if state.receiving {
                let listener = self.events.of(what).listen();
                drop(state);
                listener.wait(deadline);
                continue;
            }
            state.receiving = true;
            drop(state);
            let apply = source.receive(deadline);
            let mut state = self.state.lock();
            state.receiving = false;
            let news = apply(&mut state.inner);
            drop(state);
            self.events.tell(news);
        }
    }
}
