//! [`Handle`]: one process's opened queue: made, handed over, used, left.
//!
//! A kind is a newtype around a handle with its storage. What a queue consists of, to be
//! handed to another process, is [`QueueFds`].

use super::format::Limits;
use super::header::Header;
use super::platform::Linux;
use crate::codec::Codec;
use crate::linux::engine::Engine;
use crate::linux::engine::layout::End;
use crate::linux::engine::lock::Tries;
use crate::linux::engine::platform::Platform;
use crate::linux::engine::storage::{Storage, corrupt};
use crate::linux::membership::member::{DESCRIPTORS, LinuxMembership};
use crate::linux::membership::registry::Sides;
use crate::linux::wait::RECHECK_INTERVAL;
use crate::linux::wait::eventfd::{self, Eventfds};
use crate::linux::wait::futures::WaitList;
use crate::linux::wait::sleepers::Sleepers;
use crate::linux::wait::waker_thread;
use crate::owed::Owed;
use crate::sys::{self, Mapping, PerProcess};
use crate::types::Types;
use queue_core::{EndpointCounts, Failure, FailureKind, QueueId, Side};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A storage that other processes can open.
pub(crate) trait Shareable: Storage + Sized + 'static {
    /// Tells the kinds apart in shared memory.
    const KIND: u32;

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
/// in the child call [`Handle::adopt`], with the descriptors that this made. To hand it to a
/// process that runs already: pass duplicates, and [`Handle::open`] them there, while somebody
/// keeps the queue alive.
pub(crate) type QueueFds = Vec<OwnedFd>;

/// What the clones of a handle share.
pub(crate) struct Shared<S: Storage> {
    pub(crate) engine: Engine<S, Linux>,
    pub(crate) limits: Limits,
    pub(crate) ends: EndpointCounts,
    /// The futures of this process that wait for the tail, and for the head.
    waiting: PerProcess<[WaitList; 2]>,
    /// Its threads that sleep until the tail moves, and until the head does.
    sleepers: PerProcess<[Sleepers; 2]>,
    /// Which verbs this process may use.
    pub(crate) rights: Sides,
    /// What lives as long as this process has a handle: what hands the queue to whoever asks
    /// for it by name.
    kept: Mutex<Option<Box<dyn Send>>>,
    /// When the dead were last looked for, in milliseconds of a coarse clock.
    pub(crate) last_check: AtomicU32,
    /// What was popped in a batch and is still to be given.
    pub(crate) owed: Owed,
}

/// An opened queue of items `T`, turned into bytes by `C`, that lie in `S`.
pub(crate) struct Handle<T, C, S: Storage> {
    pub(crate) shared: Arc<Shared<S>>,
    types: PhantomData<fn(T) -> (T, C)>,
}

impl<T, C, S: Storage> Clone for Handle<T, C, S> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            types: PhantomData,
        }
    }
}

impl<T, C: Codec<T>, S: Shareable> Handle<T, C, S> {
    /// A new queue, with this process on both sides.
    pub(crate) fn create(limits: Limits) -> Result<Self, Failure> {
        if limits.item > Limits::MAX_ITEM {
            let message = format!("items of up to {} bytes, 2^30 is the most", limits.item);
            return Err(Failure::new(FailureKind::TooLarge, message));
        }
        if limits
            .bound
            .capacity()
            .is_some_and(|n| n > crate::linux::engine::MAX_ITEMS as usize)
        {
            let message = "a capacity of more than 2^31 items";
            return Err(Failure::new(FailureKind::TooLarge, message));
        }
        let len = Header::END + S::mapped(&limits)?;
        Self::create_in(Mapping::create("queue", len, Header::END)?, limits)
    }

    /// [`create`](Self::create) in new memory, with limits that make sense.
    pub(crate) fn create_in(mapping: Mapping, limits: Limits) -> Result<Self, Failure> {
        let mapping = Arc::new(mapping);
        Header::of(&mapping)
            .format
            .write(S::KIND, &Types::of::<T, C>(), &limits);
        let eventfds = eventfd::eventfds()?;
        let storage = S::create(&mapping, &limits)?;
        let membership = register(&mapping, Sides::BOTH)?;
        Ok(Self::assemble(
            mapping,
            eventfds,
            storage,
            membership,
            limits,
            Sides::BOTH,
        ))
    }

    /// The queue whose parts these are, with this process newly counted on `sides`,
    /// which are also all it may use.
    ///
    /// # Errors
    /// `Mismatch` or `Corrupt` if they are not those of such a queue, or what the system says.
    pub(crate) fn open(fds: QueueFds, sides: Sides) -> Result<Self, Failure> {
        Self::open_with(fds, sides, |mapping| register(mapping, sides))
    }

    /// [`open`](Self::open) for a process that was counted on `sides` before it was
    /// started: its `membership`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn adopt(
        fds: QueueFds,
        membership: [OwnedFd; DESCRIPTORS],
        sides: Sides,
    ) -> Result<Self, Failure> {
        Self::open_with(fds, sides, |mapping| {
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
        sides: Sides,
        register: impl FnOnce(&Mapping) -> Result<LinuxMembership, Failure>,
    ) -> Result<Self, Failure> {
        if fds.len() != 3 + S::DESCRIPTORS {
            return Err(corrupt(
                "not as many descriptors as a queue of this kind has",
            ));
        }
        let mut fds = fds.into_iter();
        let mut next = || fds.next().expect("counted above");
        let mapping = Arc::new(Mapping::open(next())?);
        let eventfds: Eventfds = Arc::new([next(), next()]);
        if mapping.len() < Header::END {
            return Err(corrupt("too small to be a queue"));
        }
        let limits = Header::of(&mapping)
            .format
            .read(S::KIND, &Types::of::<T, C>())?;
        if S::mapped(&limits)? > mapping.len() - Header::END {
            return Err(corrupt("the queue is smaller than it says"));
        }
        for eventfd in eventfds.iter() {
            // Else somebody who writes to it could hang.
            rustix::io::ioctl_fionbio(eventfd, true)
                .map_err(|_| corrupt("a descriptor of the queue is no event"))?;
        }
        let storage = S::open(&mapping, &limits, fds.collect())?;
        let membership = register(&mapping)?;
        Ok(Self::assemble(
            mapping, eventfds, storage, membership, limits, sides,
        ))
    }

    fn assemble(
        mapping: Arc<Mapping>,
        eventfds: Eventfds,
        storage: S,
        membership: LinuxMembership,
        limits: Limits,
        rights: Sides,
    ) -> Self {
        let platform = Linux::new(mapping, membership, rights, eventfds);
        let shared = Shared {
            engine: Engine::new(storage, platform, limits.capacity()),
            limits,
            ends: EndpointCounts::new(),
            waiting: PerProcess::new(),
            sleepers: PerProcess::new(),
            rights,
            kept: Mutex::default(),
            last_check: AtomicU32::new(0),
            owed: Owed::default(),
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

    /// Keeps `what` until the last clone of this handle is dropped.
    pub(crate) fn keep(&self, what: impl Send + 'static) {
        let mut kept = (self.shared.kept.lock()).unwrap_or_else(PoisonError::into_inner);
        *kept = Some(Box::new(what));
    }

    /// Which verbs this process may use.
    pub(crate) fn rights(&self) -> Sides {
        self.shared.rights
    }
}

fn register(mapping: &Mapping, sides: Sides) -> Result<LinuxMembership, Failure> {
    Header::of(mapping)
        .registry
        .register(mapping.file(), sides)
        .map_err(|e| sys::refused("cannot take part in the queue", e))
}

impl<S: Storage> Shared<S> {
    /// The futures of this process that wait for `end`.
    pub(crate) fn waiting(&self, end: End) -> &WaitList {
        &self.waiting.get_or(Default::default)[match end {
            End::Tail => 0,
            End::Head => 1,
        }]
    }

    /// The threads of this process that sleep until `end` moves.
    pub(super) fn sleepers(&self, end: End) -> &Sleepers {
        &self.sleepers.get_or(Default::default)[end as usize]
    }

    /// About how much there is of what those want who wait for `end`; see `Queue::ready_hint`.
    pub(crate) fn ready_hint(&self, end: End) -> usize {
        match end {
            _ if self.engine.is_closed() => usize::MAX,
            // Not `len`: to ask whether a holder of a lock lives is a system call.
            End::Tail => self.engine.len() as usize + self.owed.len(),
            End::Head => self.engine.capacity().saturating_sub(self.engine.len()) as usize,
        }
    }

    /// Tells this queue from all others, by whatever way it came into this process: by the number of
    /// its memory, which while it exists no other has.
    pub(crate) fn id(&self) -> QueueId {
        match rustix::fs::fstat(self.engine.platform().mapping().file()) {
            Ok(status) => QueueId::new(status.st_dev, status.st_ino),
            Err(_) => QueueId::of_address(&self.ends),
        }
    }

    /// How many items are inside, or still to be given to this process.
    pub(crate) fn len(&self) -> usize {
        let len = self.engine.exact_len() as usize + self.owed.len();
        len.min(self.engine.capacity() as usize)
    }

    /// Wakes who waits for items: something is owed to this process.
    pub(crate) fn wake_consumers(&self) {
        self.engine.wake_waiting(End::Tail);
        self.waiting(End::Tail).event().notify_all();
    }

    /// If this process takes part, looks whether anybody is left on either side, and closes the
    /// queue if not.
    /// And gives memory back that is no longer needed. With so many tries for the locks.
    pub(crate) fn check_peers(&self, tries: Tries) {
        if !self.engine.platform().takes_part() {
            return;
        }
        self.engine.recover(tries);
        if self.engine.len() == 0 {
            self.engine.trim_if_due(tries);
        }
        let linux = self.engine.platform();
        let held = |side| linux.is_held(side);
        if self.engine.is_closed() || held(Side::Producers) && held(Side::Consumers) {
            return;
        }
        self.engine.close_within(tries);
    }

    /// [`check_peers`](Self::check_peers), at most twice per [`RECHECK_INTERVAL`]: for those who try
    /// again and again instead of waiting. Whether it was time.
    pub(crate) fn check_peers_if_due(&self) -> bool {
        let now = self.engine.platform().now();
        // Relaxed: if two threads look, no harm is done.
        let last = self.last_check.load(Ordering::Relaxed);
        let due = now.wrapping_sub(last) > RECHECK_INTERVAL.as_millis() as u32 / 2;
        if due {
            self.last_check.store(now, Ordering::Relaxed);
            self.check_peers(Tries::Endless);
        }
        due
    }

    /// Whether it is closed, or should be.
    pub(crate) fn is_closed(&self) -> bool {
        self.check_peers_if_due();
        self.engine.is_closed()
    }

    /// The last end of `side` in this process is gone: so is the process, on that side.
    pub(crate) fn on_last_endpoint(&self, side: Side) {
        let counting = self.engine.platform().counting();
        if self.ends.count(side) == 0 {
            self.engine.platform().leave(side);
        }
        drop(counting);
        self.check_peers(Tries::Endless);
    }

    /// There is an end of `side` in this process.
    pub(crate) fn on_first_endpoint(&self, side: Side) {
        let _counting = self.engine.platform().counting();
        if self.rights.contain(side) {
            self.engine.platform().join(side);
        }
    }
}

impl<S: Storage> Drop for Shared<S> {
    fn drop(&mut self) {
        if !self.engine.platform().takes_part() {
            // A forked child's copy: nothing here is its own.
            return;
        }
        // In this order: while it closes the queue it still has a name in the locks, for
        // the byte is locked until the membership is dropped.
        for side in [Side::Producers, Side::Consumers] {
            self.engine.platform().leave(side);
        }
        // If its thread has it last: others that look see who has left, and close the queue.
        let waits = !waker_thread::is_this_thread();
        self.check_peers(if waits { Tries::Endless } else { Tries::Few });
        self.engine.platform().give_back();
        waker_thread::forget(self.engine.platform().eventfds());
    }
}

impl<T, C, S: Storage> Handle<T, C, S> {
    pub(crate) fn shared(&self) -> &Shared<S> {
        &self.shared
    }

    /// For the kind of that name to debug itself.
    pub(crate) fn debug(&self, kind: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = &self.shared.limits;
        f.debug_struct(kind)
            .field("len", &self.shared.len())
            .field("capacity", &limits.bound.capacity())
            .field("closed", &self.shared.engine.is_closed())
            .field("max_item_bytes", &limits.item)
            .field("memory_limit", &limits.memory)
            .finish_non_exhaustive()
    }
}
