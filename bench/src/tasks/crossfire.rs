//! crossfire between tasks, in each of its flavours for the shape it is made for.

use super::channel::{Channel, Rx, Tx};
use super::subject;
use crate::cell::Shape;
use crate::channels::flavours;
use crate::item::Item;
use crate::subject::{Role, Subject};
use crossfire::flavor::Flavor;
use crossfire::{AsyncRxTrait, AsyncTxTrait, BlockingTxTrait, mpmc, mpsc, spsc};
use std::future::Future;

macro_rules! sends {
    ($($tx:ident),+) => {$(
        impl<T: Item, F: Flavor<Item = T> + 'static> Tx<T> for crossfire::$tx<F>
        where
            Self: AsyncTxTrait<T>,
        {
            async fn send(&mut self, item: T) {
                assert!(AsyncTxTrait::send(self, item).await.is_ok(), "the receivers are gone");
            }
        }
    )+};
}

// Without a bound a send never waits, and crossfire offers it as a blocking half only.
macro_rules! sends_at_once {
    ($($tx:ident),+) => {$(
        impl<T: Item, F: Flavor<Item = T> + 'static> Tx<T> for crossfire::$tx<F>
        where
            Self: BlockingTxTrait<T>,
        {
            fn send(&mut self, item: T) -> impl Future<Output = ()> + Send {
                assert!(BlockingTxTrait::send(self, item).is_ok(), "the receivers are gone");
                std::future::ready(())
            }
        }
    )+};
}

macro_rules! receives {
    ($($rx:ident),+) => {$(
        impl<T: Item, F: Flavor<Item = T> + 'static> Rx<T> for crossfire::$rx<F>
        where
            Self: AsyncRxTrait<T>,
        {
            async fn recv(&mut self) -> Option<T> {
                AsyncRxTrait::recv(self).await.ok()
            }

            fn try_recv(&mut self) -> Option<T> {
                AsyncRxTrait::try_recv(self).ok()
            }
        }
    )+};
}

sends!(AsyncTx, MAsyncTx);
sends_at_once!(Tx, MTx);
receives!(AsyncRx, MAsyncRx);

flavours! {
    Spsc: spsc::Array, one_to_one, AsyncTx, AsyncRx, bounded_async;
    SpscUnbounded: spsc::List, one_to_one, Tx, AsyncRx, unbounded_async;
    Mpsc: mpsc::Array, many_to_one, MAsyncTx, AsyncRx, bounded_async;
    MpscUnbounded: mpsc::List, many_to_one, MTx, AsyncRx, unbounded_async;
    Mpmc: mpmc::Array, many_to_many, MAsyncTx, MAsyncRx, bounded_async;
    MpmcUnbounded: mpmc::List, many_to_many, MTx, MAsyncRx, unbounded_async;
}
