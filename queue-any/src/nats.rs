//! Queues between machines.

use crate::address::Address;
use crate::mode::Mode;
use crate::open::Item;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use queue_core::dynamic::DynQueue;
use queue_core::{Failure, FailureKind};
use queue_nats::{NatsConnection, NatsOptions, NatsQueue};

/// `nats://host:4222/jobs`: the server, and the queue's name on it.
pub(crate) fn open<T: Item>(address: &Address) -> Result<DynQueue<T>, Failure> {
    let (name, options) = options(address)?;
    NatsQueue::<T>::open(&name, &options).map(DynQueue::new)
}

pub(crate) fn remove(address: &Address) -> Result<bool, Failure> {
    let (name, options) = options(address)?;
    NatsConnection::connect(&options)?.delete(&name, &options)
}

fn options(address: &Address) -> Result<(String, NatsOptions), Failure> {
    let scheme = address.scheme();
    let whole = address.name().unwrap_or_default();
    let (server, name) = whole
        .rsplit_once('/')
        .filter(|(server, name)| !server.is_empty() && !server.contains('/') && !name.is_empty())
        .ok_or_else(|| {
            let message = format!(
                "`{scheme}:` is followed by a server and a name: `{scheme}://localhost:4222/jobs`"
            );
            Failure::new(FailureKind::Unsupported, message)
        })?;
    let server = match server.rsplit_once('@') {
        None => format!("{scheme}://{server}"),
        Some((user, host)) => {
            let encode = |part| utf8_percent_encode(part, NON_ALPHANUMERIC);
            let user = match user.split_once(':') {
                Some((user, password)) => format!("{}:{}", encode(user), encode(password)),
                None => encode(user).to_string(),
            };
            format!("{scheme}://{user}@{host}")
        }
    };
    let mut options = NatsOptions::new(server).mode(match Mode::of(address)? {
        Mode::Open => queue_nats::Mode::Open,
        Mode::Create => queue_nats::Mode::Create,
        Mode::OpenOrCreate => queue_nats::Mode::OpenOrCreate,
    });
    if let Some(capacity) = address.capacity()? {
        options = options.capacity(capacity);
    }
    if let Some(text) = address.get("replicas") {
        let replicas = text.parse().ok().filter(|n| *n > 0).ok_or_else(|| {
            let message = format!("`replicas={text}` is no number of servers");
            Failure::new(FailureKind::Unsupported, message)
        })?;
        options = options.replicas(replicas);
    }
    if let Some(wait) = address.duration("ack_wait")? {
        options = options.ack_wait(wait);
    }
    if let Some(text) = address.get("prefetch") {
        let items = text.parse().map_err(|error| {
            let message = format!("`prefetch={text}` is no number of items");
            Failure::caused(FailureKind::Unsupported, message, error)
        })?;
        options = options.prefetch(items);
    }
    if let Some(file) = address.get("creds") {
        options = options.credentials(file);
    }
    Ok((name.to_owned(), options))
}
