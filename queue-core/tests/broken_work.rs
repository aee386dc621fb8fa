//! Deliberately broken queues that lend: each makes its clause fail, with the clause's name and
//! for the reason that is there.

#![cfg(not(loom))]

mod common;

use common::*;
use queue_core::contract::{self, Of, WorkClause, set_step_timeout};
use std::time::Duration;

/// Fails unless the clause fails, with its name and one of the `reasons`; with more patience each
/// time, for on a busy machine a step may be given up that is only slow.
fn fails_for(test: fn(), clause: WorkClause, reasons: &str) {
    std::panic::set_hook(Box::new(|info| eprintln!("{info}")));
    let mut failed = Ok(());
    for seconds in [2, 10, 40] {
        set_step_timeout(Duration::from_secs(seconds));
        failed = try_once(test, clause, reasons);
        if failed.is_ok() {
            break;
        }
    }
    failed.unwrap_or_else(|why| panic!("{why}"));
}

fn try_once(test: fn(), clause: WorkClause, reasons: &str) -> Result<(), String> {
    let Err(payload) = std::panic::catch_unwind(test) else {
        return Err(format!("a broken queue kept {clause}"));
    };
    let why = payload.downcast::<String>().expect("a text");
    if !why.starts_with(&format!("{clause}: ")) {
        return Err(format!("does not name {clause}: {why}"));
    }
    let named = reasons.split('|').any(|reason| why.contains(reason));
    let other = || format!("not for the reason that is there: {why}");
    named.then_some(()).ok_or_else(other)
}

macro_rules! broken {
    ($($test:ident: $fault:ident breaks $clause:ident $test_of:ident, $reasons:literal;)*) => {
        $(
            #[test]
            fn $test() {
                let clause = contract::$test_of::<Of<u64, Simple<u64, $fault>>>;
                fails_for(clause, WorkClause::$clause, $reasons);
            }
        )*

        #[test]
        fn every_clause_is_broken_by_one() {
            let broken = [$(WorkClause::$clause),*];
            for clause in WorkClause::ALL {
                assert!(broken.contains(clause), "nothing breaks {clause}");
            }
        }
    };
}

broken! {
    acked_comes_back: AckedComesBack breaks W1 w1_settled_once, "counted|came again";
    back_is_lost: BackIsLost breaks W2 w2_comes_back, "it is inside";
    back_tells_nobody: BackTellsNobody breaks W2 w2_comes_back, "still not done";
    back_goes_last: BackGoesLast breaks W3 w3_keeps_its_slot, "another item was received";
    lent_frees_its_slot: LentFreesSlot breaks W3 w3_keeps_its_slot, "one too many";
    ack_tells_nobody: AckTellsNobody breaks W3 w3_keeps_its_slot, "still not done";
    counts_no_attempt: CountsNoAttempt breaks W4 w4_attempts, "after Nack";
    release_counts: ReleaseCounts breaks W4 w4_attempts, "after Release";
    closed_in_flight: ClosedInFlight breaks W5 w5_close, "one is in flight";
    the_last_tells_nobody: LastTellsNobody breaks W5 w5_close, "still not done";
    join_forgets_what_is_lent: JoinForgetsLent breaks W6 w6_join, "in flight";
    those_who_join_are_not_told: JoinersNotTold breaks W6 w6_join, "still not done";
}
