//! Handing a queue to whoever knows its name.

use super::fd_bundle::FdBundle;
use super::server::{Server, address, connect};
use super::socket::{receive, send};
use crate::codec::Codec;
use crate::linux::queue::linux_queue::LinuxQueue;
use crate::linux::queue::open::Shareable;
use crate::linux::queue::options::LinuxOptions;
use crate::sys::refused;
use queue_core::{Capacity, Failure, FailureKind};
use std::fs;
use std::ops::ControlFlow;

impl<T: Send, C: Codec<T>, S: Shareable> LinuxQueue<T, C, S> {
    /// A new queue that other processes of this user can
    /// [open](Self::open_named) under `name`, as long as this process has a
    /// handle of it.
    ///
    /// The name is no file. It vanishes with this process, however that ends, so no process ever
    /// opens a queue that a dead run left, or that others planted.
    /// Processes of other users, and those in another network namespace, do not
    /// get the queue: each user has names of its own.
    ///
    /// The queue closes like any other when nobody is left on a side. A creator that goes
    /// on with a [`Producer`](queue_core::Producer) alone should drop its
    /// [`Consumer`](queue_core::Consumer) only when others have opened the queue.
    ///
    /// ```
    /// use queue_process::{Capacity, PipeQueue, Queue};
    ///
    /// # let name = &format!("doc {} {}", std::process::id(), line!());
    /// let jobs = PipeQueue::<String>::create_named(name, Capacity::bounded(8))?;
    /// // In another process, say:
    /// let same = PipeQueue::<String>::open_named(name)?;
    /// same.push("sweep".into())?;
    /// assert_eq!(jobs.pop()?, "sweep");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `Denied` if a living process has the name, which may be one of another user (the
    /// failure says of which, if the system tells); `TooLarge` if the name is
    /// too long (80 bytes fit); `Unsupported` if it is empty; else as
    /// [`bounded`](Self::bounded).
    pub fn create_named(name: &str, bound: Capacity) -> Result<Self, Failure> {
        Self::options().create_named(name, bound)
    }

    /// The queue that a process of this user [created](Self::create_named) under
    /// `name`.
    ///
    /// From now on this process is on both sides, and keeps either from ending. To be on one alone it calls
    /// [`into_ends`](queue_core::Queue::into_ends), and drops the half that it does not need; a half made of
    /// the handle (`Consumer::new`) leaves it on the other side as well.
    ///
    /// # Errors
    /// `PeerGone` if there is none (any more), or its creator does not answer within five
    /// seconds; `Mismatch` if it is of another item type, codec or version; `Denied` if
    /// only another user has such a queue, or a process of another user has taken the
    /// name; `Io` if the system refuses.
    pub fn open_named(name: &str) -> Result<Self, Failure> {
        let stream = connect(&address(name)?, || no_such_name(name))?;
        let FdBundle { header, fds } = receive(&stream)?;
        Self::open(fds, header.half)
    }

    /// Lets the processes of this user open the queue under `name`, as long as there is
    /// a handle in this process.
    fn serve_named(&self, name: &str) -> Result<(), Failure> {
        let bundle = FdBundle::pack(&self.fds(), self.restrict(None)?)?;
        let server = Server::start(&address(name)?, move |stream| {
            // Whoever cannot receive it sees the stream end.
            let _ = send(&stream, &bundle);
            ControlFlow::Continue(())
        })?;
        self.shared.attach(server);
        Ok(())
    }
}

impl<T: Send, C: Codec<T>, S: Shareable> LinuxOptions<T, C, S> {
    /// An empty, open queue that has a name: see [`LinuxQueue::create_named`].
    ///
    /// # Errors
    /// As [`create`](Self::create), and as [`LinuxQueue::create_named`].
    pub fn create_named(self, name: &str, bound: Capacity) -> Result<LinuxQueue<T, C, S>, Failure> {
        let queue = self.create(bound)?;
        queue.serve_named(name)?;
        Ok(queue)
    }
}

/// The names under which processes of this user offer queues just now, in alphabetical order.
///
/// A name says nothing of the queue's kind or items; [`LinuxQueue::open_named`] does. Nobody is asked:
/// the kernel lists them, so this does not wait for a process that is stopped.
///
/// ```
/// use queue_process::{Capacity, PipeQueue, named_queues};
///
/// # let name = &format!("doc {} {}", std::process::id(), line!());
/// let jobs = PipeQueue::<String>::create_named(name, Capacity::bounded(8))?;
/// assert!(named_queues()?.contains(name));
/// drop(jobs);
/// assert!(!named_queues()?.contains(name));
/// # Ok::<(), queue_process::Failure>(())
/// ```
///
/// # Errors
/// `Io` if the system does not tell.
pub fn named_queues() -> Result<Vec<String>, Failure> {
    let sockets = fs::read("/proc/net/unix").map_err(|e| refused("cannot list the queues", e))?;
    let sockets = String::from_utf8_lossy(&sockets);
    Ok(names_of(&sockets, rustix::process::geteuid().as_raw()))
}

/// The names at which somebody listens for the user `me`, by the kernel's list of `sockets`.
fn names_of(sockets: &str, me: u32) -> Vec<String> {
    let own = offers(sockets).filter(|(user, _)| *user == me);
    let mut names: Vec<_> = own.map(|(_, name)| name.to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The failure of a name at which nobody listens for this user.
#[cold]
fn no_such_name(name: &str) -> Failure {
    // Only to say more: without it there is just nobody.
    let sockets = fs::read("/proc/net/unix").unwrap_or_default();
    let sockets = String::from_utf8_lossy(&sockets);
    match other_user(&sockets, name, rustix::process::geteuid().as_raw()) {
        Some(user) => {
            let message = format!(
                "the queue {name:?} is one of user {user}: a queue by name is for the processes \
                 of one user"
            );
            Failure::new(FailureKind::Denied, message)
        }
        None => {
            let message = format!("no process offers a queue {name:?}");
            Failure::new(FailureKind::PeerGone, message)
        }
    }
}

/// Another user than `me` for whom somebody listens at `name`, by the kernel's list of
/// `sockets`.
fn other_user(sockets: &str, name: &str, me: u32) -> Option<u32> {
    let others = offers(sockets).filter(|(user, there)| *user != me && *there == name);
    others.map(|(user, _)| user).min()
}

/// The users, and the names, for whom somebody listens by the kernel's list of `sockets`.
fn offers(sockets: &str) -> impl Iterator<Item = (u32, &str)> {
    sockets.lines().filter_map(|line| {
        // Number, count, protocol, flags, type, state, inode, path: of those that listen.
        let (socket, place) = line.split_once(" @queue-process/")?;
        let (user, name) = place.split_once('/')?;
        let user = user.parse().ok()?;
        let listens = socket.split(' ').nth(3) == Some("00010000");
        listens.then_some((user, name))
    })
}

#[cfg(test)]
mod tests {
    use super::{names_of, other_user};

    #[test]
    fn the_user_that_has_the_name_is_found_among_the_sockets() {
        let sockets = "Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 16415 @queue-process/7/two words
0000000000000000: 00000003 00000000 00000000 0001 03 16416 @queue-process/8/two words
0000000000000000: 00000002 00000000 00010000 0001 01 16420 @queue-process/6/three
0000000000000000: 00000002 00000000 00010000 0001 01 16417 @queue-process/x/two words
0000000000000000: 00000002 00000000 00010000 0001 01 16418 /run/queue-process/9/two words
0000000000000000: 00000003 00000000 00000000 0001 03 16419
";
        assert_eq!(other_user(sockets, "two words", 5), Some(7));
        assert_eq!(other_user(sockets, "two words", 7), None, "it is ours");
        assert_eq!(other_user(sockets, "two", 5), None);
        assert_eq!(other_user("", "two words", 5), None);
        assert_eq!(names_of(sockets, 6), ["three"]);
        assert_eq!(names_of(sockets, 7), ["two words"]);
        assert!(names_of(sockets, 8).is_empty(), "it does not listen");
    }
}
