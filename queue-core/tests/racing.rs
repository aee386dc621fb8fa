//! Others push while a batch is received: it ends all the same, with no more than was asked for.

#![cfg(not(loom))]

mod common;

use common::Simple;
use queue_core::work::{Lend, Settlement};
use queue_core::{
    Capacity, EndpointCounts, Failure, Kind, Queue, Side, TryPopError, TryPushError, WithCapacity,
    WorkQueue,
};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Whenever somebody looks how many there are, or receives one, another one comes behind that.
#[derive(Clone)]
struct Racing(Simple<u64>);

impl Racing {
    fn holding(items: u64) -> Self {
        let queue = Simple::with_capacity(Capacity::Unbounded);
        (0..items).for_each(|n| queue.push(n).unwrap());
        Self(queue)
    }

    fn one_more(&self) {
        assert!(self.0.len() < 1000, "it takes what comes without end");
        self.0.push(0).unwrap();
    }
}

impl Kind for Racing {
    type Item = u64;
    type Listener<'a> = <Simple<u64> as Kind>::Listener<'a>;

    fn listen(&self, side: Side) -> Self::Listener<'_> {
        self.0.listen(side)
    }

    fn endpoints(&self) -> &EndpointCounts {
        self.0.endpoints()
    }
}

impl Queue for Racing {
    fn try_push(&self, item: u64) -> Result<(), TryPushError<u64>> {
        self.0.try_push(item)
    }

    fn try_pop(&self) -> Result<u64, TryPopError> {
        self.0.try_pop()
    }

    fn len(&self) -> usize {
        let len = self.0.len();
        self.one_more();
        len
    }

    fn capacity(&self) -> Option<usize> {
        None
    }

    fn close(&self) -> bool {
        self.0.close()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl Lend for Racing {
    type Lease = <Simple<u64> as Lend>::Lease;
    type IdleListener<'a> = <Simple<u64> as Lend>::IdleListener<'a>;

    fn try_lend(&self) -> Result<(u64, Self::Lease), TryPopError> {
        let lent = self.0.try_lend();
        // Two for one: who goes on until there is nothing never ends.
        self.one_more();
        self.one_more();
        lent
    }

    fn attempt(lease: &Self::Lease) -> u32 {
        Simple::<u64>::attempt(lease)
    }

    fn settle(&self, lease: Self::Lease, how: Settlement<u64>) -> Result<(), Failure> {
        self.0.settle(lease, how)
    }

    fn leases(&self) -> usize {
        self.0.leases()
    }

    fn is_idle(&self) -> bool {
        self.0.is_idle()
    }

    fn listen_idle(&self) -> Self::IdleListener<'_> {
        self.0.listen_idle()
    }
}

#[test]
fn a_batch_is_received_that_ends() {
    let mut got = Vec::new();
    assert_eq!(Racing::holding(3).try_receive_many(&mut got, 99), Ok(3));
    assert_eq!(Racing::holding(3).try_receive_many(&mut got, 2), Ok(2));
    // There was none when it looked.
    assert_eq!(Racing::holding(0).try_receive_many(&mut got, 4), Ok(1));
    let received = Racing::holding(1)
        .receive_many(&mut got, usize::MAX)
        .unwrap();
    assert!(received <= 4, "{received}");
    let queue = Racing::holding(1);
    let mut receiving = pin!(queue.receive_many_async(&mut got, usize::MAX));
    match receiving
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(received) => assert!(received.unwrap() <= 4),
        Poll::Pending => panic!("there is one"),
    }
}
