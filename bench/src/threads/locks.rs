//! What one writes by hand: a mutex, a deque and two condition variables.

use super::channel::{Channel, Rx, Tx};
use crate::cell::Shape;
use crate::item::Item;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::DerefMut;
use std::sync::Arc;

/// Whose mutex and condition variable.
pub trait Locks: Send + Sync + 'static {
    /// The name of the queue made of them.
    const NAME: &'static str;
    /// The mutex.
    type Mutex<S: Send>: Send + Sync;
    /// Its guard.
    type Guard<'a, S: Send + 'a>: DerefMut<Target = S>;
    /// The condition variable.
    type Condvar: Default + Send + Sync;

    fn mutex<S: Send>(state: S) -> Self::Mutex<S>;
    fn lock<S: Send>(mutex: &Self::Mutex<S>) -> Self::Guard<'_, S>;
    fn wait<'a, S: Send>(on: &Self::Condvar, guard: Self::Guard<'a, S>) -> Self::Guard<'a, S>;
    fn wake_one(condvar: &Self::Condvar);
    fn wake_all(condvar: &Self::Condvar);
}

/// std's.
pub struct Std;

impl Locks for Std {
    const NAME: &'static str = "std mutex+deque";
    type Mutex<S: Send> = std::sync::Mutex<S>;
    type Guard<'a, S: Send + 'a> = std::sync::MutexGuard<'a, S>;
    type Condvar = std::sync::Condvar;

    fn mutex<S: Send>(state: S) -> Self::Mutex<S> {
        std::sync::Mutex::new(state)
    }

    fn lock<S: Send>(mutex: &Self::Mutex<S>) -> Self::Guard<'_, S> {
        mutex.lock().expect("nobody panics inside")
    }

    fn wait<'a, S: Send>(on: &Self::Condvar, guard: Self::Guard<'a, S>) -> Self::Guard<'a, S> {
        on.wait(guard).expect("nobody panics inside")
    }

    fn wake_one(condvar: &Self::Condvar) {
        condvar.notify_one();
    }

    fn wake_all(condvar: &Self::Condvar) {
        condvar.notify_all();
    }
}

/// parking_lot's.
pub struct ParkingLot;

impl Locks for ParkingLot {
    const NAME: &'static str = "parking_lot+deque";
    type Mutex<S: Send> = parking_lot::Mutex<S>;
    type Guard<'a, S: Send + 'a> = parking_lot::MutexGuard<'a, S>;
    type Condvar = parking_lot::Condvar;

    fn mutex<S: Send>(state: S) -> Self::Mutex<S> {
        parking_lot::Mutex::new(state)
    }

    fn lock<S: Send>(mutex: &Self::Mutex<S>) -> Self::Guard<'_, S> {
        mutex.lock()
    }

    fn wait<'a, S: Send>(on: &Self::Condvar, mut guard: Self::Guard<'a, S>) -> Self::Guard<'a, S> {
        on.wait(&mut guard);
        guard
    }

    fn wake_one(condvar: &Self::Condvar) {
        condvar.notify_one();
    }

    fn wake_all(condvar: &Self::Condvar) {
        condvar.notify_all();
    }
}

struct State<T> {
    items: VecDeque<T>,
    senders: usize,
}

struct Shared<T: Send, L: Locks> {
    state: L::Mutex<State<T>>,
    items: L::Condvar,
    places: L::Condvar,
    capacity: usize,
}

/// The queue.
pub struct ByHand<L>(PhantomData<L>);
/// Its sending half.
pub struct Sender<T: Send, L: Locks>(Arc<Shared<T, L>>);
/// Its receiving half.
pub struct Receiver<T: Send, L: Locks>(Arc<Shared<T, L>>);

impl<T: Item, L: Locks> Tx<T> for Sender<T, L> {
    fn send(&mut self, item: T) {
        let mut state = L::lock(&self.0.state);
        while state.items.len() == self.0.capacity {
            state = L::wait(&self.0.places, state);
        }
        state.items.push_back(item);
        drop(state);
        L::wake_one(&self.0.items);
    }
}

impl<T: Item, L: Locks> Rx<T> for Receiver<T, L> {
    fn recv(&mut self) -> Option<T> {
        let mut state = L::lock(&self.0.state);
        loop {
            if let Some(item) = state.items.pop_front() {
                drop(state);
                L::wake_one(&self.0.places);
                return Some(item);
            }
            if state.senders == 0 {
                return None;
            }
            state = L::wait(&self.0.items, state);
        }
    }

    fn try_recv(&mut self) -> Option<T> {
        let item = L::lock(&self.0.state).items.pop_front()?;
        L::wake_one(&self.0.places);
        Some(item)
    }
}

impl<T: Send, L: Locks> Drop for Sender<T, L> {
    fn drop(&mut self) {
        L::lock(&self.0.state).senders -= 1;
        L::wake_all(&self.0.items);
    }
}

impl<L: Locks> Channel for ByHand<L> {
    const NAME: &'static str = L::NAME;
    type Tx<T: Item> = Sender<T, L>;
    type Rx<T: Item> = Receiver<T, L>;

    fn supports(_: &Shape) -> bool {
        true
    }

    fn open<T: Item>(shape: &Shape) -> (Vec<Self::Tx<T>>, Vec<Self::Rx<T>>) {
        let shared = Arc::new(Shared {
            state: L::mutex(State {
                items: VecDeque::new(),
                senders: shape.producers,
            }),
            items: Default::default(),
            places: Default::default(),
            capacity: shape.capacity.unwrap_or(usize::MAX),
        });
        let tx = || Sender(shared.clone());
        let rx = || Receiver(shared.clone());
        (
            std::iter::repeat_with(tx).take(shape.producers).collect(),
            std::iter::repeat_with(rx).take(shape.consumers).collect(),
        )
    }
}
