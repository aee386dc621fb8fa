//! Handing a queue of a Linux kind to another process.
//!
//! A queue is a bundle of descriptors ([`fd_bundle`]), which goes by inheritance to a [`child`],
//! or through a socket to whoever knows a [name](named) or received a message with
//! it ([`handle_serde`]).

mod child;
mod fd_bundle;
mod handle_serde;
pub(crate) mod named;
pub(crate) mod server;
mod socket;

#[cfg(test)]
mod tests;
