//! A correct queue with switches, each of which breaks one promise.

#![allow(dead_code)] // Each test file uses what it needs.

use queue_core::event::{Event, Listen, Listener};
use queue_core::sync::Deadline;
use queue_core::{Bound, Create, Ends, Failure, Queue, TryPopError, TryPushError};
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

struct Shared<T> {
    state: Mutex<State<T>>,
    items: Event,
    places: Event,
    ends: Ends,
}

struct State<T> {
    inside: VecDeque<T>,
    closed: bool,
}

/// Mutex and deque under the family's waiting: the whole of a kind.
pub struct Simple<T>(Arc<Shared<T>>, Option<usize>);

impl<T> Clone for Simple<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1)
    }
}

impl<T> Create for Simple<T> {
    fn create(bound: Bound) -> Result<Self, Failure> {
        let state = State {
            inside: VecDeque::new(),
            closed: false,
        };
        let shared = Shared {
            state: Mutex::new(state),
            items: Event::new(),
            places: Event::new(),
            ends: Ends::new(),
        };
        Ok(Self(Arc::new(shared), bound.capacity()))
    }
}

impl<T> Simple<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send> Queue<T> for Simple<T> {
    type Listener<'a>
        = Listener<'a>
    where
        Self: 'a;

    fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        let mut state = self.state();
        if state.closed {
            return Err(TryPushError::Closed(item));
        }
        if self.1 == Some(state.inside.len()) {
            return Err(TryPushError::Full(item));
        }
        state.inside.push_back(item);
        drop(state);
        self.0.items.notify();
        Ok(())
    }

    fn try_pop(&self) -> Result<T, TryPopError> {
        let mut state = self.state();
        match state.inside.pop_front() {
            Some(item) => {
                drop(state);
                self.0.places.notify();
                Ok(item)
            }
            None if state.closed => Err(TryPopError::Closed),
            None => Err(TryPopError::Empty),
        }
    }

    fn listen_items(&self) -> Listener<'_> {
        self.0.items.listen()
    }
    fn listen_places(&self) -> Listener<'_> {
        self.0.places.listen()
    }
    fn ends(&self) -> &Ends {
        &self.0.ends
    }
    fn len(&self) -> usize {
        self.state().inside.len()
    }
    fn capacity(&self) -> Option<usize> {
        self.1
    }
    fn is_closed(&self) -> bool {
        self.state().closed
    }
    fn close(&self) -> bool {
        let was = std::mem::replace(&mut self.state().closed, true);
        self.0.items.notify_all();
        self.0.places.notify_all();
        !was
    }
}
