//! [`Registry`]: who takes part in a queue, on which sides, and whether they are alive.
//!
//! A member is one opened queue in one process. It owns an entry, and has two bytes
//! of the file of the queue's memory locked that belong to the entry, through two file
//! descriptions. The kernel frees such a lock when the last descriptor of its description is
//! closed, hence at the latest when all processes have died that have one:
//!
//! * the *liveness* lock. No other process has that description, so the member is alive as long as the
//!   byte is locked. It decides about locks whose holder died.
//! * the *inheritable* lock. A child that a member makes by `fork` has a copy of that description,
//!   until it joins itself or drops its copy of the handle. So the sides of a member that has ended
//!   stay held for such a child, for [`RETAINED_MS`], in which it may become a member of its own.
//!
//! No process id decides anything: ids come again, and mean something else in another
//! namespace. There are at most [`MAX_MEMBERS`]; one more is refused.
//!
//! # Scanning for a member
//!
//! [`is_held`](Registry::is_held) scans one entry after the other. The scan is not atomic: a
//! member may join at an entry that was scanned already, and another one, which knows of that,
//! may leave an entry that is scanned next. So each join is also counted, and the scan is repeated
//! if `join_count` has changed. A member leaves with Release: whoever sees that it has left sees
//! all members that it knew of.

use crate::sys::{Word32, shared_safe};
use queue_core::Side;
use queue_core::sync::atomic::Ordering;
use std::io;

/// How many members a queue can have at one time.
pub(crate) const MAX_MEMBERS: usize = if cfg!(loom) { 3 } else { 256 };

/// How often `is_held` scans at most. Whoever joins is there for a moment at least: after so many
/// scans somebody is there, or plays tricks.
const MAX_RESCANS: u32 = if cfg!(loom) { 4 } else { 64 };

/// For how many milliseconds after the end of a member a forked child keeps its sides.
/// Without a limit nobody would notice the end as long as the child lives, which may be
/// of no use to the queue.
pub(crate) const RETAINED_MS: u32 = 2000;

/// The kernel's locks on the bytes of the file of the queue's memory, as the descriptions of one
/// participant have them.
pub(crate) trait ByteLocks {
    /// Locks the bytes of an entry: false if somebody else has one.
    ///
    /// # Errors
    /// What the system says.
    fn lock(&self, slot: u32) -> io::Result<bool>;

    /// Whether somebody else has the byte of the liveness lock locked.
    ///
    /// # Errors
    /// What the system says.
    fn is_alive(&self, slot: u32) -> io::Result<bool>;

    /// Whether somebody else has the byte of the inheritable lock locked.
    ///
    /// # Errors
    /// What the system says.
    fn is_inherited(&self, slot: u32) -> io::Result<bool>;
}

/// A set of sides: those that a participant is counted on, or may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sides(pub(crate) u32);

impl Sides {
    pub(crate) const PRODUCERS: Self = Self(1);
    pub(crate) const CONSUMERS: Self = Self(2);
    pub(crate) const BOTH: Self = Self(3);
    /// Taken for a program that `exec` will start, and that has not yet come.
    const EXPECTED: u32 = 4;

    #[inline]
    pub(crate) fn of(side: Side) -> Self {
        match side {
            Side::Producers => Self::PRODUCERS,
            Side::Consumers => Self::CONSUMERS,
        }
    }

    /// That of the half, or both.
    pub(crate) fn of_half(half: Option<Side>) -> Self {
        half.map_or(Self::BOTH, Self::of)
    }

    /// What an entry says of a program that is yet to come to these.
    pub(super) fn expected(self) -> u32 {
        self.0 | Self::EXPECTED
    }
}

/// One participant. Only its owner writes it, while it has the bytes locked; but `ended`.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Entry {
    /// Counts the owners, so that the names of dead ones are not used again.
    pub(super) generation: Word32,
    /// [`Sides`], and `EXPECTED`.
    pub(super) sides: Word32,
    /// The process, or 0 for an entry given back in order.
    pub(super) process: Word32,
    /// If `EXPECTED`, when the process was started.
    pub(super) started: Word32,
    /// When somebody first saw that its owner has ended and a forked child has inherited its lock, in
    /// milliseconds; or 0.
    ended: Word32,
}

shared_safe! { Entry { generation, sides, process, started, ended } }

/// All participants.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Registry {
    pub(super) entries: [Entry; MAX_MEMBERS],
    /// Counts how often somebody joined a side, ever.
    pub(super) join_count: Word32,
}

shared_safe! { Registry { entries, join_count } }

/// Who joins, and on which sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JoinRequest {
    pub(crate) process: u32,
    pub(crate) sides: u32,
    pub(crate) started: u32,
}

/// A member's entry in the registry: it is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Membership<B> {
    pub(super) slot: u32,
    pub(super) generation: u32,
    /// The descriptions that have the bytes locked.
    pub(crate) bytes: B,
}

/// Generations that fit into an owner word beside the slot.
pub(super) const GENERATIONS: u32 = 1 << 24;

impl<B> Membership<B> {
    /// Our name in a lock word: never zero, and only ours.
    #[inline]
    pub(crate) fn owner(&self) -> u32 {
        self.generation << 8 | self.slot
    }
}

impl Registry {
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self {
            entries: std::array::from_fn(|_| Entry::default()),
            join_count: Word32::default(),
        }
    }

    /// Takes an entry, or `None` if all are taken.
    ///
    /// May be called between fork and exec: it allocates nothing and takes no lock
    /// of this process.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn take_entry<B: ByteLocks>(
        &self,
        bytes: B,
        who: JoinRequest,
    ) -> io::Result<Option<Membership<B>>> {
        // First the entries that were given back, then those of the dead.
        for given_back in [true, false] {
            for (slot, entry) in (0..).zip(&self.entries) {
                // Relaxed: a hint; the lock of the byte decides, and the kernel orders
                // what its last owner wrote before what we read.
                if given_back && entry.process.load(Ordering::Relaxed) != 0 {
                    continue;
                }
                if !bytes.lock(slot)? {
                    continue;
                }
                // Until we are done the entry shows the sides of its last owner, and who
                // looks for somebody there takes it for alive: a moment longer than it was.
                let generation = entry.generation.load(Ordering::Relaxed) % (GENERATIONS - 1) + 1;
                // Release: pairs with the Acquire in `is_alive`.
                entry.generation.store(generation, Ordering::Release);
                // Relaxed, all: hints, or for this process alone.
                entry.ended.store(0, Ordering::Relaxed);
                entry.started.store(who.started, Ordering::Relaxed);
                entry.process.store(who.process, Ordering::Relaxed);
                self.set_sides(entry, who.sides);
                return Ok(Some(Membership {
                    slot,
                    generation,
                    bytes,
                }));
            }
        }
        Ok(None)
    }

    /// Has the owner of `entry` come to `sides`.
    fn set_sides(&self, entry: &Entry, sides: u32) {
        // Release: whoever sees that we are *not* on a side, where an earlier owner or
        // we ourselves were before, must see what that leave would have shown. Pairs
        // with the Acquire of the entry in `is_held`.
        entry.sides.store(sides, Ordering::Release);
        // After that. Release: pairs with the Acquire of the count in `is_held`.
        self.join_count.add(1, Ordering::Release);
    }

    /// Leaves one side.
    pub(crate) fn leave<B>(&self, membership: &Membership<B>, side: Side) {
        let sides = &self.entries[membership.slot as usize].sides;
        // Only we write it.
        let left = sides.load(Ordering::Relaxed) & !Sides::of(side).0;
        // Release: pairs with the Acquire of the entry in `is_held`.
        sides.store(left, Ordering::Release);
    }

    /// Joins one side (again).
    pub(crate) fn join<B>(&self, membership: &Membership<B>, side: Side) {
        let entry = &self.entries[membership.slot as usize];
        // Only we write it.
        let joined = entry.sides.load(Ordering::Relaxed) | Sides::of(side).0;
        self.set_sides(entry, joined);
    }

    /// Gives the entry back. Its bytes are free when `membership` is dropped after this.
    pub(crate) fn release_entry<B>(&self, membership: &Membership<B>) {
        let entry = &self.entries[membership.slot as usize];
        // Release: pairs with the Acquire of the entry in `is_held`.
        entry.sides.store(0, Ordering::Release);
        // Relaxed: a hint for those who look for an entry.
        entry.process.store(0, Ordering::Relaxed);
    }

    /// Whether somebody is counted on `side` who is alive, or whose lock a child inherited. Somebody is
    /// if the system does not tell. `now` is in milliseconds.
    pub(crate) fn is_held<B: ByteLocks>(&self, mine: &Membership<B>, side: Side, now: u32) -> bool {
        for _ in 0..MAX_RESCANS {
            // Acquire: pairs with the Release in `set_sides`. Who is counted is seen below.
            let before = self.join_count.load(Ordering::Acquire);
            let found = (0..).zip(&self.entries).any(|(slot, entry)| {
                // Acquire: pairs with the Release stores above.
                let counted = entry.sides.load(Ordering::Acquire) & Sides::of(side).0 != 0;
                counted
                    && (self.is_slot_alive(mine, slot)
                        || Self::is_inherited(entry, mine, slot, now))
            });
            // Relaxed: if somebody seen above to have left knew of one that joined, so do we.
            if found || self.join_count.load(Ordering::Relaxed) == before {
                return found;
            }
        }
        true
    }

    /// How many are counted on `side` and alive: a number for people, which may be one off while
    /// somebody comes or goes.
    pub(crate) fn members<B: ByteLocks>(&self, mine: &Membership<B>, side: Side) -> usize {
        let members = (0..).zip(&self.entries).filter(|(slot, entry)| {
            // Relaxed: nothing is concluded from it.
            let counted = entry.sides.load(Ordering::Relaxed) & Sides::of(side).0 != 0;
            counted && self.is_slot_alive(mine, *slot)
        });
        members.count()
    }

    /// Whether the participant of that name may be alive.
    pub(crate) fn is_alive<B: ByteLocks>(&self, mine: &Membership<B>, owner: u32) -> bool {
        let (slot, generation) = (owner & 0xff, owner >> 8);
        let Some(entry) = self.entries.get(slot as usize) else {
            return false;
        };
        // A newer owner of the entry proves the older one dead. Acquire: pairs with the
        // Release in `take_entry`: all that the dead did is then visible. An older one is not
        // seen, for whoever read the name in a lock word with Acquire sees what its owner
        // did before it wrote it there with Release.
        let now = entry.generation.load(Ordering::Acquire);
        now == generation && self.is_slot_alive(mine, slot)
    }

    fn is_slot_alive<B: ByteLocks>(&self, mine: &Membership<B>, slot: u32) -> bool {
        slot == mine.slot || mine.bytes.is_alive(slot).unwrap_or(true)
    }

    /// Whether the sides of one that has ended are still held, for a child that it forked.
    #[cold]
    fn is_inherited<B: ByteLocks>(
        entry: &Entry,
        mine: &Membership<B>,
        slot: u32,
        now: u32,
    ) -> bool {
        if !mine.bytes.is_inherited(slot).unwrap_or(true) {
            return false;
        }
        // Relaxed, both: a time. If another owner comes meanwhile it finds less of it, in
        // case it ends with such a child too.
        match entry.ended.load(Ordering::Relaxed) {
            0 => {
                entry.ended.store(now.max(1), Ordering::Relaxed);
                true
            }
            since => now.wrapping_sub(since) < RETAINED_MS,
        }
    }
}
