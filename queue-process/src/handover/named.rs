//! Handing a queue to whoever knows its name.

use super::child::sides;
use super::parcel::Parcel;
use super::server::{Server, address, connect};
use super::socket::{receive, send};
use crate::codec::Codec;
use crate::shared::handle::{Handle, Shareable};
use queue_core::Failure;
use std::ops::ControlFlow;

impl<T, C: Codec<T>, S: Shareable> Handle<T, C, S> {
    /// Lets the processes of this user open the queue under `name`, as long as there is
    /// a handle in this process.
    pub(crate) fn offer(&self, name: &str) -> Result<(), Failure> {
        let parcel = Parcel::pack(&self.parts(), self.narrowed(None)?)?;
        let server = Server::start(&address(name)?, move |stream| {
            // Whoever cannot receive it sees the stream end.
            let _ = send(&stream, &parcel);
            ControlFlow::Continue(())
        })?;
        self.host(server);
        Ok(())
    }

    /// The queue that a process of this user offers under `name`.
    pub(crate) fn open_named(name: &str) -> Result<Self, Failure> {
        let stream = connect(&address(name)?, || {
            format!("no process offers a queue {name:?}")
        })?;
        let Parcel { label, fds } = receive(&stream)?;
        Self::open(fds, sides(label.half))
    }
}
