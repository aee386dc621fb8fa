//! [`Pushers`]: those who wait for a place.
//!
//! A pusher leaves its item in line, and whoever frees a place moves the item of the
//! first in line into the queue and wakes its owner, who finds the work done. That is
//! one turn for two items where the queue holds a single one, and the place is never
//! free in between. A pusher that is cancelled takes its item out of the line, unless
//! it is in the queue already: then it was pushed.

use crate::line::{Key, Line, NONE};
use crate::wake::{Wake, Wakes};

/// What a pusher waits for.
pub(crate) enum Wish<T> {
    /// To have this item pushed.
    Push(T),
    /// To hold a place.
    Hold,
    /// To be told of a place, that anybody may still take.
    Notice,
    /// Its wish has been granted.
    Granted,
}

struct Pusher<T> {
    wish: Wish<T>,
    /// Set while it sleeps.
    wake: Option<Wake>,
}

/// See the module's page.
pub(crate) struct Pushers<T> {
    line: Line<Pusher<T>>,
}

impl<T> Pushers<T> {
    pub(crate) fn new() -> Self {
        Self { line: Line::new() }
    }

    /// How many stand in line. Who has been served does not.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.line.waiting()
    }

    pub(crate) fn join(&mut self, wish: Wish<T>, wake: Option<Wake>) -> Key {
        self.line.join(Pusher { wish, wake })
    }

    #[inline]
    pub(crate) fn is_granted(&self, key: Key) -> bool {
        matches!(self.line[key].wish, Wish::Granted)
    }

    /// How `key`, which stands in line, is woken.
    pub(crate) fn wake_mut(&mut self, key: Key) -> &mut Option<Wake> {
        &mut self.line[key].wake
    }

    /// Takes the first out of the line: its wish, which counts as granted now. Its key
    /// is good until it [`leave`](Self::leave)s.
    pub(crate) fn serve_first(&mut self, wakes: &mut Wakes) -> Option<Wish<T>> {
        let key = self.line.first();
        if key == NONE {
            return None;
        }
        self.line.unlink(key);
        let pusher = &mut self.line[key];
        wakes.add(pusher.wake.take());
        Some(std::mem::replace(&mut pusher.wish, Wish::Granted))
    }

    /// Sends everybody away with their wishes: the queue is closed.
    pub(crate) fn dismiss(&mut self, wakes: &mut Wakes) {
        while self.line.first() != NONE {
            let key = self.line.first();
            self.line.unlink(key);
            wakes.add(self.line[key].wake.take());
        }
    }

    /// Takes `key` out: its wish, and its wake. Unless it was granted or dismissed it is
    /// `in_line` still.
    pub(crate) fn leave(&mut self, key: Key, in_line: bool) -> (Wish<T>, Option<Wake>) {
        if in_line && !self.is_granted(key) {
            self.line.unlink(key);
        }
        let Pusher { wish, wake } = self.line.remove(key);
        (wish, wake)
    }
}
