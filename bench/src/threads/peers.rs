//! The peers between threads: each a few lines over its own API.

use super::channel::{Channel, Rx, Tx};
use super::crossfire;
use super::locks::{ByHand, ParkingLot, Std};
use super::subject;
use crate::cell::Shape;
use crate::channels::channel;
use crate::item::Item;
use crate::subject::{Role, Subject};

/// Every peer between threads.
pub fn subjects() -> Vec<Subject> {
    use Role::Peer;
    let mut all = crossfire::subjects();
    all.extend([
        subject::<Crossbeam>(Peer),
        subject::<Kanal>(Peer),
        subject::<Flume>(Peer),
        subject::<AsyncChannel>(Peer),
        subject::<Loole>(Peer),
        subject::<StdBounded>(Peer),
        subject::<StdUnbounded>(Peer),
        subject::<Thingbuf>(Peer),
        subject::<ByHand<ParkingLot>>(Peer),
        subject::<ByHand<Std>>(Peer),
    ]);
    all
}

/// A peer: how its halves send and receive, and the rest as [`channel`] has it.
macro_rules! peer {
    (
        $(#[$doc:meta])* $kind:ident $name:literal, $sides:ident, $when:expr;
        $tx:ty: |$t:ident, $item:ident| $send:expr;
        $rx:ty: |$r:ident| $recv:expr, $try_recv:expr;
        |$shape:ident| $open:expr
    ) => {
        impl<T: Item> Tx<T> for $tx {
            #[inline]
            fn send(&mut self, $item: T) {
                let $t = &*self;
                assert!($send, "the receivers are gone");
            }
        }

        impl<T: Item> Rx<T> for $rx {
            #[inline]
            fn recv(&mut self) -> Option<T> {
                let $r = &*self;
                $recv
            }

            #[inline]
            fn try_recv(&mut self) -> Option<T> {
                let $r = &*self;
                $try_recv
            }
        }

        channel! {
            $(#[$doc])*
            $kind $name, $sides, $when; $tx, $rx; |$shape| $open
        }
    };
}

peer! {
    /// crossbeam-channel.
    Crossbeam "crossbeam-channel", many_to_many, |_| true;
    crossbeam_channel::Sender<T>: |tx, item| tx.send(item).is_ok();
    crossbeam_channel::Receiver<T>: |rx| rx.recv().ok(), rx.try_recv().ok();
    |shape| match shape.capacity {
        Some(capacity) => crossbeam_channel::bounded(capacity),
        None => crossbeam_channel::unbounded(),
    }
}

peer! {
    /// kanal.
    Kanal "kanal", many_to_many, |_| true;
    kanal::Sender<T>: |tx, item| tx.send(item).is_ok();
    kanal::Receiver<T>: |rx| rx.recv().ok(), rx.try_recv().ok().flatten();
    |shape| match shape.capacity {
        Some(capacity) => kanal::bounded(capacity),
        None => kanal::unbounded(),
    }
}

peer! {
    /// flume.
    Flume "flume", many_to_many, |_| true;
    flume::Sender<T>: |tx, item| tx.send(item).is_ok();
    flume::Receiver<T>: |rx| rx.recv().ok(), rx.try_recv().ok();
    |shape| match shape.capacity {
        Some(capacity) => flume::bounded(capacity),
        None => flume::unbounded(),
    }
}

peer! {
    /// async-channel, by its blocking verbs.
    AsyncChannel "async-channel", many_to_many, |_| true;
    async_channel::Sender<T>: |tx, item| tx.send_blocking(item).is_ok();
    async_channel::Receiver<T>: |rx| rx.recv_blocking().ok(), rx.try_recv().ok();
    |shape| match shape.capacity {
        Some(capacity) => async_channel::bounded(capacity),
        None => async_channel::unbounded(),
    }
}

peer! {
    /// loole.
    Loole "loole", many_to_many, |_| true;
    loole::Sender<T>: |tx, item| tx.send(item).is_ok();
    loole::Receiver<T>: |rx| rx.recv().ok(), rx.try_recv().ok();
    |shape| match shape.capacity {
        Some(capacity) => loole::bounded(capacity),
        None => loole::unbounded(),
    }
}

peer! {
    /// std's channel with a bound.
    StdBounded "std mpsc", many_to_one, |shape| shape.capacity.is_some();
    std::sync::mpsc::SyncSender<T>: |tx, item| tx.send(item).is_ok();
    std::sync::mpsc::Receiver<T>: |rx| rx.recv().ok(), rx.try_recv().ok();
    |shape| std::sync::mpsc::sync_channel(shape.capacity.expect("a bound"))
}

impl<T: Item> Tx<T> for std::sync::mpsc::Sender<T> {
    fn send(&mut self, item: T) {
        assert!(std::sync::mpsc::Sender::send(self, item).is_ok());
    }
}

channel! {
    /// std's channel without a bound; its receiver is the bounded one's.
    StdUnbounded StdBounded::NAME, many_to_one, |shape| shape.capacity.is_none();
    std::sync::mpsc::Sender<T>, std::sync::mpsc::Receiver<T>; |_shape| std::sync::mpsc::channel()
}

peer! {
    /// thingbuf's blocking channel.
    Thingbuf "thingbuf", many_to_one, |shape| shape.capacity.is_some();
    thingbuf::mpsc::blocking::Sender<T>: |tx, item| tx.send(item).is_ok();
    thingbuf::mpsc::blocking::Receiver<T>: |rx| rx.recv(), rx.try_recv().ok();
    |shape| thingbuf::mpsc::blocking::channel(shape.capacity.expect("a bound"))
}
