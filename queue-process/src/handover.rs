//! Handing a queue, or one half of it, to a child process, which inherits it; in a message to any process
//! it travels by `handle_serde`.
//!
//! What every kind can do is the trait [`Handover`].

use queue_core::{Failure, FailureKind};
use std::env::{self, VarError};
use std::process::Command;

/// What a process can hand to its children: a queue between processes, a
/// [`Producer`](queue_core::Producer) or a [`Consumer`](queue_core::Consumer) of one.
///
/// ```no_run
/// use queue_process::{Failure, Handover, PipeQueue, Queue};
/// use std::process::Command;
///
/// let (jobs, todo) = PipeQueue::<String>::bounded(8).into_ends();
/// let mut worker = Command::new("worker");
/// todo.share_with(&mut worker, "JOBS")?; // It may pop, and nothing else.
/// worker.spawn()?;
/// drop(todo); // If all workers die, pushes are `Closed`.
/// jobs.push("sweep".into())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// And in the worker:
///
/// ```no_run
/// use queue_process::{Consumer, Handover, PipeQueue};
///
/// let jobs = Consumer::<PipeQueue<String>>::from_parent("JOBS")?;
/// for job in jobs.results() {
///     println!("{}", job?);
/// }
/// # Ok::<(), queue_process::Failure>(())
/// ```
pub trait Handover: Sized {
    /// Lets the children that `command` starts from now on take this by
    /// [`from_parent`](Self::from_parent) with the same `name`. Several can be shared
    /// with one child under different names, each of which is an environment variable: see
    /// [the crate's page](crate#names-between-parent-and-child).
    ///
    /// Share anew before each `spawn` in a program that is to run elsewhere than on Linux: an
    /// [`IpcQueue`](crate::IpcQueue) is shared with one child at a time there.
    ///
    /// # Errors
    /// `Unsupported` if `name` is empty or contains `=` or a zero byte; `Denied` if this
    /// process does not have that half itself; `Io` if the system refuses.
    fn share_with(&self, command: &mut Command, name: &str) -> Result<(), Failure>;

    /// Takes what the parent of this process shared under `name`. It works once for each name.
    ///
    /// # Errors
    /// `PeerGone` if nothing was shared with this process under that name; `Mismatch` if
    /// it is of another item type, codec or version; `Denied` if it is the other half, or
    /// was taken already; `Io` if the system refuses.
    fn from_parent(name: &str) -> Result<Self, Failure>;
}

/// The environment variable in which what is shared under `name` goes to a child: `prefix`,
/// and the name in the letters that every shell passes on, `A` to `Z`, digits and `_`. A `_`
/// in the name is written twice, and each other byte of its UTF-8 as `_` and two hexadecimal
/// digits, so no two names have the same variable.
///
/// # Errors
/// `Unsupported` for a name that is none.
pub(crate) fn variable(prefix: &str, name: &str) -> Result<String, Failure> {
    use std::fmt::Write;
    if name.is_empty() || name.contains(['=', '\0']) {
        let message = format!("not a name for a shared queue: {name:?}");
        return Err(Failure::new(FailureKind::Unsupported, message));
    }
    let mut variable = prefix.to_owned();
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'0'..=b'9' => variable.push(byte.into()),
            b'_' => variable.push_str("__"),
            _ => write!(variable, "_{byte:02X}").expect("a string takes everything"),
        }
    }
    Ok(variable)
}

/// What the parent of this process said of the queue that it shared as `name`. `malformed` is the failure
/// if that is not text.
pub(crate) fn from_environment(
    prefix: &str,
    name: &str,
    malformed: impl FnOnce() -> Failure,
) -> Result<String, Failure> {
    env::var(variable(prefix, name)?).map_err(|error| match error {
        VarError::NotPresent => {
            let message = format!(
                "no process that started this one shared a queue {name:?} with it (`share_with`)"
            );
            Failure::new(FailureKind::PeerGone, message)
        }
        VarError::NotUnicode(_) => malformed(),
    })
}

#[cold]
pub(crate) fn taken(name: &str) -> Failure {
    let message = format!("this process has taken the queue {name:?} already: clone its handle");
    Failure::new(FailureKind::Denied, message)
}

#[cfg(test)]
mod tests {
    use super::variable;
    use std::collections::HashSet;

    #[test]
    fn every_name_has_a_variable_of_its_own_in_plain_letters() {
        let variable = |name: &str| variable("Q_", name).unwrap();
        assert_eq!(variable("JOBS2"), "Q_JOBS2");
        assert_eq!(variable("TO_DO"), "Q_TO__DO");
        assert_eq!(variable("to-do"), "Q__74_6F_2D_64_6F");
        // All of a few characters each, which the encoding itself is made of.
        let letters = ["_", "-", "2", "D", "d", "\u{e9}", "__", "_2"];
        let mut names = HashSet::from([String::new()]);
        for _ in 0..4 {
            let longer = names.iter().flat_map(|name| {
                let letters = letters.iter();
                letters.map(move |letter| format!("{name}{letter}"))
            });
            names = longer.chain(names.iter().cloned()).collect();
        }
        names.remove("");
        let variables: HashSet<_> = names.iter().map(|name| variable(name)).collect();
        assert_eq!(variables.len(), names.len());
        let plain = |c| matches!(c, 'A'..='Z' | '0'..='9' | '_');
        assert!(variables.iter().all(|variable| variable.chars().all(plain)));
    }
}
