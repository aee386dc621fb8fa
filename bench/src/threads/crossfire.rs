//! crossfire between threads, in each of its flavours for the shape it is made for.

use super::channel::{Channel, Rx, Tx};
use super::subject;
use crate::cell::Shape;
use crate::channels::flavours;
use crate::item::Item;
use crate::subject::{Role, Subject};
use crossfire::flavor::Flavor;
use crossfire::{BlockingRxTrait, BlockingTxTrait, mpmc, mpsc, spsc};

macro_rules! halves {
    ($($tx:ident, $rx:ident;)+) => {$(
        impl<T: Item, F: Flavor<Item = T> + 'static> Tx<T> for crossfire::$tx<F>
        where
            Self: BlockingTxTrait<T>,
        {
            #[inline]
            fn send(&mut self, item: T) {
                assert!(BlockingTxTrait::send(self, item).is_ok(), "the receivers are gone");
            }
        }

        impl<T: Item, F: Flavor<Item = T> + 'static> Rx<T> for crossfire::$rx<F>
        where
            Self: BlockingRxTrait<T>,
        {
            #[inline]
            fn recv(&mut self) -> Option<T> {
                BlockingRxTrait::recv(self).ok()
            }

            #[inline]
            fn try_recv(&mut self) -> Option<T> {
                BlockingRxTrait::try_recv(self).ok()
            }
        }
    )+};
}

halves! {
    Tx, Rx;
    MTx, MRx;
}

flavours! {
    Spsc: spsc::Array, one_to_one, Tx, Rx, bounded_blocking;
    SpscUnbounded: spsc::List, one_to_one, Tx, Rx, unbounded_blocking;
    Mpsc: mpsc::Array, many_to_one, MTx, Rx, bounded_blocking;
    MpscUnbounded: mpsc::List, many_to_one, MTx, Rx, unbounded_blocking;
    Mpmc: mpmc::Array, many_to_many, MTx, MRx, bounded_blocking;
    MpmcUnbounded: mpmc::List, many_to_many, MTx, MRx, unbounded_blocking;
}
