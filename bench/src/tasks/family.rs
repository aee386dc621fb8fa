//! Our kinds between tasks: one adapter for all, for they share one trait.

use super::channel::{Channel, Rx, Tx};
use super::subject;
use crate::cell::Shape;
use crate::family::kinds;
use crate::item::Item;
use crate::subject::{Role, Subject};
use queue_core::{Capacity, Consumer, Producer, Queue, WithCapacity};
use std::collections::VecDeque;

impl<T: Item, Q: Queue<Item = T> + 'static> Tx<T> for Producer<Q> {
    async fn send(&mut self, item: T) {
        assert!(self.push_async(item).await.is_ok(), "the queue is closed");
    }

    async fn send_many(&mut self, items: &mut VecDeque<T>) {
        assert!(
            self.push_many_async(items).await.is_ok(),
            "the queue is closed"
        );
    }
}

impl<T: Item, Q: Queue<Item = T> + 'static> Rx<T> for Consumer<Q> {
    async fn recv(&mut self) -> Option<T> {
        self.pop_async().await.ok()
    }

    fn try_recv(&mut self) -> Option<T> {
        self.try_pop().ok()
    }

    async fn recv_many(&mut self, into: &mut Vec<T>, max: usize) {
        // Closed and drained: nothing was appended, which is what the driver looks at.
        let _ = self.pop_many_async(into, max).await;
    }
}

kinds!();
