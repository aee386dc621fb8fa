//! [`run_clause`]: a clause without a test around it.

use super::watchdog::message;
use super::{Clause, Subject};

/// Runs one clause on `S`.
///
/// ```no_run
/// use queue_core::contract::{Clause, Subject, run_clause};
/// fn report<S: Subject>() {
///     for &clause in Clause::ALL {
///         match run_clause::<S>(clause) {
///             Ok(()) => println!("{clause}: kept"),
///             Err(why) => println!("{why}"),
///         }
///     }
/// }
/// ```
///
/// # Errors
/// The reason why the clause does not hold. It begins with the clause's name.
pub fn run_clause<S: Subject>(clause: Clause) -> Result<(), String> {
    let run = match clause {
        Clause::C1 => super::c1_fifo::<S>,
        Clause::C2 => super::c2_once::<S>,
        Clause::C3 => super::c3_capacity::<S>,
        Clause::C4 => super::c4_try::<S>,
        Clause::C5 => super::c5_wake::<S>,
        Clause::C6 => super::c6_time::<S>,
        Clause::C7 => super::c7_close::<S>,
        Clause::C8 => super::c8_give_back::<S>,
        Clause::C9 => super::c9_cancel::<S>,
        Clause::C10 => super::c10_count::<S>,
        Clause::C11 => super::c11_drop::<S>,
        Clause::C12 => super::c12_ends::<S>,
        Clause::C13 => super::c13_mixed::<S>,
        Clause::C14 => super::c14_calm::<S>,
        Clause::C15 => super::c15_many::<S>,
    };
    std::panic::catch_unwind(run).map_err(|payload| message(&*payload))
}
