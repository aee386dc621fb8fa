//! Deliberately broken queues that lend: each makes its clause fail, with the clause's name and
//! for the reason that is there.

#![cfg(not(loom))]

mod common;

use common::*;
use queue_core::contract::{self, Of, WorkClause};

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
