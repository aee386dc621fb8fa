//! Queues of this process: new ones, and those that have a name in it.

use crate::address::Address;
use crate::mode::{Mode, check_capacity};
use crate::open::Item;
use queue_core::dynamic::{DynQueue, WeakDynQueue};
use queue_core::{Capacity, Failure, FailureKind, Queue};
use std::any::{Any, type_name};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

/// A queue that somebody may still have.
struct Known {
    /// A `WeakDynQueue<T>`.
    queue: Box<dyn Any + Send>,
    item: &'static str,
    is_gone: fn(&dyn Any) -> bool,
}

impl Known {
    fn new<T: Item>(queue: &DynQueue<T>) -> Self {
        Self {
            queue: Box::new(queue.downgrade()),
            item: type_name::<T>(),
            is_gone: |queue| {
                let queue = queue.downcast_ref::<WeakDynQueue<T>>();
                queue.is_none_or(WeakDynQueue::is_gone)
            },
        }
    }
}

/// By scheme and name.
static NAMES: LazyLock<Mutex<HashMap<(String, String), Known>>> = LazyLock::new(Mutex::default);

pub(crate) fn open<T: Item>(address: &Address) -> Result<DynQueue<T>, Failure> {
    let capacity = address.capacity()?.unwrap_or(Capacity::Unbounded);
    let mode = Mode::of(address)?;
    match address.name() {
        None => create(address.scheme(), capacity),
        Some(name) => {
            // Behind the lock: if this was the last handle, the code of items runs.
            let queue = named(address, name, mode, capacity)?;
            check_capacity(address, queue.capacity())?;
            Ok(queue)
        }
    }
}

fn named<T: Item>(
    address: &Address,
    name: &str,
    mode: Mode,
    capacity: Capacity,
) -> Result<DynQueue<T>, Failure> {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    // Nobody gives a name back, so whoever comes looks for those that are free.
    names.retain(|_, known| !(known.is_gone)(&*known.queue));
    let failed = |kind, message: &str| Err(Failure::new(kind, format!("{message}: {address}")));
    let key = (address.scheme().to_owned(), name.to_owned());
    if let Some(known) = names.get(&key) {
        let Some(queue) = known.queue.downcast_ref::<WeakDynQueue<T>>() else {
            let (theirs, ours) = (known.item, type_name::<T>());
            let message = format!("the queue is of `{theirs}`, not of `{ours}`");
            return failed(FailureKind::Mismatch, &message);
        };
        if mode == Mode::Create {
            return failed(FailureKind::Denied, "there is such a queue already");
        }
        if let Some(queue) = queue.upgrade() {
            return Ok(queue);
        }
    }
    if mode == Mode::Open {
        return failed(FailureKind::PeerGone, "there is no such queue");
    }
    let queue = create(address.scheme(), capacity)?;
    names.insert(key, Known::new(&queue));
    Ok(queue)
}

fn create<T: Item>(scheme: &str, capacity: Capacity) -> Result<DynQueue<T>, Failure> {
    use queue_core::WithCapacity;
    match scheme {
        #[cfg(feature = "thread")]
        "thread" => queue_thread::ThreadQueue::try_with_capacity(capacity).map(DynQueue::new),
        #[cfg(feature = "thread")]
        "lockfree" => queue_thread::LockFreeQueue::try_with_capacity(capacity).map(DynQueue::new),
        #[cfg(feature = "async")]
        "async" => queue_async::AsyncQueue::try_with_capacity(capacity).map(DynQueue::new),
        _ => unreachable!("it is one of the schemes of this page"),
    }
}
