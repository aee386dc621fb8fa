//! crossfire between tasks, in each of its flavours for the shape it is made for.

use super::channel::{Channel, Rx, Tx};
use crate::cell::Shape;
use crate::item::Item;
use crate::threads::copies;
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

macro_rules! flavour {
    ($kind:ident, $module:ident, $storage:ident, $tx:ident, $rx:ident;
     $when:expr, |$capacity:ident| $new:expr; |$t:ident, $r:ident, $shape:ident| $spread:expr) => {
        /// One flavour of crossfire.
        pub struct $kind;

        impl Channel for $kind {
            const NAME: &'static str = "crossfire";
            type Tx<T: Item> = crossfire::$tx<$module::$storage<T>>;
            type Rx<T: Item> = crossfire::$rx<$module::$storage<T>>;

            fn supports(shape: &Shape) -> bool {
                let when: fn(&Shape) -> bool = $when;
                when(shape)
            }

            fn open<T: Item>($shape: &Shape) -> (Vec<Self::Tx<T>>, Vec<Self::Rx<T>>) {
                let $capacity = $shape.capacity.unwrap_or(usize::MAX);
                let ($t, $r) = $new;
                $spread
            }
        }
    };
}

fn one_to_one(shape: &Shape) -> bool {
    (shape.producers, shape.consumers) == (1, 1)
}

fn many_to_one(shape: &Shape) -> bool {
    shape.producers > 1 && shape.consumers == 1
}

fn to_many(shape: &Shape) -> bool {
    shape.consumers > 1
}

flavour! { Spsc, spsc, Array, AsyncTx, AsyncRx;
    |shape| one_to_one(shape) && shape.capacity.is_some(),
    |capacity| spsc::bounded_async(capacity);
    |tx, rx, _shape| (vec![tx], vec![rx])
}
flavour! { SpscUnbounded, spsc, List, Tx, AsyncRx;
    |shape| one_to_one(shape) && shape.capacity.is_none(),
    |_capacity| spsc::unbounded_async();
    |tx, rx, _shape| (vec![tx], vec![rx])
}
flavour! { Mpsc, mpsc, Array, MAsyncTx, AsyncRx;
    |shape| many_to_one(shape) && shape.capacity.is_some(),
    |capacity| mpsc::bounded_async(capacity);
    |tx, rx, shape| (copies(tx, shape.producers), vec![rx])
}
flavour! { MpscUnbounded, mpsc, List, MTx, AsyncRx;
    |shape| many_to_one(shape) && shape.capacity.is_none(),
    |_capacity| mpsc::unbounded_async();
    |tx, rx, shape| (copies(tx, shape.producers), vec![rx])
}
flavour! { Mpmc, mpmc, Array, MAsyncTx, MAsyncRx;
    |shape| to_many(shape) && shape.capacity.is_some(),
    |capacity| mpmc::bounded_async(capacity);
    |tx, rx, shape| (copies(tx, shape.producers), copies(rx, shape.consumers))
}
flavour! { MpmcUnbounded, mpmc, List, MTx, MAsyncRx;
    |shape| to_many(shape) && shape.capacity.is_none(),
    |_capacity| mpmc::unbounded_async();
    |tx, rx, shape| (copies(tx, shape.producers), copies(rx, shape.consumers))
}
