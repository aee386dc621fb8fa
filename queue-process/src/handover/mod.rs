//! Handing a queue, or one half of it, to another process.
//!
//! What every kind can do is the trait [`Handover`]. The rest is how the two Linux kinds
//! do it: a queue of theirs is a bundle of descriptors ([`parcel`]), which goes by
//! inheritance to a [`child`], or through a socket to whoever knows a [name](named) or
//! received a [`message`].

#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod kind;
#[cfg(target_os = "linux")]
mod message;
#[cfg(target_os = "linux")]
mod named;
#[cfg(target_os = "linux")]
mod parcel;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod socket;

#[cfg(target_os = "linux")]
pub(crate) use kind::handover;
#[cfg(target_os = "linux")]
pub(crate) use server::Server;

use queue_core::Failure;
use std::process::Command;

/// What can be handed to a child process: a queue between processes, its
/// [`Producer`](queue_core::Producer)s and its [`Consumer`](queue_core::Consumer)s.
///
/// ```no_run
/// use queue_process::{Failure, Handover, PipeQueue, Queue};
/// use std::process::Command;
///
/// let (jobs, todo) = PipeQueue::<String>::bounded(8)?.into_ends();
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
/// let jobs = Consumer::<String, PipeQueue<String>>::from_parent("JOBS")?;
/// for job in jobs.results() {
///     println!("{}", job?);
/// }
/// # Ok::<(), queue_process::Failure>(())
/// ```
pub trait Handover: Sized {
    /// Lets the children that `command` starts from now on take this by
    /// [`from_parent`](Self::from_parent) with the same `name`. Several can be shared
    /// with one child under different names.
    ///
    /// Share anew before each `spawn`: an [`IpcQueue`](crate::IpcQueue) is shared with one child
    /// at a time, and to the other kinds it makes no difference.
    ///
    /// # Errors
    /// `Unsupported` if `name` is empty or contains `=` or a zero byte; `Denied` if this
    /// process has not got that half itself; `Io` if the system refuses.
    fn share_with(&self, command: &mut Command, name: &str) -> Result<(), Failure>;

    /// What the parent of this process shared under `name`. Works once for each name.
    ///
    /// # Errors
    /// `PeerGone` if nothing was shared with this process under that name; `Corrupt` if
    /// it is of another item type, codec or version; `Denied` if it is the other half, or
    /// was taken already; `Io` if the system refuses.
    fn from_parent(name: &str) -> Result<Self, Failure>;
}
