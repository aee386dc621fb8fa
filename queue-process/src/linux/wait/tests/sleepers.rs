//! Tests of [`sleepers`](crate::linux::wait::sleepers).

use crate::linux::engine::Platform;
use crate::linux::engine::control::{Control, End};
use crate::linux::lease::bytes::{LeaseMemory, NoLeases};
use crate::linux::wait::sleepers::*;
use crate::sys::Word32;
use queue_core::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A system in which nobody sleeps, and that counts who looks by itself, who follows, and
/// who is called.
#[derive(Default)]
struct System {
    control: Control,
    led: AtomicU32,
    followed: AtomicU32,
    called: AtomicU32,
}

impl Platform for System {
    fn control(&self) -> &Control {
        &self.control
    }
    fn leases(&self) -> &dyn LeaseMemory {
        &NoLeases
    }
    fn owner(&self) -> u32 {
        1
    }
    fn is_alive(&self, _: u32) -> bool {
        true
    }
    fn pause(&self, _: u32, _: &Word32, _: u32) {}
    fn now(&self) -> u32 {
        0
    }
    fn sleep(&self, _: &Word32, _: u32, at_most: Duration) -> bool {
        assert!(at_most <= super::super::RECHECK_INTERVAL);
        self.led.fetch_add(1, Ordering::Relaxed);
        false
    }
    fn sleep_as_follower(&self, _: &Word32, _: u32, led: &AtomicU32, _: Duration) -> bool {
        assert_eq!(led.load(Ordering::Relaxed), 1);
        self.followed.fetch_add(1, Ordering::Relaxed);
        false
    }
    fn wake_follower(&self, led: &AtomicU32) {
        assert_eq!(led.load(Ordering::Relaxed), 0);
        self.called.fetch_add(1, Ordering::Relaxed);
    }
    fn wake(&self, _: &Word32, _: u32) {}
    fn notify_futures(&self, _: End) {}
}

#[test]
fn one_leads_and_whoever_leaves_while_nobody_does_calls_another() {
    let (system, all) = (System::default(), Sleepers::default());
    let did = || {
        [&system.led, &system.followed, &system.called].map(|count| count.load(Ordering::Relaxed))
    };
    let sleep = |sleeper: &mut Sleeper<'_, System>| {
        sleeper.sleep(&system.control.tail.wake_seq, 0, Duration::MAX);
    };
    let mut sleepers = [(); 4].map(|()| Some(Sleeper::new(&all, &system)));
    for sleeper in sleepers.iter_mut().take(3).flatten() {
        sleep(sleeper);
    }
    assert_eq!(did(), [1, 2, 0]);
    sleep(sleepers[0].as_mut().unwrap());
    assert_eq!(did(), [2, 2, 0], "it still leads");
    // The second one leaves while the first leads; then that does, and nobody follows just
    // now; then somebody does, and one after the other leaves that was called or has not slept.
    sleepers[1] = None;
    sleepers[0] = None;
    assert_eq!(did(), [2, 2, 0]);
    all.followers.store(1, Ordering::Relaxed);
    sleepers[2] = None;
    assert_eq!(
        did(),
        [2, 2, 1],
        "it was called, and may have been for that"
    );
    sleep(sleepers[3].as_mut().unwrap());
    assert_eq!(did(), [3, 2, 1], "it leads now");
    sleepers[3] = None;
    assert_eq!(did(), [3, 2, 2]);
}
