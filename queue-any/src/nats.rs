//! Queues between machines.

use crate::address::Address;
use crate::mode::Mode;
use crate::open::Item;
use percent_encoding::percent_decode_str;
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
    let server = address.place();
    if server.is_empty() || server.contains('/') {
        let scheme = address.scheme();
        let message = format!("`{scheme}:` is followed by a server: `{scheme}://localhost:4222`");
        return Err(Failure::new(FailureKind::Unsupported, message));
    }
    let options = with_credentials(NatsOptions::new(url_of(address.scheme(), server)), address);
    NatsConnection::connect(&options)?.remove_abandoned(patience)
}

/// A server, for those who connect to it. They undo the encoding of the user and the password.
fn url_of(scheme: &str, server: &str) -> String {
    match server.rsplit_once('@') {
        // To them a comma stands between servers.
        Some((login, host)) => {
            let login = login.replace(',', "%2C");
            format!("{scheme}://{login}@{}", decoded(host))
        }
        None => format!("{scheme}://{}", decoded(server)),
    }
}

fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

fn with_credentials(options: NatsOptions, address: &Address) -> NatsOptions {
    match address.get("creds") {
        Some(file) => options.credentials(file),
        None => options,
    }
}

fn options(address: &Address) -> Result<(String, NatsOptions), Failure> {
    let scheme = address.scheme();
    // An encoded slash is one of a password.
    let (server, name) = (address.place())
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
    Ok((decoded(name), with_credentials(options, address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_handed_on_as_it_is_written() {
        for (server, url) in [
            ("host:4222", "nats://host:4222"),
            ("h1:4222,h2:4222", "nats://h1:4222,h2:4222"),
            ("me:a%2Fb%40@host", "nats://me:a%2Fb%40@host"),
            ("to%3Aken@host", "nats://to%3Aken@host"),
            ("me:a,b@h1,h2", "nats://me:a%2Cb@h1,h2"),
        ] {
            assert_eq!(url_of("nats", server), url);
        }
    }
}
