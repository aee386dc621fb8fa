//! [`NatsQueue`]: the handle, opening one, deleting it, and finding those that are abandoned.

use crate::connection::{Link, NatsConnection};
use crate::last_handle::Last;
use crate::options::{Mode, NatsOptions};
use crate::server_stream::{self, Names, Opening};
use crate::shared::{Shared, lock};
use crate::temporary;
use queue_codec::{Codec, Postcard};
use queue_core::{Capacity, Failure, WithCapacity};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// A queue between machines: its items are in a stream of a NATS server.
#[doc(alias("jetstream", "broker"))]
pub struct NatsQueue<T, C = Postcard> {
    pub(crate) shared: Arc<Shared>,
    last: Arc<Last>,
    types: PhantomData<fn(T) -> C>,
}

impl<T: Send, C: Codec<T>> NatsQueue<T, C> {
    /// Opens, or creates, the queue of this name, over a connection of its own.
    ///
    /// # Errors
    /// As [`NatsConnection::connect`] and [`NatsConnection::queue`].
    pub fn open(name: &str, options: &NatsOptions) -> Result<Self, Failure> {
        NatsConnection::connect(options)?.queue(name, options)
    }

    /// As [`close`](queue_core::Queue::close), and says why if it cannot.
    ///
    /// # Errors
    /// `Unavailable` if the server does not answer for two [`timeout`](NatsOptions::timeout)s, `Denied` if this
    /// user may not do that.
    pub fn try_close(&self) -> Result<bool, Failure> {
        self.shared.link.block_on(async {
            self.shared.undone().await;
            self.shared.close().await
        })
    }

    /// Removes the queue from the server, with all that is in it.
    ///
    /// # Errors
    /// `Unavailable` if the server does not answer, `Denied` if this user may not do that.
    pub fn delete(self) -> Result<(), Failure> {
        let shared = &self.shared;
        let deleted = server_stream::delete(&shared.link, &shared.names, shared.timeout);
        let deleted = shared.link.block_on(deleted);
        deleted.map_err(|refusal| shared.refused(refusal))?;
        shared.forget_ahead();
        Ok(())
    }

    fn open_on(
        link: &Arc<Link>,
        name: &str,
        options: &NatsOptions,
        is_temporary: bool,
    ) -> Result<Self, Failure> {
        let names = Names::new(name)?;
        let opening = Opening {
            link,
            names: &names,
            options,
            item: C::item_name(),
            codec: C::NAME,
        };
        let opened = link.block_on(opening.open())?;
        let shared = Shared::new(link.clone(), names, &opened, options, is_temporary);
        if name.starts_with(temporary::PREFIX) {
            link.block_on(shared.tell_of_use());
        }
        let last = Last::new(&shared);
        Ok(Self {
            shared,
            last,
            types: PhantomData,
        })
    }
}

impl NatsConnection {
    /// Opens, or creates, the queue of this name. Of `options` it takes what a queue is like, not the
    /// server.
    ///
    /// # Errors
    /// `Mismatch` if there is another queue of this name: with other settings, items or codec;
    /// `Denied` if this user may not do that, or it is to be created and is there; `Unsupported` if JetStream is off, or the server too
    /// old for replicas; `PeerGone` if it is to be opened and is not there.
    pub fn queue<T: Send, C: Codec<T>>(
        &self,
        name: &str,
        options: &NatsOptions,
    ) -> Result<NatsQueue<T, C>, Failure> {
        NatsQueue::open_on(&self.0, name, options, false)
    }

    /// Removes the queue of this name from the server, whatever items it has, with all that is in it:
    /// whether there was one.
    ///
    /// # Errors
    /// `Unavailable` if the server does not answer, `Denied` if this user may not do that,
    /// `Unsupported` if no queue can have this name.
    pub fn delete(&self, name: &str, options: &NatsOptions) -> Result<bool, Failure> {
        let names = Names::new(name)?;
        let deleted = server_stream::delete(&self.0, &names, options.timeout);
        let deleted = self.0.block_on(deleted);
        deleted.map_err(|refusal| refusal.failure(&format!("delete the queue {name:?}")))
    }
}

impl NatsConnection {
    /// Removes the queues without a name of their own ([`WithCapacity`]) that nobody uses any more, for a
    /// `kill -9` left them behind: their names, in order.
    ///
    /// Whoever has such a queue, in whichever process, listens for a question about it. One is removed if
    /// nobody listens from the first question on until `patience` is over, so a process that is cut off from
    /// the server for as long as that loses it. Who listens and does not answer, for it is stopped, keeps it.
    /// Blocks for `patience` if there may be any to remove, and a second for an answer.
    ///
    /// ```no_run
    /// use queue_nats::{NatsConnection, NatsOptions};
    /// use std::time::Duration;
    ///
    /// let connection = NatsConnection::connect(&NatsOptions::new("nats://localhost:4222"))?;
    /// for name in connection.remove_abandoned(Duration::from_secs(60))? {
    ///     println!("removed {name}");
    /// }
    /// # Ok::<(), queue_nats::Failure>(())
    /// ```
    ///
    /// # Errors
    /// `Unavailable` if the server does not answer, `Denied` if this user may not do that; what is
    /// removed by then stays so.
    pub fn remove_abandoned(&self, patience: Duration) -> Result<Vec<String>, Failure> {
        self.0
            .block_on(temporary::remove_abandoned(&self.0, patience))
    }
}

impl<T: Send> NatsQueue<T, Postcard>
where
    Postcard: Codec<T>,
{
    queue_core::constructors!();
}

/// The connections of the queues without a name, by address.
static CONNECTIONS: Mutex<Vec<(String, Weak<Link>)>> = Mutex::new(Vec::new());

/// A queue without a name of its own, at the server that the environment variable `NATS_URL` names,
/// or at `nats://localhost:4222`. It goes with its last handle. All such queues of a process share
/// one connection.
impl<T: Send, C: Codec<T>> WithCapacity for NatsQueue<T, C> {
    fn try_with_capacity(capacity: Capacity) -> Result<Self, Failure> {
        let server = std::env::var("NATS_URL");
        let server = server.unwrap_or_else(|_| "nats://localhost:4222".to_owned());
        let options = NatsOptions::new(server.clone())
            .capacity(capacity)
            .mode(Mode::Create);
        let mut connections = lock(&CONNECTIONS);
        connections.retain(|(_, link)| link.strong_count() > 0);
        let known = connections.iter().find(|(known, _)| *known == server);
        let link = match known.and_then(|(_, link)| link.upgrade()) {
            Some(link) => link,
            None => {
                let NatsConnection(link) = NatsConnection::connect(&options)?;
                connections.push((server, Arc::downgrade(&link)));
                link
            }
        };
        drop(connections);
        let name = format!(
            "{}{:016x}",
            temporary::PREFIX,
            RandomState::new().hash_one(0)
        );
        Self::open_on(&link, &name, &options, true)
    }
}

impl<T, C> Clone for NatsQueue<T, C> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            last: self.last.clone(),
            types: PhantomData,
        }
    }
}

/// As for every kind, a panic in an item's own code leaves the queue usable.
impl<T, C> UnwindSafe for NatsQueue<T, C> {}
impl<T, C> RefUnwindSafe for NatsQueue<T, C> {}

impl<T, C> fmt::Debug for NatsQueue<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsQueue")
            .field("name", &self.shared.names.queue)
            .field("server", &self.shared.link.server)
            .field("capacity", &self.shared.capacity)
            .finish_non_exhaustive()
    }
}
