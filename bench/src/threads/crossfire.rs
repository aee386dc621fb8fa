//! crossfire between threads, in each of its flavours for the shape it is made for.

use super::channel::{Channel, Rx, Tx, copies};
use crate::cell::Shape;
use crate::item::Item;
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

flavour! { Spsc, spsc, Array, Tx, Rx;
    |shape| one_to_one(shape) && shape.capacity.is_some(),
    |capacity| spsc::bounded_blocking(capacity);
    |tx, rx, _shape| (vec![tx], vec![rx])
}
flavour! { SpscUnbounded, spsc, List, Tx, Rx;
    |shape| one_to_one(shape) && shape.capacity.is_none(),
    |_capacity| spsc::unbounded_blocking();
    |tx, rx, _shape| (vec![tx], vec![rx])
}
flavour! { Mpsc, mpsc, Array, MTx, Rx;
    |shape| many_to_one(shape) && shape.capacity.is_some(),
    |capacity| mpsc::bounded_blocking(capacity);
    |tx, rx, shape| (copies(tx, shape.producers), vec![rx])
}
flavour! { MpscUnbounded, mpsc, List, MTx, Rx;
    |shape| many_to_one(shape) && shape.capacity.is_none(),
    |_capacity| mpsc::unbounded_blocking();
    |tx, rx, shape| (copies(tx, shape.producers), vec![rx])
}
flavour! { Mpmc, mpmc, Array, MTx, MRx;
    |shape| to_many(shape) && shape.capacity.is_some(),
    |capacity| mpmc::bounded_blocking(capacity);
    |tx, rx, shape| (copies(tx, shape.producers), copies(rx, shape.consumers))
}
flavour! { MpmcUnbounded, mpmc, List, MTx, MRx;
    |shape| to_many(shape) && shape.capacity.is_none(),
    |_capacity| mpmc::unbounded_blocking();
    |tx, rx, shape| (copies(tx, shape.producers), copies(rx, shape.consumers))
}
