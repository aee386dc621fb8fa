//! What a queue between threads must do to be measured.

use crate::cell::Shape;
use crate::item::Item;
use std::collections::VecDeque;

/// The sending half. Dropping the last one ends the receivers.
pub trait Tx<T>: Send + 'static {
    /// Waits for a place.
    fn send(&mut self, item: T);

    /// All of `items`, in order.
    fn send_many(&mut self, items: &mut VecDeque<T>) {
        while let Some(item) = items.pop_front() {
            self.send(item);
        }
    }
}

/// The receiving half.
pub trait Rx<T>: Send + 'static {
    /// Waits for an item; `None` once all senders are gone and nothing is left.
    fn recv(&mut self) -> Option<T>;

    /// An item if there is one now.
    fn try_recv(&mut self) -> Option<T>;

    /// Waits for one, and takes up to `max`; none at the end.
    fn recv_many(&mut self, into: &mut Vec<T>, max: usize) {
        let Some(first) = self.recv() else { return };
        into.push(first);
        while into.len() < max {
            let Some(item) = self.try_recv() else { return };
            into.push(item);
        }
    }
}

/// A queue, or one flavour of it for some shapes.
pub trait Channel: 'static {
    /// Its name in the tables.
    const NAME: &'static str;
    /// Its sending half.
    type Tx<T: Item>: Tx<T>;
    /// Its receiving half.
    type Rx<T: Item>: Rx<T>;

    /// Whether it comes in this shape.
    fn supports(shape: &Shape) -> bool;

    /// A new one, with so many halves on each side.
    fn open<T: Item>(shape: &Shape) -> (Vec<Self::Tx<T>>, Vec<Self::Rx<T>>);
}
