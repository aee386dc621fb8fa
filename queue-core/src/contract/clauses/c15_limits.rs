//! The limits of a batch that does not wait, for C15. They are what is inside, or the free slots, when
//! it looks, even if others push while it pops and pop while it pushes.

use super::c15_many::{batch, numbers};
use super::*;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

/// Polls a future again whenever it is woken, in the very call that wakes it.
struct Eager {
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    /// It was woken and is to be polled.
    woken: AtomicBool,
}

impl Eager {
    fn start(future: impl Future<Output = ()> + Send + 'static) {
        let eager = Arc::new(Self {
            future: Mutex::new(Some(Box::pin(future))),
            woken: AtomicBool::new(false),
        });
        Wake::wake(eager);
    }
}

impl Wake for Eager {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        while self.woken.load(Ordering::SeqCst) {
            // Whoever is polling it looks once more before it is done.
            let Ok(mut slot) = self.future.try_lock() else {
                return;
            };
            while self.woken.swap(false, Ordering::SeqCst) {
                let waker = Waker::from(self.clone());
                let cx = &mut Context::from_waker(&waker);
                if (slot.as_mut()).is_some_and(|future| future.as_mut().poll(cx).is_ready()) {
                    *slot = None;
                }
            }
        }
    }
}

/// How many items an eager task makes at most.
const ENDLESS: u64 = 1000;

/// A task that each pop wakes pushes a new item at once.
pub(super) fn pops<S: Subject>() {
    for (capacity, waits) in [(1, false), (2, false), (8, false), (1, true), (8, true)] {
        let queue = full::<S>(capacity);
        let pushing = queue.clone();
        Eager::start(async move {
            for number in capacity as u64..ENDLESS {
                if pushing.push_async(item::<S>(number)).await.is_err() {
                    break;
                }
            }
        });
        let mut into = Vec::new();
        let popped = match waits {
            true => (queue.pop_many_timeout(&mut into, usize::MAX, LONG)).ok(),
            false => queue.try_pop_many(&mut into, usize::MAX).ok(),
        };
        assert_eq!(popped, Some(capacity), "popped, of {capacity} inside");
        assert!(
            numbers(&into).into_iter().eq(0..capacity as u64),
            "in order: {:?}",
            numbers(&into)
        );
        drop(queue.close_now());
    }
}

/// A task that each push wakes pops the item at once.
pub(super) fn pushes<S: Subject>() {
    for capacity in [1, 2, 8] {
        let queue = bounded::<S>(capacity);
        let popping = queue.clone();
        Eager::start(async move { while popping.pop_async().await.is_ok() {} });
        let mut items = batch(0..ENDLESS);
        let pushed = queue.try_push_many(&mut items);
        assert_eq!(pushed, Ok(capacity), "pushed, into {capacity} slots");
        drop(queue.close_now());
    }
}

/// The same beside threads, for queues whose futures are woken by a thread of their own.
pub(super) fn beside_threads<S: Subject>(watchdog: &Watchdog) {
    let queue = bounded::<S>(4);
    let pushers = [0, 1].map(|number| {
        let queue = queue.clone();
        watchdog.spawn(move || while queue.push(item::<S>(number)).is_ok() {})
    });
    let mut into = Vec::new();
    for _ in 0..crowd(2000) {
        into.clear();
        if let Ok(popped) = queue.try_pop_many(&mut into, usize::MAX) {
            assert_eq!(popped, into.len(), "popped, and appended");
            assert!(popped <= 4, "popped {popped} of 4 at most inside");
        }
    }
    // It takes what is left too: whether closing alone ends who waits is C7's.
    drop(queue.close_now());
    pushers.into_iter().for_each(|pusher| pusher.join());
}
