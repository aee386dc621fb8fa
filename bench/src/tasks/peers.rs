//! The peers between tasks: each a few lines over its own API.

use super::channel::{Channel, Rx, Tx};
use super::{crossfire, subject};
use crate::cell::Shape;
use crate::channels::channel;
use crate::item::Item;
use crate::subject::{Role::Peer, Subject};
use futures::{SinkExt, StreamExt};

/// Every peer between tasks.
pub fn subjects() -> Vec<Subject> {
    let mut all = crossfire::subjects();
    all.extend([
        subject::<Tokio>(Peer),
        subject::<TokioUnbounded>(Peer),
        subject::<Kanal>(Peer),
        subject::<Flume>(Peer),
        subject::<AsyncChannel>(Peer),
        subject::<Tachyonix>(Peer),
        subject::<Rapidfire>(Peer),
        subject::<RapidfireOne>(Peer),
        subject::<Futures>(Peer),
        subject::<FuturesUnbounded>(Peer),
    ]);
    all
}

/// A peer: how its halves send and receive, and the rest as [`channel`] has it.
macro_rules! peer {
    (
        $(#[$doc:meta])* $kind:ident $name:literal, $sides:ident, $when:expr;
        $tx:ty: |$t:ident, $item:ident| $send:expr;
        $rx:ty: |$r:ident| $recv:expr, $try_recv:expr $(, |$into:ident, $max:ident| $recv_many:expr)?;
        |$shape:ident| $open:expr
    ) => {
        impl<T: Item> Tx<T> for $tx {
            async fn send(&mut self, $item: T) {
                let $t = self;
                assert!($send, "the receivers are gone");
            }
        }

        impl<T: Item> Rx<T> for $rx {
            async fn recv(&mut self) -> Option<T> {
                let $r = self;
                $recv
            }

            fn try_recv(&mut self) -> Option<T> {
                let $r = self;
                $try_recv
            }

            $(async fn recv_many(&mut self, $into: &mut Vec<T>, $max: usize) {
                let $r = self;
                $recv_many
            })?
        }

        channel! {
            $(#[$doc])*
            $kind $name, $sides, $when; $tx, $rx; |$shape| $open
        }
    };
}

peer! {
    /// tokio's channel with a bound.
    Tokio "tokio mpsc", many_to_one, |shape| shape.capacity.is_some();
    tokio::sync::mpsc::Sender<T>: |tx, item| (*tx).send(item).await.is_ok();
    tokio::sync::mpsc::Receiver<T>: |rx| rx.recv().await, rx.try_recv().ok(), |into, max| {
        rx.recv_many(into, max).await;
    };
    |shape| tokio::sync::mpsc::channel(shape.capacity.expect("a bound"))
}

peer! {
    /// tokio's channel without a bound.
    TokioUnbounded "tokio mpsc", many_to_one, |shape| shape.capacity.is_none();
    tokio::sync::mpsc::UnboundedSender<T>: |tx, item| (*tx).send(item).is_ok();
    tokio::sync::mpsc::UnboundedReceiver<T>: |rx| rx.recv().await, rx.try_recv().ok(), |into, max| {
        rx.recv_many(into, max).await;
    };
    |_shape| tokio::sync::mpsc::unbounded_channel()
}

peer! {
    /// kanal.
    Kanal "kanal", many_to_many, |_| true;
    kanal::AsyncSender<T>: |tx, item| (*tx).send(item).await.is_ok();
    kanal::AsyncReceiver<T>: |rx| (*rx).recv().await.ok(), (*rx).try_recv().ok().flatten();
    |shape| match shape.capacity {
        Some(capacity) => kanal::bounded_async(capacity),
        None => kanal::unbounded_async(),
    }
}

peer! {
    /// flume.
    Flume "flume", many_to_many, |_| true;
    flume::Sender<T>: |tx, item| tx.send_async(item).await.is_ok();
    flume::Receiver<T>: |rx| rx.recv_async().await.ok(), (*rx).try_recv().ok();
    |shape| match shape.capacity {
        Some(capacity) => flume::bounded(capacity),
        None => flume::unbounded(),
    }
}

peer! {
    /// async-channel.
    AsyncChannel "async-channel", many_to_many, |_| true;
    async_channel::Sender<T>: |tx, item| (*tx).send(item).await.is_ok();
    async_channel::Receiver<T>: |rx| (*rx).recv().await.ok(), (*rx).try_recv().ok();
    |shape| match shape.capacity {
        Some(capacity) => async_channel::bounded(capacity),
        None => async_channel::unbounded(),
    }
}

peer! {
    /// tachyonix.
    Tachyonix "tachyonix", many_to_one, |shape| shape.capacity.is_some();
    tachyonix::Sender<T>: |tx, item| (*tx).send(item).await.is_ok();
    tachyonix::Receiver<T>: |rx| tachyonix::Receiver::recv(rx).await.ok(),
        tachyonix::Receiver::try_recv(rx).ok();
    |shape| tachyonix::channel(shape.capacity.expect("a bound"))
}

peer! {
    /// rapidfire's channel.
    Rapidfire "rapidfire mpmc", many_to_many, |_| true;
    rapidfire::Sender<T>: |tx, item| (*tx).send(item).await.is_ok();
    rapidfire::Receiver<T>: |rx| (*rx).recv().await.ok(), (*rx).try_recv().ok();
    |shape| match shape.capacity {
        Some(capacity) => rapidfire::bounded(capacity),
        None => rapidfire::unbounded(),
    }
}

impl<T: Item> Rx<T> for rapidfire::mpsc::Receiver<T> {
    async fn recv(&mut self) -> Option<T> {
        rapidfire::mpsc::Receiver::recv(self).await.ok()
    }

    fn try_recv(&mut self) -> Option<T> {
        rapidfire::mpsc::Receiver::try_recv(self).ok()
    }

    async fn recv_many(&mut self, into: &mut Vec<T>, max: usize) {
        // At the end nothing was appended, which is what the driver looks at.
        let _ = rapidfire::mpsc::Receiver::recv_many(self, into, max).await;
    }
}

channel! {
    /// rapidfire's channel for one receiver; its senders are those of the other.
    RapidfireOne "rapidfire mpsc", many_to_one, |_| true;
    rapidfire::Sender<T>, rapidfire::mpsc::Receiver<T>;
    |shape| match shape.capacity {
        Some(capacity) => rapidfire::mpsc::bounded(capacity),
        None => rapidfire::mpsc::unbounded(),
    }
}

peer! {
    /// futures' channel with a bound: each sender has a place besides the buffer.
    Futures "futures mpsc", many_to_one, |shape| shape.capacity.is_some();
    futures::channel::mpsc::Sender<T>: |tx, item| SinkExt::send(tx, item).await.is_ok();
    futures::channel::mpsc::Receiver<T>: |rx| rx.next().await, rx.try_recv().ok();
    |shape| futures::channel::mpsc::channel(
        shape.capacity.expect("a bound").saturating_sub(shape.producers)
    )
}

peer! {
    /// futures' channel without a bound.
    FuturesUnbounded "futures mpsc", many_to_one, |shape| shape.capacity.is_none();
    futures::channel::mpsc::UnboundedSender<T>: |tx, item| tx.unbounded_send(item).is_ok();
    futures::channel::mpsc::UnboundedReceiver<T>: |rx| rx.next().await, rx.try_recv().ok();
    |_shape| futures::channel::mpsc::unbounded()
}
