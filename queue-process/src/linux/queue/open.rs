//! Making a queue, or opening it by its descriptors: what it consists of is [`QueueFds`].

use super::format::Limits;
use super::header::Header;
use super::linux_queue::LinuxQueue;
use super::platform::Linux;
use super::shared::Shared;
use crate::codec::Codec;
use crate::deferred::Deferred;
use crate::linux::engine::{Engine, MAX_ITEMS, Storage};
use crate::linux::lease::mapped::LeaseLayout;
use crate::linux::membership::member::{DESCRIPTORS, LinuxMembership};
use crate::linux::membership::registry::Sides;
use crate::linux::wait::eventfd::{self, Eventfds};
use crate::sys::{self, Mapping, PerProcess, corrupt};
use crate::types::Types;
use queue_core::{Capacity, EndpointCounts, Failure, FailureKind, Side};
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};

/// A storage that other processes can open.
pub(crate) trait Shareable: Storage + Sized + 'static {
    /// Tells the kinds apart in shared memory.
    const KIND: u32;

    /// What people call the kind.
    const NAME: &'static str;

    /// How many bytes an item may have if nothing else is said.
    const MAX_ITEM_BYTES: u32;

    /// The limits of a queue of `bound`, of items up to `item` bytes; `memory` is what an unbounded
    /// one may take for items.
    fn limits(bound: Capacity, item: u32, memory: u64) -> Limits;

    /// How many descriptors it has of its own.
    const DESCRIPTORS: usize;

    /// How many bytes of the mapping it uses, behind the header.
    fn mapped(limits: &Limits) -> Result<usize, Failure>;

    /// An empty storage in a new mapping.
    ///
    /// # Errors
    /// What the system says.
    fn create(mapping: &Arc<Mapping>, limits: &Limits) -> Result<Self, Failure>;

    /// The storage whose mapping and descriptors these are, as another process gave
    /// them in [`descriptors`](Self::descriptors).
    ///
    /// # Errors
    /// `Corrupt` if they are not.
    fn open(mapping: &Arc<Mapping>, limits: &Limits, own: Vec<OwnedFd>) -> Result<Self, Failure>;

    /// Its own descriptors.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>>;
}

/// The descriptors of a queue: with these, any process can open it. In order:
///
/// 0. its memory, whose beginning is the [`Header`];
/// 1. the eventfd of the tail, 2. the eventfd of the head;
/// 3. what the storage has of its own.
///
/// To hand a queue to a child: pass duplicates of these; between fork and exec call
/// `register_for_exec` on `Header::of(mapping).registry`, so that the child is counted from then on;
/// in the child call [`LinuxQueue::adopt`], with the descriptors that this made. To hand it to a
/// process that runs already: pass duplicates, and [`LinuxQueue::open`] them there, while somebody
/// keeps the queue alive.
pub(crate) type QueueFds = Vec<OwnedFd>;

impl<T, C: Codec<T>, S: Shareable> LinuxQueue<T, C, S> {
    /// A new queue, with this process on both sides.
    pub(crate) fn create(limits: Limits) -> Result<Self, Failure> {
        if limits.item > Limits::MAX_ITEM {
            let message = format!("items of up to {} bytes, 2^30 is the most", limits.item);
            return Err(Failure::new(FailureKind::TooLarge, message));
        }
        let capacity = limits.bound.capacity();
        if capacity.is_some_and(|n| n > MAX_ITEMS as usize) {
            let message = "a capacity of more than 2^31 items, which is the most";
            return Err(Failure::new(FailureKind::TooLarge, message));
        }
        let leases = lease_layout::<S>(&limits)?;
        let (mapped, beyond) = (leases.mapped(), leases.beyond());
        let mapping = Mapping::create("queue", mapped, Header::END, beyond)?;
        Self::create_in(mapping, limits)
    }

    /// [`create`](Self::create) in new memory, with limits that make sense.
    pub(crate) fn create_in(mapping: Mapping, limits: Limits) -> Result<Self, Failure> {
        let leases = lease_layout::<S>(&limits)?;
        let mapping = Arc::new(mapping);
        let format = &Header::of(&mapping).format;
        format.write(S::KIND, &Types::of::<T, C>(), &limits);
        let eventfds = eventfd::eventfds()?;
        let storage = S::create(&mapping, &limits)?;
        let sides = Sides::of_half(None);
        let membership = register(&mapping, sides)?;
        let platform = Linux::new(mapping, membership, sides, eventfds, leases);
        Ok(Self::assemble(storage, platform, limits, None))
    }

    /// The queue whose parts these are, with this process newly counted on the side of `half`, or on
    /// both: that is also all it may use.
    ///
    /// # Errors
    /// `Mismatch` or `Corrupt` if they are not those of such a queue, or what the system says.
    pub(crate) fn open(fds: QueueFds, half: Option<Side>) -> Result<Self, Failure> {
        Self::open_with(fds, half, |mapping| register(mapping, Sides::of_half(half)))
    }

    /// [`open`](Self::open) for a process that was counted before it was
    /// started: its `membership`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn adopt(
        fds: QueueFds,
        membership: [OwnedFd; DESCRIPTORS],
        half: Option<Side>,
    ) -> Result<Self, Failure> {
        let sides = Sides::of_half(half);
        Self::open_with(fds, half, |mapping| {
            Header::of(mapping)
                .registry
                .adopt(mapping.file(), sides, membership)
                .or_else(|error| match error.kind() {
                    // A process between the parent and this one (a shell, say) is the one
                    // that was expected, and it let us inherit what it had.
                    io::ErrorKind::NotFound => {
                        Header::of(mapping).registry.register(mapping.file(), sides)
                    }
                    _ => Err(error),
                })
                .map_err(|e| sys::refused("cannot take part in the queue", e))
        })
    }

    fn open_with(
        fds: QueueFds,
        half: Option<Side>,
        register: impl FnOnce(&Mapping) -> Result<LinuxMembership, Failure>,
    ) -> Result<Self, Failure> {
        const FEW: &str = "not as many descriptors as a queue of this kind has";
        let count = fds.len();
        if count < 3 {
            return Err(corrupt(FEW));
        }
        let mut fds = fds.into_iter();
        let mut next = || fds.next().expect("counted above");
        // At first no more than what says how much there is.
        let (mut mapping, len) = Mapping::open(next(), Header::END)?;
        let eventfds: Eventfds = Arc::new([next(), next()]);
        if mapping.len() < Header::END {
            return Err(corrupt("too small to be a queue"));
        }
        let format = &Header::of(&mapping).format;
        // Before all else that depends on the kind: this names both.
        let limits = format.read(S::KIND, &Types::of::<T, C>())?;
        if count != 3 + S::DESCRIPTORS {
            return Err(corrupt(FEW));
        }
        let leases = lease_layout::<S>(&limits)?;
        if (leases.mapped() as u64).saturating_add(leases.beyond()) > len {
            return Err(corrupt("the queue is smaller than it says"));
        }
        mapping.remap(leases.mapped())?;
        let mapping = Arc::new(mapping);
        for eventfd in eventfds.iter() {
            // Else somebody who writes to it could hang.
            rustix::io::ioctl_fionbio(eventfd, true)
                .map_err(|_| corrupt("a descriptor of the queue is no event"))?;
        }
        let storage = S::open(&mapping, &limits, fds.collect())?;
        let membership = register(&mapping)?;
        let sides = Sides::of_half(half);
        let platform = Linux::new(mapping, membership, sides, eventfds, leases);
        Ok(Self::assemble(storage, platform, limits, half))
    }

    fn assemble(storage: S, platform: Linux, limits: Limits, half: Option<Side>) -> Self {
        let shared = Shared {
            engine: Engine::new(storage, platform, limits.capacity()),
            limits,
            ends: EndpointCounts::new(),
            waiting: PerProcess::new(),
            sleepers: PerProcess::new(),
            half,
            attached: Mutex::default(),
            last_check: AtomicU32::new(0),
            deferred: Deferred::default(),
            joining: PerProcess::new(),
            joined: AtomicU32::new(0),
        };
        Self {
            shared: Arc::new(shared),
            types: PhantomData,
        }
    }

    /// The parts, to be duplicated for another process: see [`QueueFds`].
    pub(crate) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        let linux = self.shared.engine.platform();
        let mut fds = vec![linux.mapping().file()];
        fds.extend(linux.eventfds().iter().map(AsFd::as_fd));
        fds.extend(self.shared.engine.storage().descriptors());
        fds
    }

    /// The queue's memory, which holds the registry.
    pub(crate) fn mapping(&self) -> &Arc<Mapping> {
        self.shared.engine.platform().mapping()
    }
}

/// Where the leases of a queue of these limits lie: behind its storage.
///
/// # Errors
/// `Corrupt` if the limits make no sense.
pub(crate) fn lease_layout<S: Shareable>(limits: &Limits) -> Result<LeaseLayout, Failure> {
    let start = Header::END + S::mapped(limits)?;
    Ok(LeaseLayout::new(start, limits.capacity(), limits.item))
}

/// Takes part in the queue whose memory this is.
pub(crate) fn register(mapping: &Mapping, sides: Sides) -> Result<LinuxMembership, Failure> {
    Header::of(mapping)
        .registry
        .register(mapping.file(), sides)
        .map_err(|e| sys::refused("cannot take part in the queue", e))
}
