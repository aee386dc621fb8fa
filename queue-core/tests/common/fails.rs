//! [`fails_for`]: a broken queue, which its clause must find.

use queue_core::contract::set_step_timeout;
use std::fmt::Display;
use std::sync::Mutex;
use std::time::Duration;

/// All of the broken panic: what they say is not worth a backtrace, which can take longer to
/// write than a step may take.
fn short() {
    std::panic::set_hook(Box::new(|info| eprintln!("{info}")));
}

/// Fails unless the clause fails, with its name and one of the `reasons`.
///
/// Some of the broken hang, so the time of a step is short, and on a busy machine a step may be
/// given up that is only slow; others are found out by chance, of which there is less
/// then. So each has several tries, with more time for each step.
pub(crate) fn fails_for(test: fn(), clause: impl Display, reasons: &str) {
    short();
    let mut outcome = Ok(());
    for seconds in [3, 6, 12, 24, 48] {
        allow(Duration::from_secs(seconds));
        outcome = try_once(test, &clause, reasons);
        if outcome.is_ok() {
            break;
        }
    }
    outcome.unwrap_or_else(|why| panic!("{why}"));
}

/// Never less than before: other tests run beside this one.
fn allow(step_timeout: Duration) {
    static LONGEST: Mutex<Duration> = Mutex::new(Duration::ZERO);
    let mut longest = LONGEST.lock().unwrap();
    *longest = step_timeout.max(*longest);
    set_step_timeout(*longest);
}

fn try_once(test: fn(), clause: &impl Display, reasons: &str) -> Result<(), String> {
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
