//! The peers between processes that are crates.

mod iceoryx;
mod memory;
mod messages;

use super::{Entry, entry};
use crate::subject::Role::Peer;

pub fn entries() -> Vec<Entry> {
    vec![
        entry::<messages::IpcChannel<u64>>(Peer),
        entry::<messages::IpcChannel<Vec<u8>>>(Peer),
        entry::<messages::LocalSocket>(Peer),
        entry::<memory::Ipmpsc>(Peer),
        entry::<memory::Promisqs<8>>(Peer),
        entry::<memory::Promisqs<256>>(Peer),
        entry::<memory::Promisqs<4096>>(Peer),
        entry::<memory::ShaqOne<8>>(Peer),
        entry::<memory::ShaqOne<256>>(Peer),
        entry::<memory::ShaqOne<4096>>(Peer),
        entry::<memory::ShaqOne<{ 1 << 20 }>>(Peer),
        entry::<memory::ShaqMany<8>>(Peer),
        entry::<memory::ShaqMany<256>>(Peer),
        entry::<memory::ShaqMany<4096>>(Peer),
        entry::<memory::ShaqMany<{ 1 << 20 }>>(Peer),
        entry::<memory::Cloudtoid>(Peer),
        entry::<iceoryx::Iceoryx>(Peer),
    ]
}
