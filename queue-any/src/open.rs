//! [`open`] and [`Registry`]: from an address to a queue.

use crate::address::Address;
use crate::scheme::{Name, SCHEMES, Scheme};
use queue_core::dynamic::DynQueue;
use queue_core::{Failure, FailureKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

/// What goes through every kind of queue: implemented for all that can.
pub trait Item: Send + Serialize + DeserializeOwned + 'static {}

impl<T: Send + Serialize + DeserializeOwned + 'static> Item for T {}

/// Opens, or creates, the queue at `url`: the table of [addresses](crate#addresses) says which.
///
/// ```
/// use queue_any::Queue;
/// let jobs = queue_any::open::<String>("thread://jobs?capacity=64")?;
/// let same = queue_any::open::<String>("thread://jobs")?;
/// jobs.push("sweep".into())?;
/// assert_eq!(same.pop()?, "sweep");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// With `pipe:` or `shm:` and a name this process is on both sides of the queue from then on: see
/// [`into_ends`](queue_core::Queue::into_ends) if it is to be on one alone. With `nats:` it is on none: the
/// queue stays until it is closed, by halves that are dropped too, so plain handles are what it takes.
///
/// # Errors
/// `Unsupported` for an address that is none, an unknown scheme, one whose feature is off, a
/// parameter that the scheme does not have or that makes no sense; `Mismatch` if the queue there has
/// another capacity, item type or codec; else what the kind says: `PeerGone` if there is no queue to
/// be opened, `Denied` if there is one where one was to be created.
pub fn open<T: Item>(url: &str) -> Result<DynQueue<T>, Failure> {
    let address = Address::parse(url)?;
    open_family(&address)
}

#[cold]
fn refused(message: String) -> Failure {
    Failure::new(FailureKind::Unsupported, message)
}

/// Removes the queue at `url`, with all that is in it, from a server that keeps it while no program uses
/// it (`nats:`): whether there was one. Of any other queue nothing is left once the last program lets go of
/// it; nothing happens, and it is false.
///
/// ```
/// assert_eq!(queue_any::remove("thread://jobs"), Ok(false));
/// ```
///
/// # Errors
/// As [`open`]; it is no error if there is no such queue.
pub fn remove(url: &str) -> Result<bool, Failure> {
    let address = Address::parse(url)?;
    match known(&address)?.feature.name {
        #[cfg(feature = "nats")]
        "nats" => crate::nats::remove(&address),
        _ => Ok(false),
    }
}

/// Removes what killed processes left behind at a server, such as `nats://localhost:4222`: queues without a
/// name of their own (`NatsQueue::bounded` and the like) that nobody uses any more. Their names.
///
/// One is taken to be in use if somebody who has it answers within `patience`, which this may take; a process
/// that is cut off from the server for as long loses it. No other kind leaves anything behind.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(queue_any::remove_abandoned("thread://", Duration::ZERO), Ok(vec![]));
/// ```
///
/// # Errors
/// As [`open`], and `Denied` if this user may not list or remove queues.
pub fn remove_abandoned(url: &str, patience: Duration) -> Result<Vec<String>, Failure> {
    let address = Address::parse(url)?;
    match known(&address)?.feature.name {
        #[cfg(feature = "nats")]
        "nats" => crate::nats::remove_abandoned(&address, patience),
        _ => {
            let _ = patience;
            Ok(Vec::new())
        }
    }
}

/// Opens an address of the family's own schemes.
fn open_family<T: Item>(address: &Address) -> Result<DynQueue<T>, Failure> {
    match known(address)?.feature.name {
        #[cfg(any(feature = "thread", feature = "async"))]
        "thread" | "async" => crate::local::open(address),
        #[cfg(feature = "process")]
        "process" => crate::process::open(address),
        #[cfg(feature = "nats")]
        "nats" => crate::nats::open(address),
        _ => unreachable!("its feature is on"),
    }
}

/// The scheme of an address, if it is one of the family's, built in, and has what that takes.
fn known(address: &Address) -> Result<&'static Scheme, Failure> {
    let Some(scheme) = Scheme::find(address.scheme()) else {
        return Err(unknown(address.scheme(), &[]));
    };
    if !scheme.feature.is_on {
        return Err(refused(format!(
            "`{}:` needs the feature `{}` of the crate `queue-any`",
            scheme.scheme, scheme.feature.name
        )));
    }
    address.allow(scheme.parameters)?;
    match (scheme.name, address.name()) {
        (Name::None, Some(_)) => {
            return Err(refused(format!("`{}:` takes no name", scheme.scheme)));
        }
        (Name::Required, None) => {
            let example = match scheme.scheme.starts_with("nats") {
                true => format!("{}://localhost:4222/jobs", scheme.scheme),
                false => format!("{}:JOBS", scheme.scheme),
            };
            let message = format!("`{}:` needs a name, such as `{example}`", scheme.scheme);
            return Err(refused(message));
        }
        (Name::Optional, None) if address.get("mode").is_some() => {
            return Err(refused(format!(
                "`mode` is for a queue with a name, such as `{}://jobs`",
                scheme.scheme
            )));
        }
        _ => {}
    }
    Ok(scheme)
}

/// The failure of a scheme that nobody knows.
#[cold]
fn unknown(scheme: &str, own: &[&str]) -> Failure {
    let family = SCHEMES.iter().map(|known| known.scheme);
    let known: Vec<_> = family.chain(own.iter().copied()).collect();
    refused(format!(
        "unknown scheme `{scheme}:`; known are `{}:`",
        known.join(":`, `")
    ))
}

type Opener<T> = Box<dyn Fn(&Address) -> Result<DynQueue<T>, Failure> + Send + Sync>;

/// The family's schemes, and your own.
///
/// ```
/// use queue_any::{DynQueue, Queue, Registry, ThreadQueue};
///
/// let mut registry = Registry::<u32>::new();
/// registry.register("small", |address| {
///     address.allow(&[])?;
///     Ok(DynQueue::new(ThreadQueue::bounded(1)))
/// });
/// assert_eq!(registry.open("small:")?.capacity(), Some(1));
/// assert_eq!(registry.open("thread:?capacity=2")?.capacity(), Some(2));
/// # Ok::<(), queue_any::Failure>(())
/// ```
pub struct Registry<T> {
    own: HashMap<String, Opener<T>>,
}

impl<T: Item> Registry<T> {
    /// The family's schemes alone.
    pub fn new() -> Self {
        Self {
            own: HashMap::new(),
        }
    }

    /// Has `open` open addresses of `scheme`, in place of whoever did before.
    pub fn register(
        &mut self,
        scheme: &str,
        open: impl Fn(&Address) -> Result<DynQueue<T>, Failure> + Send + Sync + 'static,
    ) {
        self.own.insert(scheme.to_ascii_lowercase(), Box::new(open));
    }

    /// As [`open`](crate::open()), with the schemes registered here as well.
    ///
    /// # Errors
    /// As [`open`](crate::open()), and what the function that was registered says.
    pub fn open(&self, url: &str) -> Result<DynQueue<T>, Failure> {
        let address = Address::parse(url)?;
        match self.own.get(address.scheme()) {
            Some(open) => open(&address),
            None if Scheme::find(address.scheme()).is_some() => open_family(&address),
            None => {
                let mut own: Vec<_> = self.own.keys().map(|scheme| &**scheme).collect();
                own.sort_unstable();
                Err(unknown(address.scheme(), &own))
            }
        }
    }
}

impl<T: Item> Default for Registry<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Registry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut own: Vec<_> = self.own.keys().collect();
        own.sort_unstable();
        f.debug_struct("Registry").field("own", &own).finish()
    }
}
