//! A model of the halves: the last one, which closes the queue, sees all that the others did.
#![cfg(loom)]

use queue_core::event::{Event, Listener};
use queue_core::model::check;
use queue_core::sync::atomic::{AtomicUsize, Ordering};
use queue_core::sync::{Arc, thread};
use queue_core::{EndpointCounts, Kind, Producer, Queue, Side, TryPopError, TryPushError};

/// A queue whose items are counted, each number by a producer of its own, and whose
/// `close` adds them up. Nothing here orders anything but the halves, which are tested.
#[derive(Clone)]
struct Tally(Arc<Shared>);

struct Shared {
    pushed: [AtomicUsize; 2],
    closed_at: AtomicUsize,
    came: Event,
    endpoints: EndpointCounts,
}

const OPEN: usize = usize::MAX;

impl Kind for Tally {
    type Item = usize;
    type Listener<'a> = Listener<'a>;

    fn endpoints(&self) -> &EndpointCounts {
        &self.0.endpoints
    }

    fn listen(&self, side: Side) -> Listener<'_> {
        match side {
            Side::Consumers => self.0.came.listen(),
            Side::Producers => self.0.came.listen(),
        }
    }
}

impl Queue for Tally {
    fn try_push(&self, producer: usize) -> Result<(), TryPushError<usize>> {
        self.0.pushed[producer].store(1, Ordering::Relaxed);
        Ok(())
    }

    fn try_pop(&self) -> Result<usize, TryPopError> {
        Err(TryPopError::Empty)
    }

    fn len(&self) -> usize {
        let pushed = self.0.pushed.iter();
        pushed.map(|one| one.load(Ordering::Relaxed)).sum()
    }

    fn capacity(&self) -> Option<usize> {
        None
    }

    fn close(&self) -> bool {
        self.0.closed_at.store(self.len(), Ordering::Relaxed);
        true
    }

    fn is_closed(&self) -> bool {
        self.0.closed_at.load(Ordering::Relaxed) != OPEN
    }
}

/// Catches: either half of the ordering in `EndpointCounts::leave` gone, for whichever of the two is
/// the last must see what the other has done.
#[test]
fn the_last_end_sees_what_others_did() {
    check("the_last_end_sees_what_others_did", None, || {
        let queue = Tally(Arc::new(Shared {
            pushed: [AtomicUsize::new(0), AtomicUsize::new(0)],
            closed_at: AtomicUsize::new(OPEN),
            came: Event::new(),
            endpoints: EndpointCounts::new(),
        }));
        let mine = Producer::new(queue.clone());
        let theirs = mine.clone();
        let thread = thread::spawn(move || {
            theirs.try_push(0).unwrap();
            drop(theirs);
        });
        mine.try_push(1).unwrap();
        drop(mine);
        thread.join().unwrap();
        assert_eq!(queue.0.closed_at.load(Ordering::Relaxed), 2);
    });
}
