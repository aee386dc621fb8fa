//! [`Selected`]: a queue whose waiting verbs wait for it by a select beside another queue, under
//! the contract. What the clauses say of waking, cancelling, time, closing and calm then holds for
//! selects.

use queue_async::AsyncQueue;
use queue_core::select::{PopAnyError, Select, pop_any_async};
use queue_core::sync::Deadline;
use queue_core::{
    Capacity, EndpointCounts, Failure, Kind, PopError, PopTimeoutError, PushError,
    PushTimeoutError, Queue, QueueId, Side, TryPopError, TryPushError, WithCapacity,
};
use queue_process::{IpcQueue, ShmQueue};
use queue_thread::{LockFreeQueue, ThreadQueue};

#[derive(Clone)]
pub(crate) struct Selected<Q: Queue> {
    queue: Q,
    /// Of another kind, in which nothing ever happens.
    silent: ThreadQueue<Q::Item>,
    /// Closed from the start.
    over: AsyncQueue<Q::Item>,
}

impl<Q: Queue + WithCapacity> WithCapacity for Selected<Q> {
    fn try_with_capacity(bound: Capacity) -> Result<Self, Failure> {
        let over = AsyncQueue::bounded(1);
        over.close();
        Ok(Self {
            queue: Q::try_with_capacity(bound)?,
            silent: ThreadQueue::bounded(1),
            over,
        })
    }
}

impl<Q: Queue> Kind for Selected<Q> {
    type Item = Q::Item;
    type Listener<'a>
        = Q::Listener<'a>
    where
        Self: 'a;

    fn listen(&self, side: Side) -> Q::Listener<'_> {
        self.queue.listen(side)
    }
    fn endpoints(&self) -> &EndpointCounts {
        self.queue.endpoints()
    }
    fn id(&self) -> QueueId {
        self.queue.id()
    }
    fn ready_hint(&self, side: Side) -> usize {
        self.queue.ready_hint(side)
    }
    fn on_first_endpoint(&self, side: Side) {
        self.queue.on_first_endpoint(side);
    }
    fn on_last_endpoint(&self, side: Side) {
        self.queue.on_last_endpoint(side);
    }
}

impl<Q: Queue> Queue for Selected<Q> {
    fn push_until(
        &self,
        item: Q::Item,
        deadline: Deadline,
    ) -> Result<(), PushTimeoutError<Q::Item>> {
        let mut item = Some(item);
        let select = Select::new()
            .pop(&self.silent, |_| unreachable!("nothing happens there"))
            .push(&self.queue, &mut item, |pushed| pushed);
        match wait(select, deadline) {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(error.into()),
            None => Err(PushTimeoutError::Timeout(item.expect("it was not pushed"))),
        }
    }

    fn pop_until(&self, deadline: Deadline) -> Result<Q::Item, PopTimeoutError> {
        let select = Select::new()
            .pop(&self.silent, |_| unreachable!("nothing happens there"))
            .pop(&self.queue, |popped| popped);
        match wait(select, deadline) {
            Some(popped) => Ok(popped?),
            None => Err(PopTimeoutError::Timeout),
        }
    }

    async fn push_async(&self, item: Q::Item) -> Result<(), PushError<Q::Item>> {
        let mut item = Some(item);
        let mut select = Select::new()
            .pop(&self.silent, |_| unreachable!("nothing happens there"))
            .push(&self.queue, &mut item, |pushed| pushed);
        select.wait_async().await.expect("one is open")
    }

    async fn pop_async(&self) -> Result<Q::Item, PopError> {
        match pop_any_async(&[&self.over, &self.queue]).await {
            Ok((1, item)) => Ok(item),
            Err(PopAnyError::Closed) => Err(PopError::Closed),
            Err(PopAnyError::Failed(1, failure)) => Err(PopError::Failed(failure)),
            _ => unreachable!("the other is closed and empty"),
        }
    }

    fn try_push(&self, item: Q::Item) -> Result<(), TryPushError<Q::Item>> {
        self.queue.try_push(item)
    }
    fn try_pop(&self) -> Result<Q::Item, TryPopError> {
        self.queue.try_pop()
    }
    fn len(&self) -> usize {
        self.queue.len()
    }
    fn capacity(&self) -> Option<usize> {
        self.queue.capacity()
    }
    fn close(&self) -> bool {
        self.queue.close()
    }
    fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
    fn close_now(&self) -> Vec<Q::Item> {
        self.queue.close_now()
    }
}

fn wait<R>(mut select: Select<'_, R>, deadline: Deadline) -> Option<R> {
    match deadline.instant() {
        Some(instant) => select.wait_deadline(instant),
        None if deadline == Deadline::NEVER => select.wait(),
        None => select.try_wait(),
    }
}

type OverThread<T> = Selected<ThreadQueue<T>>;
type OverLockFree<T> = Selected<LockFreeQueue<T>>;
type OverAsync<T> = Selected<AsyncQueue<T>>;
type OverShm<T> = Selected<ShmQueue<T>>;
type OverIpc<T> = Selected<IpcQueue<T>>;

queue_core::contract! { mod thread; kind: OverThread; }
queue_core::contract! { mod lock_free; kind: OverLockFree; }
queue_core::contract! { mod tasks; kind: OverAsync; }
queue_core::contract! { mod shm; kind: OverShm; items: u64; }
queue_core::contract! { mod ipc; kind: OverIpc; items: u64; }
