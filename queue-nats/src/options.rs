//! [`NatsOptions`]: which server, and what a queue on it is like.

use crate::failure;
use async_nats::{Client, ConnectOptions, Event};
use percent_encoding::percent_decode_str;
use queue_core::{Capacity, Failure, FailureKind};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What becomes of a name that is taken, or free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Opens the queue if it is there, and creates it otherwise.
    #[default]
    OpenOrCreate,
    /// Opens a queue that is there.
    Open,
    /// Creates the queue; one that is there is an error.
    Create,
}

/// Which server, and what a queue on it is like.
///
/// What is not said is taken as it is where the queue is there already, and by default where it is
/// created.
///
/// ```no_run
/// use queue_nats::{Capacity, NatsOptions, NatsQueue, Queue};
/// use std::time::Duration;
///
/// let options = NatsOptions::new("nats://localhost:4222")
///     .credentials("/etc/worker.creds")
///     .capacity(Capacity::bounded(10_000))
///     .ack_wait(Duration::from_secs(60));
/// let jobs = NatsQueue::<String>::open("jobs", &options)?;
/// jobs.push("sweep".to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct NatsOptions {
    server: String,
    credentials: Option<PathBuf>,
    root_certificates: Option<PathBuf>,
    pub(crate) capacity: Option<Capacity>,
    pub(crate) replicas: Option<usize>,
    pub(crate) ack_wait: Option<Duration>,
    pub(crate) prefetch: usize,
    pub(crate) timeout: Duration,
    pub(crate) mode: Mode,
}

impl NatsOptions {
    /// For the server at this address: `nats://host:4222`, `nats+tls://host`, several with commas in
    /// between for a cluster. A user and a password, or a token, may stand in it
    /// (`nats://user:password@host`, percent-encoded); they are never shown. [`credentials`](Self::credentials) are better kept.
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            server: server.into(),
            credentials: None,
            root_certificates: None,
            capacity: None,
            replicas: None,
            ack_wait: None,
            prefetch: 0,
            timeout: Duration::from_secs(5),
            mode: Mode::default(),
        }
    }

    /// Takes the user's credentials from this file, as `nsc` writes it.
    #[must_use]
    pub fn credentials(self, file: impl Into<PathBuf>) -> Self {
        Self {
            credentials: Some(file.into()),
            ..self
        }
    }

    /// Trusts the certificates in this file too, for a server with TLS.
    #[must_use]
    pub fn root_certificates(self, file: impl Into<PathBuf>) -> Self {
        Self {
            root_certificates: Some(file.into()),
            ..self
        }
    }

    /// How many items the queue holds, by default as many as the server does. A queue that is there
    /// must have this capacity.
    #[must_use]
    pub fn capacity(self, capacity: Capacity) -> Self {
        Self {
            capacity: Some(capacity),
            ..self
        }
    }

    /// On how many servers of a cluster the items are, by default on one. More than one needs
    /// servers of version 2.15 at least: older ones were seen to lose items that they had
    /// accepted.
    #[must_use]
    pub fn replicas(self, replicas: usize) -> Self {
        Self {
            replicas: Some(replicas),
            ..self
        }
    }

    /// After what time the item of a worker that has died, or is not connected any more, comes back;
    /// by default 30 seconds. A worker that lives extends it, however long its work takes. A queue
    /// that is there must have this.
    #[must_use]
    pub fn ack_wait(self, ack_wait: Duration) -> Self {
        Self {
            ack_wait: Some(ack_wait),
            ..self
        }
    }

    /// Brings up to so many items to this process before somebody asks for them, by default none. It is no
    /// property of the queue: each process that opens it chooses.
    ///
    /// A receive and its ack then cost one round trip, not two. With each item that it takes from the
    /// server this process takes up to `items` of those that wait behind it, and asks again when at
    /// most half of them are left. What nobody has taken goes back, and that delivery does not count as
    /// an attempt: after a second in which nobody in this process took an item or waited for one,
    /// and with the last handle of the queue, which waits for that (not without a connection, and for
    /// [`timeout`](Self::timeout) at most). So it is for jobs that take well under a second.
    ///
    /// It costs:
    /// * The order between processes: the order is strict within a process, but another one may get a younger
    ///   item while an older one waits here, or find the queue [`Empty`](crate::TryPopError::Empty). It
    ///   counts what waits here as [`in_flight`](crate::WorkQueue::in_flight); here `len` has it.
    /// * The items of a process that is killed: those that waited in it are away for `ack_wait`, as its
    ///   deliveries are, and that counts as an attempt of each.
    /// * Retries elsewhere: what this process gives back while other items wait in it, or are about to come, is
    ///   in front of them, and so the next that it takes itself.
    #[must_use]
    pub fn prefetch(self, items: usize) -> Self {
        Self {
            prefetch: items,
            ..self
        }
    }

    /// How long one question to the server may take, by default 5 seconds: a verb that does not wait
    /// fails then, one that waits asks again. While there is a connection and no answer comes, a verb
    /// may end some seconds after its own time limit.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// What becomes of a name that is taken, or free.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// The addresses, without what stands before an `@`.
    pub(crate) fn server_without_secrets(&self) -> Result<String, Failure> {
        let bare = |address: &str| {
            let (scheme, rest) = address.split_once("://").unwrap_or(("nats", address));
            let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            format!("{scheme}://{host}")
        };
        let all: Vec<_> = self.server.split(',').map(|one| bare(one.trim())).collect();
        let all = all.join(",");
        match self.server.trim() {
            "" => {
                let message = "no address of a NATS server is given";
                Err(Failure::new(FailureKind::Unsupported, message))
            }
            _ => Ok(all),
        }
    }

    /// Connects, on the runtime that this is called on.
    pub(crate) async fn dial(
        &self,
        on_event: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Client, Failure> {
        let server = self.server_without_secrets()?;
        let mut addresses = Vec::new();
        let mut tls = false;
        let mut login = None;
        for address in self.server.split(',').map(str::trim) {
            // `tls://` is what async-nats calls it.
            let (scheme, rest) = address.split_once("://").unwrap_or(("nats", address));
            let is_tls = matches!(scheme, "nats+tls" | "tls");
            tls |= is_tls;
            // async-nats does not take them from the address.
            let (user, host) = match rest.rsplit_once('@') {
                Some((user, host)) => (Some(user), host),
                None => (None, rest),
            };
            login = login.or(user);
            addresses.push(match is_tls {
                true => format!("tls://{host}"),
                false => format!("{scheme}://{host}"),
            });
        }
        if tls && cfg!(not(feature = "tls")) {
            let message = "TLS needs the feature `tls` of queue-nats";
            return Err(Failure::new(FailureKind::Unsupported, message));
        }
        let mut options = ConnectOptions::new()
            .name("queue-nats")
            .connection_timeout(self.timeout)
            .reconnect_delay_callback(|attempts| {
                Duration::from_millis((attempts as u64 * 50).min(1000))
            })
            .event_callback(move |event| {
                on_event(event);
                std::future::ready(())
            });
        let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        options = match login.map(|login| login.split_once(':').ok_or(login)) {
            None => options,
            Some(Ok((user, password))) => options.user_and_password(decode(user), decode(password)),
            Some(Err(token)) => options.token(decode(token)),
        };
        if tls {
            options = options.require_tls(true);
        }
        if let Some(file) = &self.root_certificates {
            options = options.add_root_certificates(file.clone());
        }
        if let Some(file) = &self.credentials {
            let place = file.display();
            let text = std::fs::read_to_string(file).map_err(|error| {
                let message = format!("cannot read the credentials in {place}");
                Failure::caused(FailureKind::Io, message, error)
            })?;
            options = options.credentials(&text).map_err(|_| {
                // Its text may quote the file.
                let message = format!("what is in {place} are no credentials");
                Failure::new(FailureKind::Io, message)
            })?;
        }
        let connected = options.connect(addresses).await;
        connected.map_err(|error| failure::not_connected(&error, &server))
    }
}

/// Without user, password and credentials.
impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsOptions")
            .field("server", &self.server_without_secrets().unwrap_or_default())
            .field("credentials", &self.credentials)
            .field("capacity", &self.capacity)
            .field("replicas", &self.replicas)
            .field("ack_wait", &self.ack_wait)
            .field("prefetch", &self.prefetch)
            .field("timeout", &self.timeout)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
