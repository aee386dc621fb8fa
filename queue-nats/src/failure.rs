//! What async-nats and the server report, as failures of the family.

use crate::connection::Answer;
use async_nats::client::{RequestError, RequestErrorKind};
use async_nats::{ConnectError, ConnectErrorKind, Message};
use queue_core::{Failure, FailureKind};
use serde::Deserialize;
use std::error::Error;
use std::io;

/// An error of the server's JetStream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ApiError {
    pub(crate) code: u64,
    pub(crate) err_code: u64,
    pub(crate) description: String,
}

// See the server's list of errors.
pub(crate) const FULL: u64 = 10077;
pub(crate) const WRONG_LAST_ID: u64 = 10070;
pub(crate) const NO_STREAM: u64 = 10059;
pub(crate) const NO_CONSUMER: u64 = 10014;
/// There is no such item, as a rule.
pub(crate) const NOT_DELETED: u64 = 10057;
pub(crate) const NAME_IN_USE: u64 = 10058;
/// Two streams have a subject in common. Also said of a stream that somebody is just creating.
pub(crate) const OVERLAP: u64 = 10065;
pub(crate) const WRONG_LAST_SEQUENCE: u64 = 10071;
const TOO_LARGE: u64 = 10054;

impl ApiError {
    /// The failure, of what was tried.
    pub(crate) fn failure(&self, tried: &str) -> Failure {
        let kind = match self.err_code {
            TOO_LARGE => FailureKind::TooLarge,
            // JetStream is off, for all or for this account.
            10076 | 10039 => FailureKind::Unsupported,
            NO_STREAM | NO_CONSUMER => FailureKind::PeerGone,
            // Clusters without a leader, and the like.
            _ if self.code == 503 && !self.is_exhausted() => FailureKind::Unavailable,
            _ => FailureKind::Io,
        };
        let message = match kind {
            FailureKind::Unsupported => format!("{tried}: JetStream is off ({})", self.text()),
            FailureKind::PeerGone => {
                format!("{tried}: the queue is not there any more ({})", self.text())
            }
            _ if self.is_exhausted() => {
                format!("{tried}: the server's storage is full ({})", self.text())
            }
            _ => format!("{tried}: {}", self.text()),
        };
        Failure::new(kind, message)
    }

    /// Whether the server, or the account, has no memory or disk left.
    pub(crate) fn is_exhausted(&self) -> bool {
        matches!(self.err_code, 10002 | 10023 | 10028 | 10047)
    }

    /// Whether another try may go better soon: there is no leader, or no quorum.
    pub(crate) fn is_passing(&self) -> bool {
        self.code == 503 && !self.is_exhausted() && !matches!(self.err_code, 10076 | 10039 | FULL)
    }

    fn text(&self) -> String {
        format!("{}, error {}", self.description, self.err_code)
    }
}

pub(crate) fn answer(answer: Result<Message, RequestError>) -> Answer {
    match answer {
        Ok(message) => Answer::Reply(message),
        Err(error) => match error.kind() {
            RequestErrorKind::NoResponders => Answer::NoResponders,
            RequestErrorKind::MaxPayloadExceeded => Answer::TooLarge,
            _ => Answer::Silence,
        },
    }
}

/// Why there is no connection. The text of async-nats' error may quote the address, and so a
/// password: it is not passed on where it may.
pub(crate) fn not_connected(error: &ConnectError, server: &str) -> Failure {
    let tls = handshake(error);
    let (kind, why) = match error.kind() {
        ConnectErrorKind::ServerParse => (FailureKind::Unsupported, "this is not an address"),
        ConnectErrorKind::Dns => (FailureKind::Unavailable, "the name is not known"),
        ConnectErrorKind::Authentication => (FailureKind::Denied, "the credentials do not sign"),
        ConnectErrorKind::AuthorizationViolation => {
            (FailureKind::Denied, "the server refuses these credentials")
        }
        ConnectErrorKind::TimedOut => (FailureKind::Unavailable, "no server answers in time"),
        ConnectErrorKind::Tls => (FailureKind::Denied, NO_TLS),
        ConnectErrorKind::Io if tls.is_some() => (FailureKind::Denied, NO_TLS),
        ConnectErrorKind::Io | ConnectErrorKind::MaxReconnects => (
            FailureKind::Unavailable,
            "no server answers: `nats-server -js` starts one, and NATS_URL says where it is to a queue \
             without an address",
        ),
    };
    let detail = tls.unwrap_or_else(|| error.kind().to_string());
    let message = format!("cannot connect to NATS at {server}: {why} ({detail})");
    Failure::new(kind, message)
}

const NO_TLS: &str = "there is no TLS with this server";

/// What went wrong between the two ends of TLS, if that did: it comes as data that make no sense.
fn handshake(error: &ConnectError) -> Option<String> {
    let mut source = error.source();
    while let Some(error) = source {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::InvalidData) {
            return Some(error.to_string());
        }
        source = error.source();
    }
    None
}
