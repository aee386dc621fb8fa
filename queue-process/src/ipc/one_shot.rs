//! Handing a queue to a child by a one-shot server of `ipc-channel`, where no socket can be
//! inherited. (On Linux its tests alone use it.)
//!
//! On FreeBSD and its like the server is a socket in a private folder (mode 0700) among the
//! temporary files; it stays there if this process ends before the child has come or the invitation
//! is void.

use super::IpcQueue;
use super::invitation::{PATIENCE, gone};
use super::wire::{self, Hello, Ticket};
use crate::codec::Codec;
use crate::handover::taken;
use crate::unwind::catch_panic;
use ipc_channel::ipc::{self, IpcOneShotServer, IpcSender};
use queue_core::{Failure, FailureKind};
use serde::{Deserialize, Serialize};
use std::process::Command;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use std::{env, thread};

/// How long a child has to take up its invitation.
const VALID: Duration = Duration::from_secs(60);

/// A folder's name is shorter, for the name of a socket in it has 104 bytes at most.
const LONGEST: usize = 80;

/// What arrives at the server.
#[derive(Serialize, Deserialize)]
enum Knock {
    Child(Hello),
    /// Nobody came in time.
    TooLate,
}

/// Shares `queue` with the next child of any command: the name of the server.
pub(super) fn share<T: Send, C: Codec<T>>(
    queue: &IpcQueue<T, C>,
    _command: &mut Command,
    _former: Option<&str>,
) -> Result<String, Failure> {
    let ticket = queue.ticket()?;
    let folder = env::temp_dir();
    // A longer one is cut, in silence.
    let usable = folder.to_str().is_some_and(|folder| folder.len() < LONGEST);
    let server = match !cfg!(unix) || usable {
        true => catch_panic(IpcOneShotServer::<Knock>::new),
        false => None,
    };
    let (server, address) = match server {
        Some(Ok(server)) => server,
        failed => {
            let why = failed.and_then(Result::err).map(|why| format!(": {why}"));
            let message = format!(
                "cannot wait for a child process{}: that takes a folder for temporary files (the \
                 variable TMPDIR, now {folder:?}) which this process may write to, with a name of \
                 less than {LONGEST} bytes in UTF-8, and a descriptor to spare (ulimit -n)",
                why.unwrap_or_default()
            );
            return Err(Failure::new(FailureKind::Io, message));
        }
    };
    #[cfg(all(unix, not(target_vendor = "apple")))]
    make_private(&address)?;
    let (came, too_late) = mpsc::channel::<()>();
    let porter = address.clone();
    // The server cannot be waited on for a time, so somebody knocks when it is over.
    spawn(move || {
        if too_late.recv_timeout(VALID) == Err(mpsc::RecvTimeoutError::Timeout) {
            if let Some(Ok(server)) = catch_panic(|| IpcSender::connect(porter)) {
                // Fails if the child came at the last moment.
                let _ = server.send(Knock::TooLate);
            }
        }
    })?;
    spawn(move || {
        if let Some(Ok((_, Knock::Child(Hello(child))))) = catch_panic(|| server.accept()) {
            // If that fails the child is gone, and the ticket is void.
            let _ = child.send(ticket);
        }
        drop(came);
    })?;
    Ok(address)
}

/// Lets nobody of another user into the folder of the socket `address`, which `ipc-channel` makes by
/// the umask.
#[cfg(all(unix, not(target_vendor = "apple")))]
fn make_private(address: &str) -> Result<(), Failure> {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    match std::path::Path::new(address).parent() {
        Some(folder) => Ok(set_permissions(folder, Permissions::from_mode(0o700))?),
        None => Ok(()),
    }
}

/// The ticket that waits for this process at `address`, once.
pub(super) fn take(address: &str, name: &str) -> Result<Ticket, Failure> {
    static TAKEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut all = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    if all.iter().any(|one| one == address) {
        return Err(taken(name));
    }
    let doing = "cannot take a queue from the parent process";
    let ticket = catch_panic(|| {
        let server = IpcSender::connect(address.to_owned()).map_err(|why| gone(name, why))?;
        let (sender, receiver) = ipc::channel()?;
        let knock = Knock::Child(Hello(sender));
        server.send(knock).map_err(|why| gone(name, why))?;
        let late = Instant::now() + PATIENCE;
        let ticket = wire::undisturbed(|| {
            receiver.try_recv_timeout(late.saturating_duration_since(Instant::now()))
        });
        ticket.map_err(|error| wire::failure(error, doing))
    });
    let ticket = ticket.ok_or_else(|| wire::cut_short(doing))??;
    all.push(address.to_owned());
    Ok(ticket)
}

fn spawn(body: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = thread::Builder::new().name("queue-invite".into());
    thread.spawn(body)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_core::{Queue, Side};
    use std::ffi::OsString;

    type Numbers = IpcQueue<u64>;

    fn share(queue: &Numbers) -> Result<String, Failure> {
        super::share(queue, &mut Command::new("worker"), None)
    }

    #[test]
    fn an_invitation_is_taken_once() {
        let queue = Numbers::bounded(2);
        let address = share(&queue.half(Side::Consumers).unwrap()).unwrap();
        #[cfg(target_os = "linux")]
        {
            use std::os::unix::fs::PermissionsExt;
            let folder = std::path::Path::new(&address).parent().unwrap();
            let mode = folder.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "it is nobody else's");
        }
        let guest = Numbers::admit(take(&address, "Q").unwrap()).unwrap();
        queue.push(7).unwrap();
        assert_eq!(guest.pop(), Ok(7));
        assert!(
            guest.push(7).unwrap_err().failure().is_some(),
            "it is a half"
        );
        assert_eq!(take(&address, "Q").unwrap_err().kind(), FailureKind::Denied);
        let nowhere = take("/nonexistent/socket", "Q").unwrap_err();
        assert_eq!(nowhere.kind(), FailureKind::PeerGone);
    }

    /// Not a test: what a child process runs.
    #[test]
    fn child() {
        if env::var_os("ONE_SHOT_TEST_CHILD").is_some() {
            let failure = share(&Numbers::bounded(2)).unwrap_err();
            assert_eq!(failure.kind(), FailureKind::Io);
            assert!(failure.to_string().contains("TMPDIR"), "{failure}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_used_is_a_failure() {
        use std::os::unix::ffi::OsStringExt;
        let mut long = env::temp_dir();
        long.push(format!("{}-{}", "x".repeat(99), std::process::id()));
        std::fs::create_dir_all(&long).unwrap();
        let no_text = OsString::from_vec(b"/tmp/\xff".to_vec());
        for folder in [
            "/nonexistent".into(),
            "/dev/null".into(),
            no_text,
            long.clone().into(),
        ] {
            let mut command = Command::new(env::current_exe().unwrap());
            command.args(["--exact", "ipc::one_shot::tests::child"]);
            command
                .env("ONE_SHOT_TEST_CHILD", "1")
                .env("TMPDIR", &folder);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{folder:?}: {output:?}");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("1 passed"), "{said}");
        }
        assert_eq!(std::fs::read_dir(&long).unwrap().count(), 0);
        std::fs::remove_dir(&long).unwrap();
    }
}
