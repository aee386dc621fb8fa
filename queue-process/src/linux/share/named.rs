//! Handing a queue to whoever knows its name.

use super::child::sides;
use super::fd_bundle::FdBundle;
use super::server::{Server, address, connect};
use super::socket::{receive, send};
use crate::codec::Codec;
use crate::linux::queue::handle::{Handle, Shareable};
use queue_core::{Failure, FailureKind};
use std::fs;
use std::ops::ControlFlow;

impl<T, C: Codec<T>, S: Shareable> Handle<T, C, S> {
    /// Lets the processes of this user open the queue under `name`, as long as there is
    /// a handle in this process.
    pub(crate) fn serve_named(&self, name: &str) -> Result<(), Failure> {
        let bundle = FdBundle::pack(&self.fds(), self.restrict(None)?)?;
        let server = Server::start(&address(name)?, move |stream| {
            // Whoever cannot receive it sees the stream end.
            let _ = send(&stream, &bundle);
            ControlFlow::Continue(())
        })?;
        self.keep(server);
        Ok(())
    }

    /// The queue that a process of this user offers under `name`.
    pub(crate) fn open_named(name: &str) -> Result<Self, Failure> {
        let stream = connect(&address(name)?, || missing(name))?;
        let FdBundle { header, fds } = receive(&stream)?;
        Self::open(fds, sides(header.half))
    }
}

/// The failure of a name at which nobody listens for this user.
#[cold]
fn missing(name: &str) -> Failure {
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
    let users = sockets.lines().filter_map(|line| {
        // Number, count, protocol, flags, type, state, inode, path: of those that listen.
        let (socket, place) = line.split_once(" @queue-process/")?;
        let (user, name_there) = place.split_once('/')?;
        let user = user.parse().ok()?;
        let listens = socket.split(' ').nth(3) == Some("00010000");
        (listens && name_there == name && user != me).then_some(user)
    });
    users.min()
}

#[cfg(test)]
mod tests {
    use super::other_user;

    #[test]
    fn the_user_that_has_the_name_is_found_among_the_sockets() {
        let sockets = "Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 16415 @queue-process/7/two words
0000000000000000: 00000003 00000000 00000000 0001 03 16416 @queue-process/8/two words
0000000000000000: 00000002 00000000 00010000 0001 01 16417 @queue-process/x/two words
0000000000000000: 00000002 00000000 00010000 0001 01 16418 /run/queue-process/9/two words
0000000000000000: 00000003 00000000 00000000 0001 03 16419
";
        assert_eq!(other_user(sockets, "two words", 5), Some(7));
        assert_eq!(other_user(sockets, "two words", 7), None, "it is ours");
        assert_eq!(other_user(sockets, "two", 5), None);
        assert_eq!(other_user("", "two words", 5), None);
    }
}
