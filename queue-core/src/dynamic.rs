//! [`DynQueue`]: a queue whose kind is chosen at run time.

mod work;

pub use work::{DynIdleListener, DynLease};

use crate::event::Listen;
use crate::sync::Deadline;
use crate::work::Lend;
use crate::{
    EndpointCounts, Kind, PopError, PopTimeoutError, PushError, PushTimeoutError, Queue, QueueId,
    Side, Stats, TryPopError, TryPushError,
};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use work::DynLend;

type BoxFuture<'a, R> = Pin<Box<dyn Future<Output = R> + Send + 'a>>;

/// A queue of any kind, behind one type, so that a program can choose the kind by a
/// flag. Its clones are the same queue.
///
/// It costs a virtual call per operation, and an allocation per future or stream. It cannot be
/// handed to another process, so keep the kind for that. Its items borrow nothing (`T: 'static`).
///
/// ```
/// use queue_core::dynamic::DynQueue;
/// use queue_core::work::Lend;
/// use queue_core::{Capacity, WithCapacity, Failure};
///
/// /// `ThreadQueue` and `PipeQueue`, say.
/// fn open<Near, Far>(far: bool) -> Result<DynQueue<u32>, Failure>
/// where
///     Near: Lend<Item = u32, Lease: 'static> + WithCapacity + 'static,
///     Far: Lend<Item = u32, Lease: 'static> + WithCapacity + 'static,
/// {
///     let bound = Capacity::bounded(64);
///     Ok(if far {
///         DynQueue::new(Far::try_with_capacity(bound)?)
///     } else {
///         DynQueue::new(Near::try_with_capacity(bound)?)
///     })
/// }
/// ```
#[doc(alias("channel", "dyn"))]
pub struct DynQueue<T>(Arc<dyn DynOps<T>>);

impl<T: Send + 'static> DynQueue<T> {
    /// Puts `queue` behind the one type.
    ///
    /// ```
    /// use queue_core::dynamic::DynQueue;
    /// use queue_core::work::Lend;
    /// fn erase<Q: Lend<Item = u32, Lease: 'static> + 'static>(queue: Q) -> DynQueue<u32> {
    ///     DynQueue::new(queue)
    /// }
    /// ```
    pub fn new<Q: Lend<Item = T, Lease: 'static> + 'static>(queue: Q) -> Self {
        let lender: fn(&Q) -> Option<&dyn DynLend<T>> = |queue| Some(queue);
        Self(Arc::new(Boxed { queue, lender }))
    }

    /// Boxes a `queue` that cannot lend its items: to receive one is an `Unsupported` failure.
    ///
    /// # Panics
    /// To join such a queue panics unless it is empty, for nobody would wake who does.
    pub fn without_deliveries<Q: Queue<Item = T> + 'static>(queue: Q) -> Self {
        let lender: fn(&Q) -> Option<&dyn DynLend<T>> = |_| None;
        Self(Arc::new(Boxed { queue, lender }))
    }

    /// A handle that keeps neither the queue nor what is inside: for a table of queues that others
    /// have.
    pub fn downgrade(&self) -> WeakDynQueue<T> {
        WeakDynQueue(Arc::downgrade(&self.0))
    }
}

/// A [`DynQueue`] that may be gone, from [`DynQueue::downgrade`].
pub struct WeakDynQueue<T>(Weak<dyn DynOps<T>>);

impl<T> WeakDynQueue<T> {
    /// The queue, if somebody else has a `DynQueue` of it.
    pub fn upgrade(&self) -> Option<DynQueue<T>> {
        self.0.upgrade().map(DynQueue)
    }

    /// Whether nobody has a `DynQueue` of it any more.
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// As every kind.
impl<T> UnwindSafe for WeakDynQueue<T> {}
impl<T> RefUnwindSafe for WeakDynQueue<T> {}

impl<T> Clone for WeakDynQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for WeakDynQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakDynQueue(..)")
    }
}

/// As for every kind, a panic in an item's own code leaves the queue usable.
impl<T> UnwindSafe for DynQueue<T> {}
impl<T> RefUnwindSafe for DynQueue<T> {}

impl<T> Clone for DynQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for DynQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynQueue")
            .field("len", &self.0.len())
            .field("capacity", &self.0.capacity())
            .field("closed", &self.0.is_closed())
            .finish_non_exhaustive()
    }
}

/// The [`Kind::Listener`] of a [`DynQueue`]. [`Listen`] says how to use it.
pub struct DynListener<'a, T>(Box<dyn DynWait<T> + 'a>);

/// As for every kind.
impl<T> UnwindSafe for DynListener<'_, T> {}
impl<T> RefUnwindSafe for DynListener<'_, T> {}

impl<T> fmt::Debug for DynListener<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynListener(..)")
    }
}

impl<T> Future for DynListener<'_, T> {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_listener(cx)
    }
}

impl<T> Listen for DynListener<'_, T> {
    fn wait(self, deadline: Deadline) -> bool {
        self.0.wait(deadline)
    }
}

/// [`WaitState`] without its kind.
trait DynWait<T>: Send {
    fn wait(self: Box<Self>, deadline: Deadline) -> bool;
    fn poll_listener(&mut self, cx: &mut Context<'_>) -> Poll<()>;
    fn poll_pop(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, PopError>>;
}

/// A waiter on a queue of a known kind. It has its listener from the start, unless that belongs to
/// [`Queue::poll_pop`], which has one while there is nothing to pop.
struct WaitState<'a, T: Send, Q: Queue<Item = T>> {
    queue: &'a Q,
    listener: Option<Q::Listener<'a>>,
}

impl<T: Send, Q: Queue<Item = T>> DynWait<T> for WaitState<'_, T, Q> {
    fn wait(self: Box<Self>, deadline: Deadline) -> bool {
        (self.listener).is_none_or(|listener| listener.wait(deadline))
    }

    fn poll_listener(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.listener {
            Some(listener) => Pin::new(listener).poll(cx),
            None => Poll::Ready(()),
        }
    }

    fn poll_pop(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, PopError>> {
        self.queue.poll_pop(&mut self.listener, cx)
    }
}

/// A queue of a known kind, and how it lends, if it can.
struct Boxed<T, Q> {
    queue: Q,
    lender: fn(&Q) -> Option<&dyn DynLend<T>>,
}

/// Writes [`DynOps`], its implementation for every kind, and the [`Queue`] of [`DynQueue`] on top of
/// it. First come the verbs that pass through as they are, then those whose future is boxed.
macro_rules! dyn_ops {
    (
        kind { $(fn $hook:ident(&self $(, $harg:ident: $htype:ty)*) $(-> $hreturn:ty)?;)* }
        plain { $(fn $name:ident(&self $(, $arg:ident: $type:ty)*) $(-> $return:ty)?;)* }
        boxed { $(fn $future:ident($($farg:ident: $ftype:ty),*) -> $output:ty;)* }
    ) => {
        /// The part of [`Queue`] that a trait object can have.
        trait DynOps<T>: Send + Sync {
            fn listen(&self, side: Option<Side>) -> DynListener<'_, T>;
            fn endpoints(&self) -> &EndpointCounts;
            fn lender(&self) -> Option<&dyn DynLend<T>>;
            $(fn $hook(&self $(, $harg: $htype)*) $(-> $hreturn)?;)*
            $(fn $name(&self $(, $arg: $type)*) $(-> $return)?;)*
            $(fn $future<'a>(&'a self $(, $farg: $ftype)*) -> BoxFuture<'a, $output>;)*
        }

        impl<T: Send + 'static, Q: Queue<Item = T>> DynOps<T> for Boxed<T, Q> {
            fn listen(&self, side: Option<Side>) -> DynListener<'_, T> {
                let listener = side.map(|side| Kind::listen(&self.queue, side));
                DynListener(Box::new(WaitState { queue: &self.queue, listener }))
            }
            fn endpoints(&self) -> &EndpointCounts {
                Kind::endpoints(&self.queue)
            }
            fn lender(&self) -> Option<&dyn DynLend<T>> {
                (self.lender)(&self.queue)
            }
            $(fn $hook(&self $(, $harg: $htype)*) $(-> $hreturn)? {
                Kind::$hook(&self.queue $(, $harg)*)
            })*
            $(fn $name(&self $(, $arg: $type)*) $(-> $return)? {
                Queue::$name(&self.queue $(, $arg)*)
            })*
            $(fn $future<'a>(&'a self $(, $farg: $ftype)*) -> BoxFuture<'a, $output> {
                Box::pin(Queue::$future(&self.queue $(, $farg)*))
            })*
        }

        impl<T: Send + 'static> Kind for DynQueue<T> {
            type Item = T;
            type Listener<'a> = DynListener<'a, T> where Self: 'a;
            fn listen(&self, side: Side) -> DynListener<'_, T> {
                self.0.listen(Some(side))
            }
            fn endpoints(&self) -> &EndpointCounts {
                self.0.endpoints()
            }
            $(fn $hook(&self $(, $harg: $htype)*) $(-> $hreturn)? {
                self.0.$hook($($harg),*)
            })*
        }

        impl<T: Send + 'static> Queue for DynQueue<T> {
            fn poll_pop<'a>(
                &'a self,
                listener: &mut Option<DynListener<'a, T>>,
                cx: &mut Context<'_>,
            ) -> Poll<Result<T, PopError>> {
                // The box is kept from item to item; the kind's own listener is made anew each time.
                let waiting = listener.get_or_insert_with(|| self.0.listen(None));
                waiting.0.poll_pop(cx)
            }
            $(fn $name(&self $(, $arg: $type)*) $(-> $return)? {
                self.0.$name($($arg),*)
            })*
            fn push_async(&self, item: T) -> impl Future<Output = Result<(), PushError<T>>> + Send {
                self.0.push_async(item)
            }
            fn pop_async(&self) -> impl Future<Output = Result<T, PopError>> + Send {
                self.0.pop_async()
            }
            fn push_many_async(
                &self,
                items: &mut VecDeque<T>,
            ) -> impl Future<Output = Result<(), PushError<()>>> + Send {
                async move { self.0.push_many_async(items).await }
            }
            fn pop_many_async(
                &self,
                into: &mut Vec<T>,
                max: usize,
            ) -> impl Future<Output = Result<usize, PopError>> + Send {
                async move { self.0.pop_many_async(into, max).await }
            }
        }
    };
}

dyn_ops! {
    kind {
        fn ready_hint(&self, side: Side) -> usize;
        fn is_spoken_for(&self) -> bool;
        fn on_first_endpoint(&self, side: Side);
        fn on_last_endpoint(&self, side: Side);
        fn id(&self) -> QueueId;
    }
    plain {
        fn pop_many_until(&self, into: &mut Vec<T>, max: usize, deadline: Deadline) -> Result<usize, PopTimeoutError>;
        fn pop_until(&self, deadline: Deadline) -> Result<T, PopTimeoutError>;
        fn push_until(&self, item: T, deadline: Deadline) -> Result<(), PushTimeoutError<T>>;
        fn try_push(&self, item: T) -> Result<(), TryPushError<T>>;
        fn try_pop(&self) -> Result<T, TryPopError>;
        fn len(&self) -> usize;
        fn capacity(&self) -> Option<usize>;
        fn close(&self) -> bool;
        fn is_closed(&self) -> bool;
        fn is_empty(&self) -> bool;
        fn is_full(&self) -> bool;
        fn stats(&self) -> Stats;
        fn push_timeout(&self, item: T, timeout: Duration) -> Result<(), PushTimeoutError<T>>;
        fn pop_timeout(&self, timeout: Duration) -> Result<T, PopTimeoutError>;
        fn try_push_many(&self, items: &mut VecDeque<T>) -> Result<usize, TryPushError<()>>;
        fn try_pop_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError>;
        fn push_many(&self, items: &mut VecDeque<T>) -> Result<(), PushError<()>>;
        fn pop_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, PopError>;
        fn close_now(&self) -> Vec<T>;
    }
    boxed {
        fn push_async(item: T) -> Result<(), PushError<T>>;
        fn pop_async() -> Result<T, PopError>;
        fn push_many_async(items: &'a mut VecDeque<T>) -> Result<(), PushError<()>>;
        fn pop_many_async(into: &'a mut Vec<T>, max: usize) -> Result<usize, PopError>;
    }
}
