//! Our kinds between threads: one adapter for all, for they share one trait.

use super::channel::{Channel, Rx, Tx};
use super::subject;
use crate::cell::Shape;
use crate::family::kinds;
use crate::item::Item;
use crate::subject::{Role, Subject};
use queue_core::{Capacity, Consumer, Producer, Queue, WithCapacity};
use std::collections::VecDeque;

impl<T: Item, Q: Queue<Item = T> + 'static> Tx<T> for Producer<Q> {
    #[inline]
    fn send(&mut self, item: T) {
        assert!(self.push(item).is_ok(), "the queue is closed");
    }

    fn send_many(&mut self, items: &mut VecDeque<T>) {
        assert!(self.push_many(items).is_ok(), "the queue is closed");
    }
}

impl<T: Item, Q: Queue<Item = T> + 'static> Rx<T> for Consumer<Q> {
    #[inline]
    fn recv(&mut self) -> Option<T> {
        self.pop().ok()
    }

    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        self.try_pop().ok()
    }

    fn recv_many(&mut self, into: &mut Vec<T>, max: usize) {
        // Closed and drained: nothing was appended, which is what the driver looks at.
        let _ = self.pop_many(into, max);
    }
}

kinds!();
