//! rtrb: a ring for one producer and one consumer that never waits. With a loop that
//! spins and yields around it, it is a yardstick for what one to one can reach.

use super::channel::{Channel, Rx, Tx};
use crate::cell::Shape;
use crate::item::Item;
use std::collections::VecDeque;

/// rtrb, spinning.
pub struct Rtrb;

/// Tries until it succeeds: spins a little, then yields between tries.
#[inline]
fn until<R>(mut attempt: impl FnMut() -> Option<R>) -> R {
    let mut tries = 0u32;
    loop {
        if let Some(result) = attempt() {
            return result;
        }
        tries += 1;
        if tries.is_multiple_of(128) {
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}

impl<T: Item> Tx<T> for rtrb::Producer<T> {
    #[inline]
    fn send(&mut self, item: T) {
        until(|| self.push(item).ok());
    }

    fn send_many(&mut self, items: &mut VecDeque<T>) {
        while !items.is_empty() {
            let room = until(|| Some(self.slots()).filter(|room| *room > 0));
            if let Ok(chunk) = self.write_chunk_uninit(room.min(items.len())) {
                chunk.fill_from_iter(std::iter::from_fn(|| items.pop_front()));
            }
        }
    }
}

impl<T: Item> Rx<T> for rtrb::Consumer<T> {
    #[inline]
    fn recv(&mut self) -> Option<T> {
        until(|| match self.pop() {
            Ok(item) => Some(Some(item)),
            Err(_) if self.is_abandoned() => Some(self.pop().ok()),
            Err(_) => None,
        })
    }

    fn try_recv(&mut self) -> Option<T> {
        self.pop().ok()
    }

    fn recv_many(&mut self, into: &mut Vec<T>, max: usize) {
        let there = until(|| match self.slots() {
            0 if !self.is_abandoned() => None,
            _ => Some(self.slots()),
        });
        if let Ok(chunk) = self.read_chunk(there.min(max)) {
            into.extend(chunk);
        }
    }
}

impl Channel for Rtrb {
    const NAME: &'static str = "rtrb (spins)";
    type Tx<T: Item> = rtrb::Producer<T>;
    type Rx<T: Item> = rtrb::Consumer<T>;

    fn supports(shape: &Shape) -> bool {
        (shape.producers, shape.consumers) == (1, 1) && shape.capacity.is_some()
    }

    fn open<T: Item>(shape: &Shape) -> (Vec<Self::Tx<T>>, Vec<Self::Rx<T>>) {
        let (tx, rx) = rtrb::RingBuffer::new(shape.capacity.expect("a bound"));
        (vec![tx], vec![rx])
    }
}
