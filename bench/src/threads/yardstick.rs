//! Yardsticks for queues between two cores, measured beside them: one thread on each side, whatever
//! the shape asks for, that spins, knows the other one, and never sleeps, closes or is closed. No
//! bound: tasks that share a worker need no other core, and more threads may fill each other's gaps.

use super::channel::{Channel, Rx, Tx};
use super::drive;
use super::ring::Rtrb;
use crate::cell::{Cell, Load, Place, Shape};
use crate::item::Item;
use crate::subject::{Outcome, Role, Subject};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// So many items are in a ring that stands for an unbounded queue.
const WIDE: usize = 1 << 16;

/// Those of cells whose items go from core to core.
pub fn crossing() -> Vec<Subject> {
    let of = |name, supports, run| Subject {
        name,
        role: Role::Yardstick,
        supports,
        run,
    };
    vec![
        of(
            Line::NAME,
            |cell| crosses(cell) && is_single(cell),
            pair::<Line>,
        ),
        of(
            Rtrb::NAME,
            |cell| crosses(cell) && !is_single(cell),
            pair::<Rtrb>,
        ),
    ]
}

/// That of one thread that pushes and pops: a queue for several needs an atomic read-modify-write for
/// each.
pub fn alone() -> Subject {
    Subject {
        name: "two atomic additions",
        role: Role::Yardstick,
        supports: |cell| {
            let is_local = cell.place == Place::Local && cell.load == Load::Stream;
            cell.load == Load::Alone || is_local && !is_crowded(cell) && cell.size == 8
        },
        run: |cell, items| {
            let (pushed, popped) = (Slot::default(), Slot::default());
            let start = Instant::now();
            for _ in 0..items {
                black_box(&pushed).turn.fetch_add(1, Ordering::AcqRel);
                black_box(&popped).turn.fetch_add(1, Ordering::AcqRel);
            }
            let seconds = start.elapsed().as_secs_f64();
            Ok(match cell.load {
                Load::Stream => Outcome::rate(items, seconds, seconds),
                _ => Outcome::each(items, seconds),
            })
        },
    }
}

fn crosses(cell: &Cell) -> bool {
    cell.crosses_cores() && !is_crowded(cell)
}

fn is_crowded(cell: &Cell) -> bool {
    cell.shape.producers.max(cell.shape.consumers) > 64
}

fn is_single(cell: &Cell) -> bool {
    cell.shape.capacity == Some(1) && cell.size == 8
}

/// One thread on each side.
fn pair<C: Channel>(cell: &Cell, items: u64) -> Result<Outcome, String> {
    let capacity = cell.shape.capacity.unwrap_or(WIDE);
    let shape = Shape::new(1, 1, Some(capacity));
    drive::run::<C>(&Cell { shape, ..*cell }, items)
}

/// A place for one number, with the word that says whether it is there in the same cache line.
struct Line;

/// Both words: how often the place has been filled and emptied, and the number.
#[derive(Default)]
#[repr(align(128))]
struct Slot {
    turn: AtomicU64,
    number: AtomicU64,
}

/// One side of it, and its next turn.
struct Side {
    slot: Arc<Slot>,
    turn: u64,
}

/// The turn after which nothing comes.
const END: u64 = u64::MAX;

impl Side {
    /// Waits for its turn; false if that never comes.
    #[inline]
    fn wait(&self) -> bool {
        loop {
            // Acquire: the number is there, or has been taken; pairs with the Release in `pass`.
            match self.slot.turn.load(Ordering::Acquire) {
                turn if turn == self.turn => return true,
                END => return false,
                _ => std::hint::spin_loop(),
            }
        }
    }

    #[inline]
    fn pass(&mut self) {
        self.slot.turn.store(self.turn + 1, Ordering::Release);
        self.turn += 2;
    }
}

/// The sending side.
struct Sender(Side);

/// The receiving side.
struct Receiver(Side);

impl<T: Item> Tx<T> for Sender {
    #[inline]
    fn send(&mut self, item: T) {
        self.0.wait();
        self.0.slot.number.store(item.number(), Ordering::Relaxed);
        self.0.pass();
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.wait();
        self.0.slot.turn.store(END, Ordering::Release);
    }
}

impl<T: Item> Rx<T> for Receiver {
    #[inline]
    fn recv(&mut self) -> Option<T> {
        self.0.wait().then(|| {
            let number = self.0.slot.number.load(Ordering::Relaxed);
            self.0.pass();
            T::new(number)
        })
    }

    fn try_recv(&mut self) -> Option<T> {
        self.recv()
    }
}

impl Channel for Line {
    const NAME: &'static str = "one cache line (spins)";
    type Tx<T: Item> = Sender;
    type Rx<T: Item> = Receiver;

    fn supports(shape: &Shape) -> bool {
        (shape.producers, shape.consumers, shape.capacity) == (1, 1, Some(1))
    }

    fn open<T: Item>(_: &Shape) -> (Vec<Sender>, Vec<Receiver>) {
        let slot = Arc::<Slot>::default();
        let side = |turn| Side {
            slot: slot.clone(),
            turn,
        };
        (vec![Sender(side(0))], vec![Receiver(side(1))])
    }
}
