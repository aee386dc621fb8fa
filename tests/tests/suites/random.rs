//! Random verbs, one after another, beside a plain deque that says what they must come to;
//! futures wait, are polled and are dropped in between.

use super::kinds::{Handle, Kind, over};
use super::polled::Polled;
use fastrand::Rng;
use queue_core::{
    PopError, PopTimeoutError, PushError, PushTimeoutError, Queue, TryPopError, TryPushError,
};
use std::collections::VecDeque;
use std::time::Duration;

over! {
    every:
    verbs_at_random,
}

/// Whether a place that comes is held for a future that waits for one until it is polled: so
/// does the kind that serves in turn.
fn holds_places<K: Kind>() -> bool {
    let queue = K::bounded::<u32>(1);
    queue.try_push(0).unwrap();
    let _waiting = Polled::pending(queue.push_async(1));
    queue.try_pop().unwrap();
    queue.is_full()
}

fn verbs_at_random<K: Kind>() {
    let holds_places = holds_places::<K>();
    for seed in 1..=60 {
        let capacity = [Some(1), Some(2), Some(3), Some(7), None][seed % 5];
        let queue = capacity.map_or_else(K::unbounded::<u32>, K::bounded::<u32>);
        let mut run = Run {
            queue: &queue,
            capacity: capacity.unwrap_or(usize::MAX),
            inside: VecDeque::new(),
            next: 0,
            closed: false,
            holds_places,
            waiting: Vec::new(),
            pushing: Vec::new(),
            dice: Rng::with_seed(seed as u64),
        };
        let closes = 100 + run.dice.usize(..200);
        for step in 0..300 {
            if step == closes {
                assert!(queue.close());
                run.closed = true;
            }
            run.step();
            assert_eq!(queue.len(), run.inside.len(), "seed {seed}, step {step}");
            assert_eq!(queue.is_empty(), run.inside.is_empty());
            if !run.closed || run.pushing.is_empty() {
                assert_eq!(queue.is_full(), run.room() == 0, "seed {seed}, step {step}");
            }
            assert_eq!(queue.is_closed(), run.closed);
        }
        run.end();
    }
}

struct Run<'a, Q> {
    queue: &'a Q,
    capacity: usize,
    inside: VecDeque<u32>,
    /// The next item to be pushed.
    next: u32,
    closed: bool,
    /// See the function of that name.
    holds_places: bool,
    /// Pops that were pending when they were last polled.
    waiting: Vec<Polled<'a, Result<u32, PopError>>>,
    /// Pushes that were pending.
    pushing: Vec<Pushing<'a>>,
    dice: Rng,
}

struct Pushing<'a> {
    item: u32,
    future: Polled<'a, Result<(), PushError<u32>>>,
}

impl<Q: Handle<u32>> Run<'_, Q> {
    fn step(&mut self) {
        match self.dice.usize(..13) {
            0..=1 => self.push(),
            2 => self.push_many(),
            3..=4 => self.pop(),
            5 => self.pop_many(),
            6..=7 => self.wait(),
            8 if !self.waiting.is_empty() => {
                let one = self.dice.usize(..self.waiting.len());
                match self.dice.usize(..2) {
                    0 => self.poll_at(one),
                    _ => drop(self.waiting.swap_remove(one)),
                }
            }
            9 => assert_eq!(self.queue.clone().len(), self.inside.len()),
            10 => self.start_push(),
            11 if !self.pushing.is_empty() => {
                let one = self.dice.usize(..self.pushing.len());
                self.poll_push(one);
            }
            12 if !self.pushing.is_empty() => {
                let one = self.dice.usize(..self.pushing.len());
                drop(self.pushing.remove(one));
            }
            _ => {}
        }
    }

    fn start_push(&mut self) {
        if self.pushing.len() < 5 {
            let item = self.next;
            self.next += 1;
            self.pushing.push(Pushing {
                item,
                future: Polled::new(self.queue.push_async(item)),
            });
            self.poll_push(self.pushing.len() - 1);
        }
    }

    fn poll_push(&mut self, one: usize) {
        let alone = self.pushing.len() == 1;
        let may_wait = self.places() == 0 && !self.closed;
        let pushed = match self.pushing[one].future.poll() {
            None if may_wait || !alone => return,
            pushed => pushed,
        };
        let Pushing { item, future } = self.pushing.remove(one);
        let pushed = pushed.unwrap_or_else(|| future.finish());
        if self.closed {
            assert_eq!(pushed, Err(PushError::Closed(item)));
        } else {
            assert_eq!(pushed, Ok(()));
            assert!(self.places() > 0, "a push without a place");
            self.inside.push_back(item);
        }
    }

    /// Notes that so many items from `next` on went in.
    fn pushed(&mut self, count: usize) {
        let end = self.next + count as u32;
        self.inside.extend(self.next..end);
        self.next = end;
    }

    /// Places without an item.
    fn places(&self) -> usize {
        self.capacity - self.inside.len()
    }

    /// Those of them that anybody may take.
    fn room(&self) -> usize {
        let held = if self.holds_places {
            self.pushing.len()
        } else {
            0
        };
        self.places().saturating_sub(held)
    }

    fn push(&mut self) {
        let item = self.next;
        let expected = match (self.closed, self.room()) {
            (true, _) => Err(TryPushError::Closed(item)),
            (false, 0) => Err(TryPushError::Full(item)),
            _ => Ok(()),
        };
        let pushed = match self.dice.usize(..2) {
            0 => self.queue.try_push(item),
            _ => (self.queue.push_timeout(item, Duration::ZERO)).map_err(|error| match error {
                PushTimeoutError::Timeout(item) => TryPushError::Full(item),
                PushTimeoutError::Closed(item) => TryPushError::Closed(item),
                PushTimeoutError::Failed(item, why) => TryPushError::Failed(item, why),
            }),
        };
        assert_eq!(pushed, expected);
        self.pushed(usize::from(pushed.is_ok()));
    }

    fn push_many(&mut self) {
        let count = self.dice.usize(..6);
        let mut batch: VecDeque<u32> = (self.next..self.next + count as u32).collect();
        let expected = match (count, self.closed, self.room()) {
            (0, ..) => Ok(0),
            (_, true, _) => Err(TryPushError::Closed(())),
            (_, _, 0) => Err(TryPushError::Full(())),
            (_, _, room) => Ok(room.min(count)),
        };
        let pushed = self.queue.try_push_many(&mut batch);
        assert_eq!(pushed, expected);
        let pushed = pushed.unwrap_or(0);
        assert!(batch.into_iter().eq((self.next..).take(count).skip(pushed)));
        self.pushed(pushed);
    }

    fn pop(&mut self) {
        let expected = self.inside.pop_front().ok_or(match self.closed {
            true => TryPopError::Closed,
            false => TryPopError::Empty,
        });
        let popped = match self.dice.usize(..3) {
            0 => self.queue.try_pop(),
            1 if expected.is_ok() => Ok(self.queue.try_iter().next().expect("an item")),
            _ => (self.queue.pop_timeout(Duration::ZERO)).map_err(|error| match error {
                PopTimeoutError::Timeout => TryPopError::Empty,
                PopTimeoutError::Closed => TryPopError::Closed,
                PopTimeoutError::Failed(why) => TryPopError::Failed(why),
            }),
        };
        assert_eq!(popped, expected);
    }

    fn pop_many(&mut self) {
        let max = self.dice.usize(..6);
        let expected = match (max, self.inside.len(), self.closed) {
            (0, ..) => Ok(0),
            (_, 0, true) => Err(TryPopError::Closed),
            (_, 0, false) => Err(TryPopError::Empty),
            (_, inside, _) => Ok(inside.min(max)),
        };
        let mut into = Vec::new();
        assert_eq!(self.queue.try_pop_many(&mut into, max), expected);
        assert!(
            into.into_iter()
                .eq(self.inside.drain(..expected.unwrap_or(0)))
        );
    }

    /// One more future; it is polled once.
    fn wait(&mut self) {
        if self.waiting.len() < 5 {
            self.waiting.push(Polled::new(self.queue.pop_async()));
            self.poll_at(self.waiting.len() - 1);
        }
    }

    /// A future that waits alone gets what there is, at once or (as an `IpcQueue`'s guest)
    /// as soon as it hears of it; one of several may have to leave it to another.
    fn poll_at(&mut self, one: usize) {
        let alone = self.waiting.len() == 1;
        let may_wait = self.inside.is_empty() && !self.closed;
        let popped = match self.waiting[one].poll() {
            None if may_wait || !alone => return,
            popped => popped,
        };
        let future = self.waiting.swap_remove(one);
        let popped = popped.unwrap_or_else(|| future.finish());
        let front = self.inside.pop_front();
        assert!(front.is_some() || self.closed, "an end of an open queue");
        assert_eq!(popped, front.ok_or(PopError::Closed));
    }

    /// Closes, unless that was done: the futures get what is left, each its item, and the
    /// rest comes back.
    fn end(mut self) {
        self.queue.close();
        self.closed = true;
        while !self.pushing.is_empty() {
            self.poll_push(0);
        }
        for waits in self.waiting {
            let popped = waits.run();
            assert_eq!(popped, self.inside.pop_front().ok_or(PopError::Closed));
        }
        assert_eq!(self.inside, self.queue.close_now());
    }
}
