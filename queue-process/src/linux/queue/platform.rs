//! [`Linux`]: one participant's view of a queue: the shared memory, membership
//! and the system calls (futexes, clock).

use super::header::Header;
use crate::linux::engine::Platform;
use crate::linux::engine::control::{Control, End};
use crate::linux::lease::bytes::LeaseMemory;
use crate::linux::lease::mapped::{LeaseLayout, MappedLeases};
use crate::linux::membership::member::LinuxMembership;
use crate::linux::membership::registry::{Registry, Sides};
use crate::linux::wait::RECHECK_INTERVAL;
use crate::linux::wait::eventfd::{Eventfds, eventfd};
use crate::sys::{self, Mapping, PerProcess, Word32};
use queue_core::{Failure, Side};
use rustix::io::Errno;
use rustix::thread::futex;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One member; in a forked child what is left of its parent's membership, until the child has one
/// of its own.
#[derive(Debug)]
pub(crate) struct Linux {
    mapping: Arc<Mapping>,
    leases: MappedLeases,
    eventfds: Eventfds,
    membership: PerProcess<LinuxMembership>,
    /// The name that goes with the membership, and in the upper half the process that it is for.
    owner: AtomicU64,
    /// What process this is.
    process: &'static AtomicU32,
    /// On which [`Sides`] this process stands, or would if it took part.
    sides: AtomicU32,
    /// Guards the counting of this process on the sides of the queue.
    counting: PerProcess<Mutex<()>>,
}

impl Linux {
    /// The member that has this `membership`, on `sides`.
    pub(crate) fn new(
        mapping: Arc<Mapping>,
        membership: LinuxMembership,
        sides: Sides,
        eventfds: Eventfds,
        leases: LeaseLayout,
    ) -> Self {
        let linux = Self {
            leases: MappedLeases::new(Arc::clone(&mapping), leases),
            mapping,
            eventfds,
            membership: PerProcess::new(),
            owner: AtomicU64::new(0),
            process: sys::generation_word(),
            sides: AtomicU32::new(sides.0),
            counting: PerProcess::new(),
        };
        linux.set_membership(membership);
        linux
    }

    /// Has `membership` be this process's.
    fn set_membership(&self, membership: LinuxMembership) {
        let owner = membership.owner();
        if let Err(second) = self.membership.put(membership) {
            // Only under the lock of `counting`.
            return self.registry().release_entry(&second);
        }
        let me = u64::from(sys::generation()) << 32 | u64::from(owner);
        // Relaxed: one word says it all.
        self.owner.store(me, Ordering::Relaxed);
    }

    /// Has the counting to itself.
    pub(crate) fn counting(&self) -> MutexGuard<'_, ()> {
        let counting = self.counting.get_or_init(Mutex::default);
        counting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process takes part.
    pub(crate) fn is_member(&self) -> bool {
        self.owner() != 0
    }

    pub(crate) fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    pub(crate) fn eventfds(&self) -> &Eventfds {
        &self.eventfds
    }

    fn registry(&self) -> &Registry {
        &Header::of(&self.mapping).registry
    }

    /// Whether somebody is counted on `side`, as far as this process can know.
    pub(crate) fn is_held(&self, side: Side) -> bool {
        let membership = self.membership.get();
        membership.is_none_or(|membership| self.registry().is_held(membership, side, self.now()))
    }

    /// How many members are counted on `side`, as far as this process can know.
    pub(crate) fn members(&self, side: Side) -> Option<usize> {
        let membership = self.membership.get()?;
        Some(self.registry().members(membership, side))
    }

    /// No longer counts this process on `side`.
    pub(crate) fn leave(&self, side: Side) {
        // Relaxed: under the lock of `counting`, here and below.
        let left = !Sides::of(side).0;
        self.sides.fetch_and(left, Ordering::Relaxed);
        if let Some(membership) = self.membership.get() {
            self.registry().leave(membership, side);
        }
    }

    /// Counts this process on `side` again: at once, or as soon as it takes part.
    pub(crate) fn join(&self, side: Side) {
        let joined = Sides::of(side).0;
        self.sides.fetch_or(joined, Ordering::Relaxed);
        if let Some(membership) = self.membership.get() {
            self.registry().join(membership, side);
        }
    }

    /// No longer takes part.
    pub(crate) fn unregister(&self) {
        if let Some(membership) = self.membership.get() {
            self.registry().release_entry(membership);
        }
    }
}

impl Platform for Linux {
    #[inline]
    fn control(&self) -> &Control {
        &Header::of(&self.mapping).control
    }

    #[inline]
    fn leases(&self) -> &dyn LeaseMemory {
        &self.leases
    }

    #[inline]
    fn owner(&self) -> u32 {
        // Relaxed, both: no other thread's doing matters but for these words themselves.
        let me = self.owner.load(Ordering::Relaxed);
        match (me >> 32) as u32 == self.process.load(Ordering::Relaxed) {
            true => me as u32,
            false => 0,
        }
    }

    #[cold]
    fn become_member(&self) -> Result<(), Failure> {
        let _counting = self.counting();
        if self.membership.get().is_some() {
            return Ok(());
        }
        let sides = Sides(self.sides.load(Ordering::Relaxed));
        let membership = self.registry().register(self.mapping.file(), sides);
        let membership =
            membership.map_err(|e| sys::refused("cannot take part in the queue", e))?;
        self.set_membership(membership);
        // Only now, so that there was always one of the two.
        self.membership
            .inherited()
            .for_each(LinuxMembership::release_inherited);
        Ok(())
    }

    fn is_alive(&self, owner: u32) -> bool {
        let membership = self.membership.get();
        membership.is_none_or(|membership| self.registry().is_alive(membership, owner))
    }

    fn pause(&self, round: u32, _: &Word32, _: u32) {
        match round {
            0..6 => (0..1 << round).for_each(|_| std::hint::spin_loop()),
            // Not many: where others have work, each takes as long as they like to.
            6..10 => std::thread::yield_now(),
            _ => std::thread::sleep(Duration::from_micros(50 << (round - 10).min(4))),
        }
    }

    fn now(&self) -> u32 {
        let now = clock_gettime(ClockId::MonotonicCoarse);
        (now.tv_sec * 1000 + now.tv_nsec / 1_000_000) as u32
    }

    fn sleep(&self, word: &Word32, expected: u32, at_most: Duration) -> bool {
        let timeout = Timespec::try_from(at_most).ok();
        // Not `PRIVATE`: it must work across processes.
        let slept = futex::wait(
            word.atomic(),
            futex::Flags::empty(),
            expected,
            timeout.as_ref(),
        );
        matches!(slept, Err(Errno::TIMEDOUT))
    }

    fn sleep_as_follower(
        &self,
        word: &Word32,
        expected: u32,
        led: &AtomicU32,
        at_most: Duration,
    ) -> bool {
        let mut until = Timespec::try_from(at_most).expect("some seconds");
        until += clock_gettime(ClockId::Monotonic);
        let on = |word: &AtomicU32, value: u32, flags| {
            let mut wait = futex::Wait::new();
            wait.uaddr = futex::WaitPtr::new(word.as_ptr().cast());
            (wait.val, wait.flags) = (value.into(), flags);
            wait
        };
        let shared = futex::WaitFlags::SIZE_U32;
        let own = shared.union(futex::WaitFlags::PRIVATE);
        let both = [on(word.atomic(), expected, shared), on(led, 1, own)];
        let flags = futex::WaitvFlags::empty();
        match futex::waitv(&both, flags, Some(&until), ClockId::Monotonic) {
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => false,
            Err(Errno::TIMEDOUT) => true,
            // Systems before Linux 5.16 wait for one word only: each looks again by itself.
            Err(_) => self.sleep(word, expected, at_most.min(RECHECK_INTERVAL)),
        }
    }

    fn wake_follower(&self, led: &AtomicU32) {
        let _ = futex::wake(led, futex::Flags::PRIVATE, 1);
    }

    fn wake(&self, word: &Word32, sleepers: u32) {
        // It fails only for a bad address, which this is not.
        let sleepers = sleepers.min(i32::MAX as u32);
        let _ = futex::wake(word.atomic(), futex::Flags::empty(), sleepers);
    }

    #[cold]
    fn notify_futures(&self, end: End) {
        let eventfd = eventfd(&self.eventfds, end);
        let ring = || rustix::io::write(eventfd, &1u64.to_ne_bytes());
        if ring().is_err() {
            // Its count is full, which takes an age, or malice.
            let _ = rustix::io::read(eventfd, &mut [0; 8]);
            let _ = ring();
        }
    }
}
