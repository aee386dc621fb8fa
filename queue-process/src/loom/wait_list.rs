//! Where modelled processes sleep.

use crate::sys::Word32;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Condvar, Mutex};
use std::sync::atomic::AtomicUsize;

/// Where processes sleep: the queue of a lock.
#[derive(Debug)]
pub(super) struct WaitList {
    pub(super) notified: Mutex<bool>,
    pub(super) condvar: Condvar,
}

impl WaitList {
    pub(super) fn new() -> Self {
        Self {
            notified: Mutex::new(false),
            condvar: Condvar::new(),
        }
    }

    /// All who sleep here look again.
    pub(super) fn on_death(&self) {
        let _sleepers = self.notified.lock().expect("nobody panics here");
        self.condvar.notify_all();
    }
}

/// Where threads sleep on a futex: those that look again after each death, and the followers of
/// one that does.
#[derive(Debug)]
pub(super) struct Futex {
    asleep: Mutex<Asleep>,
    leaders: Condvar,
    followers: Condvar,
}

/// How many sleep and were not woken yet.
#[derive(Debug, Default)]
pub(super) struct Asleep {
    leaders: u32,
    followers: u32,
}

impl Futex {
    pub(super) fn new() -> Self {
        Self {
            asleep: Mutex::new(Asleep::default()),
            leaders: Condvar::new(),
            followers: Condvar::new(),
        }
    }

    /// Sleeps until woken, unless it is not so under the futex's own lock that `should` be.
    pub(super) fn sleep(&self, should: impl FnOnce() -> bool) {
        let mut asleep = self.asleep.lock().expect("nobody panics asleep");
        if should() {
            asleep.leaders += 1;
            drop(self.leaders.wait(asleep));
        }
    }

    /// As [`sleep`](Self::sleep), as a follower.
    pub(super) fn sleep_as_follower(&self, should: impl FnOnce() -> bool) {
        let mut asleep = self.asleep.lock().expect("nobody panics asleep");
        if should() {
            asleep.followers += 1;
            drop(self.followers.wait(asleep));
        }
    }

    /// Wakes one. Where there are both it is who looks again by itself: a follower is then left
    /// without one.
    pub(super) fn wake_one(&self) {
        let mut asleep = self.asleep.lock().expect("nobody panics asleep");
        if asleep.leaders > 0 {
            asleep.leaders -= 1;
            self.leaders.notify_one();
        } else {
            Self::wake_one_of(&self.followers, &mut asleep);
        }
    }

    /// Wakes one follower.
    pub(super) fn wake_follower(&self) {
        let mut asleep = self.asleep.lock().expect("nobody panics asleep");
        Self::wake_one_of(&self.followers, &mut asleep);
    }

    fn wake_one_of(followers: &Condvar, asleep: &mut Asleep) {
        if asleep.followers > 0 {
            asleep.followers -= 1;
            followers.notify_one();
        }
    }

    pub(super) fn wake_all(&self) {
        self.on_death();
        self.asleep.lock().expect("nobody panics asleep").followers = 0;
        self.followers.notify_all();
    }

    /// Those who look again by themselves do.
    pub(super) fn on_death(&self) {
        self.asleep.lock().expect("nobody panics asleep").leaders = 0;
        self.leaders.notify_all();
    }
}

/// An eventfd: how often it was notified.
#[derive(Debug)]
pub(super) struct Eventfd {
    notifications: Mutex<usize>,
    notified: Condvar,
}

/// How many futures of a process are done; under the mutex of the eventfd, and so not loom's.
#[derive(Debug, Default)]
pub(super) struct Done(AtomicUsize);

impl Eventfd {
    pub(super) fn new() -> Self {
        Self {
            notifications: Mutex::new(0),
            notified: Condvar::new(),
        }
    }

    pub(super) fn notify(&self) {
        *self.notifications.lock().expect("nobody panics here") += 1;
        self.notified.notify_all();
    }

    /// Waits until it was notified more often than `heard` says, which then says how often:
    /// true; or until `all` are done.
    pub(super) fn hear(&self, heard: &mut usize, done: &Done, all: usize) -> bool {
        let mut notifications = self.notifications.lock().expect("nobody panics here");
        while *notifications == *heard && done.0.load(std::sync::atomic::Ordering::Relaxed) < all {
            notifications = self
                .notified
                .wait(notifications)
                .expect("nobody panics here");
        }
        let notified = *notifications != *heard;
        *heard = *notifications;
        notified
    }

    /// One of those who wait for it is done.
    pub(super) fn done(&self, done: &Done) {
        let _held = self.notifications.lock().expect("nobody panics here");
        done.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.notified.notify_all();
    }
}

/// Where a model's processes wait for a lock, so that loom need not explore every turn of
/// their pausing.
#[derive(Debug)]
pub(super) struct LockQueue {
    list: WaitList,
    /// How many; not loom's, for it is not part of the model: without it each time that a
    /// lock is given back would be two more steps to explore.
    waiting: AtomicUsize,
}

impl LockQueue {
    pub(super) fn new() -> Self {
        Self {
            list: WaitList::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Sleeps while `holder` has the lock whose word is `word`, and is alive.
    pub(super) fn pause(&self, word: &Word32, holder: u32, is_alive: impl Fn(u32) -> bool) {
        let one = std::sync::atomic::Ordering::Relaxed;
        self.waiting.fetch_add(1, one);
        let mut list = self.list.notified.lock().expect("nobody panics here");
        // Whoever gives the lock back after this look finds `waiting` set.
        while holder != 0 && newest(word) == holder && is_alive(holder) {
            list = self.list.condvar.wait(list).expect("nobody panics here");
        }
        drop(list);
        self.waiting.fetch_sub(1, one);
    }

    /// The lock was given back.
    pub(super) fn on_unlock(&self) {
        if self.waiting.load(std::sync::atomic::Ordering::Relaxed) != 0 {
            self.list.on_death();
        }
    }

    /// Somebody died.
    pub(super) fn on_death(&self) {
        self.list.on_death();
    }
}

/// What is in `word` now: an exchange, also one that fails, does not see old values.
pub(super) fn newest(word: &Word32) -> u32 {
    newest_of(word.atomic())
}

/// [`newest`], of a word of one process.
pub(super) fn newest_of(word: &AtomicU32) -> u32 {
    let exchanged = word.compare_exchange(u32::MAX, 0, Ordering::Relaxed, Ordering::Relaxed);
    exchanged.expect_err("no word is all ones")
}
