//! Verbs of every sort in random order on one thread: futures are polled and dropped as it comes, and
//! after each step the queue is judged. What two tasks can do to each other between two polls is all here,
//! and a seed shows it again.
//!
//! `RANDOM_VERBS` says how many runs there are of each kind (600), `RANDOM_VERBS_SEED` which is the first.

#![cfg(not(loom))]

use queue_async::AsyncQueue;
use queue_core::work::{Delivery, Lend, WorkQueue};
use queue_core::{
    Capacity, PopError, PopTimeoutError, PushError, TryPopError, TryPushError, WithCapacity,
};
use queue_thread::{LockFreeQueue, ThreadQueue};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// A waker that says whether it was woken.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a future came to.
enum Came<Q: Lend<Item = u32>> {
    Pushed(u32),
    NotPushed(u32),
    Popped(u32),
    Lent(Delivery<Q>),
    Ended,
    Idle,
}

type Waiting<Q> = Pin<Box<dyn Future<Output = Came<Q>> + Send>>;

fn came<Q: Lend<Item = u32>>(pushed: Result<(), PushError<u32>>, item: u32) -> Came<Q> {
    match pushed {
        Ok(()) => Came::Pushed(item),
        Err(error) => Came::NotPushed(error.into_item()),
    }
}

/// A push that holds a slot from one poll to the next.
fn push_by_permit(queue: AsyncQueue<u32>, item: u32) -> Waiting<AsyncQueue<u32>> {
    Box::pin(async move {
        let Ok(permit) = queue.reserve_async().await else {
            return Came::NotPushed(item);
        };
        let mut polled = false;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            match std::mem::replace(&mut polled, true) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        came(permit.push(item), item)
    })
}

/// Somebody who waits.
struct Waiter<Q: Lend<Item = u32>> {
    what: What,
    future: Waiting<Q>,
    woken: Arc<Flag>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Push,
    Pop,
    Receive,
    Join,
}

struct Run<Q: Lend<Item = u32>> {
    queue: Q,
    /// Wakers are called at once, and not by another thread.
    at_once: bool,
    /// Another way to push.
    other_push: Option<fn(Q, u32) -> Waiting<Q>>,
    waiters: Vec<Waiter<Q>>,
    lent: Vec<Delivery<Q>>,
    /// What went in and has not come out; what may have, for its push waits or was dropped.
    inside: BTreeSet<u32>,
    perhaps: BTreeSet<u32>,
    next: u32,
    closed: bool,
    dice: fastrand::Rng,
    log: Vec<String>,
}

impl<Q: Lend<Item = u32> + Send + Sync + 'static> Run<Q> {
    fn new(queue: Q, seed: u64, at_once: bool) -> Self {
        Self {
            queue,
            at_once,
            other_push: None,
            waiters: Vec::new(),
            lent: Vec::new(),
            inside: BTreeSet::new(),
            perhaps: BTreeSet::new(),
            next: 0,
            closed: false,
            dice: fastrand::Rng::with_seed(seed),
            log: Vec::new(),
        }
    }

    fn note(&mut self, what: impl Debug) {
        self.log.push(format!("{what:?}"));
    }

    fn new_item(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn is_idle(&self) -> bool {
        self.queue.len() == 0 && self.queue.in_flight() == 0
    }

    fn is_at_end(&self) -> bool {
        self.closed && self.is_idle()
    }

    fn came_out(&mut self, item: u32) {
        let known = self.inside.remove(&item) || self.perhaps.remove(&item);
        assert!(known, "{item} came out twice, or never went in");
    }

    fn step(&mut self) {
        match self.dice.u32(0..100) {
            0..14 => self.try_push(),
            14..26 => self.try_pop(),
            26..34 => self.try_receive(),
            34..42 => self.wait_for(What::Push),
            42..49 => self.wait_for(What::Pop),
            49..56 => self.wait_for(What::Receive),
            56..59 => self.wait_for(What::Join),
            59..75 => self.poll_one(),
            75..81 => self.drop_one(),
            81..97 => self.settle_one(),
            97 => self.pop_many(),
            98 => self.close(false),
            _ => self.close(true),
        }
    }

    fn try_push(&mut self) {
        let item = self.new_item();
        let room = self.room();
        match self.queue.try_push(item) {
            Ok(()) => {
                assert!(!self.closed && room > 0, "it was closed, or full");
                self.note(("pushed", item));
                self.inside.insert(item);
            }
            Err(TryPushError::Full(_)) => assert!(!self.closed),
            Err(TryPushError::Closed(_)) => assert!(self.closed),
            Err(TryPushError::Failed(_, why)) => panic!("{why:#}"),
        }
    }

    fn room(&self) -> usize {
        let taken = self.queue.len() + self.queue.in_flight();
        let capacity = self.queue.capacity().unwrap_or(usize::MAX);
        assert!(taken <= capacity, "{taken} of {capacity} slots are taken");
        capacity - taken
    }

    fn try_pop(&mut self) {
        let at_end = self.is_at_end();
        match self.queue.try_pop() {
            Ok(item) => {
                self.note(("popped", item));
                self.came_out(item);
            }
            Err(refused) => judge_refusal(&refused, at_end),
        }
    }

    fn try_receive(&mut self) {
        let at_end = self.is_at_end();
        match self.queue.try_receive() {
            Ok(delivery) => {
                self.note(("received", *delivery));
                self.lent.push(delivery);
            }
            Err(refused) => judge_refusal(&refused, at_end),
        }
    }

    fn wait_for(&mut self, what: What) {
        if self.waiters.len() > 5 {
            return;
        }
        let queue = self.queue.clone();
        let ended = |error: PopError| match error {
            PopError::Closed => Came::Ended,
            PopError::Failed(why) => panic!("{why:#}"),
        };
        let future: Waiting<Q> = match what {
            What::Push => {
                let item = self.new_item();
                self.perhaps.insert(item);
                match self.other_push.filter(|_| self.dice.bool()) {
                    Some(push) => push(queue, item),
                    None => Box::pin(async move { came(queue.push_async(item).await, item) }),
                }
            }
            What::Pop => {
                Box::pin(async move { queue.pop_async().await.map_or_else(ended, Came::Popped) })
            }
            What::Receive => {
                Box::pin(async move { queue.receive_async().await.map_or_else(ended, Came::Lent) })
            }
            What::Join => Box::pin(async move {
                queue.join_async().await;
                Came::Idle
            }),
        };
        self.note(("waits for", what));
        let woken = Arc::new(Flag::default());
        self.waiters.push(Waiter {
            what,
            future,
            woken,
        });
        self.poll(self.waiters.len() - 1);
    }

    fn poll_one(&mut self) {
        if !self.waiters.is_empty() {
            let index = self.dice.usize(0..self.waiters.len());
            self.poll(index);
        }
    }

    fn poll(&mut self, index: usize) {
        let at_end = self.is_at_end();
        let idle = self.is_idle();
        let waiter = &mut self.waiters[index];
        let what = waiter.what;
        waiter.woken.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(waiter.woken.clone());
        let polled = waiter
            .future
            .as_mut()
            .poll(&mut Context::from_waker(&waker));
        let Poll::Ready(came) = polled else {
            if self.at_once {
                let ends = match what {
                    What::Pop | What::Receive => at_end,
                    What::Push => self.closed,
                    What::Join => idle,
                };
                assert!(!ends, "{what:?} waits in vain");
            }
            return;
        };
        drop(self.waiters.swap_remove(index));
        match came {
            Came::Pushed(item) => {
                self.note(("was pushed", item));
                // Another may have popped it before this one heard of it.
                if self.perhaps.remove(&item) {
                    self.inside.insert(item);
                }
            }
            Came::NotPushed(item) => {
                assert!(self.closed && self.perhaps.remove(&item), "it went in");
            }
            Came::Popped(item) => {
                self.note(("was popped", item));
                self.came_out(item);
            }
            Came::Lent(delivery) => {
                self.note(("was received", *delivery));
                self.lent.push(delivery);
            }
            Came::Ended => assert!(at_end, "Closed before the end, for {what:?}"),
            // What came since then is waited for by nobody.
            Came::Idle => {}
        }
    }

    fn drop_one(&mut self) {
        if !self.waiters.is_empty() {
            let index = self.dice.usize(0..self.waiters.len());
            let waiter = self.waiters.swap_remove(index);
            self.note(("is dropped", waiter.what));
        }
    }

    fn settle_one(&mut self) {
        if self.lent.is_empty() {
            return;
        }
        let index = self.dice.usize(0..self.lent.len());
        let delivery = self.lent.swap_remove(index);
        let item = *delivery;
        let how = self.dice.u32(0..5);
        self.note((
            ["ack", "take", "nack", "release", "drop"][how as usize],
            item,
        ));
        match how {
            0 => delivery.ack().unwrap(),
            1 => assert_eq!(delivery.take().unwrap(), item),
            2 => delivery.nack().unwrap(),
            3 => delivery.release().unwrap(),
            _ => drop(delivery),
        }
        if how < 2 {
            self.came_out(item);
        }
    }

    fn pop_many(&mut self) {
        let at_end = self.is_at_end();
        let mut items = Vec::new();
        match self.queue.try_pop_many(&mut items, 2) {
            Err(refused) => judge_refusal(&refused, at_end),
            Ok(count) => assert_eq!(count, items.len()),
        }
        self.note(("popped", &items));
        items.into_iter().for_each(|item| self.came_out(item));
    }

    fn close(&mut self, now: bool) {
        // Late, and seldom: most is to happen before.
        if self.log.len() < 20 || self.dice.bool() {
            return;
        }
        self.note(("close", now));
        match now {
            false => assert_eq!(self.queue.close(), !self.closed),
            true => {
                for item in self.queue.close_now() {
                    self.came_out(item);
                }
            }
        }
        self.closed = true;
    }

    /// The numbers agree with what was done.
    fn judge_counts(&self) {
        let (waiting, in_flight) = (self.queue.len(), self.queue.in_flight());
        assert_eq!(in_flight, self.lent.len());
        let sure = self.inside.len();
        let all = sure..=sure + self.perhaps.len();
        assert!(all.contains(&(waiting + in_flight)), "{waiting} wait");
    }

    /// Where there is something for those who sleep, one of them at least is awake, who wakes the next.
    fn judge_sleepers(&self) {
        let count = |what: &[What], woken: bool| {
            let of = |waiter: &&Waiter<Q>| {
                what.contains(&waiter.what) && waiter.woken.0.load(Ordering::Relaxed) == woken
            };
            self.waiters.iter().filter(of).count()
        };
        let room = self.room();
        let items = self.queue.len();
        for (who, there) in [
            (&[What::Pop, What::Receive][..], items),
            (&[What::Push], room),
        ] {
            let (asleep, awake) = (count(who, false), count(who, true));
            assert!(
                asleep == 0 || there == 0 || awake > 0,
                "{asleep} of {who:?} sleep beside {there}"
            );
        }
        let asleep = |who| count(&[who], false);
        let takers = asleep(What::Pop) + asleep(What::Receive);
        assert!(
            takers == 0 || !self.is_at_end(),
            "{takers} sleep at the end"
        );
        assert!(
            asleep(What::Push) == 0 || !self.closed,
            "a push sleeps at the end"
        );
        assert!(
            asleep(What::Join) == 0 || !self.is_idle(),
            "who joins sleeps"
        );
    }

    /// After the end everybody is woken, and all that went in comes out.
    fn end(&mut self) {
        for delivery in std::mem::take(&mut self.lent) {
            delivery.nack().unwrap();
        }
        self.queue.close();
        self.closed = true;
        let begun = Instant::now();
        while !self.waiters.is_empty() {
            let awake = |waiter: &Waiter<Q>| waiter.woken.0.load(Ordering::Relaxed);
            if let Some(index) = self.waiters.iter().position(awake) {
                self.poll(index);
                for delivery in std::mem::take(&mut self.lent) {
                    self.came_out(*delivery);
                    delivery.ack().unwrap();
                }
                continue;
            }
            // Who joins waits for what is inside, which nobody else may take.
            self.try_pop();
            let asleep: Vec<_> = self.waiters.iter().map(|waiter| waiter.what).collect();
            assert!(begun.elapsed() < LONG, "{asleep:?} sleep at the end");
            std::thread::sleep(Duration::from_micros(100));
        }
        let end = loop {
            match self.queue.pop_timeout(LONG) {
                Ok(item) => self.came_out(item),
                Err(end) => break end,
            }
        };
        assert_eq!(end, PopTimeoutError::Closed);
        assert!(begun.elapsed() < LONG, "it took {:?}", begun.elapsed());
        assert!(self.inside.is_empty(), "lost: {:?}", self.inside);
        assert!(self.is_at_end());
    }
}

/// What a verb that does not wait says where it gets nothing.
fn judge_refusal(refused: &TryPopError, at_end: bool) {
    match refused {
        TryPopError::Empty => assert!(!at_end, "Empty at the end"),
        TryPopError::Closed => assert!(at_end, "Closed before the end"),
        TryPopError::Failed(why) => panic!("{why:#}"),
    }
}

fn number(variable: &str, default: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Runs of a kind, over small queues; each step is judged.
fn runs<Q: Lend<Item = u32> + Send + Sync + 'static>(
    kind: &str,
    create: impl Fn(Capacity) -> Q,
    at_once: bool,
    other_push: Option<fn(Q, u32) -> Waiting<Q>>,
) {
    let first = number("RANDOM_VERBS_SEED", fastrand::u64(..));
    for seed in (0..number("RANDOM_VERBS", 600)).map(|n| first.wrapping_add(n)) {
        let capacity = match seed % 4 {
            0 => Capacity::Unbounded,
            some => Capacity::bounded(some as usize),
        };
        let mut run = Run::new(create(capacity), seed, at_once);
        run.other_push = other_push;
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..100 {
                run.step();
                run.judge_counts();
                if at_once {
                    run.judge_sleepers();
                }
            }
            run.end();
        }));
        if let Err(why) = done {
            eprintln!("{kind}, {capacity:?}, RANDOM_VERBS_SEED={seed}");
            run.log.iter().for_each(|line| eprintln!("  {line}"));
            std::panic::resume_unwind(why);
        }
    }
}

#[test]
fn thread_queue() {
    runs("ThreadQueue", ThreadQueue::with_capacity, true, None);
}

#[test]
fn lock_free_queue() {
    runs("LockFreeQueue", LockFreeQueue::with_capacity, true, None);
}

#[test]
fn async_queue() {
    runs(
        "AsyncQueue",
        AsyncQueue::with_capacity,
        true,
        Some(push_by_permit),
    );
}

#[cfg(target_os = "linux")]
#[test]
fn shm_queue() {
    runs(
        "ShmQueue",
        queue_process::ShmQueue::<u32>::with_capacity,
        false,
        None,
    );
}

#[cfg(target_os = "linux")]
#[test]
fn pipe_queue() {
    runs(
        "PipeQueue",
        queue_process::PipeQueue::<u32>::with_capacity,
        false,
        None,
    );
}

#[test]
fn ipc_queue() {
    runs(
        "IpcQueue",
        queue_process::IpcQueue::<u32>::with_capacity,
        false,
        None,
    );
}
