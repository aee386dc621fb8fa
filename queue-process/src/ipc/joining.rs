//! [`Joining`]: who waits in a guest until the queue is idle.

use super::guest::Guest;
use queue_core::event::{Listen, Listener};
use queue_core::sync::Deadline;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Listens until the queue was idle.
#[derive(Debug)]
pub(crate) struct Joining<'a> {
    guest: &'a Guest,
    /// The last such time before this one listened.
    since: u64,
    listener: Option<Listener<'a>>,
}

impl<'a> Joining<'a> {
    pub(super) fn new(guest: &'a Guest) -> Self {
        // Before the question: the host is to call.
        let listener = guest.idle().listen();
        Self {
            guest,
            since: guest.state().moments,
            listener: Some(listener),
        }
    }

    fn came(&self) -> bool {
        self.guest.moments() > self.since
    }

    /// A listener for which the host calls, unless it need not.
    fn listen(&mut self) -> Option<Listener<'a>> {
        if self.listener.is_none() && !self.came() {
            self.listener = Some(self.guest.idle().listen());
            self.guest.state();
        }
        match self.came() {
            true => None,
            false => self.listener.take(),
        }
    }
}

impl Listen for Joining<'_> {
    fn wait(mut self, deadline: Deadline) -> bool {
        while let Some(listener) = self.listen() {
            if !listener.wait(deadline) {
                return self.came();
            }
        }
        true
    }
}

impl Future for Joining<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(mut listener) = self.listen() {
            if Pin::new(&mut listener).poll(cx).is_pending() {
                self.listener = Some(listener);
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }
}
