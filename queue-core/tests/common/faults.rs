//! What can be wrong with a queue.

/// Writes [`Fault`] and a marker type for each of them.
macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What is wrong with a queue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault { $($(#[$doc])* $name,)* }

        $($(#[$doc])*
        #[derive(Debug)]
        #[allow(dead_code)] // Each test file uses what it needs.
        pub(crate) enum $name {}

        impl Broken for $name {
            const FAULT: Fault = Fault::$name;
        })*
    };
}

/// Which fault a queue has.
pub(crate) trait Broken: Send + Sync + 'static {
    const FAULT: Fault;
}

faults! {
    /// Nothing.
    Sound,
    /// The last in is the first out.
    Lifo,
    /// Every 50th item goes in before the one that was last.
    Overtakes,
    /// Every 50th item comes out again later.
    Duplicates,
    /// Every 50th item is accepted and gone.
    Loses,
    /// `close_now` forgets what was inside.
    CloseNowForgets,
    /// One slot too many.
    OneMore,
    /// One slot too few, but for one.
    OneLess,
    /// The capacity rounded up to a power of two.
    PowerOfTwo,
    /// Full at a thousand without a bound.
    SecretBound,
    /// A try that finds nothing looks again after 20 ms.
    PoliteTry,
    /// `try_push` waits for a slot.
    BlockingTry,
    /// A push tells nobody.
    NoItemNotify,
    /// A pop tells nobody.
    NoSlotNotify,
    /// Every other item wakes nobody.
    EveryOther,
    /// Wakes one for the first item, and trusts that one to wake the next.
    OneUnderWay,
    /// Who is cancelled after it was woken keeps the wake.
    CancelledEats,
    /// Who times out after it was woken keeps the wake.
    TimedOutEats,
    /// A future is woken by the waker of its first poll.
    FirstWaker,
    /// Waits half as long as it was told.
    Impatient,
    /// Looks at the clock before it tries.
    ClockFirst,
    /// A timeout too long to add to the clock has passed.
    Overflows,
    /// `Closed` as soon as closed.
    ClosedEarly,
    /// Takes items after close while there is room.
    OpenWithRoom,
    /// `Full` where it is closed and full.
    FullWins,
    /// `Empty` for ever where it is closed and drained.
    NeverDrained,
    /// Close wakes one of those who wait.
    CloseWakesOne,
    /// Every close is told that it was the first.
    AlwaysFirst,
    /// A refused item is inside nevertheless.
    Ghost,
    /// A batch that finds no slot is gone.
    SwallowsBatch,
    /// An item that cannot be serialized is accepted, and fails later.
    LateFailure,
    /// An item that cannot be serialized keeps its slot.
    FailureKeepsSlot,
    /// `pop_async` takes the item, and then has something else to do.
    TakesThenYields,
    /// As `TakesThenYields`, but only in a stream that keeps its half.
    TakesInOwnedStream,
    /// As `PushesAfterCancel`, but only in a sink that keeps its half.
    PushesAfterOwnedSink,
    /// A cancelled `push_async` keeps a slot for ever.
    KeepsPermit,
    /// A cancelled `push_async` leaves its item all the same, capacity or not.
    PushesAfterCancel,
    /// A cancelled `push_async` leaves its item if there is a slot by then.
    PushesIfWoken,
    /// Who is about to push counts as an item.
    CountsPushers,
    /// Items taken since the last push still count.
    CountsLate,
    /// What is left inside is never dropped.
    Leaks,
    /// Every item is dropped a second time.
    DropsTwice,
    /// A panic in the code of an item poisons the queue.
    Poisoned,
    /// The last half closes nothing.
    HalvesNeverClose,
    /// Only producers close.
    OnlyProducersClose,
    /// Each handle counts for itself.
    HalvesPerHandle,
    /// `producer_count` counts the consumers too.
    CountsBothSides,
    /// `producer` makes a half of another queue.
    ProducerOfAnother,
    /// All queues are the same.
    AllTheSame,
    /// No two handles are of the same queue.
    NoneTheSame,
    /// The item of a `push_async` that had to wait overtakes all others.
    WaitedGoesFirst,
    /// A `push_async` finds a slot in a full queue.
    AsyncOverfills,
    /// Only threads are woken if one was the last to wait, else only futures.
    OneSort,
    /// Waiting is looking all the time.
    Spins,
    /// Waiting is looking every 300 microseconds.
    Polls,
    /// A waiting future wakes itself.
    RestlessFuture,
    /// A batch goes in backwards.
    BatchReversed,
    /// A batch goes in whole, with room or without.
    BatchOverfills,
    /// A batch wakes one.
    BatchWakesOne,
    /// A batch drops what does not fit after some of it did.
    BatchDropsRest,
    /// A batch pops as long as there is something.
    BatchPopsOn,
    /// A batch pushes as long as there is a slot.
    BatchPushesOn,
    /// A batch with a timeout of zero does not try.
    BatchLooksAtTheClock,
    /// A batch waits half as long as it was told.
    BatchIsImpatient,
    /// A batch with a timeout takes one item.
    TimedBatchTakesOne,
    /// A batch with a timeout pops as long as there is something.
    TimedBatchPopsOn,
    /// What was acked comes back.
    AckedComesBack,
    /// What is given back is gone.
    BackIsLost,
    /// What comes back wakes nobody.
    BackTellsNobody,
    /// What comes back is behind all others.
    BackGoesLast,
    /// What is lent does not count against the capacity.
    LentFreesSlot,
    /// An ack tells no producer.
    AckTellsNobody,
    /// Every attempt is the first.
    CountsNoAttempt,
    /// What is released counts as an attempt.
    ReleaseCounts,
    /// `Closed` while an item is in flight.
    ClosedInFlight,
    /// The last settlement after the close wakes nobody.
    LastTellsNobody,
    /// Joining does not wait for what is in flight.
    JoinForgetsLent,
    /// Those who join are not woken.
    JoinersNotTold,
}
