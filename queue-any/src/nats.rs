//! Queues between machines.

use crate::address::Address;
use crate::mode::Mode;
use crate::open::Item;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use queue_core::dynamic::DynQueue;
use queue_core::{Failure, FailureKind};
use queue_nats::{NatsConnection, NatsOptions, NatsQueue};
use std::time::Duration;

/// `nats://host:4222/jobs`: the server, and the queue's name on it.
pub(crate) fn open<T: Item>(address: &Address) -> Result<DynQueue<T>, Failure> {
    let (name, options) = options(address)?;
    NatsQueue::<T>::open(&name, &options).map(DynQueue::new)
}

pub(crate) fn remove(address: &Address) -> Result<bool, Failure> {
    let (name, options) = options(address)?;
    NatsConnection::connect(&options)?.delete(&name, &options)
}

/// `nats://host:4222`: the server.
pub(crate) fn remove_abandoned(
    address: &Address,
    patience: Duration,
) -> Result<Vec<String>, Failure> {
    let server = address.name().unwrap_or_default();
    if server.is_empty() || server.contains('/') {
        let scheme = address.scheme();
        let message = format!("`{scheme}:` is followed by a server: `{scheme}://localhost:4222`");
        return Err(Failure::new(FailureKind::Unsupported, message));
    }
    let options = with_credentials(NatsOptions::new(url_of(address.scheme(), server)), address);
    NatsConnection::connect(&options)?.remove_abandoned(patience)
}

/// A server, for those who connect to it: in an address a user's name may have any letters.
fn url_of(scheme: &str, server: &str) -> String {
    let Some((user, host)) = server.rsplit_once('@') else {
        return format!("{scheme}://{server}");
    };
    let encode = |part| utf8_percent_encode(part, NON_ALPHANUMERIC);
    let user = match user.split_once(':') {
        Some((user, password)) => format!("{}:{}", encode(user), encode(password)),
        None => encode(user).to_string(),
    };
    format!("{scheme}://{user}@{host}")
}

fn with_credentials(options: NatsOptions, address: &Address) -> NatsOptions {
    match address.get("creds") {
        Some(file) => options.credentials(file),
        None => options,
    }
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
    let mut options = NatsOptions::new(url_of(scheme, server)).mode(match Mode::of(address)? {
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
    Ok((name.to_owned(), with_credentials(options, address)))
}
