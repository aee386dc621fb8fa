//! Our kinds between threads: one adapter for all, for they share one trait.

use super::channel::{Channel, Rx, Tx};
use super::subject;
use crate::cell::{Cell, Load, Shape};
use crate::family::{kinds, work_alone};
use crate::item::Item;
use crate::subject::{Role, Subject};
use queue_core::{Capacity, Consumer, Producer, Queue, WithCapacity, WorkQueue};
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

/// Every kind of ours, lending what it holds.
pub fn lenders() -> [Subject; 3] {
    fn lender<Q: WorkQueue<Item = u64> + WithCapacity>(name: &'static str) -> Subject {
        Subject {
            name,
            role: Role::Ours,
            supports: |cell: &Cell| cell.load == Load::Work,
            run: work_alone::<Q>,
        }
    }
    [
        lender::<queue_thread::ThreadQueue<u64>>("ThreadQueue"),
        lender::<queue_thread::LockFreeQueue<u64>>("LockFreeQueue"),
        lender::<queue_async::AsyncQueue<u64>>("AsyncQueue"),
    ]
}
