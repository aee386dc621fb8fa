//! [`Watch`]: wakes who waits for a slot, the end or `join` (a pop is woken in [`supply`](crate::supply)).
//!
//! A pop waits for what its process has asked the server for. Everything else that one can wait for is told by
//! two subjects (`.room`: an item has left the queue, `.end`: look whether it is closed and drained),
//! and one task listens to them for all who wait in this process. What is lost on the way it finds by
//! looking, from time to time.

use crate::server_stream::Closing;
use crate::shared::{Shared, lock};
use futures_core::Stream;
use queue_core::{Failure, FailureKind};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How often it looks by itself.
const SLOW: Duration = Duration::from_secs(1);
/// And how often where somebody waits for an item without a pull.
const FAST: Duration = Duration::from_millis(20);

/// For what somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// For a slot.
    Push,
    /// For an item, by a pull: the end is what it has to be told.
    Pop,
    /// For an item, without a pull.
    Listen,
    /// Until all is done.
    Join,
}

#[derive(Default)]
pub(crate) struct Watch {
    waiting: [AtomicUsize; 4],
    /// Whether the task runs.
    runs: Mutex<bool>,
    /// Whether it has subscribed.
    ready: watch::Sender<bool>,
    look: Notify,
    /// How many looks have begun.
    looks: AtomicU64,
}

impl Watch {
    fn count(&self, who: Who) -> usize {
        self.waiting[who as usize].load(Ordering::SeqCst)
    }

    /// The last look that has begun: it may tell of what was before.
    pub(crate) fn last_look(&self) -> u64 {
        self.looks.load(Ordering::SeqCst)
    }

    /// Looks soon.
    pub(crate) fn look(&self) {
        self.look.notify_one();
    }

    /// Looks soon if something has left the queue that somebody may wait for.
    pub(crate) fn look_if_needed(&self) {
        if self.count(Who::Join) > 0 {
            self.look();
        }
    }
}

/// Somebody who waits, until it is dropped.
pub(crate) struct Waiting {
    shared: Arc<Shared>,
    who: Who,
}

impl Waiting {
    /// Waits until the server will tell this process of what happens from then on.
    pub(crate) async fn ready(&self) {
        let mut ready = self.shared.watch.ready.subscribe();
        while !*ready.borrow_and_update() {
            if ready.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let watch = &self.shared.watch;
        watch.waiting[self.who as usize].fetch_sub(1, Ordering::SeqCst);
        watch.look();
    }
}

impl Shared {
    /// Watches the queue for somebody who waits, until that is dropped. It looks at once.
    pub(crate) fn watch_for(self: &Arc<Self>, who: Who) -> Waiting {
        self.watch.waiting[who as usize].fetch_add(1, Ordering::SeqCst);
        let mut runs = lock(&self.watch.runs);
        if !*runs {
            *runs = true;
            let shared = self.clone();
            self.link.spawn(async move { shared.keep_watch().await });
        }
        drop(runs);
        self.watch.look();
        let shared = self.clone();
        Waiting { shared, who }
    }

    async fn keep_watch(self: Arc<Self>) {
        let subject = format!("{}.*", self.names.event);
        let Ok(mut events) = self.link.client.subscribe(subject).await else {
            // The connection has ended, and with it the thread that this runs on.
            return;
        };
        self.watch.ready.send_replace(true);
        let mut state = self.link.state();
        let (mut looks, mut by_itself) = (true, false);
        loop {
            {
                let mut runs = lock(&self.watch.runs);
                if self
                    .watch
                    .waiting
                    .iter()
                    .all(|n| n.load(Ordering::SeqCst) == 0)
                {
                    *runs = false;
                    // Under the lock: who comes next starts anew.
                    self.watch.ready.send_replace(false);
                    break;
                }
            }
            if looks {
                self.look_around(by_itself).await;
            }
            let period = match self.watch.count(Who::Listen) {
                0 => SLOW,
                _ => FAST,
            };
            let mut late = pin!(tokio::time::sleep(period));
            let mut asked = pin!(self.watch.look.notified());
            let mut broken = pin!(state.changed());
            (looks, by_itself) = poll_fn(|cx| {
                if let Poll::Ready(event) = Pin::new(&mut events).poll_next(cx) {
                    let looks = event.is_none_or(|event| self.on_event(&event.subject));
                    return Poll::Ready((looks, false));
                }
                let asked = asked.as_mut().poll(cx).is_ready();
                if asked || broken.as_mut().poll(cx).is_ready() {
                    return Poll::Ready((true, false));
                }
                late.as_mut().poll(cx).map(|()| (true, true))
            })
            .await;
        }
    }

    /// Whether what the event tells is worth a look.
    fn on_event(&self, subject: &str) -> bool {
        match subject.ends_with(".room") {
            true => {
                self.room.notify();
                // It may have been the last one.
                self.watch.count(Who::Join) > 0 || self.is_known_closed()
            }
            false => true,
        }
    }

    /// The queue has been deleted: tells everybody.
    fn wake_all_with(&self, look: u64, why: Failure) {
        lock(&self.supply).refuse(why);
        self.room.notify_all();
        self.items.notify_all();
        self.idle.reached(look);
    }

    /// Looks at the stream, and wakes those who wait for what it sees.
    async fn look_around(&self, by_itself: bool) {
        let look = self.watch.looks.fetch_add(1, Ordering::SeqCst) + 1;
        let info = match self.info().await {
            Ok(info) => info,
            Err(why) => {
                if why.kind() == FailureKind::PeerGone {
                    self.wake_all_with(look, why);
                }
                return;
            }
        };
        if info.closing(&self.names) == Closing::Begun {
            // Who began may have died. Who may not do it waits for another.
            let _ = self.seal().await;
        }
        let messages = info.messages();
        let drained = messages == 0;
        if self.is_known_closed() {
            self.room.notify_all();
        } else if self.capacity.is_some_and(|capacity| messages < capacity) {
            self.room.notify();
        }
        if drained {
            if self.idle.has_waiting() {
                self.idle.reached(look);
            }
            if self.is_known_closed() {
                self.items.notify_all();
            }
        } else if by_itself || self.watch.count(Who::Listen) > 0 {
            // That they are stuck is seen by counting them.
            let counts = self.counts().await;
            if counts.is_ok_and(|(waiting, _)| waiting > 0) {
                self.items.notify_all();
            }
        }
    }
}
