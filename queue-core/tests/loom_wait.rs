//! Models of the waiting verbs that the trait gives to every kind, over the barest queue:
//! a waiter looks once more after it has registered, or it sleeps through what it waits for.
#![cfg(loom)]

use loom::future::block_on;
use queue_core::event::{Event, Listener};
use queue_core::model::check;
use queue_core::sync::atomic::{AtomicUsize, Ordering};
use queue_core::sync::{Arc, thread};
use queue_core::{EndpointCounts, Kind, Queue, Side, TryPopError, TryPushError};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// One slot, and whether there is something in it. Relaxed throughout: who waits relies on
/// the events alone.
#[derive(Clone)]
struct Slot(Arc<Shared>);

struct Shared {
    full: AtomicUsize,
    items: Event,
    slots: Event,
    endpoints: EndpointCounts,
}

impl Slot {
    fn new(full: usize) -> Self {
        Self(Arc::new(Shared {
            full: AtomicUsize::new(full),
            items: Event::new(),
            slots: Event::new(),
            endpoints: EndpointCounts::new(),
        }))
    }

    fn turn(&self, from: usize, to: usize) -> bool {
        let full = &self.0.full;
        full.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}

impl Kind for Slot {
    type Item = ();
    type Listener<'a> = Listener<'a>;

    fn endpoints(&self) -> &EndpointCounts {
        &self.0.endpoints
    }

    fn listen(&self, side: Side) -> Listener<'_> {
        match side {
            Side::Consumers => self.0.items.listen(),
            Side::Producers => self.0.slots.listen(),
        }
    }
}

impl Queue for Slot {
    fn try_push(&self, (): ()) -> Result<(), TryPushError<()>> {
        if !self.turn(0, 1) {
            return Err(TryPushError::Full(()));
        }
        self.0.items.notify();
        Ok(())
    }

    fn try_pop(&self) -> Result<(), TryPopError> {
        if !self.turn(1, 0) {
            return Err(TryPopError::Empty);
        }
        self.0.slots.notify();
        Ok(())
    }

    fn len(&self) -> usize {
        self.0.full.load(Ordering::Relaxed)
    }

    fn capacity(&self) -> Option<usize> {
        Some(1)
    }

    fn close(&self) -> bool {
        unreachable!("no model closes it")
    }

    fn is_closed(&self) -> bool {
        false
    }
}

/// Another thread does `other` while this one waits; without a bound on preemptions.
fn meets(
    name: &str,
    full: usize,
    other: impl Fn(&Slot) + Clone + Send + Sync + 'static,
    wait: impl Fn(&Slot) + Send + Sync + 'static,
) {
    check(name, None, move || {
        let queue = Slot::new(full);
        let (theirs, other) = (queue.clone(), other.clone());
        let thread = thread::spawn(move || other(&theirs));
        wait(&queue);
        thread.join().unwrap();
    });
}

fn push(queue: &Slot) {
    queue.try_push(()).unwrap();
}

fn pop(queue: &Slot) {
    queue.try_pop().unwrap();
}

#[test]
fn threads() {
    meets("pop_waits", 0, push, |queue| queue.pop().unwrap());
    meets("push_waits", 1, pop, |queue| queue.push(()).unwrap());
    meets("pop_many_waits", 0, push, |queue| {
        assert_eq!(queue.pop_many(&mut Vec::new(), 2), Ok(1));
    });
    meets("push_many_waits", 1, pop, |queue| {
        queue.push_many(&mut [()].into()).unwrap();
    });
}

#[test]
fn futures() {
    meets("pop_async_waits", 0, push, |queue| {
        block_on(queue.pop_async()).unwrap();
    });
    meets("push_async_waits", 1, pop, |queue| {
        block_on(queue.push_async(())).unwrap();
    });
    meets("pop_many_async_waits", 0, push, |queue| {
        let mut got = Vec::new();
        assert_eq!(block_on(queue.pop_many_async(&mut got, 2)), Ok(1));
    });
    meets("push_many_async_waits", 1, pop, |queue| {
        block_on(queue.push_many_async(&mut [()].into())).unwrap();
    });
    meets("a_stream_waits", 0, push, |queue| {
        let mut stream = pin!(queue.stream());
        let next = poll_fn(|cx| futures_core::Stream::poll_next(stream.as_mut(), cx));
        assert_eq!(block_on(next), Some(()));
    });
}

/// A stream that is dropped after it was told of an item, and before it was polled again,
/// passes that on.
#[test]
fn a_stream_passes_on() {
    check("a_stream_passes_on", Some(3), || {
        let queue = Slot::new(0);
        let theirs = queue.clone();
        let patient = thread::spawn(move || theirs.pop().unwrap());
        let theirs = queue.clone();
        let pushing = thread::spawn(move || push(&theirs));
        let quitter = queue.clone();
        block_on(poll_fn(move |cx| {
            let mut stream = pin!(quitter.stream());
            if let Poll::Ready(item) = futures_core::Stream::poll_next(stream.as_mut(), cx) {
                assert_eq!(item, Some(()));
                push(&quitter);
            }
            Poll::Ready(())
        }));
        pushing.join().unwrap();
        patient.join().unwrap();
    });
}
