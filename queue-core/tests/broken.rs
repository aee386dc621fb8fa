//! Deliberately broken queues: each makes its clause fail, with the clause's name and
//! for the reason that is there.

#![cfg(not(loom))]

mod common;

use common::*;
use queue_core::contract::{self, Clause, DropProbe, Of, Subject};
use queue_core::{Capacity, Failure, WithCapacity};

/// Writes a test for every broken queue: its clause, and words of its failure (where
/// chance decides which check meets it first, several, between bars).
macro_rules! broken {
    ($($test:ident: $fault:ident breaks $clause:ident $test_of:ident, $reasons:literal;)*) => {$(
        #[test]
        fn $test() {
            let clause = contract::$test_of::<Of<u64, Simple<u64, $fault>>>;
            fails_for(clause, Clause::$clause, $reasons);
        }
    )*};
}

broken! {
    last_in_first_out: Lifo breaks C1 c1_fifo, "another order";
    overtakes_now_and_then: Overtakes breaks C1 c1_fifo, "overtook|another order";
    comes_out_twice: Duplicates breaks C2 c2_once, "twice|another item came out|still inside";
    gets_lost: Loses breaks C2 c2_once, "never came out|came out or back|still not done";
    close_now_forgets: CloseNowForgets breaks C2 c2_once, "close_now gives";
    one_slot_more: OneMore breaks C3 c3_capacity, "was accepted";
    one_slot_less: OneLess breaks C3 c3_capacity, "Full";
    power_of_two: PowerOfTwo breaks C3 c3_capacity, "beside 3 items was accepted";
    full_without_a_bound: SecretBound breaks C3 c3_capacity, "item 1000";
    looks_twice: PoliteTry breaks C4 c4_try, "waited for";
    try_push_blocks: BlockingTry breaks C4 c4_try, "still not done";
    push_tells_nobody: NoItemNotify breaks C5 c5_wake, "still not done";
    pop_tells_nobody: NoSlotNotify breaks C5 c5_wake, "still not done";
    every_other_wakes_nobody: EveryOther breaks C5 c5_wake, "four items wake four poppers: still not done";
    trusts_who_was_woken: OneUnderWay breaks C5 c5_wake, "not polled again leaves the others theirs";
    cancelled_eats_the_wake: CancelledEats breaks C5 c5_wake, "a cancelled pop passes its wake on";
    timed_out_eats_the_wake: TimedOutEats breaks C5 c5_wake, "times out passes its wake on";
    wakes_the_first_waker: FirstWaker breaks C5 c5_wake, "was not woken";
    times_out_early: Impatient breaks C6 c6_time, "timed out after";
    looks_at_the_clock_first: ClockFirst breaks C6 c6_time, "with a slot";
    huge_timeout_overflows: Overflows breaks C6 c6_time, "huge";
    batch_looks_at_the_clock_first: BatchLooksAtTheClock breaks C6 c6_time, "a batch of up to 2 with items";
    batch_times_out_early: BatchIsImpatient breaks C6 c6_time, "timed out after";
    closed_while_items_remain: ClosedEarly breaks C7 c7_close, "came to|the items after";
    takes_items_after_close: OpenWithRoom breaks C7 c7_close, "was accepted|after close";
    full_wins_over_closed: FullWins breaks C7 c7_close, "came to NotNow";
    empty_wins_over_closed: NeverDrained breaks C7 c7_close, "NotNow";
    close_wakes_one_of_many: CloseWakesOne breaks C7 c7_close, "close wakes Plain: still not done";
    every_close_is_the_first: AlwaysFirst breaks C7 c7_close, "a later close";
    refused_and_yet_inside: Ghost breaks C8 c8_give_back, "the items after failed pushes";
    batch_is_swallowed: SwallowsBatch breaks C8 c8_give_back, "a batch that did not go in is left";
    cancelled_pop_loses_the_item: TakesThenYields breaks C9 c9_cancel, "never came out";
    cancelled_owned_stream_loses_the_item: TakesInOwnedStream breaks C9 c9_cancel, "the items after a dropped stream";
    dropped_sink_pushes_nevertheless: PushesAfterOwnedSink breaks C9 c9_cancel, "after a dropped sink";
    cancelled_push_keeps_a_slot: KeepsPermit breaks C9 c9_cancel, "a slot was lost";
    cancelled_push_pushes_too_much: PushesAfterCancel breaks C9 c9_cancel, "after a cancelled push";
    cancelled_push_pushes_nevertheless: PushesIfWoken breaks C9 c9_cancel, "after a cancelled push";
    counts_who_pushes: CountsPushers breaks C10 c10_count, "of";
    counts_what_has_gone: CountsLate breaks C10 c10_count, "len()";
    halves_close_nothing: HalvesNeverClose breaks C12 c12_ends, "open after the last producer";
    consumers_close_nothing: OnlyProducersClose breaks C12 c12_ends, "without consumers";
    halves_count_by_handle: HalvesPerHandle breaks C12 c12_ends, "closed while";
    producers_count_consumers_too: CountsBothSides breaks C12 c12_ends, "halves counted";
    producer_of_another_queue: ProducerOfAnother breaks C12 c12_ends, "halves counted after producer()";
    every_queue_is_the_same: AllTheSame breaks C12 c12_ends, "the same as another queue";
    no_handle_is_the_same: NoneTheSame breaks C12 c12_ends, "not the same as its clone";
    sink_lets_a_late_item_overtake: WaitedGoesFirst breaks C12 c12_ends, "in order through a sink";
    sink_goes_beyond_the_bound: AsyncOverfills breaks C12 c12_ends, "a sink over a full queue is ready";
    wakes_one_sort_of_waiter: OneSort breaks C13 c13_mixed, "still not done";
    waits_by_spinning: Spins breaks C14 c14_calm, "of CPU";
    waits_by_polling: Polls breaks C14 c14_calm, "ran|of CPU";
    futures_wake_themselves: RestlessFuture breaks C14 c14_calm, "woken for nothing|of CPU";
    batch_goes_in_backwards: BatchReversed breaks C15 c15_many, "in order";
    batch_goes_in_whole: BatchOverfills breaks C15 c15_many, "len() above|in order";
    batch_wakes_one: BatchWakesOne breaks C15 c15_many, "wakes as many as it serves: still not done|waiting pops was not woken";
    batch_drops_the_rest: BatchDropsRest breaks C15 c15_many, "";
    batch_pops_what_comes_meanwhile: BatchPopsOn breaks C15 c15_many, "popped, of";
    batch_pushes_where_slots_come_meanwhile: BatchPushesOn breaks C15 c15_many, "pushed, into";
    timed_batch_takes_one: TimedBatchTakesOne breaks C15 c15_many, "popped, of";
    timed_batch_pops_what_comes_meanwhile: TimedBatchPopsOn breaks C15 c15_many, "popped, of";
}

/// The kind with items that can fail.
struct Jobs<F>(F);

impl<F: Broken> Subject for Jobs<F> {
    type Item = Job;
    type Queue = Simple<Job, F>;
    fn create(bound: Capacity) -> Result<Self::Queue, Failure> {
        WithCapacity::try_with_capacity(bound)
    }
    fn refused() -> Option<Job> {
        Some(Job::bad())
    }
    fn panicking() -> Option<Job> {
        Some(Job::panicking())
    }
}

#[test]
fn serialization_fails_too_late() {
    fails_for(
        contract::c8_give_back::<Jobs<LateFailure>>,
        Clause::C8,
        "was accepted",
    );
}

#[test]
fn a_failure_keeps_its_slot() {
    fails_for(
        contract::c8_give_back::<Jobs<FailureKeepsSlot>>,
        Clause::C8,
        "a slot was left",
    );
}

#[test]
fn a_panic_poisons() {
    fails_for(
        contract::c11_drop::<Jobs<Poisoned>>,
        Clause::C11,
        "poisoned",
    );
}

#[test]
fn leaks_what_is_left() {
    fails_for(
        contract::c11_drop_any_item::<Of<DropProbe, Simple<DropProbe, Leaks>>>,
        Clause::C11,
        "with the last handle",
    );
}

#[test]
fn drops_twice() {
    fails_for(
        contract::c11_drop_any_item::<Of<DropProbe, Simple<DropProbe, DropsTwice>>>,
        Clause::C11,
        "was dropped 2 times",
    );
}

#[test]
fn every_clause_is_broken_by_one() {
    let source = include_str!("broken.rs");
    for clause in Clause::ALL {
        let breaks = source.contains(&format!("breaks {clause:?} "));
        let named = source.contains(&format!("Clause::{clause:?},"));
        assert!(breaks || named, "nothing breaks {clause}");
    }
}
